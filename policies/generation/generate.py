"""Write poems, score them, show them."""

from __future__ import annotations

import dataclasses
import json
import re
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from policies.causal_lm import CausalPolicy
from policies.decoding.first_words import first_lines
from policies.decoding.sampler import Decoding
from policies.decoding.stream import LineStream
from policies.generation.config import GenerateConfig
from policies.generation.fused_authors import fuse
from policies.loading.files import rhyming
from rlpoet.corpus.authors import parse_authors
from rlpoet.errors import RlpoetError
from rlpoet.evaluation.score import ScoredPoem, score_text
from rlpoet.machine import AUTO, precision_of
from rlpoet.prosody.fit import form_and_lines
from rlpoet.prosody.forms import form
from rlpoet.registry import CAUSAL_LM
from rlpoet.reporting.poems import console, poem_text
from rlpoet.reporting.run_report import heard
from rlpoet.rollout import Policy, load_policy
from rlpoet.types import Prompt

MANY = 64  # poems at once, for which products in bfloat16 can be worth their rounding


def generate(config: GenerateConfig) -> int:
    """Print ``config.n`` poems; JSON objects hold the poem, its scores and the seed that writes it again."""
    check(config)
    seed = secrets.randbelow(2**31) if config.seed is None else config.seed
    own = config.lang or "fr"  # what is opened where no policy is named; only our class has some that were trained to rhyme
    source = config.policy or (own if config.policy_class not in (None, CAUSAL_LM) else rhyming(own))
    policy = load_policy(source, seed=seed, lang=config.lang, policy_class=config.policy_class, inference_only=True)
    if not isinstance(policy, CausalPolicy):
        refuse_tokens(config, policy)
    precision = config.precision if config.precision != AUTO or config.n * config.best_of >= MANY else "fp32"
    policy.precision, pace = precision_of(precision, policy.model)
    precision = precision if pace is None else pace.precision
    if pace is not None and pace.measured:
        console(stderr=True).print(pace.line(), highlight=False)
    lang = config.lang or policy.lang
    author = config.author
    if author is not None and not (isinstance(policy, CausalPolicy) and policy.codec.any_author):
        weights = parse_authors(author, policy.authors)
        author = fuse(policy, weights) if len(weights) > 1 and isinstance(policy, CausalPolicy) else next(iter(weights))
    *whole, words = (line.strip() for line in config.prompt.replace("\\n", "\n").split("\n"))
    prompt = Prompt(lang, form(config.form, lang).name, author, (*config.opening, *filter(None, whole)))
    prompts, stream = [prompt] * config.n, None
    if isinstance(policy, CausalPolicy):
        prompts = _with_words(policy, prompt, words, config) if words else prompts
        stream = LineStream(policy, sys.stdout) if config.stream else None
    theme = [word.strip() for word in config.theme.split(",") if word.strip()]
    common = decoding_of(config, theme)
    poems: list[ScoredPoem] = []
    try:
        if stream is not None:
            for one_prompt in prompts:  # one after the other: a terminal shows one poem at a time
                text = policy.sample([one_prompt], watch=stream.begin(one_prompt), **common).texts[0]
                stream.end()
                poems.append(scored(text, one_prompt))
                _append(config, [poems[-1]], [one_prompt], seed)
        else:
            distinct = list(dict.fromkeys(prompts))
            if len(distinct) == 1:
                texts = policy.sample(distinct, config.n * config.best_of, **common).texts
            else:
                texts = policy.sample(prompts, config.best_of, **common).texts
            all_scored = [scored(text, prompts[i // config.best_of]) for i, text in enumerate(texts)]
            groups = [all_scored[i : i + config.best_of] for i in range(0, len(all_scored), config.best_of)]
            poems = [max(group, key=lambda poem: selection_score(poem, theme)) for group in groups]
            _append(config, poems, prompts, seed)
    except BrokenPipeError:  # `| head` has read enough
        return 0
    if config.json:
        for poem in poems:
            how = {"author": author, "theme": theme, "seed": seed, "precision": precision}
            item = {"text": "\n".join(poem.lines), **dataclasses.asdict(poem), **how}
            sys.stdout.write(json.dumps(item, ensure_ascii=False) + "\n")
        return 0
    out = console()
    for i, poem in enumerate(poems):
        if i or stream is not None:
            out.print()
        out.print(poem_text(poem))
    return 0


def check(config: GenerateConfig) -> None:
    """Refuse what cannot be done.

    Raises:
        RlpoetError: a number outside its range, or flags that exclude each other.
    """
    for name in ("n", "best_of"):
        if getattr(config, name) < 1:
            raise RlpoetError(f"--{name}: {getattr(config, name)}; expected 1 or more.")
    if config.temperature < 0 or not 0 < config.top_p <= 1 or config.top_k < 0 or (config.limit is not None and config.limit < 1):
        raise RlpoetError(
            "--temperature and --top_k: expected 0 or more; --limit: expected 1 or more; --top_p: expected a share in (0, 1]."
        )
    if config.repetition_penalty <= 0 or config.no_repeat_ngram < 0 or config.beams < 0:
        raise RlpoetError("--repetition_penalty: expected more than 0; --no_repeat_ngram and --beams: expected 0 or more.")
    if config.stream and (config.best_of > 1 or config.beams or config.json):
        raise RlpoetError("--stream: given with --best_of, --beams or --json; expected it alone, since those choose after writing.")
    if config.beams and config.beams < config.n * config.best_of:
        raise RlpoetError(f"--beams: {config.beams} for {config.n * config.best_of} poems; expected at least as many beams as poems.")
    if config.opening and config.prompt:
        raise RlpoetError("--prompt: given with --opening; expected one of them. Line breaks in --prompt make whole lines too.")
    if config.lang is not None:
        form(config.form, config.lang)


def decoding_of(config: GenerateConfig, theme: Sequence[str]) -> dict[str, Any]:
    """What ``sample`` is given of the configuration: what is not at its neutral value, so that a policy may know less than ours."""
    neutral = {item.name: item.default for item in dataclasses.fields(Decoding)}
    names = ("temperature", "top_k", "top_p", "beams", "repetition_penalty", "no_repeat_ngram")
    found = {name: value for name in names if (value := getattr(config, name)) != neutral[name]}
    found |= {"max_new_tokens": config.limit} if config.limit else {}
    return found | ({"theme": theme, "theme_strength": config.theme_strength} if theme else {})


def refuse_tokens(config: GenerateConfig, policy: Policy) -> None:
    """Refuse what is done token by token, or to the weights, from a policy that is no causal language model.

    Raises:
        RlpoetError: such a flag.
    """
    *_, words = config.prompt.replace("\\n", "\n").split("\n")
    asked = {"stream": config.stream, "prompt": bool(words.strip()), "author": "," in (config.author or "")}
    instead = {"stream": "Leave it out.", "prompt": "End it with a line break: it then is a whole line.", "author": "Name one author."}
    for name in [name for name, given in asked.items() if given]:
        raise RlpoetError(f"--{name}: with {type(policy).__name__}, whose tokens it needs; expected a causal-lm policy. {instead[name]}")


def _with_words(policy: CausalPolicy, prompt: Prompt, words: str, config: GenerateConfig) -> list[Prompt]:
    """One prompt a poem, each with a first line of its own that begins with the words."""
    if prompt.opening:
        raise RlpoetError(f"--prompt: {words!r} after whole lines; expected words of the first line only, or a line break after them.")
    lines = first_lines(policy, prompt, words, config.n, temperature=config.temperature)
    return [dataclasses.replace(prompt, opening=(line,)) for line in lines]


def _append(config: GenerateConfig, poems: list[ScoredPoem], prompts: list[Prompt], seed: int) -> None:
    """Add poems to the samples file; what it held stays."""
    if config.out is None:
        return
    path = Path(config.out)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            for poem, prompt in zip(poems, prompts, strict=True):
                about = [f"{prompt.lang} {prompt.form}", prompt.author, f"prompt: {config.prompt!r}" if config.prompt else None]
                about += [f"opening: {' / '.join(config.opening)!r}" if config.opening else None]
                about += [f"theme: {config.theme}" if config.theme else None]
                about += [f"temperature {config.temperature:g}", f"top-p {config.top_p:g}", f"seed {seed}"]
                file.write("# " + ", ".join(filter(None, about)) + "\n" + "\n".join(poem.lines) + "\n\n")
    except OSError as error:
        raise RlpoetError(f"{path}: cannot be written ({error.strerror}); expected a file to add poems to.") from None


def scored(text: str, prompt: Prompt) -> ScoredPoem:
    """A poem with its scores; one that broke off earns nothing."""
    _, lines, complete = form_and_lines(prompt, text)
    if not complete:
        return heard("\n".join(lines), prompt.lang, form=prompt.form, scores={"rhyme": 0.0, "meter": 0.0})
    return score_text("\n".join(lines), prompt.lang, prompt.form)[0]


def selection_score(poem: ScoredPoem, theme: Sequence[str] = ()) -> float:
    """What the best of several is chosen by: the mean of its rewards, and of the share of theme words it holds if there are any."""
    scores = [score for score in poem.scores.values() if score is not None]
    if theme:
        words = set(re.findall(r"\w+", " ".join(poem.lines).casefold()))
        scores.append(sum(set(re.findall(r"\w+", word.casefold())) <= words for word in theme) / len(theme))
    return sum(scores) / len(scores) if scores else 0.0

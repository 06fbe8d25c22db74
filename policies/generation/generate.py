"""Write poems, score them, show them."""

from __future__ import annotations

import dataclasses
import itertools
import secrets
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from policies.causal_lm import CausalPolicy
from policies.completion.config import CompleteConfig
from policies.completion.filler import MAX_DRAWS as MAX_DRAWS_PER_GAP
from policies.completion.run import show
from policies.decoding.first_words import first_lines
from policies.decoding.sampler import Decoding
from policies.decoding.stream import LineStream
from policies.generation.choice import chosen
from policies.generation.config import GenerateConfig
from policies.generation.fused_authors import fuse
from policies.generation.rejection import CHOICE, MAX_DRAWS, SETTLE, SHORT, Draft, FormJudge, Sampled, candidates, sample_accepted
from policies.loading.files import rhyming
from rlpoet.config.opening import OpeningOptions
from rlpoet.corpus.authors import parse_authors
from rlpoet.errors import RlpoetError
from rlpoet.evaluation.examples import example_poems
from rlpoet.evaluation.score import ScoredPoem, score_text
from rlpoet.machine import AUTO, precision_of
from rlpoet.prosody.fit import form_and_lines
from rlpoet.prosody.forms import form, form_to_write
from rlpoet.registry import CAUSAL_LM
from rlpoet.reporting.poems import console, poem_text
from rlpoet.reporting.progress import Pulse
from rlpoet.reporting.run_report import heard
from rlpoet.reporting.terminal import write_row
from rlpoet.rollout import Policy, ask_by, open_policy
from rlpoet.text import check_writable
from rlpoet.types import Prompt

MANY = 64  # poems at once, for which products in bfloat16 can be worth their rounding
OF_GAPS = (  # options that a poem of gaps takes; of --theme_strength and the options of opening it has no use, and they ask for nothing
    "lang", "policy", "form", "scheme", "meter", "end_words", "acrostic", "author", "opening", "n", "temperature", "top_p", "max_draws",
    "allow_unknown", "seed", "json", "theme_strength", *(item.name for item in dataclasses.fields(OpeningOptions)),
)  # fmt: skip
FIRST_LINES = 4  # first lines per poem that begins with given words, so that drawing it again is no longer bound to one of them


@dataclass(frozen=True)
class Delivered:
    """A poem that is shown, as scored and as drawn, and how many were drawn for it."""

    poem: ScoredPoem
    draft: Draft
    draws: int


def generate(config: GenerateConfig) -> int:
    """Print ``config.n`` poems; JSON objects hold the poem, its scores and the seed that writes it again."""
    config = with_scheme(config)
    check(config)
    if config.out is not None and not Path(config.out).is_file():  # what is there is added to
        check_writable(config.out)
    if config.end_words or config.acrostic:
        return show(*gaps_of(config))
    seed = secrets.randbelow(2**31) if config.seed is None else config.seed
    own = config.lang or "fr"  # what is opened where no policy is named; only our class has some that were trained to rhyme
    source = config.policy or (own if config.policy_class not in (None, CAUSAL_LM) else rhyming(own))
    policy = open_policy(source, config, seed=seed, lang=config.lang, policy_class=config.policy_class, inference_only=True)
    if not isinstance(policy, CausalPolicy):
        refuse_tokens(config, policy)
    asked = form_to_write(config.form, config.lang or policy.lang)
    examples = example_poems(config.data, config.lang or policy.lang, [asked.name], config.shots, seed=seed)
    ask_by(policy, config, examples, theme=config.theme)
    best_of, settle = choice_of(config, asked.n_lines)
    precision = config.precision if config.precision != AUTO or config.n * best_of >= MANY else "fp32"
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
    prompt = Prompt(lang, asked.name, author, (*config.opening, *filter(None, whole)))
    given = "\n".join((*config.opening, config.prompt.replace("\\n", "\n")))
    judge = FormJudge(n_given=len(prompt.opening), given=given, allow_unknown=config.allow_unknown)
    max_draws = max(config.max_draws or MAX_DRAWS, config.best_of or 1)
    prompts = [prompt]
    if words and isinstance(policy, CausalPolicy):
        prompts = _with_words(policy, prompt, words, config, judge)
    theme = [word.strip() for word in config.theme.split(",") if word.strip()]
    common = decoding_of(config, theme)
    try:
        if config.stream and isinstance(policy, CausalPolicy):
            sys.stderr.write("--stream: poems are shown as they are drawn (--raw), since a line once shown cannot be drawn again.\n")
            sampled = _streamed(policy, prompts, judge, config, common)
        elif is_raw(config):
            drawn = _draw(policy, [one for one in prompts for _ in range(best_of)], config.n * best_of, common)
            drafts = [judge(*one) for one in drawn]
            sampled = Sampled(tuple(tuple(drafts[i : i + best_of]) for i in range(0, len(drafts), best_of)))
        else:
            wanted = {"max_draws": max_draws, "best_of": best_of, "settle": settle}
            sampled = _redrawn(policy, prompts, judge, config, common, wanted)
    except BrokenPipeError:  # `| head` has read enough
        return 0
    poems = []
    for drafts_of_poem in sampled.drafts:
        pool = drafts_of_poem if is_raw(config) else candidates(drafts_of_poem, best_of)
        options = [(scored(draft.text, draft.prompt), draft) for draft in pool]
        poem, draft = chosen(policy, options, theme)
        poems.append(Delivered(poem, draft, draws=len(drafts_of_poem)))
    lost = _append(config, poems, seed)
    if not is_raw(config):
        _tell(poems, sampled, max_draws)
    if config.json:
        how = {"author": author, "theme": theme, "seed": seed, "precision": precision}
        for one in poems:
            kept = {"perfect": one.draft.perfect, "draws": one.draws, "acceptance": round(sampled.accepted / sampled.draws, 4)}
            item = {"text": "\n".join(one.poem.lines), **dataclasses.asdict(one.poem), **how, **kept}
            write_row(item)
    else:
        out = console()
        for i, one in enumerate(poems):
            if i or config.stream:
                out.print()
            out.print(poem_text(one.poem))
    if lost is not None:  # only now: the poems are at least shown
        raise lost
    return 0


def with_scheme(config: GenerateConfig) -> GenerateConfig:
    """The request with its scheme, if it has one, as its form.

    Raises:
        RlpoetError: --scheme without --meter, or the other way about.

    >>> with_scheme(GenerateConfig(scheme="abba", meter="12")).form
    'abba/12'
    """
    if config.scheme is None and config.meter is None:
        return config
    if config.scheme is None or config.meter is None:
        raise RlpoetError("--scheme and --meter: one of them given; expected both, such as --scheme abba --meter 12.")
    return dataclasses.replace(config, form=f"{config.scheme}/{config.meter}", scheme=None, meter=None)


def gaps_of(config: GenerateConfig) -> tuple[CompleteConfig, str]:
    """A poem of gaps with the given lines, last words and letters, and how it is to be filled.

    Raises:
        RlpoetError: more or fewer last words than lines, or an option that gaps cannot have.

    >>> gaps_of(GenerateConfig(lang="fr", form="couplet", end_words=("nuit", "bruit")))[1]
    '_ nuit\\n_ bruit'
    """
    for item in dataclasses.fields(config):
        if item.name not in OF_GAPS and getattr(config, item.name) != item.default:
            raise RlpoetError(
                f"--{item.name}: given with --end_words or --acrostic; expected one of them. `rlpoet complete` takes first words."
            )
    asked = form(config.form, config.lang or "fr")
    ends = config.end_words or ("_",) * asked.n_lines
    if len(ends) != asked.n_lines:
        raise RlpoetError(
            f"--end_words: {len(ends)} for the {asked.n_lines} lines of {asked.name!r}; expected one a line, _ for an open one."
        )
    rows = ["_" if end == "_" else f"_ {end}" for end in ends]
    rows[: len(config.opening)] = config.opening
    lines = iter(rows)
    text = "\n\n".join("\n".join(next(lines) for _ in stanza) for stanza in asked.scheme.split(" "))
    wanted = CompleteConfig(
        "-", lang=config.lang, policy=config.policy, form=config.form, acrostic=config.acrostic, author=config.author, n=config.n,
        temperature=config.temperature, top_p=config.top_p, max_draws=config.max_draws or MAX_DRAWS_PER_GAP,
        allow_unknown=config.allow_unknown, seed=config.seed, json=config.json,
    )  # fmt: skip
    return wanted, text


def is_raw(config: GenerateConfig) -> bool:
    """Whether poems are shown as they are drawn: asked for, shown line by line, or the same however often they are drawn."""
    return config.raw or config.stream or config.beams > 0 or config.temperature == 0


def _draw(policy: Policy, prompts: Sequence[Prompt], n: int, common: dict[str, Any]) -> list[tuple[Prompt, str]]:
    """``n`` poems in one batch, their prompts in turn."""
    if len(set(prompts)) == 1:
        return [(prompts[0], text) for text in policy.sample(prompts[:1], n, **common).texts]
    batch = list(itertools.islice(itertools.cycle(prompts), n))
    return list(zip(batch, policy.sample(batch, 1, **common).texts, strict=True))


def _redrawn(
    policy: Policy, prompts: Sequence[Prompt], judge: FormJudge, config: GenerateConfig, common: dict[str, Any], wanted: dict[str, Any]
) -> Sampled:
    """Poems drawn until they keep their form. One that begins with given words is drawn again with another of its first lines."""
    turn = 0

    def draw(size: int) -> list[tuple[Prompt, str]]:
        nonlocal turn
        start, turn = turn % len(prompts), turn + size
        return _draw(policy, [*prompts[start:], *prompts[:start]], size, common)

    with Pulse(console(stderr=True)) as pulse:
        tick = pulse.part("poems that keep their form", config.n)
        return sample_accepted(draw, judge, config.n, tick=tick, **wanted)


def _streamed(policy: CausalPolicy, prompts: Sequence[Prompt], judge: FormJudge, config: GenerateConfig, common: dict[str, Any]) -> Sampled:
    """Poems one after the other, since a terminal shows one at a time."""
    stream, drafts = LineStream(policy, sys.stdout), []
    for prompt in itertools.islice(itertools.cycle(prompts), config.n):
        text = policy.sample([prompt], watch=stream.begin(prompt), **common).texts[0]
        stream.end()
        drafts.append((judge(prompt, text),))
    return Sampled(tuple(drafts))


def _tell(poems: Sequence[Delivered], sampled: Sampled, most: int) -> None:
    """One line with the share of poems that was accepted, and one more if a poem was given up."""
    share = sampled.accepted / sampled.draws
    sys.stderr.write(f"{sampled.accepted} of {sampled.draws} poems drawn keep their form ({share:.0%}).\n")
    n_failed = sum(not one.draft.perfect for one in poems)
    if n_failed:
        which = "1 poem does not keep its form" if n_failed == 1 else f"{n_failed} poems do not keep their form"
        sys.stderr.write(f"{which}: the best of {most} draws. Set --max_draws higher, or choose a shorter form.\n")


def check(config: GenerateConfig) -> None:
    """Refuse what cannot be done.

    Raises:
        RlpoetError: a number outside its range, or flags that exclude each other.
    """
    for name in ("n", "best_of"):
        if (value := getattr(config, name)) is not None and value < 1:
            raise RlpoetError(f"--{name}: {value}; expected 1 or more.")
    if config.temperature < 0 or not 0 < config.top_p <= 1 or config.top_k < 0 or (config.limit is not None and config.limit < 1):
        raise RlpoetError(
            "--temperature and --top_k: expected 0 or more; --limit: expected 1 or more; --top_p: expected a share in (0, 1]."
        )
    if config.repetition_penalty <= 0 or config.no_repeat_ngram < 0 or config.beams < 0:
        raise RlpoetError("--repetition_penalty: expected more than 0; --no_repeat_ngram and --beams: expected 0 or more.")
    if config.max_draws is not None and (config.max_draws < 1 or is_raw(config)):
        raise RlpoetError(
            f"--max_draws: {config.max_draws}; expected 1 or more, without --raw, --stream, --beams or --temperature 0, which draw once."
        )
    if config.stream and ((config.best_of or 1) > 1 or config.beams or config.json):
        raise RlpoetError("--stream: given with --best_of, --beams or --json; expected it alone, since those choose after writing.")
    if config.beams and config.beams < config.n * (config.best_of or 1):
        raise RlpoetError(
            f"--beams: {config.beams} for {config.n * (config.best_of or 1)} poems; expected at least as many beams as poems."
        )
    if config.best_of_line < 1 or (config.best_of_line > 1 and (config.theme or config.beams or config.limit or config.stream)):
        raise RlpoetError(
            f"--best_of_line: {config.best_of_line}; expected 1 or more, and alone: without --theme, --beams, --limit and --stream."
        )
    if config.opening and config.prompt:
        raise RlpoetError("--prompt: given with --opening; expected one of them. Line breaks in --prompt make whole lines too.")
    if config.lang is not None:
        form_to_write(config.form, config.lang)


def choice_of(config: GenerateConfig, n_lines: int) -> tuple[int, int | None]:
    """Poems wanted for each one shown, and draws after which one accepted poem is enough (None: those that are wanted)."""
    if config.best_of is not None:
        return config.best_of, None
    return (CHOICE, SETTLE) if n_lines <= SHORT and not is_raw(config) else (1, None)


def decoding_of(config: GenerateConfig, theme: Sequence[str]) -> dict[str, Any]:
    """What ``sample`` is given of the configuration: what is not at its neutral value, so that a policy may know less than ours."""
    neutral = {item.name: item.default for item in dataclasses.fields(Decoding)}
    names = ("temperature", "top_k", "top_p", "beams", "repetition_penalty", "no_repeat_ngram")
    found: dict[str, Any] = {name: value for name in names if (value := getattr(config, name)) != neutral[name]}
    found |= {"max_new_tokens": config.limit} if config.limit else {}
    found |= {"best_of_line": config.best_of_line} if config.best_of_line > 1 else {}
    return found | ({"theme": theme, "theme_strength": config.theme_strength} if theme else {})


def refuse_tokens(config: GenerateConfig, policy: Policy) -> None:
    """Refuse what is done token by token, or to the weights, from a policy that is no causal language model.

    Raises:
        RlpoetError: such a flag.
    """
    *_, words = config.prompt.replace("\\n", "\n").split("\n")
    asked = {
        "stream": config.stream,
        "best_of_line": config.best_of_line > 1,
        "prompt": bool(words.strip()),
        "author": "," in (config.author or ""),
    }
    instead = {
        "stream": "Leave it out.",
        "best_of_line": "Leave it out.",
        "prompt": "End it with a line break: it then is a whole line.",
        "author": "Name one author.",
    }
    for name in [name for name, given in asked.items() if given]:
        raise RlpoetError(f"--{name}: with {type(policy).__name__}, whose tokens it needs; expected a causal-lm policy. {instead[name]}")


def _with_words(policy: CausalPolicy, prompt: Prompt, words: str, config: GenerateConfig, judge: FormJudge) -> list[Prompt]:
    """Prompts that differ in their first lines, which begin with the words: one per poem, or several if poems are drawn again."""
    if prompt.opening:
        raise RlpoetError(f"--prompt: {words!r} after whole lines; expected words of the first line only, or a line break after them.")
    n = config.n if is_raw(config) else config.n * FIRST_LINES
    lines = first_lines(policy, prompt, words, n, temperature=config.temperature)
    if not (is_raw(config) or config.allow_unknown):
        lines = [line for line in lines if not judge.unknown(line, prompt.lang)] or lines
    return [dataclasses.replace(prompt, opening=(line,)) for line in lines]


def _append(config: GenerateConfig, poems: Sequence[Delivered], seed: int) -> RlpoetError | None:
    """Add poems to the samples file, whose own stay; what is wrong if that fails."""
    if config.out is None:
        return None
    path = Path(config.out)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            for one in poems:
                prompt = one.draft.prompt
                about = [f"{prompt.lang} {prompt.form}", prompt.author, f"prompt: {config.prompt!r}" if config.prompt else None]
                about += [f"opening: {' / '.join(config.opening)!r}" if config.opening else None]
                about += [f"theme: {config.theme}" if config.theme else None]
                about += [f"temperature {config.temperature:g}", f"top-p {config.top_p:g}", f"seed {seed}"]
                about += ["raw"] if is_raw(config) else []
                file.write("# " + ", ".join(filter(None, about)) + "\n" + "\n".join(one.poem.lines) + "\n\n")
    except OSError as error:
        return RlpoetError(f"{path}: cannot be written ({error.strerror}); expected a file to add poems to.")
    return None


def scored(text: str, prompt: Prompt) -> ScoredPoem:
    """A poem with its scores; one that broke off earns nothing."""
    _, lines, complete = form_and_lines(prompt, text)
    if not complete:
        return heard("\n".join(lines), prompt.lang, form=prompt.form, scores={"rhyme": 0.0, "meter": 0.0})
    return score_text("\n".join(lines), prompt.lang, prompt.form, known_only=True, headings=False)[0]

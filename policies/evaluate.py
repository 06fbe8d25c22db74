"""Measure a policy on poems it has not read and on poems it writes, or any poems: collect, measure, show."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from policies.causal_lm import CausalPolicy
from policies.judges import CausalJudge, line_judge
from policies.likelihood import Cost, annotated_groups, poem_costs, score_poems
from policies.loading.files import SHIPPED
from rlpoet import registry
from rlpoet.analysis.intervals import Share, ratio_bounds
from rlpoet.analysis.ngram_index import NgramIndex
from rlpoet.corpus import Columns, Poem, read_poems, select
from rlpoet.corpus.poem import printed
from rlpoet.errors import RlpoetError, UnknownName
from rlpoet.evaluation.config import EvaluateConfig
from rlpoet.evaluation.examples import example_poems
from rlpoet.evaluation.measures import by_form, counted
from rlpoet.evaluation.poems import EvaluationPoem, human_evaluation_poems, read_evaluation_poems, sampled_evaluation_poems
from rlpoet.evaluation.provenance import scorer_versions
from rlpoet.evaluation.sense import Judges, sense
from rlpoet.evaluation.word_judge import require_word_judge, word_judge
from rlpoet.languages import code_of
from rlpoet.machine import AUTO, check_device, gpu, precision_of
from rlpoet.prosody.forms import form, form_to_write
from rlpoet.protocols import Reward
from rlpoet.reporting.evaluation_tables import show_figures
from rlpoet.reporting.poems import console
from rlpoet.reporting.progress import Pulse
from rlpoet.rollout import Policy, ask_by, open_policy
from rlpoet.text import check_writable

FORMS = ("couplet", "quatrain-abab", "quatrain-abba")  # sampled where none are asked for
NO_PRIOR = "none"


@dataclass
class Collected:
    """All that is measured, and what it is measured with.

    Attributes:
        lang: language of all poems.
        held: poems whose cost under the policy is wanted.
        groups: ``sampled``, ``texts`` and ``human``, those there are; each group is a column of the table.
        left_out: stanzas of texts that no form holds; None where no texts were given.
        prior: the model whose perplexity the groups have.
        reference: stanzas by people apart from ``human``, from which a classifier has to tell each group; none without ``--sense``.
        judges: who judges the sense of the groups.
    """

    lang: str
    policy: Policy | None
    rewards: Mapping[str, Reward]
    held: Sequence[Poem]
    groups: Mapping[str, Sequence[EvaluationPoem]]
    left_out: int | None
    index: NgramIndex | None
    prior: CausalPolicy | None
    reference: Sequence[EvaluationPoem]
    judges: Judges


def evaluate(config: EvaluateConfig) -> int:
    """Print the figures of ``config.policy``, of ``config.texts``, or of both.

    Raises:
        RlpoetError, UnknownName: nothing to measure, no such policy, form, author, column or file.
    """
    check(config)
    with Pulse(console(stderr=True)) as pulse:
        collected = collect(config, pulse)
        figures = measured(collected, config, pulse)
    show_figures(figures, json=config.json)
    return 0


def collect(config: EvaluateConfig, pulse: Pulse) -> Collected:
    """Open the models, read the poems, and have the policy write its own."""
    index = corpus_index(config) if config.n or config.texts else None
    torch.set_num_threads(config.threads or torch.get_num_threads())
    policy = opened(config.policy, config, config.policy_class) if config.policy else None
    lang = policy.lang if policy else str(config.lang)
    forms = [form(name, lang) for name in dict.fromkeys(config.forms)]
    rewards = rewards_of(config.rewards, lang)
    held = held_poems(config, lang, config.poems) if config.poems else []
    people = held_poems(config, lang, config.human) if config.human else held
    groups: dict[str, Sequence[EvaluationPoem]] = {}
    left_out = None
    if policy and config.n:
        sampled = [form_to_write(own.name, lang) for own in forms] or [form(name, lang) for name in FORMS]
        authors = known_authors(config.authors, policy)
        ask_by(policy, config, example_poems(config.data, lang, [own.name for own in sampled], config.shots, seed=config.seed))
        tick = pulse.part("writing", config.n * len(sampled))
        groups["sampled"] = sampled_evaluation_poems(policy, sampled, config.n, authors, temperature=config.temperature, tick=tick)
    if config.texts:
        groups["texts"], left_out = read_evaluation_poems(config.texts, lang, forms, columns=columns_of(config))
    reference: Sequence[EvaluationPoem] = ()
    if groups and people:
        human_forms = [form(name, lang) for name in dict.fromkeys(own.group for group in groups.values() for own in group)]
        shown, apart = halves(people, seed=config.seed) if config.sense else (people, [])
        groups["human"] = human_evaluation_poems(shown, lang, human_forms, config.n or 256, seed=config.seed)
        reference = human_evaluation_poems(apart, lang, human_forms, config.n or 256, seed=config.seed)
    prior = prior_of(config, lang, policy) if groups else None
    judges = judges_of(config, lang) if groups else Judges()
    return Collected(lang, policy, rewards, held if policy else [], groups, left_out, index, prior, reference, judges)


def measured(collected: Collected, config: EvaluateConfig, pulse: Pulse) -> dict[str, Any]:
    """What held-out poems cost the policy, and the figures of each group; as ``--json`` writes them."""
    lang, policy = collected.lang, collected.policy
    figures: dict[str, Any] = {
        "policy": config.policy,
        "lang": lang,
        "seed": config.seed,
        "versions": scorer_versions(lang, collected.rewards),
    }
    if policy and collected.held:
        figures |= reading(weigher(policy, "poems"), collected.held, config, pulse)
    if "sampled" in collected.groups:
        figures["temperature"] = config.temperature
    if collected.left_out is not None:
        figures["stanzas_left_out"] = collected.left_out
    if collected.prior is not None:
        figures["prior"] = config.prior or lang
    for name, poems in collected.groups.items():
        costs = None
        if collected.prior is not None:
            costs = poem_costs(collected.prior, [own.lines for own in poems], tick=pulse.part(f"weighing {name}", 100))
        tick = pulse.part(f"measuring {name}", 100)
        figures[name] = by_form(counted(poems, collected.rewards, index=collected.index, costs=costs, tick=tick), seed=config.seed)
    if collected.groups:
        tick = pulse.part("judging their sense", 100)
        figures["sense"] = sense(collected.groups, collected.judges, reference=collected.reference, seed=config.seed, tick=tick)
    return figures


def check(config: EvaluateConfig) -> None:
    """Check a configuration before anything is opened.

    Raises:
        RlpoetError: a number outside its range, or nothing to measure.
    """
    for name in ("n", "max_poems", "temperature", "threads", "window"):
        if not getattr(config, name) >= 0:
            raise RlpoetError(f"--{name}: {getattr(config, name)}; expected 0 or more.")
    if 0 < config.window < 32:
        raise RlpoetError(f"--window: {config.window}; expected 32 tokens or more, or 0.")
    if not config.policy and not config.texts:
        raise RlpoetError("--policy: none given, and no --texts; expected --policy fr, or --texts FILE --lang fr.")
    if not config.policy and not config.lang:
        raise RlpoetError("--texts without --policy: no language; expected --lang fr, say.")
    if not config.n and not config.poems and not config.texts:
        raise RlpoetError("--n 0 without --poems: nothing to measure; expected --poems FILE, or --n 256.")
    check_device(config.device)


def opened(name: str, config: EvaluateConfig, policy_class: str | None = None) -> Policy:
    """A policy on the configured device."""
    return open_policy(name, config, seed=config.seed, lang=config.lang, policy_class=policy_class)


def weigher(policy: Policy, flag: str) -> CausalPolicy:
    """A policy that can weigh any poem, whatever its form.

    Raises:
        RlpoetError: one of another class, which weighs only what it could have written itself.
    """
    if not isinstance(policy, CausalPolicy):
        raise RlpoetError(f"--{flag}: {type(policy).__name__} cannot weigh them; expected a causal-lm policy. Leave --{flag} out.")
    return policy


def prior_of(config: EvaluateConfig, lang: str, policy: Policy | None) -> CausalPolicy | None:
    """The model whose perplexity poems have: the one named, else the shipped prior of the language if there is one.

    Raises:
        RlpoetError: the one named is no causal language model.
    """
    name = config.prior or code_of(lang)
    if config.prior == NO_PRIOR or (config.prior is None and not (SHIPPED / name / "config.json").exists()):
        return None
    if policy is not None and name == config.policy and isinstance(policy, CausalPolicy):
        return policy
    return weigher(opened(name, config), "prior")


def halves(poems: Sequence[Poem], *, seed: int) -> tuple[list[Poem], list[Poem]]:
    """The poems in two parts of one size, by chance."""
    order = random.Random(seed).sample(poems, len(poems))
    return order[: len(order) // 2], order[len(order) // 2 :]


def judges_of(config: EvaluateConfig, lang: str) -> Judges:
    """Who judges sense: known words always, if their lists are installed; lines and classifier with ``--sense``; a model if one is named.

    Raises:
        UnknownName, RlpoetError: a judge that was asked for and is not here.
    """
    device = gpu() if config.device == AUTO else config.device
    model = None
    if config.judge_model:
        model = CausalJudge.open(config.judge_model, allow_download=config.allow_download, device=device)
    if not config.sense:
        return Judges(words=word_judge(lang), model=model)
    lines = line_judge(config.line_judge, lang, device=device)
    return Judges(words=require_word_judge(lang), lines=lines, model=model, classifier=True)


def rewards_of(names: Sequence[str], lang: str) -> dict[str, Reward]:
    """The named rewards with their default options; all installed ones that can judge the language if none is named.

    Raises:
        UnknownName: no such reward.
    """
    if not names:
        return registry.rewards_for(lang)
    return {name: registry.load("rlpoet.rewards", name)() for name in dict.fromkeys(names)}


def known_authors(names: Sequence[str], policy: Policy) -> list[str]:
    """Authors as the policy spells them.

    Raises:
        UnknownName: one it has no mark for.
    """
    for name in names:
        if name not in policy.authors and not (isinstance(policy, CausalPolicy) and policy.codec.any_author):
            raise UnknownName("author", name, policy.authors)
    return list(names)


def reading(policy: CausalPolicy, poems: Sequence[Poem], config: EvaluateConfig, pulse: Pulse) -> dict[str, Any]:
    """Bits per character and perplexity of held-out poems under the policy."""
    annotated = annotated_groups(poems, policy.lang, tick=pulse.part("listening to the poems", len(poems)))
    policy.precision, pace = precision_of(config.precision, policy.model)
    precision = "bf16" if policy.precision == torch.bfloat16 else "fp32"
    if pace is not None and pace.measured:
        pulse.out.print(pace.line(), highlight=False)
    cost = score_poems(policy, poems, window=config.window, annotated=annotated, tick=pulse.part("reading them", 100))
    policy.precision = torch.float32
    known_names = {poem.author for poem in poems} if policy.codec.any_author else set(policy.authors)
    unknown = sum(poem.author is None or poem.author not in known_names for poem in poems)
    figures = cost_figures(cost, seed=config.seed)
    return {**figures, "precision": precision, "poems_of_unknown_author": unknown}


def held_poems(config: EvaluateConfig, lang: str, sources: Sequence[str]) -> list[Poem]:
    """The poems of corpora, as printed.

    Raises:
        RlpoetError: none of them has a line of verse.
    """
    chosen = select(read_poems(sources, columns=columns_of(config)), config.where)
    if config.max_poems and config.max_poems < len(chosen):
        chosen = random.Random(config.seed).sample(chosen, config.max_poems)
    poems = [poem for poem in (printed(poem, lang) for poem in chosen) if poem.stanzas]
    if not poems:
        raise RlpoetError(f"--poems {' '.join(sources)}: no line with a letter in it; expected poems.")
    return poems


def columns_of(config: EvaluateConfig) -> Columns:
    """The columns of a table that hold poems and authors."""
    return Columns(config.text_column, config.author_column)


def cost_figures(cost: Cost, *, seed: int = 0) -> dict[str, Any]:
    """Bits per character and perplexity per token with their intervals, and what they were counted on."""
    nats, tokens, characters = (np.array(row, dtype=float) for row in (cost.nats, cost.tokens, cost.characters))
    return {
        "poems": len(cost.nats),
        "characters": sum(cost.characters),
        "tokens": sum(cost.tokens),
        "nats": sum(cost.nats),
        "bits_per_char": cost.bits_per_char,
        "bits_per_char_95": list(ratio_bounds(Share(nats / math.log(2), characters), seed=seed)),
        "perplexity": cost.perplexity,
        "perplexity_95": [math.exp(edge) for edge in ratio_bounds(Share(nats, tokens), seed=seed)],
    }


def corpus_index(config: EvaluateConfig) -> NgramIndex | None:
    """The index that ``--corpus`` and ``--index`` name, built and written, or read; None if neither is given.

    Raises:
        RlpoetError: a corpus that cannot be read, an index that cannot be read or written.
    """
    if not config.corpus:
        return NgramIndex.load(config.index) if config.index else None
    if config.index:
        check_writable(config.index)
    index = NgramIndex.build(read_poems(config.corpus, columns=columns_of(config)))
    if config.index:
        index.save(config.index)
    return index

"""Measure a policy on poems it has not read and on poems it writes, or any poems, and show it all as tables or one JSON object."""

from __future__ import annotations

import json
import math
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from policies.causal_lm import CausalPolicy
from policies.likelihood import Cost, annotated_groups, poem_costs, score_poems
from policies.loading.files import SHIPPED
from rlpoet import registry
from rlpoet.analysis.ngram_index import NgramIndex
from rlpoet.corpus import Columns, Poem, read_poems, select
from rlpoet.corpus.poem import printed
from rlpoet.errors import RlpoetError, UnknownName
from rlpoet.evaluation.config import EvaluateConfig
from rlpoet.evaluation.human_baseline import interval
from rlpoet.evaluation.measures import Counted, by_form, counted
from rlpoet.evaluation.poems import EvaluationPoem, human_evaluation_poems, read_evaluation_poems, sampled_evaluation_poems
from rlpoet.evaluation.provenance import scorer_versions
from rlpoet.languages import code_of
from rlpoet.machine import precision_of
from rlpoet.prosody.forms import form
from rlpoet.protocols import Reward
from rlpoet.reporting.evaluation_tables import tables
from rlpoet.reporting.poems import console

T = TypeVar("T")
FORMS = ("couplet", "quatrain-abab", "quatrain-abba")  # sampled where none are asked for
NO_PRIOR = "none"


def evaluate(config: EvaluateConfig) -> int:
    """Print the figures of ``config.policy``, of ``config.texts``, or of both.

    Raises:
        RlpoetError, UnknownName: nothing to measure, no such policy, form, author, column or file.
    """
    check(config)
    index = corpus_index(config) if config.n or config.texts else None
    torch.set_num_threads(config.threads or torch.get_num_threads())
    policy = opened(config.policy, config) if config.policy else None
    lang = policy.lang if policy else str(config.lang)
    of_forms = [form(name, lang) for name in dict.fromkeys(config.forms)]
    rewards = rewards_of(config.rewards)
    result: dict[str, Any] = {"policy": config.policy, "lang": lang, "seed": config.seed, "versions": scorer_versions(lang, rewards)}
    poems = held_poems(config, lang, config.poems) if config.poems else []
    people = held_poems(config, lang, config.human) if config.human else poems
    with progress(console(stderr=True)) as bar:
        if poems and policy:
            result |= reading(policy, poems, config, bar)
        columns: dict[str, list[EvaluationPoem]] = {}
        if policy and config.n:
            result["temperature"] = config.temperature
            forms = of_forms or [form(name, lang) for name in FORMS]
            authors = known_authors(config.authors, policy)
            columns["sampled"] = watched(bar, "writing", config.n * len(forms), lambda tick: sampled_evaluation_poems(
                policy, forms, config.n, authors, temperature=config.temperature, tick=tick
            ))  # fmt: skip
        if config.texts:
            columns["texts"], result["stanzas_left_out"] = read_evaluation_poems(config.texts, lang, of_forms, columns=columns_of(config))
        if columns and people:
            measured = dict.fromkeys(poem.group for evaluation_poems in columns.values() for poem in evaluation_poems)
            human_poems = human_evaluation_poems(people, lang, [form(name, lang) for name in measured], config.n or 256, seed=config.seed)
            columns["human"] = human_poems
        prior = prior_of(config, lang, policy) if columns else None
        if prior is not None:
            result["prior"] = config.prior or lang
        for name, evaluation_poems in columns.items():
            result[name] = by_form(_measured(bar, name, evaluation_poems, rewards, index, prior), seed=config.seed)
    if config.json:
        sys.stdout.write(json.dumps(result, ensure_ascii=False) + "\n")
        return 0
    out = console()
    for table in tables(result):
        out.print(table)
    return 0


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
    device = config.device or ("cuda" if torch.cuda.is_available() else "cpu")
    if device.partition(":")[0] not in ("cpu", "cuda") or (device != "cpu" and not torch.cuda.is_available()):
        raise RlpoetError(f"--device: {device!r} is not here; expected cpu, or cuda on a machine that has it.")


def opened(name: str, config: EvaluateConfig) -> CausalPolicy:
    """A policy on the configured device."""
    device = config.device or ("cuda" if torch.cuda.is_available() else "cpu")
    return CausalPolicy.load(name, seed=config.seed, device=device, lang=config.lang, allow_download=config.allow_download)


def prior_of(config: EvaluateConfig, lang: str, policy: CausalPolicy | None) -> CausalPolicy | None:
    """The model that gives the perplexity: the one named, else the shipped prior of the language, if there is one."""
    name = config.prior or code_of(lang)
    if config.prior == NO_PRIOR or (config.prior is None and not (SHIPPED / name / "config.json").exists()):
        return None
    if policy is not None and name == config.policy:
        return policy
    return opened(name, config)


def rewards_of(names: Sequence[str]) -> dict[str, Reward]:
    """The named rewards with their default options; all installed ones if none is named.

    Raises:
        UnknownName: no such reward.
    """
    return {name: registry.load("rlpoet.rewards", name)() for name in dict.fromkeys(names or registry.names("rlpoet.rewards"))}


def known_authors(names: Sequence[str], policy: CausalPolicy) -> list[str]:
    """Authors as the policy spells them.

    Raises:
        UnknownName: one it has no mark for.
    """
    for name in names:
        if not policy.codec.any_author and name not in policy.authors:
            raise UnknownName("author", name, policy.authors)
    return list(names)


def reading(policy: CausalPolicy, poems: Sequence[Poem], config: EvaluateConfig, bar: Progress) -> dict[str, Any]:
    """Bits per character and perplexity of held-out poems under the policy."""
    annotated = watched(bar, "listening to the poems", len(poems), lambda tick: annotated_groups(poems, policy.lang, tick=tick))
    policy.precision, pace = precision_of(config.precision, policy.model)
    precision = "bf16" if policy.precision == torch.bfloat16 else "fp32"
    if pace is not None and pace.measured:
        bar.console.print(pace.line(), highlight=False)
    cost = watched(bar, "reading them", 100, lambda tick: score_poems(policy, poems, window=config.window, annotated=annotated, tick=tick))
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
    bits = [nats / math.log(2) for nats in cost.nats]
    edges = interval(cost.nats, cost.tokens, seed=seed)
    return {
        "poems": len(cost.nats),
        "characters": sum(cost.characters),
        "tokens": sum(cost.tokens),
        "nats": sum(cost.nats),
        "bits_per_char": cost.bits_per_char,
        "bits_per_char_95": interval(bits, cost.characters, seed=seed),
        "perplexity": cost.perplexity,
        "perplexity_95": torch.tensor(edges, dtype=torch.float64).exp().tolist(),
    }


def corpus_index(config: EvaluateConfig) -> NgramIndex | None:
    """The index that ``--corpus`` and ``--index`` name, built and written, or read; None if neither is given.

    Raises:
        RlpoetError: a corpus that cannot be read, an index that cannot be read or written.
    """
    if not config.corpus:
        return NgramIndex.load(config.index) if config.index else None
    index = NgramIndex.build(read_poems(config.corpus, columns=columns_of(config)))
    if config.index:
        index.save(config.index)
    return index


def progress(out: Console) -> Progress:
    """A progress bar on a terminal; nothing elsewhere."""
    return Progress(
        TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(), console=out, transient=True, disable=not out.is_terminal
    )


def _measured(
    bar: Progress,
    name: str,
    evaluation_poems: Sequence[EvaluationPoem],
    rewards: Mapping[str, Reward],
    index: NgramIndex | None,
    prior: Any,
) -> list[Counted]:
    lines = [poem.lines for poem in evaluation_poems]
    costs = None if prior is None else watched(bar, f"weighing {name}", 100, lambda tick: poem_costs(prior, lines, tick=tick))
    return watched(bar, f"measuring {name}", 100, lambda tick: counted(evaluation_poems, rewards, index=index, costs=costs, tick=tick))


def watched(bar: Progress, name: str, total: int, work: Callable[[Callable[[int], None]], T]) -> T:
    """Run some work, which reports its progress, under a progress bar."""
    task = bar.add_task(name, total=total)
    result = work(lambda n: bar.update(task, completed=n))
    bar.update(task, completed=total)
    return result

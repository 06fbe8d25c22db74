"""Counts of each poem, and figures of a set: form, rhyme, rewards, second judge, coherence, style, perplexity, variety."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rlpoet.analysis.authorship.model import line_sounds, style_model
from rlpoet.analysis.coherence import coherence
from rlpoet.analysis.intervals import Bounds, Share, proportion_bounds, ratio_bounds
from rlpoet.analysis.ngram_index import Copied, NgramIndex
from rlpoet.evaluation.form import PoemFacts, poem_facts
from rlpoet.evaluation.human_baseline import Figures, figures
from rlpoet.evaluation.poems import EvaluationPoem
from rlpoet.evaluation.repetition import variety
from rlpoet.evaluation.second_judge import judged, last_word, second_judge
from rlpoet.prosody.fit import has_its_lines
from rlpoet.prosody.forms import answers, form
from rlpoet.prosody.rhyme import rhyme_kind
from rlpoet.protocols import Reward

NO_RHYME = "none"


@dataclass(frozen=True)
class Counted:
    """All counts of one poem.

    Attributes:
        kinds: kind of rhyme of each pair of the scheme, ``none`` if it does not rhyme; empty for a poem with another number of lines.
        second: by the second judge: pairs that rhyme, lines in meter, and pairs on which both judges agree; None without a judge.
        rewards: score by name, None if the prompt does not ask for it.
        cost: nats, charged tokens and characters under the prior; None without a prior.
        coherence: how well its lines fit together; None without a model of the language, or with fewer than two lines.
        style: probability of the average voice, and whether the likeliest poet is the prompt's (None if the prompt names no poet of the
            model); None without a model of the language, or without lines.
    """

    poem: EvaluationPoem
    facts: PoemFacts
    copied: Copied | None
    kinds: Counter[str]
    second: tuple[int, int, int] | None
    rewards: Mapping[str, float | None]
    cost: tuple[float, int, int] | None
    coherence: float | None
    style: tuple[float, bool | None] | None

    @property
    def complete_pairs(self) -> int:
        return self.kinds.total()


def counted(
    evaluation_poems: Sequence[EvaluationPoem],
    rewards: Mapping[str, Reward],
    *,
    index: NgramIndex | None = None,
    costs: Sequence[tuple[float, int, int] | None] | None = None,
    tick: Callable[[int], None] = lambda n: None,
) -> list[Counted]:
    """Count every poem. If a poem is itself in the corpus, its lines count as copied only if another poem has them too.

    Args:
        costs: nats, charged tokens and characters of each poem under a prior; None for no perplexity.
        tick: called with the percentage done.
    """
    if not evaluation_poems:
        return []
    prompts, texts = [poem.prompt for poem in evaluation_poems], [poem.text for poem in evaluation_poems]
    scores = {name: reward.score(prompts, texts) for name, reward in rewards.items()}
    tick(40)
    lines = [list(poem.lines) for poem in evaluation_poems]
    in_index = [index is not None and poem.source is not None and index.knows(poem.source) for poem in evaluation_poems]
    copied: Sequence[Copied | None] = index.copied_all(lines, own=in_index) if index else [None] * len(lines)
    costs = costs or [None] * len(lines)
    results = []
    for i, poem in enumerate(evaluation_poems):
        poem_scores = {name: values[i] for name, values in scores.items()}
        facts = poem_facts(poem.prompt, poem.text)
        second, sense = second_opinion(poem), coherence(poem.lines, poem.prompt.lang)
        results.append(Counted(poem, facts, copied[i], kinds_of(poem), second, poem_scores, costs[i], sense, style_of(poem)))
    tick(100)
    return results


def kinds_of(poem: EvaluationPoem) -> Counter[str]:
    """The kinds of rhyme of the scheme's pairs, with their counts."""
    poem_form = form(poem.prompt.form, poem.prompt.lang)
    if not has_its_lines(poem.lines, poem_form):
        return Counter()
    return Counter(rhyme_kind(poem.lines[i], poem.lines[j], poem.prompt.lang) or NO_RHYME for i, j in poem_form.pairs)


def second_opinion(poem: EvaluationPoem) -> tuple[int, int, int] | None:
    """Pairs that rhyme and lines in meter by the second judge, and pairs on which both judges agree."""
    judge, poem_form = second_judge(poem.prompt.lang), form(poem.prompt.form, poem.prompt.lang)
    if judge is None:
        return None
    rhymed, fits = judged(judge, poem_form, poem.lines)
    agreed = 0
    if has_its_lines(poem.lines, poem_form):
        for a, b in ((poem.lines[i], poem.lines[j]) for i, j in poem_form.pairs):
            agreed += (last_word(a) != last_word(b) and judge.rhyme(a, b)) == answers(a, b, poem_form)
    return rhymed, fits, agreed


def style_of(poem: EvaluationPoem) -> tuple[float, bool | None] | None:
    """The probability of the average voice, and whether the prompt's author is the likeliest poet."""
    model = style_model(poem.prompt.lang)
    if model is None or not poem.lines:
        return None
    likely = model.probabilities(line_sounds(poem.lines, poem.prompt.lang))
    author = poem.prompt.author
    hit = int(likely[:-1].argmax()) == model.number(author) if author in model.poets else None
    return float(likely[-1]), hit


def all_figures(poems: Sequence[Counted], *, seed: int) -> Figures:
    """Every figure with its ``_95`` interval, poems resampled; a figure without data is absent."""
    facts = [poem.facts for poem in poems]
    out = figures(facts, seed=seed)
    if not poems:
        return out

    def ratio(name: str, part: Sequence[float], whole: Sequence[float], bounds: Callable[..., Bounds] = ratio_bounds) -> None:
        if sum(whole):
            share = Share(np.array(part, dtype=float), np.array(whole, dtype=float))
            out.update({name: share.value, name + "_95": list(bounds(share, seed=seed))})

    def proportion(name: str, part: Sequence[float], whole: Sequence[float]) -> None:
        ratio(name, part, whole, proportion_bounds)

    for kind in dict.fromkeys(kind for poem in poems for kind in poem.kinds):
        proportion(f"kind_{kind}", [poem.kinds[kind] for poem in poems], [poem.complete_pairs for poem in poems])
    for name in poems[0].rewards:
        scores = [score for poem in poems if (score := poem.rewards[name]) is not None]
        ratio(f"reward_{name}", scores, [1.0] * len(scores))
    second = [(poem.second, poem) for poem in poems if poem.second is not None]
    if second:
        proportion("second_rhyme_pairs", [opinion[0] for opinion, _ in second], [poem.facts.pairs for _, poem in second])
        proportion("second_lines_in_meter", [opinion[1] for opinion, _ in second], [poem.facts.lines for _, poem in second])
        proportion("second_agreement", [opinion[2] for opinion, _ in second], [poem.complete_pairs for _, poem in second])
    together = [poem.coherence for poem in poems if poem.coherence is not None]
    ratio("coherence", together, [1.0] * len(together))
    voices = [poem.style for poem in poems if poem.style is not None]
    ratio("style_of_a_poet", [1 - average for average, _ in voices], [1.0] * len(voices))
    hits = [hit for _, hit in voices if hit is not None]
    proportion("style_of_the_author", hits, [1.0] * len(hits))
    costs = [poem.cost for poem in poems if poem.cost is not None]
    if costs:
        ratio("prior_bits_per_char", [nats / math.log(2) for nats, _, _ in costs], [characters for *_, characters in costs])
        nats = Share(np.array([nats for nats, *_ in costs], dtype=float), np.array([tokens for _, tokens, _ in costs], dtype=float))
        edges = ratio_bounds(nats, seed=seed)
        out["prior_perplexity"] = math.exp(nats.value)
        out["prior_perplexity_95"] = [math.exp(edge) for edge in edges]
    copied = [poem.copied for poem in poems if poem.copied is not None]
    return out | variety([list(poem.poem.lines) for poem in poems], copied=copied or None, seed=seed)


def by_form(poems: Sequence[Counted], *, seed: int) -> dict[str, Figures]:
    """Figures of each form and, as ``all``, of all forms together."""
    groups: dict[str, list[Counted]] = {}
    for poem in poems:
        groups.setdefault(poem.poem.group, []).append(poem)
    return {name: all_figures(poem, seed=seed) for name, poem in [*groups.items(), ("all", list(poems))]}

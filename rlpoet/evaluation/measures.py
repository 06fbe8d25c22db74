"""What is counted of each poem, and the figures of a set of them: form, rhyme, rewards, the second judge, sense, sound, prior, variety."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rlpoet.analysis.authorship.model import heard, style_model
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
        kinds: how each pair of the scheme rhymes, ``none`` where it does not; empty for a poem of another number of lines.
        second: pairs that rhyme, lines in meter, and pairs of which both judges think the same, by the second judge; None without one.
        rewards: score by name, None where its prompt does not ask for it.
        cost: nats, charged tokens, characters under the prior; None where it was not weighed.
        coherence: how well its lines go together; None where the language has no model, or of fewer than two lines.
        style: how likely the average of all poets is by its sound, and whether the likeliest of the poets is the one asked for (None where
            none of them was); None where the language has no model, or of no lines.
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
    """Count every poem. Lines of a corpus's own poem have been copied only if another poem of the corpus has them too.

    Args:
        costs: nats, charged tokens and characters of each under a prior; None leaves its perplexity out.
        tick: called with the percentage done.
    """
    if not evaluation_poems:
        return []
    prompts, texts = [own.prompt for own in evaluation_poems], [own.text for own in evaluation_poems]
    scores = {name: reward.score(prompts, texts) for name, reward in rewards.items()}
    tick(40)
    lines = [list(own.lines) for own in evaluation_poems]
    known = [index is not None and own.source is not None and index.knows(own.source) for own in evaluation_poems]
    copied: Sequence[Copied | None] = index.copied_all(lines, own=known) if index else [None] * len(lines)
    costs = costs or [None] * len(lines)
    found = []
    for i, own in enumerate(evaluation_poems):
        told = {name: values[i] for name, values in scores.items()}
        facts = poem_facts(own.prompt, own.text)
        second, sense = second_opinion(own), coherence(own.lines, own.prompt.lang)
        found.append(Counted(own, facts, copied[i], kinds_of(own), second, told, costs[i], sense, style_of(own)))
    tick(100)
    return found


def kinds_of(own: EvaluationPoem) -> Counter[str]:
    """How the pairs of the scheme rhyme."""
    asked = form(own.prompt.form, own.prompt.lang)
    if not has_its_lines(own.lines, asked):
        return Counter()
    return Counter(rhyme_kind(own.lines[i], own.lines[j], own.prompt.lang) or NO_RHYME for i, j in asked.pairs)


def second_opinion(own: EvaluationPoem) -> tuple[int, int, int] | None:
    """Pairs that rhyme, lines in meter and pairs agreed on, by the second judge."""
    judge, asked = second_judge(own.prompt.lang), form(own.prompt.form, own.prompt.lang)
    if judge is None:
        return None
    rhymed, fits = judged(judge, asked, own.lines)
    agreed = 0
    if has_its_lines(own.lines, asked):
        for a, b in ((own.lines[i], own.lines[j]) for i, j in asked.pairs):
            agreed += (last_word(a) != last_word(b) and judge.rhyme(a, b)) == answers(a, b, asked)
    return rhymed, fits, agreed


def style_of(own: EvaluationPoem) -> tuple[float, bool | None] | None:
    """How likely the average voice is, and whether the author asked for is the likeliest poet."""
    model = style_model(own.prompt.lang)
    if model is None or not own.lines:
        return None
    likely = model.probabilities(heard(own.lines, own.prompt.lang))
    asked = own.prompt.author
    hit = int(likely[:-1].argmax()) == model.number(asked) if asked in model.poets else None
    return float(likely[-1]), hit


def all_figures(found: Sequence[Counted], *, seed: int) -> Figures:
    """Every figure with its ``_95`` interval, poems resampled; what nothing can be said about is absent."""
    facts = [own.facts for own in found]
    out = figures(facts, seed=seed)
    if not found:
        return out

    def ratio(name: str, part: Sequence[float], whole: Sequence[float], bounds: Callable[..., Bounds] = ratio_bounds) -> None:
        if sum(whole):
            share = Share(np.array(part, dtype=float), np.array(whole, dtype=float))
            out.update({name: share.value, name + "_95": list(bounds(share, seed=seed))})

    def proportion(name: str, part: Sequence[float], whole: Sequence[float]) -> None:
        ratio(name, part, whole, proportion_bounds)

    for kind in dict.fromkeys(kind for own in found for kind in own.kinds):
        proportion(f"kind_{kind}", [own.kinds[kind] for own in found], [own.complete_pairs for own in found])
    for name in found[0].rewards:
        scores = [score for own in found if (score := own.rewards[name]) is not None]
        ratio(f"reward_{name}", scores, [1.0] * len(scores))
    second = [(own.second, own) for own in found if own.second is not None]
    if second:
        proportion("second_rhyme_pairs", [told[0] for told, _ in second], [own.facts.pairs for _, own in second])
        proportion("second_lines_in_meter", [told[1] for told, _ in second], [own.facts.lines for _, own in second])
        proportion("second_agreement", [told[2] for told, _ in second], [own.complete_pairs for _, own in second])
    together = [own.coherence for own in found if own.coherence is not None]
    ratio("coherence", together, [1.0] * len(together))
    voices = [own.style for own in found if own.style is not None]
    ratio("style_of_a_poet", [1 - average for average, _ in voices], [1.0] * len(voices))
    hits = [hit for _, hit in voices if hit is not None]
    proportion("style_of_the_author", hits, [1.0] * len(hits))
    costs = [own.cost for own in found if own.cost is not None]
    if costs:
        ratio("prior_bits_per_char", [nats / math.log(2) for nats, _, _ in costs], [characters for *_, characters in costs])
        nats = Share(np.array([nats for nats, *_ in costs], dtype=float), np.array([tokens for _, tokens, _ in costs], dtype=float))
        edges = ratio_bounds(nats, seed=seed)
        out["prior_perplexity"] = math.exp(nats.value)
        out["prior_perplexity_95"] = [math.exp(edge) for edge in edges]
    copied = [own.copied for own in found if own.copied is not None]
    return out | variety([list(own.poem.lines) for own in found], copied=copied or None, seed=seed)


def by_form(found: Sequence[Counted], *, seed: int) -> dict[str, Figures]:
    """Figures of each form and, under ``all``, of all together."""
    groups: dict[str, list[Counted]] = {}
    for own in found:
        groups.setdefault(own.poem.group, []).append(own)
    return {name: all_figures(own, seed=seed) for name, own in [*groups.items(), ("all", list(found))]}

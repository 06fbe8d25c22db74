"""Compositions, gates and curricula by hand: what is refused, who is left out, which line is paid."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from rewards.compose import Gate, Product, WeightedMean
from rewards.curriculum import Curriculum
from rewards.meter import Meter
from rewards.rhyme import Rhyme
from rlpoet.types import Explained, LineScore, Prompt

PAREADO, ABAB = Prompt("es", "pareado"), Prompt("es", "quatrain-abab-8")


class Told:
    """A reward that gives what it was told to give, and to each line its own."""

    def __init__(
        self, name: str, score: float | None, gains: Sequence[float] = (), *, at_end: bool = False, reasons: Sequence[str] = ()
    ) -> None:
        self.name, self.value, self.gains, self.end_words_decide, self.reasons = name, score, gains, at_end, reasons

    def score(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> list[float | None]:
        return [self.value] * len(texts)

    def by_line(self, prompt: Prompt, text: str) -> list[float]:
        return list(self.gains)

    def explain(self, prompt: Prompt, text: str) -> Explained:
        return Explained(self.name, self.value, tuple(LineScore("", None, reason) for reason in self.reasons))


class Long(Told):
    """Gives a score too many."""

    def score(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> list[float | None]:
        return [1.0] * (len(texts) + 1)


# -- means and products -----------------------------------------------------------------------------


def test_an_endless_weight_is_refused_and_so_are_scores_too_many() -> None:
    with pytest.raises(ValueError, match="weight of 'a' is inf"):
        WeightedMean([(Told("a", 1.0), math.inf)])
    with pytest.raises(ValueError, match=r"long: more than 1 scores for 1 texts"):
        WeightedMean([(Long("long", 1.0), 1.0)]).score([PAREADO], ["a\nb"])


def test_lines_share_a_mean_by_the_weights_of_the_terms_that_are_asked_for() -> None:
    mean = WeightedMean(
        [(Told("word", 0.6, [0.2, 0.4], at_end=True), 1.0), (Told("rest", 0.5, [0.5, 0.0]), 3.0), (Told("mute", None), 4.0)]
    )
    at_end, within = mean.by_part(PAREADO, "a\nb")
    assert at_end == pytest.approx([0.05, 0.1]) and within == pytest.approx([0.375, 0.0])
    assert mean.by_line(PAREADO, "a\nb") == pytest.approx([0.425, 0.1])
    assert mean.score([PAREADO], ["a\nb"]) == [pytest.approx(0.525)]


def test_a_product_takes_what_was_reached_to_be_nothing_where_it_fell_below() -> None:
    """The first line costs a tenth, which has no root; at the last line the sum is the score whatever the lines say."""
    product = Product([(Told("a", 0.25, [-0.1, 0.16, 0.19]), 0.5), (Told("b", 1.0, [1.0, 0.0, 0.0], at_end=True), 2.0)])
    at_end, within = product.by_part(PAREADO, "a\nb\nc")
    assert at_end == [0.0, 0.0, 0.0] and within == pytest.approx([0.0, 0.4, 0.1])


def test_reasons_stand_under_their_terms_and_terms_with_fewer_lines_have_said_all() -> None:
    both = WeightedMean([(Told("a", 1.0, reasons=["one", "", "three"]), 1.0), (Told("b", 0.0, reasons=["uno"]), 1.0)])
    told = both.explain(ABAB, "w\nx\ny")
    assert [line.reason for line in told.lines] == ["a: one; b: uno", "", "a: three"] and told.score == 0.5


# -- gates ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "gate, score, at_least, expected",
    [
        (0.5, 0.8, 0.5, 0.8),  # what just reaches it passes
        (0.49, 0.8, 0.5, 0.0),
        (None, 0.8, 0.5, 0.8),  # a gate that is not asked for is open
        (0.0, None, 0.5, None),  # and what is not asked for is not 0
    ],
)
def test_a_gate_opens_at_its_score(gate: float | None, score: float | None, at_least: float, expected: float | None) -> None:
    gated = Gate(Told("gate", gate, reasons=["shut"]), Told("own", score, reasons=["fine"]), at_least=at_least)
    assert gated.score([PAREADO], ["a\nb"]) == [expected]
    told = gated.explain(PAREADO, "a\nb")
    assert (told.name, told.score, told.lines[0].reason) == ("own_if_gate", expected, "gate: shut; own: fine")


@pytest.mark.parametrize("at_least", [0.0, 1.01, -1.0, math.nan])
def test_a_gate_that_nothing_or_all_passes_is_refused(at_least: float) -> None:
    with pytest.raises(ValueError, match=r"expected a score in \(0, 1\]"):
        Gate(Told("a", 1.0), Told("b", 1.0), at_least=at_least)


def test_a_gated_term_is_paid_at_the_last_line() -> None:
    gated = WeightedMean([(Gate(Told("gate", 1.0), Told("own", 0.6, [0.3, 0.3])), 1.0)])
    assert gated.by_part(PAREADO, "a\nb") == ([0.0, 0.0], [0.0, pytest.approx(0.6)])


# -- curricula --------------------------------------------------------------------------------------


@pytest.mark.parametrize("progress, factor", [(0.0, 3.0), (0.25, 3.0), (0.5, 2.0), (0.75, 1.0), (0.8, 0.75), (1.0, 0.75)])
def test_a_factor_is_that_of_its_ends_beyond_them_and_on_the_line_between(progress: float, factor: float) -> None:
    lesson = Curriculum([(Rhyme(), 1.0), (Meter(), 2.0)], {"meter": [[0.25, 3], [0.75, 1], [0.8, 0.75]]})
    assert lesson.weights(progress) == {"rhyme": 1.0, "meter": pytest.approx(2 * factor)}


def test_a_moment_in_the_middle_at_which_no_term_weighs_anything_is_refused() -> None:
    with pytest.raises(ValueError, match=r"at progress 0\.5 no term"):
        Curriculum([(Rhyme(), 1.0)], {"rhyme": [[0, 1], [0.5, 0], [1, 1]]})
    with pytest.raises(ValueError, match="expected 0 or more"):
        Curriculum([(Rhyme(), 1.0)], {"rhyme": [[0, math.inf]]})


def test_its_end_is_weighted_by_the_factors_of_the_end_and_it_explains_under_its_own_name() -> None:
    lesson = Curriculum([(Told("a", 1.0), 1.0), (Told("b", 0.0), 1.0)], {"b": [[0, 1], [1, 3]]})
    assert lesson.score([PAREADO], ["a\nb"]) == [0.25]
    assert (lesson.explain(PAREADO, "a\nb").name, lesson.explain(PAREADO, "a\nb").score) == ("curriculum", 0.25)


def test_a_curriculum_stays_a_product_and_keeps_other_schedules_when_a_term_goes() -> None:
    terms = [(Told("a", 0.5), 1.0), (Gate(Told("gate", 1.0), Told("b", 0.5)), 1.0), (Told("c", 0.5), 1.0)]
    lesson = Curriculum(terms, {"b": [[0, 0], [1, 2]], "c": [[0, 0], [1, 1]]}, combine=Product)
    assert lesson.weights(0.5) == {"a": 1.0, "b_if_gate": 1.0, "c": 0.5}
    left = lesson.without("c")
    assert left.weights(0.5) == {"a": 1.0, "b_if_gate": 1.0} and isinstance(left.at(1.0), Product)
    assert left.score([PAREADO], ["a\nb"]) == [0.125]  # 0.5 * 0.5 ** 2
    assert lesson.without("b").weights(0.5) == {"a": 1.0, "c": 0.5}

"""What training changed: intervals that hold the truth, paired by prompt, and the words that go with them."""

from __future__ import annotations

import dataclasses
import io
import json
import math
import re
from html import unescape

import numpy as np
import pytest
import torch
from rich.console import Console
from tiny_policy import tiny_policy

from rlpoet.analysis import intervals
from rlpoet.analysis.intervals import Redrawn, Share, bootstrapped, relative_change, share_bounds, share_change, subsampled
from rlpoet.evaluation import sampled as examination
from rlpoet.evaluation.form import PoemFacts, figures_of
from rlpoet.evaluation.sampled import Measured, examine, keep, read
from rlpoet.reporting import poems as render
from rlpoet.types import Prompt

T_9, T_2 = 2.2621572, 4.3026527  # Student's 97.5 % points for 9 and 2 degrees of freedom


def of_prompts(rates: np.ndarray, rng: np.random.Generator, *, n_poems: int = 4) -> Share:
    """Poems that succeed at their prompt's rate."""
    part = (rng.random((len(rates), n_poems)) < rates[:, None]).astype(float).ravel()
    return Share(part, np.ones(len(part)))


def fours(n: int) -> np.ndarray:
    return np.repeat(np.arange(n), 4)


# -- by hand ----------------------------------------------------------------------------------------


def test_poems_of_a_prompt_are_summed():
    share = Share(np.array([1.0, 0.0, 2.0, 3.0]), np.array([2.0, 2.0, 2.0, 4.0])).grouped(np.array([0, 0, 1, 1]))
    assert share.part.tolist() == [1.0, 5.0] and share.whole.tolist() == [4.0, 6.0] and share.value == 0.6


@pytest.mark.parametrize("right", [0.0, 1.0])
def test_none_and_all_of_forty_poems_have_wilsons_interval(right):
    share = Share(np.full(40, 2 * right), np.full(40, 2.0))  # two pairs a poem: the poems are the trials
    low, high = share_bounds(bootstrapped(share.grouped(fours(10))), share)
    far = T_9**2 / (40 + T_9**2)
    assert (low, high) == pytest.approx((0.0, far) if right == 0 else (1 - far, 1.0), abs=1e-6)


def test_a_share_that_deviates_as_poems_would_counts_its_poems():
    deviation = math.sqrt(0.5 * 0.5 / 40)
    figure = Redrawn(0.5, np.array([0.5 - deviation, 0.5 + deviation]), 10, 1.0)
    reach = T_9 / (1 + T_9**2 / 40) * math.sqrt(0.25 / 40 + T_9**2 / (4 * 40**2))
    assert share_bounds(figure, Share(np.ones(40), np.ones(40))) == pytest.approx((0.5 - reach, 0.5 + reach), abs=1e-6)
    calm = Redrawn(0.5, np.array([0.4999, 0.5001]), 10, 1.0)  # by chance: no share has more trials than it was asked for
    assert share_bounds(calm, Share(np.ones(40), np.ones(40))) == pytest.approx((0.5 - reach, 0.5 + reach), abs=1e-6)


def test_a_relative_change_is_on_the_log_scale():
    figure = Redrawn(2.0, np.array([1.0, 4.0]), 3, 1.5)
    steady = Redrawn(1.0, np.array([0.5, 2.0]), 3, 1.5)
    reach = math.exp(T_2 * 1.5 * math.log(2.0))
    change = relative_change(figure, steady)
    assert change.before == pytest.approx((2.0 / reach, 2.0 * reach), rel=1e-5)
    assert change.change == pytest.approx((-0.5, -0.5))  # both sides deviate together
    crossed = relative_change(figure, Redrawn(1.0, np.array([2.0, 0.5]), 3, 1.5)).change
    assert crossed == pytest.approx((0.5 / reach**2 - 1, 0.5 * reach**2 - 1), rel=1e-5)


def test_a_mean_over_subsamples_has_its_own_deviation():
    values = np.random.default_rng(0).normal(0.0, 1.0, 16)
    found = subsampled(lambda kept: float(values[kept].mean()), 16)
    assert found.value == pytest.approx(values.mean())
    assert found.deviation == pytest.approx(values.std(ddof=1) / 4, rel=0.06)
    sizes = {int(kept) for kept in subsampled(lambda kept: float(kept.sum()), 16).drawn}
    assert sizes == {12}  # three quarters, none twice


def test_a_mean_over_resampled_prompts_has_its_own_deviation():
    values = np.random.default_rng(0).random(8)
    assert bootstrapped(Share(values, np.ones(8))).deviation == pytest.approx(values.std(ddof=1) / math.sqrt(8), rel=0.06)


# -- what prompts do --------------------------------------------------------------------------------


def test_poems_that_follow_their_prompt_count_for_one():
    alike = Share(np.repeat(np.tile([0.0, 1.0], 20), 4), np.ones(160))
    mixed = Share(np.tile([0.0, 1.0], 80), np.ones(160))
    (a, b), (c, d) = (share_change(share, share, fours(40)).before for share in (alike, mixed))
    assert (b - a) / (d - c) == pytest.approx(2.0, rel=0.1)  # a quarter of the trials


def test_a_change_is_paired_by_prompt():
    rng = np.random.default_rng(1)
    hard = np.tile([0.03, 0.92], 32)
    before, after = of_prompts(hard, rng), of_prompts(hard + 0.06, rng)
    low, high = share_change(before, after, fours(64)).change
    strange = np.random.default_rng(2).permutation(64)
    apart = Share(after.part.reshape(64, 4)[strange].ravel(), after.whole)
    other = share_change(before, apart, fours(64)).change
    assert high - low < 0.6 * (other[1] - other[0])
    assert low <= after.value - before.value <= high


def test_the_same_poems_have_not_changed():
    share = of_prompts(np.linspace(0.2, 0.9, 16), np.random.default_rng(0))
    low, high = share_change(share, share, fours(16)).change
    assert -0.05 < low <= 0 <= high < 0.05


@pytest.mark.parametrize("n", [1, 2])
def test_two_prompts_say_nothing_of_a_third(n):
    share = of_prompts(np.full(n, 0.5), np.random.default_rng(0))
    assert set(vars(share_change(share, share, fours(n))).values()) == {None}
    figure = Redrawn(2.0, np.array([1.0, 3.0]), n, 1.0)
    assert set(vars(relative_change(figure, figure)).values()) == {None}


# -- the truth is inside ----------------------------------------------------------------------------


@pytest.fixture
def few_draws(monkeypatch):
    monkeypatch.setattr(intervals, "N_DRAWS", 300)


@pytest.mark.parametrize("n, before, after", [(64, 0.88, 0.96), (64, 0.5, 0.5), (8, 0.85, 0.85), (64, 0.004, 0.004)])
def test_intervals_of_shares_hold_the_truth(n, before, after, few_draws):
    rng, held, seen = np.random.default_rng(0), [], []
    for _ in range(300):
        wave = rng.uniform(-1, 1, n)  # a prompt is hard on both sides
        sides = [of_prompts(rate + wave * min(rate, 1 - rate), rng) for rate in (before, after)]
        found = share_change(*sides, fours(n))
        low, high = found.change
        held.append([a <= truth <= b for (a, b), truth in zip(vars(found).values(), (before, after, after - before), strict=True)])
        seen.append(not low <= 0 <= high)
    assert (np.mean(held, axis=0) > 0.92).all()
    if before == after:
        assert np.mean(seen) < 0.08
    else:
        assert np.mean(seen) > 0.8


def words_of(n: int, rng: np.random.Generator, law: np.ndarray) -> tuple[PoemFacts, ...]:
    drawn = rng.choice(len(law), size=(4 * n, 4), p=law)
    return tuple(PoemFacts(2, 2, 4, 4, tuple(map(str, row))) for row in drawn.tolist())


@pytest.mark.parametrize("power, size", [(1.0, 4000), (1.3, 5000)])
def test_distinct_words_deviate_as_much_as_is_said(power, size, few_draws):
    """Bootstrapped with replacement, none of these intervals would hold even its own value."""
    law = np.arange(1, size + 1) ** -power
    law /= law.sum()
    rng, n = np.random.default_rng(0), 24
    values = np.log([figures_of(words_of(n, rng, law))["distinct_end_words"] for _ in range(400)])
    found = [examination._distinct(words_of(n, rng, law), fours(n)) for _ in range(60)]
    told = math.sqrt(np.mean([one.factor**2 * np.var(np.log(one.drawn)) for one in found]))
    assert 0.9 < told / values.std() < 1.13
    held = []
    for one in found:
        low, high = relative_change(one, one).before
        assert low < one.value < high
        held.append(low <= math.exp(values.mean()) <= high)
    assert np.mean(held) > 0.88


# -- an examination ---------------------------------------------------------------------------------


def measured(facts: list[PoemFacts], *, nats: list[float] | None = None, form: str = "quatrain-abab") -> Measured:
    prompts = tuple(Prompt("fr", form, f"poet {i // 4}") for i in range(len(facts)))
    tokens = None if nats is None else np.full(len(facts), 40.0)
    figures = {**figures_of(facts), **({} if nats is None else {"prior_nll_per_token": sum(nats) / (40.0 * len(facts))})}
    return Measured(figures, prompts, ("",) * len(facts), tuple(facts), None if nats is None else np.array(nats), tokens)


def poems(rng: np.random.Generator, n: int, rate: float, words: int) -> list[PoemFacts]:
    rows = rng.integers(words, size=(n, 4)).tolist()
    found = []
    for row in rows:
        rhymed, fits = int(rng.binomial(2, rate)), int(rng.binomial(4, 0.9))
        sounds = tuple((str(word % max(words // 10, 1)),) for word in row)
        found.append(PoemFacts(2, rhymed, 4, fits, tuple(map(str, row)), int(rng.binomial(rhymed, 0.9)), sounds))
    return found


@pytest.fixture
def no_word_judge(monkeypatch):
    """These poems have no text, so a judge of words, where its extra is installed, has nothing to say of them."""
    monkeypatch.setattr(examination, "invented_share", lambda prompts, texts: None)


SHARES = ["rhyme_pairs", "credited_pairs", "lines_in_meter", "perfect_stanzas"]
RELATIVE = ["prior_nll_per_token", "distinct_end_words"]
NAMES = [*SHARES, *RELATIVE, "rhyme_sound_entropy"]


def test_a_null_change_is_not_seen_and_a_large_one_is(no_word_judge):
    rng = np.random.default_rng(0)
    before = measured(poems(rng, 128, 0.5, 900), nats=list(rng.normal(80, 8, 128)))
    same = measured(poems(rng, 128, 0.5, 900), nats=list(rng.normal(80, 8, 128)))
    better = measured(poems(rng, 128, 0.95, 300), nats=list(rng.normal(60, 8, 128)))
    null, large = examination.intervals(before, same), examination.intervals(before, better)
    assert list(null) == list(large) == NAMES and all(set(sides) == {"before", "after", "change"} for sides in large.values())
    rows = {row[0]: row[3] for row in render.comparison_rows(before.figures, same.figures, null)}
    assert [label for label, change in rows.items() if not change.startswith("no change seen (")] == ["fresh samples"]
    rows = {row[0]: row[3] for row in render.comparison_rows(before.figures, better.figures, large)}
    assert [label for label, change in rows.items() if change.startswith("no change seen (")] == ["lines in meter"]
    assert large["prior_nll_per_token"]["change"] == pytest.approx((-0.25, -0.25), abs=0.05)  # relative
    assert examination.intervals(before, better) == large


def test_every_interval_holds_its_own_figure(no_word_judge):
    rng = np.random.default_rng(3)
    before, after = (measured(poems(rng, 64, rate, 200), nats=list(rng.normal(80, 8, 64))) for rate in (0.6, 0.9))
    for name, sides in examination.intervals(before, after).items():
        a, b = before.figures[name], after.figures[name]
        gap = b / a - 1 if name in RELATIVE else b - a
        assert all(low < value < high for (low, high), value in zip(sides.values(), (a, b, gap), strict=True))


def test_distinct_words_are_never_more_than_the_lines():
    rng = np.random.default_rng(0)
    one = measured(poems(rng, 32, 0.5, 20_000))
    low, high = examination.intervals(one, one)["distinct_end_words"]["before"]
    assert low < one.figures["distinct_end_words"] <= high == 1.0


def test_poems_without_a_word_twice_have_no_interval_of_distinct_words():
    facts = [PoemFacts(2, 1, 4, 4, tuple(f"{i} {j}" for j in range(4))) for i in range(16)]
    other = poems(np.random.default_rng(0), 16, 0.5, 100)
    assert set(examination.intervals(measured(facts), measured(other))["distinct_end_words"]) == {"after"}


def test_what_cannot_be_paired_or_is_not_asked_for_has_no_interval():
    rng = np.random.default_rng(0)
    facts = poems(rng, 16, 0.5, 100)
    assert examination.intervals(measured(facts), measured(facts, form="quatrain-abba")) == {}
    unrhymed = measured([PoemFacts(0, 0, 4, 3, fact.end_words) for fact in facts])
    assert "rhyme_pairs" not in examination.intervals(unrhymed, unrhymed)


@pytest.mark.parametrize("n", range(1, 11))
def test_few_poems_crash_nothing(n):
    few = measured(poems(np.random.default_rng(n), n, 0.5, 50), nats=[80.0 + i for i in range(n)])
    empty = measured([PoemFacts(2, 0, 4, 0, ())] * n, nats=[80.0] * n)
    for one in (few, empty):
        found = examination.intervals(one, one)
        assert bool(found) == (n > 8)  # three prompts
        printed(one.figures, one.figures, found)


def test_nothing_drawn_has_no_interval(no_word_judge):
    assert examination.intervals(measured([]), measured([])) == {}
    mute = dataclasses.replace(measured([PoemFacts(2, 0, 4, 0, ())] * 12), nats=np.zeros(12), tokens=np.zeros(12))
    assert list(examination.intervals(mute, mute)) == SHARES


def test_each_poem_keeps_its_nats_and_tokens(tmp_path):
    policy = tiny_policy()
    prior, prompts = policy.reference(), [Prompt("fr", "couplet", author) for author in (None, "Paul Verlaine")]
    found, drawn = examine(policy, prior, prompts, 6, seed=0)
    prior.precision = torch.float32
    with torch.no_grad():
        expected = -prior.log_prob(drawn).sum(1)
    assert len(found.texts) == len(found.nats) == len(found.tokens) == 6
    assert found.nats.tolist() == pytest.approx(expected.tolist(), rel=1e-4) and found.tokens.tolist() == drawn.n_tokens.tolist()
    assert found.figures["prior_nll_per_token"] == found.nats.sum() / found.tokens.sum()
    keep(tmp_path / "before.json", found, prior="abc")
    again = read(tmp_path / "before.json")
    assert (again.figures, again.prompts, again.texts, again.facts, again.prior) == (
        found.figures, found.prompts, found.texts, found.facts, "abc",
    )  # fmt: skip
    assert again.nats.tolist() == found.nats.tolist() and again.tokens.tolist() == found.tokens.tolist()


def test_a_file_from_before_poems_kept_their_nats_is_read(tmp_path):
    rng = np.random.default_rng(0)
    old = {"figures": {"rhyme_pairs": 0.5}, "prompts": [{"lang": "fr", "form": "couplet"}], "texts": ["ombre\nsombre"]}
    (tmp_path / "before.json").write_text(json.dumps(old), encoding="utf-8")
    found = read(tmp_path / "before.json")
    assert found.nats is found.tokens is found.prior is None and found.facts[0].end_words == ("ombre", "sombre")
    facts = poems(rng, 16, 0.5, 100)
    without, known = measured(facts), measured(facts, nats=list(rng.normal(80, 8, 16)))
    told = examination.intervals(without, known)
    assert set(told["prior_nll_per_token"]) == {"after"} and set(told["rhyme_pairs"]) == {"before", "after", "change"}


# -- the table --------------------------------------------------------------------------------------


def printed(before, after, found, *, width: int = 80) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width, highlight=False, soft_wrap=True).print(render.comparison_table(before, after, found))
    return out.getvalue().splitlines()


BEFORE = {
    "rhyme_pairs": 0.877, "credited_pairs": 0.82, "lines_in_meter": 0.925, "perfect_stanzas": 0.0, "prior_nll_per_token": 2.125,
    "distinct_end_words": 0.837, "rhyme_sound_entropy": 4.75, "target_kl": 3.5,
}  # fmt: skip
AFTER = {
    "rhyme_pairs": 0.963, "credited_pairs": 0.92, "lines_in_meter": 0.93, "perfect_stanzas": 1.0, "prior_nll_per_token": 2.104,
    "distinct_end_words": 0.8, "rhyme_sound_entropy": 4.17, "target_kl": 4.8,
}  # fmt: skip
FOUND = {
    "target_kl": {"before": [3.0, 4.0], "after": [4.0, 5.6], "change": [0.4, 2.2]},
    "rhyme_pairs": {"before": [0.85, 0.898], "after": [0.948, 0.975], "change": [0.062, 0.11]},
    "lines_in_meter": {"before": [0.825, 0.98], "after": [0.9, 0.95], "change": [-0.108, 0.119]},
    "perfect_stanzas": {"before": [0.0, 0.014], "after": [0.7, 1.0], "change": [0.99, 1.0]},
    "prior_nll_per_token": {"before": [2.0, 2.2], "after": [2.09, 2.12], "change": [-0.02, -0.0001]},
    "distinct_end_words": {"before": [0.82, 0.85], "after": [0.79, 0.81], "change": [-0.06, 0.0]},
}


def test_the_rows_say_what_was_seen():
    assert [row[1:] for row in render.comparison_rows({**BEFORE, "n": 256}, {**AFTER, "n": 256}, FOUND)] == [
        ("3.500 ± 0.500", "4.800 ± 0.800", "+1.30 nats (0.40 to 2.20)"),
        ("87.7 % ± 2.7", "96.3 % ± 1.5", "+8.6 points (6.2 to 11.0)"),
        ("82.0 %", "92.0 %", "+10.0 points"),
        ("92.5 % ± 10", "93.0 % ± 3.0", "no change seen (-10.8 to 11.9)"),
        ("0.0 % ± 1.4", "100.0 % ± 30", "+100 points (99.0 to 100)"),
        ("2.125 ± 0.125", "2.104 ± 0.016", "-1.0 % (-2.0 to 0.0)"),
        ("0.837 ± 0.017", "0.800 ± 0.010", "no change seen (-6.0 to 0.0)"),
        ("4.750", "4.170", "-0.58 nats"),
        ("256", "256", ""),
    ]


def test_without_intervals_a_change_stands_alone():
    found = {"rhyme_pairs": {"after": [0.948, 0.975]}}
    assert render.comparison_rows({"rhyme_pairs": 0.877}, {"rhyme_pairs": 0.963}, found) == [
        ("pairs that rhyme", "87.7 %", "96.3 % ± 1.5", "+8.6 points")
    ]
    assert "intervals" not in render.comparison_html(BEFORE, AFTER) + "".join(printed(BEFORE, AFTER, {}))


def test_the_table_fits_eighty_columns():
    nats = ("target_kl", "rhyme_sound_entropy")
    wide = {
        **{key: {"before": [0.5, 1.0], "after": [0.0, 0.5], "change": [-1.0, -0.125]} for key in SHARES},
        **{key: {"before": [1.0, 9.0], "after": [1.0, 9.0], "change": [-0.994, 0.994]} for key in (*RELATIVE, *nats)},
    }
    for found in (FOUND, wide, wide | {"rhyme_pairs": {"before": [0.0, 0.999], "after": [0.0, 1.0], "change": [-0.999, 0.999]}}):
        rows = printed({**BEFORE, "rhyme_pairs": 1.0, "n": 4096}, {**AFTER, "n": 4096}, found)
        assert max(map(len, rows)) <= 80 and len(rows) == 2 + 1 + len(NAMES) + 1 + 1  # nothing wraps


def test_terminal_and_page_say_the_same():
    html = render.comparison_html(BEFORE, AFTER, FOUND)
    cells = [unescape(cell) for cell in re.findall(r"<t[hd](?: [^>]*)?>(.*?)</t[hd]>", html) if cell]
    text = " ".join(" ".join(printed(BEFORE, AFTER, FOUND)).split())
    assert len(cells) == 3 + 4 * (1 + len(NAMES)) and all(cell in text for cell in cells)
    assert render.NOTE in html and render.NOTE in text

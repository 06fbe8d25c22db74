"""A token earns what it can change: the last word of a line its rhyme, the rest its length."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from tiny_policy import BAUDELAIRE, tiny_policy
from torch import Tensor

from rewards.compose import WeightedMean
from rewards.meter import Meter
from rewards.rhyme import Rhyme
from rlpoet.rollout import Rollout, join
from rlpoet.training.gflownet.credit import localized, parts_of, rhyming, scaled_by_probability, token_weights
from rlpoet.types import Prompt

PROMPT = Prompt("fr", "quatrain-abab")
REWARD = WeightedMean([(Rhyme(), 2.0), (Meter(), 1.0)])
LAME = ("Souvent, pour s'amuser, les hommes", *BAUDELAIRE[1:])  # no rhyme for voyage, and eight syllables


def written(*poems: tuple[str, ...], countdown: int = 0) -> tuple[Rollout, list[list[str]]]:
    policy = tiny_policy(countdown=countdown)
    rollout = policy.write([PROMPT] * len(poems), ["\n".join(poem) for poem in poems])
    return rollout, [policy.tokenizer.convert_ids_to_tokens(row.tolist()) for row in rollout.ids]


@pytest.mark.parametrize("countdown", [0, 2])
def test_the_last_word_of_a_line_written_from_its_end_stands_first(countdown: int) -> None:
    rollout, tokens = written(BAUDELAIRE, countdown=countdown)
    part_of, parted = parts_of(rollout, words=True)
    assert parted.tolist() == [[True] * 4]
    for n, word in enumerate(("équipage", "mers,", "voyage,", "amers.")):
        end = int(rollout.end_words[0, n])
        mine = [i for i in range(end + 1) if part_of[0, i] == 2 * n and rollout.chosen[0, i] and not tokens[0][i].startswith("<|")]
        assert "".join(tokens[0][i] for i in mine).strip("▁") == word
    assert part_of[0].tolist() == sorted(part_of[0].tolist())


def test_by_line_no_line_is_parted() -> None:
    rollout, _ = written(BAUDELAIRE)
    part_of, parted = parts_of(rollout, words=False)
    assert not parted.any()
    assert set(part_of[0].tolist()) == {0, 2, 4, 6}


def test_parts_of_a_reward_sum_to_it_and_rhyme_is_the_last_words() -> None:
    for poem in (BAUDELAIRE, LAME):
        text = "\n".join(poem)
        at_end, within = REWARD.by_part(PROMPT, text)
        assert sum(at_end) + sum(within) == pytest.approx(REWARD.score([PROMPT], [text])[0])
        assert sum(at_end) == pytest.approx(2 / 3 * Rhyme().score([PROMPT], [text])[0])


def test_a_lame_line_costs_its_own_rest_and_a_missed_rhyme_the_words_that_miss_it() -> None:
    rollout, _ = written(BAUDELAIRE, LAME)
    weights = token_weights(
        rollout, torch.zeros(rollout.ids.shape), REWARD, beta=6.0, group=torch.zeros(2, dtype=torch.long), cross_segment_credit=0.0
    )  # a positive weight is a residual above the mean: less than the mean was earned
    part_of, _ = parts_of(rollout, words=True)

    def weight(row: int, part: int) -> float:
        own = weights[row][(part_of[row] == part) & rollout.chosen[row]]
        assert torch.allclose(own, own[0])
        return float(own[0])

    # the pair is worth 6 * 2/3 / 2 = 2, the line 6 * 1/3 / 4 = 1/2; each half of that away from the mean
    assert [weight(0, part) for part in range(8)] == pytest.approx([-1.0, -0.25, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0])
    assert [weight(1, part) for part in range(8)] == pytest.approx([1.0, 0.25, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0])


def test_likely_words_count_more_within_bounds_and_one_word_like_another_counts_as_it_is() -> None:
    log_p = torch.tensor([-0.1, -1.0, -4.0, -20.0])
    factors = scaled_by_probability(log_p, 0.5)
    assert factors.tolist() == sorted(factors.tolist(), reverse=True)
    assert factors.min() == pytest.approx(0.2) and factors.max() <= 5.0
    assert scaled_by_probability(torch.full((3,), -7.0), 0.5).tolist() == pytest.approx([1.0] * 3)
    assert scaled_by_probability(log_p, 0.0).tolist() == pytest.approx([1.0] * 4)
    one_likely = torch.tensor([0.0] + [-2.0] * 99)  # 1 among the square roots of e^-2: 2.7 times their mean, and .99
    assert scaled_by_probability(one_likely, 0.5).tolist() == pytest.approx(
        [1 / (0.01 + 0.99 / math.e)] + [1 / (0.01 * math.e + 0.99)] * 99
    )
    assert scaled_by_probability(torch.tensor([0.0] + [-4.0] * 99), 1.0).max() == 5.0  # not 36 times the mean
    assert scaled_by_probability(torch.tensor([-8.0, -20.0, -20.0]), 1.0).tolist() == [1.0] * 3  # below e^-6 all are alike
    assert rhyming("xaxa") == [(1, 3)]  # lines free of rhyme are no pair


def test_favour_changes_last_words_alone_and_nothing_of_lines_without_a_rest() -> None:
    rollout, _ = written(BAUDELAIRE, LAME)
    log_pi = -torch.rand(rollout.ids.shape, generator=torch.Generator().manual_seed(0))
    group = torch.zeros(2, dtype=torch.long)

    def weights(words: bool, token_prob_exponent: float) -> torch.Tensor:
        nothing = torch.zeros(rollout.ids.shape)
        return token_weights(
            rollout,
            nothing,
            REWARD,
            beta=6.0,
            group=group,
            cross_segment_credit=0.2,
            words=words,
            log_pi=log_pi,
            token_prob_exponent=token_prob_exponent,
        )

    part_of, _ = parts_of(rollout, words=True)
    plain, favouring = weights(True, 0.0), weights(True, 1.0)
    assert torch.equal(plain[part_of % 2 == 1], favouring[part_of % 2 == 1])
    changed = (plain != favouring)[part_of % 2 == 0]
    assert changed.any() and (plain.sign() == favouring.sign()).all()
    assert torch.equal(weights(False, 0.0), weights(False, 1.0))


def test_marks_of_sounds_stand_before_each_line_and_follow_their_rows() -> None:
    rollout, tokens = written(BAUDELAIRE, LAME)
    assert rollout.sounds is not None
    assert [[tokens[row][i] for i in places] for row, places in enumerate(rollout.sounds.tolist())] == [
        [token for token in row if token.startswith("<|~")] for row in tokens
    ]
    turned = join([rollout.rows([1]), rollout.rows([0])], pad=0)
    assert turned.sounds is not None and torch.equal(turned.sounds, rollout.sounds[[1, 0]])


def weighed(factor: str, share: float) -> tuple[Rollout, Tensor, Tensor, Tensor]:
    """Two poems of one prompt, ratios at random, and their weights with a factor at 1 and at a share."""
    rollout, _ = written(BAUDELAIRE, LAME)
    ratio = torch.randn(rollout.ids.shape, generator=torch.Generator().manual_seed(0)) * rollout.chosen
    group = torch.zeros(2, dtype=torch.long)
    full, found = (
        token_weights(rollout, ratio, REWARD, beta=6.0, group=group, cross_segment_credit=0.2, **{factor: own}) for own in (1.0, share)
    )
    return rollout, ratio, full, found


@pytest.mark.parametrize("share", [0.0, 0.4])
def test_last_words_learn_from_poems_as_far_as_they_are_let(share: float) -> None:
    rollout, _, full, found = weighed("rhyme_word_weight", share)
    part_of, parted = parts_of(rollout, words=True)
    of_word = (part_of % 2 == 0) & parted.gather(1, part_of // 2)
    assert of_word.any() and (full[of_word] != 0).any()
    assert torch.allclose(found, torch.where(of_word, share * full, full), atol=1e-6)


@pytest.mark.parametrize("plan_token_weight", [0.0, 0.4, 1.0])
def test_a_sound_is_drawn_to_the_prior_as_far_as_it_is_not_rewarded(plan_token_weight: float) -> None:
    rollout, ratio, full, found = weighed("plan_token_weight", plan_token_weight)
    assert rollout.sounds is not None
    own = ratio.gather(1, rollout.sounds)
    wanted = plan_token_weight * full.gather(1, rollout.sounds) + (1 - plan_token_weight) * (own - own.mean(0))
    assert torch.allclose(found.gather(1, rollout.sounds), wanted, atol=1e-6)
    elsewhere = torch.ones_like(full, dtype=torch.bool).scatter(1, rollout.sounds, False)
    assert torch.equal(found[elsewhere], full[elsewhere])


def test_a_line_that_was_not_begun_has_no_plan_token_to_weigh() -> None:
    rollout, _ = written(BAUDELAIRE, LAME)
    assert rollout.sounds is not None
    sounds = rollout.sounds.clone()
    sounds[0, 3] = -1  # the last place of the row, if it were read
    rollout = replace(rollout, sounds=sounds)
    ratio = torch.randn(rollout.ids.shape, generator=torch.Generator().manual_seed(0)) * rollout.chosen
    options = {"beta": 6.0, "group": torch.zeros(2, dtype=torch.long), "cross_segment_credit": 0.2}
    full, found = (token_weights(rollout, ratio, REWARD, **options, plan_token_weight=weight) for weight in (1.0, 0.4))
    places = torch.zeros(rollout.ids.shape, dtype=torch.bool)
    for row, at in ((sounds >= 0).nonzero()).tolist():
        places[row, sounds[row, at]] = True
    assert full[0, -1] != 0 and torch.equal(found[~places], full[~places])


def test_a_batch_in_which_no_line_was_finished_has_weights_all_the_same() -> None:
    rollout, _ = written(BAUDELAIRE)
    cut = replace(
        rollout, line_ends=rollout.line_ends[:, :0], end_words=rollout.end_words[:, :0], sounds=torch.empty(1, 0, dtype=torch.long)
    )
    weights = token_weights(
        cut,
        torch.zeros(cut.ids.shape),
        REWARD,
        beta=6.0,
        group=torch.zeros(1, dtype=torch.long),
        cross_segment_credit=0.2,
        plan_token_weight=0.5,
    )
    assert weights.shape == cut.ids.shape


def test_a_word_answers_for_the_token_after_it_which_says_that_it_is_over() -> None:
    rollout, _ = written(BAUDELAIRE)
    part_of, _ = parts_of(rollout, words=True)
    for n, end in enumerate(rollout.end_words[0].tolist()):
        assert part_of[0, end : end + 3].tolist() == [2 * n, 2 * n, 2 * n + 1]


class Told:
    """Gains of one text after the other, as they were given."""

    def __init__(self, *gains: list[float]) -> None:
        self.gains = list(gains)

    def by_part(self, prompt: Prompt, text: str) -> tuple[list[float], list[float]]:
        own = self.gains.pop(0)
        return own, [0.0] * len(own)


@pytest.mark.parametrize(("line", "counts"), [(0, False), (1, True), (3, True)])
def test_lines_that_were_given_earn_nothing_for_those_written(line: int, counts: bool) -> None:
    policy, opened = tiny_policy(), Prompt("fr", "quatrain-abab", None, BAUDELAIRE[:1])
    rollout = policy.write([opened] * 2, ["\n".join(BAUDELAIRE)] * 2)
    one = [float(n == line) for n in range(4)]
    weights = token_weights(
        rollout, torch.zeros(rollout.ids.shape), Told(one, [0.0] * 4), beta=6.0, group=torch.zeros(2, dtype=torch.long),
        cross_segment_credit=0.0,
    )  # fmt: skip
    assert weights.any().item() is counts


def errors_of(places: list[tuple[int, int]], asked: list[tuple[int, int]], shape: tuple[int, int]):
    """A finder of errors at given rows and tokens, which notes the lines it is asked about."""
    wrong = torch.zeros(shape, dtype=torch.bool)
    for row, at in places:
        wrong[row, at] = True
    return lambda lines: (asked.extend(lines), wrong)[1]


def of_parts(part_of: list[int], n: int, line_ends: list[list[int]], chosen: list[bool]) -> Rollout:
    """``n`` rows of the same parts."""
    ids = torch.zeros(n, len(part_of), dtype=torch.long)
    ends = torch.tensor(line_ends)
    return Rollout((PROMPT,) * n, ("",) * n, ids, torch.tensor([chosen] * n), torch.ones(n, dtype=torch.bool), ends, ends)


def test_a_line_with_an_error_is_spared_what_the_same_line_of_its_own_prompt_earns_without() -> None:
    """Two prompts of two texts of two lines, each a word and two tokens of rest; the last token is padding."""
    part_of, chosen = [0, 1, 1, 2, 3, 3, 3], [True] * 6 + [False]
    rollout = of_parts(part_of, 4, [[2, 5], [2, 5], [2, 5], [2, -1]], chosen)
    gains = torch.tensor([[0.2, 0.1], [0.0, 0.0], [0.4, 0.1], [0.3, 0.0]])
    asked: list[tuple[int, int]] = []
    spans = errors_of([(1, 2), (1, 5), (3, 1)], asked, (4, 7))
    found = localized(rollout, gains, torch.tensor([part_of] * 4), torch.tensor([0, 0, 1, 1]), spans)
    assert asked == [(1, 0), (1, 1), (3, 0)]  # less than the best of their prompt, and finished
    # prompt 0 spares .2 of line 1 and .1 of line 2, each at one of four tokens, prompt 1 the .1 that .3 lacks of .4
    wanted = [
        [0.0, -0.05, -0.05, 0.0, -0.025, -0.025, 0.0],
        [0.0, 0.15, -0.05, 0.0, 0.075, -0.025, 0.0],
        [0.0, -0.025, -0.025, 0.0, 0.0, 0.0, 0.0],
        [0.0, -0.025, 0.075, 0.0, 0.0, 0.0, 0.0],
    ]
    assert torch.allclose(found, torch.tensor(wanted), atol=1e-7)


def test_a_line_that_earns_more_than_those_without_an_error_is_spared_nothing() -> None:
    """Errors that cannot be placed stay in the mean: of .6 and 0 that is .3, and .5 is more."""
    rollout = of_parts([0, 1, 1], 3, [[2]] * 3, [True] * 3)
    spans = errors_of([(0, 1)], [], (3, 3))
    found = localized(rollout, torch.tensor([[0.5], [0.0], [0.6]]), torch.tensor([[0, 1, 1]] * 3), torch.zeros(3, dtype=torch.long), spans)
    assert torch.equal(found, torch.zeros(3, 3))


def test_a_last_word_that_ends_its_line_or_is_missing_leaves_no_rest() -> None:
    rollout, _ = written(BAUDELAIRE)
    forward = replace(rollout, end_words=rollout.line_ends)
    assert not parts_of(forward, words=True)[1].any() and set(parts_of(forward, words=True)[0][0].tolist()) == {0, 2, 4, 6}
    missing = rollout.end_words.clone()
    missing[0, 1] = -1
    assert parts_of(replace(rollout, end_words=missing), words=True)[1].tolist() == [[True, False, True, True]]


def test_a_line_without_a_rest_earns_what_its_rest_would() -> None:
    class Within(Told):
        def by_part(self, prompt: Prompt, text: str) -> tuple[list[float], list[float]]:
            return super().by_part(prompt, text)[::-1]

    rollout, _ = written(BAUDELAIRE, BAUDELAIRE)
    weights = token_weights(
        rollout, torch.zeros(rollout.ids.shape), Within([0.0, 0.5, 0.0, 0.0], [0.0] * 4), beta=4.0, words=False,
        group=torch.zeros(2, dtype=torch.long), cross_segment_credit=0.0,
    )  # fmt: skip
    part_of, _ = parts_of(rollout, words=False)
    assert torch.allclose(weights[0], torch.where(part_of[0] == 2, -1.0, 0.0))  # half of 4 times 1/2 away from the mean


def test_after_given_lines_rhymes_bind_the_lines_that_are_written() -> None:
    """abba of which the first line is given: the first two written rhyme, and a word counts what its mate adds."""
    policy, opened = tiny_policy(), Prompt("fr", "quatrain-abba", None, BAUDELAIRE[:1])
    rollout = policy.write([opened] * 2, ["\n".join(BAUDELAIRE)] * 2)
    weights = token_weights(
        rollout, torch.zeros(rollout.ids.shape), Told([0.0, 0.0, 1.0, 0.0], [0.0] * 4), beta=2.0, group=torch.zeros(2, dtype=torch.long),
        cross_segment_credit=0.0,
    )  # fmt: skip
    part_of, _ = parts_of(rollout, words=True)
    assert torch.allclose(weights[0], torch.where((part_of[0] == 0) | (part_of[0] == 2), -1.0, 0.0))


def test_a_last_word_counts_by_the_probability_of_its_own_tokens() -> None:
    rollout, _ = written(BAUDELAIRE, LAME)
    options = {"beta": 6.0, "group": torch.zeros(2, dtype=torch.long), "cross_segment_credit": 0.2}
    ratio = torch.randn(rollout.ids.shape, generator=torch.Generator().manual_seed(1)) * rollout.chosen
    log_pi = -torch.rand(rollout.ids.shape, generator=torch.Generator().manual_seed(0)) * rollout.chosen
    plain = token_weights(rollout, ratio, REWARD, **options)
    found = token_weights(rollout, ratio, REWARD, **options, log_pi=log_pi, token_prob_exponent=0.5)
    part_of, _ = parts_of(rollout, words=True)
    log_p = torch.tensor([[float(log_pi[row][part_of[row] == 2 * n].sum()) for n in range(4)] for row in range(2)])
    factor = (0.5 * log_p).exp()
    factor /= factor.mean()
    assert 0.2 < factor.min() < 0.9 and 1.1 < factor.max() < 5
    of_token = torch.where(part_of % 2 == 0, factor.gather(1, part_of // 2), 1.0)
    assert torch.allclose(found, plain * of_token, atol=1e-5)


def test_a_line_without_a_rest_is_no_rhyme_word_alone() -> None:
    rollout, _ = written(BAUDELAIRE, LAME)
    ends = rollout.end_words.clone()
    ends[:, 1] = -1
    rollout = replace(rollout, end_words=ends)
    ratio = torch.randn(rollout.ids.shape, generator=torch.Generator().manual_seed(1)) * rollout.chosen
    options = {"beta": 6.0, "group": torch.zeros(2, dtype=torch.long), "cross_segment_credit": 0.2}
    plain, none = (token_weights(rollout, ratio, REWARD, **options, rhyme_word_weight=weight) for weight in (1.0, 0.0))
    part_of, parted = parts_of(rollout, words=True)
    of_word = (part_of % 2 == 0) & parted.gather(1, part_of // 2)
    assert not parted[:, 1].any() and (plain[part_of == 2] != 0).all()
    assert torch.equal(none, torch.where(of_word, 0.0, plain))


def test_what_errors_of_meter_spare_is_worth_beta_a_share() -> None:
    """The rest of the lame first line earns a twelfth less; all of it but its first token is spared that."""
    rollout, _ = written(BAUDELAIRE, LAME)
    part_of, _ = parts_of(rollout, words=True)
    options = {"beta": 6.0, "group": torch.zeros(2, dtype=torch.long), "cross_segment_credit": 0.2}
    ratio = torch.zeros(rollout.ids.shape)
    asked: list[tuple[int, int]] = []
    first = int(((part_of[1] == 1) & rollout.chosen[1]).nonzero()[0])
    spans = errors_of([(1, first)], asked, tuple(rollout.ids.shape))
    plain, found = (token_weights(rollout, ratio, REWARD, **options, meter_error_spans=own) for own in (None, spans))
    assert asked == [(1, 0)]
    rest = (part_of == 1) & rollout.chosen
    mean = 6.0 / 12 * (rest[1].sum() - 1) / rest.sum()
    wanted = torch.where(rest, mean, 0.0)
    wanted[1] -= torch.where(rest[1], 6.0 / 12, 0.0)
    wanted[1, first] = mean
    assert torch.allclose(found - plain, wanted, atol=1e-5)

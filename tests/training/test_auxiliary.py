"""The auxiliary rhyming-word task: what is drawn, what is right, and which gradient comes of it."""

from __future__ import annotations

import random

import pytest
import torch
from trainers import make

from policies.causal_lm import CausalPolicy
from policies.formats.data import choose_format
from policies.formats.rhyming_words import _collected
from policies.formats.tokenizer import train_tokenizer
from policies.formats.verse import BOS, NO_KEY, RHYME_PAIRS
from policies.pretraining.model import build_model
from rewards.compose import WeightedMean
from rewards.rhyme import Rhyme
from rlpoet.errors import RlpoetError
from rlpoet.prosody import verse
from rlpoet.prosody.ending import end_of
from rlpoet.prosody.rhyme import rhyme_kind
from rlpoet.rollout import RhymingWords, Rollout
from rlpoet.training.gflownet.auxiliary import SOUNDS, auxiliary_weights, sounds_met
from rlpoet.training.gflownet.trainer import TBTrainer
from rlpoet.training.options import StepOptions
from rlpoet.types import Prompt
from tests.tiny_policy import BAUDELAIRE, VERLAINE, annotated, tiny_policy


def with_rhyme_pairs() -> CausalPolicy:
    poems = annotated()
    verse_format = choose_format(poems * 2, "fr", rhyme_pairs=True)
    tokenizer = train_tokenizer([*VERLAINE, *BAUDELAIRE], verse_format.marks, kind="bpe", size=400)
    return CausalPolicy(build_model("test", tokenizer, seed=0).eval(), tokenizer, verse_format, seed=0)


@pytest.fixture(scope="module")
def policy() -> CausalPolicy:
    return with_rhyme_pairs()


def sounds(policy: CausalPolicy) -> list[int]:
    ids = policy.tokenizer.convert_tokens_to_ids
    return [ids(f"<|~{key}|>") for key in policy.format.keys]


def test_a_row_is_one_word_after_each_mark_two_a_sound(policy):
    asked = [sounds(policy)[:3], sounds(policy)[1:4]]
    rhyming_words = policy.rhyming_words(asked, 5)
    assert len(rhyming_words.rollout) == 10 and rhyming_words.right.shape == rhyming_words.whole.shape == (10, 6)
    for row in range(10):
        tokens = policy.tokenizer.convert_ids_to_tokens(rhyming_words.rollout.ids[row].tolist())
        met = [token for token in tokens if token.startswith("<|~")]
        meant = policy.tokenizer.convert_ids_to_tokens([mark for mark in asked[row // 5] for _ in range(2)])
        assert tokens[1] == RHYME_PAIRS and met == meant[: len(met)]
        piece = [not token.startswith("<|") for token in tokens]
        assert rhyming_words.rollout.chosen[row].tolist() == [own or (at > 0 and piece[at - 1]) for at, own in enumerate(piece)]
        for word in range(int(rhyming_words.whole[row].sum())):
            own = rhyming_words.rollout.chosen[row] & (rhyming_words.word_of[row] == word)
            assert own.sum() >= 2  # a piece, and the mark that says that the word is over


def test_a_word_is_right_if_it_has_its_sound_and_rhymes_with_a_right_one_that_it_answers(policy):
    rhyming_words = policy.rhyming_words([sounds(policy)[:4]], 200)
    rules, format_ = verse("fr"), policy.format
    marks = policy.tokenizer.convert_ids_to_tokens([mark for mark in sounds(policy)[:4] for _ in range(2)])
    n_guessed = 0
    for row in range(200):
        words = rhyming_words.rollout.texts[row].split("\n")
        n_guessed += sum(not end_of(word, "fr").known for word in words)
        for k, (word, mark) in enumerate(zip(words, marks, strict=False)):
            heard = mark in {format_.plan(rules.key(ending)) for ending in rules.endings(word)} and end_of(word, "fr").known
            again = k % 2 and end_of(word, "fr").stem == end_of(words[k - 1], "fr").stem
            parted = k % 2 and rhyming_words.right[row, k - 1] and rhyme_kind(words[k - 1], word, "fr") not in rules.rhyming
            assert bool(rhyming_words.right[row, k]) == (heard and not again and not parted and bool(rhyming_words.whole[row, k]))
    assert n_guessed > 100


def test_right_is_what_the_rhyme_reward_pays():
    """*Citronie* is in no lexicon; *mandoline* and *porcelaine* have other sounds; a compound of a word does not rhyme with it."""
    policy = CausalPolicy.load("fr", seed=0)
    ids, format_ = policy.tokenizer.convert_tokens_to_ids, policy.format
    rules, reward, prompt = verse("fr"), Rhyme(), Prompt("fr", "couplet")
    answer, seen = ids("<|a|>"), set()
    for first, second in (("vie", "citronie"), ("vie", "envie"), ("vie", "vie"), ("bas", "là-bas"), ("vie", "amour"), ("amour", "jour")):
        mark = ids(format_.plan(rules.key(rules.endings(first)[0])))
        pieces = policy.tokenizer([first, second], add_special_tokens=False).input_ids
        row = [ids(BOS), ids(RHYME_PAIRS), ids("<|A|>"), mark, *pieces[0], answer, mark, *pieces[1], policy.codec.end]
        found = _collected(policy, [row], [[(ids("<|A|>"), mark), (answer, mark)]])
        assert found.rollout.texts == (f"{first}\n{second}",)
        (paid,) = reward.score([prompt], [f"la {first}\nla {second}"])
        assert bool(found.right.all()) == (paid == 1.0), second
        seen.add(paid)
    assert seen == {0.0, 1.0}


def test_a_word_that_shares_a_mark_but_no_rhyme_with_the_one_it_answers_is_wrong():
    """English *beauty* announces the sound of *free*, which it may answer; *mournfully* and *wearily* announce it too, and do not rhyme."""
    policy = CausalPolicy.load("en", seed=0)
    ids = policy.tokenizer.convert_tokens_to_ids
    mark, answer = ids("<|~i|>"), ids("<|a|>")

    def spelt(words: list[str]) -> list[int]:
        pieces = policy.tokenizer(words, add_special_tokens=False).input_ids
        return [ids(BOS), ids(RHYME_PAIRS), ids("<|A|>"), mark, *pieces[0], answer, mark, *pieces[1], policy.codec.end]

    asked = [[(ids("<|A|>"), mark), (answer, mark)]] * 3
    rhyming_words = _collected(
        policy, [spelt(words) for words in (["mournfully", "wearily"], ["free", "wearily"], ["table", "wearily"])], asked
    )
    assert rhyming_words.right.tolist() == [[True, False], [True, True], [False, True]] and rhyming_words.whole.all()


def test_neutral_marks_and_policies_without_school_are_passed_over(policy):
    neutral = policy.tokenizer.convert_tokens_to_ids(NO_KEY)
    assert policy.rhyming_words([[neutral, neutral]], 3) is None and tiny_policy().rhyming_words([[5]], 3) is None
    assert policy.rhyming_words([[neutral, sounds(policy)[0]]], 3).right.shape == (3, 2)


def test_sounds_are_those_that_lines_announce(policy):
    fresh = policy.sample([Prompt("fr", "couplet")], 6, max_new_tokens=400)
    met = {int(fresh.ids[row, at]) for row in range(6) for at in fresh.sounds[row].tolist() if at >= 0}
    rows = sounds_met(fresh, 7, random.Random(0))
    assert len(rows) == 7 and all(len(row) == SOUNDS and set(row) <= met for row in rows)


def words_of_rows(right: list[list[bool]], word_of: list[list[int]], chosen: list[list[bool]]) -> RhymingWords:
    n = len(right)
    nowhere, held = torch.full((n, 1), -1), torch.tensor(chosen)
    ids = torch.zeros(held.shape, dtype=torch.long)
    rollout = Rollout((Prompt("fr", "couplet"),) * n, ("",) * n, ids, held, torch.ones(n, dtype=torch.bool), nowhere, nowhere)
    return RhymingWords(rollout, torch.tensor(word_of), torch.tensor(right), torch.ones(n, len(right[0]), dtype=torch.bool))


def test_weights_are_the_residuals_of_words_among_those_of_one_state():
    rhyming_words = words_of_rows([[True, False], [False, False]], [[0, 0, 1]] * 2, [[True, True, True]] * 2)
    ratio = torch.tensor([[0.1, 0.2, 0.3], [0.0, 0.0, -0.1]])
    weights = auxiliary_weights(rhyming_words, ratio, ratio, beta=2.0, group=torch.zeros(2, dtype=torch.long), token_prob_exponent=0.0)
    assert weights[0].tolist() == pytest.approx([(0.3 - 2.0) / 2, (0.3 - 2.0) / 2, 0.2])
    assert torch.allclose(weights.sum(0), torch.zeros(3), atol=1e-6)


def test_weights_vanish_where_the_policy_is_its_target():
    right = [[True], [False], [True], [False]]
    rhyming_words = words_of_rows(right, [[0, 0]] * 4, [[True, True]] * 4)
    ratio = torch.tensor([[1.5, 1.0], [0.0, -0.5], [3.0, -0.5], [-1.0, 0.5]])  # 3 nats more where right
    weights = auxiliary_weights(rhyming_words, ratio, ratio, beta=3.0, group=torch.zeros(4, dtype=torch.long), token_prob_exponent=0.5)
    assert torch.allclose(weights, torch.zeros(4, 2), atol=1e-6)


def test_a_step_parts_right_words_from_wrong_ones_of_one_state():
    policy = CausalPolicy.load("fr", seed=0)
    fresh = policy.sample([Prompt("fr", "quatrain-abab")], 8)
    rhyming_words = policy.rhyming_words(sounds_met(fresh, 2, random.Random(0)), 8)
    group = torch.arange(16) // 8
    assert rhyming_words.whole.all() and 0.6 < rhyming_words.right.float().mean() < 1.0

    def gap() -> float:
        with torch.no_grad():
            own = torch.zeros(rhyming_words.right.shape).scatter_add(1, rhyming_words.word_of, policy.log_prob(rhyming_words.rollout))
        mixed = (rhyming_words.right.view(2, 8, -1).float().mean(1) % 1 > 0)[group]  # words of which some rows are right and some wrong
        return float(own[rhyming_words.right & mixed].mean() - own[~rhyming_words.right & mixed].mean())

    before, log_pi = gap(), policy.log_prob(rhyming_words.rollout)
    own = log_pi.detach()
    weights = auxiliary_weights(rhyming_words, own, torch.zeros_like(own), beta=7.5, group=group, token_prob_exponent=0.0)
    (weights * log_pi).sum(1).mean().backward()
    torch.optim.SGD(policy.model.parameters(), lr=1e-3).step()
    assert gap() > before


class Asked:
    """Notes who is asked for how many words; the rest is the policy's."""

    def __init__(self, policy: CausalPolicy, calls: list[tuple[str, int]], name: str) -> None:
        draw = policy.rhyming_words
        policy.rhyming_words = lambda rows, n: (calls.append((name, n)), draw(rows, n))[1]  # type: ignore[method-assign]


@pytest.mark.parametrize(("aux_sampler", "expected"), [("policy", [("policy", 4)]), ("reference", [("policy", 1), ("prior", 4)])])
def test_who_draws_the_words_that_are_learned_from(aux_sampler, expected):
    prompts = [Prompt("fr", "couplet"), Prompt("fr", "quatrain-abab")]
    settings = {"prompts_per_step": 2, "group_size": 4, "aux_rhyme_weight": 1.0, "aux_sampler": aux_sampler}
    trainer = make(TBTrainer, with_rhyme_pairs(), WeightedMean([(Rhyme(), 1.0)]), prompts, **settings)
    calls: list[tuple[str, int]] = []
    Asked(trainer.policy, calls, "policy")
    Asked(trainer.prior, calls, "prior")
    figures = trainer.step(0.0)[0]
    assert calls == expected and figures["aux/words"] <= 2 * SOUNDS * expected[0][1]


def test_who_draws_the_words_is_the_prior_or_the_policy():
    with pytest.raises(RlpoetError, match="aux_sampler: 'nobody'; expected one of 'reference', 'policy'"):
        StepOptions(aux_sampler="nobody")


def test_a_policy_without_rhyme_pair_data_trains_without():
    settings = {"prompts_per_step": 1, "group_size": 2, "aux_rhyme_weight": 1.0}
    trainer = make(TBTrainer, tiny_policy(), WeightedMean([(Rhyme(), 1.0)]), [Prompt("fr", "couplet")], **settings)
    assert "aux/rhyme_accuracy" not in trainer.step(0.0)[0]

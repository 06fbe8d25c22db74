"""The auxiliary rhyming-word task: what is drawn, what is right, and which gradient comes of it."""

from __future__ import annotations

import copy
import dataclasses
import json
import math
import random

import pytest
import torch
from test_gflownet import plain as plain_reward
from tiny_policy import BAUDELAIRE, SMALL, VERLAINE, annotated, tiny_policy
from trainers import make

from policies.causal_lm import CausalPolicy
from policies.formats.data import choose_format
from policies.formats.rhyming_words import _collected
from policies.formats.tokenizer import train_tokenizer
from policies.formats.verse import BOS, NO_KEY, RHYME_PAIRS
from policies.pretraining.model import build_model
from rewards.compose import WeightedMean
from rewards.rhyme import Rhyme
from rlpoet.cli.main import main
from rlpoet.errors import RlpoetError
from rlpoet.prosody import verse
from rlpoet.prosody.ending import end_of
from rlpoet.prosody.rhyme import rhyme_kind
from rlpoet.reporting.tracking import read_jsonl
from rlpoet.rollout import RhymingWords, Rollout
from rlpoet.training import trainer as trainer_module
from rlpoet.training.auxiliary import SOUNDS, Practice, sounds_met, word_weights
from rlpoet.training.baselines.rejection import RejectionTrainer
from rlpoet.training.baselines.trl import GRPOTrainer, RLOOTrainer
from rlpoet.training.gflownet.trainer import TBTrainer
from rlpoet.training.options import StepOptions
from rlpoet.training.ppo.trainer import PPOTrainer
from rlpoet.training.trainer import Trainer
from rlpoet.types import Prompt


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


ONE_LIST = torch.zeros(2, dtype=torch.long)


def test_words_of_the_policy_are_weighed_by_their_residual_less_that_of_other_rows():
    rhyming_words = words_of_rows([[True, False], [False, False]], [[0, 0, 1]] * 2, [[True, True, True]] * 2)
    ratio = torch.tensor([[0.1, 0.2, 0.3], [0.0, 0.0, -0.1]])
    weights = word_weights(rhyming_words, ratio, torch.zeros(2, 3), beta=2.0, group=ONE_LIST, by_reference=False)
    first, second, third, fourth = 0.3 - 2.0, 0.3, 0.0, -0.1  # the first row's two words, the second's
    for found, residual, mate, others in (
        (weights[0, 0], first, third, third + fourth),
        (weights[0, 2], second, fourth, third + fourth),
        (weights[1, 0], third, first, first + second),
        (weights[1, 2], fourth, second, first + second),
    ):
        assert found == pytest.approx(residual - (mate + others / 3) / 2)
    assert torch.equal(weights[:, 0], weights[:, 1])


def test_words_of_the_prior_are_weighed_by_how_far_they_are_from_their_share_of_the_target():
    rhyming_words = words_of_rows([[True], [False]], [[0, 0]] * 2, [[True, True]] * 2)
    log_pi, prior = torch.tensor([[-1.0, -1.0], [-2.0, -1.0]]), torch.tensor([[-1.5, -1.5], [-1.0, -1.0]])
    weights = word_weights(rhyming_words, log_pi, prior, beta=2.0, group=ONE_LIST, by_reference=True)
    e = math.e
    no_right, all_right = 0.25 / 2, (1 + 1.5 / 2) / 2  # of one word elsewhere, and of a half that it began with
    assert weights[0].tolist() == pytest.approx([2 * (e - e**2 / (1 + (e**2 - 1) * no_right))] * 2)
    assert weights[1].tolist() == pytest.approx([2 * (1 / e - 1 / (1 + (e**2 - 1) * all_right))] * 2)


@pytest.mark.parametrize("by_reference", [True, False])
def test_a_word_that_was_cut_off_counts_as_wrong_and_one_that_was_not_begun_not_at_all(by_reference):
    n = 6
    whole = torch.tensor([[True, True]] * 4 + [[True, False], [False, False]])
    chosen = torch.tensor([[True, True]] * 5 + [[True, False]])
    rhyming_words = words_of_rows([[True, True]] * n, [[0, 1]] * n, chosen.tolist())
    rhyming_words = dataclasses.replace(rhyming_words, whole=whole)
    blank = torch.zeros(n, 2)
    settings = {"beta": 3.0, "group": torch.zeros(n, dtype=torch.long), "by_reference": by_reference}
    weights = word_weights(rhyming_words, blank, blank, **settings)
    assert (weights[:5, 0] < 0).all() and (weights[:4, 1] < 0).all()  # to become likelier
    assert weights[4, 1] > 0 and weights[5, 0] > 0 and weights[5, 1] == 0
    never_right = dataclasses.replace(rhyming_words, right=rhyming_words.right & whole)
    assert torch.equal(weights, word_weights(never_right, blank, blank, **settings))


def test_few_words_teach_nothing_where_the_policy_is_its_target():
    n, p = 400, 0.5
    right = [[i % 2 == 0] for i in range(n)]
    rhyming_words = words_of_rows(right, [[0]] * n, [[True]] * n)
    log_z = math.log1p(p * math.expm1(3.0))
    ratio = torch.tensor([[3.0 * own[0] - log_z] for own in right])
    group = torch.zeros(n, dtype=torch.long)
    for by_reference in (True, False):
        weights = word_weights(rhyming_words, ratio, torch.zeros(n, 1), beta=3.0, group=group, by_reference=by_reference)
        assert weights.abs().max() < 0.05


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
    weights = word_weights(rhyming_words, own, own, beta=7.5, group=group, by_reference=True)
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
    rows = sum(n for _, n in expected)  # of the measure too; an untrained policy may write one word without end
    assert calls == expected and rows <= figures["aux/words"] <= 2 * SOUNDS * rows and trainer.n_aux_words == figures["aux/words"]


def test_who_draws_the_words_is_the_prior_or_the_policy():
    with pytest.raises(RlpoetError, match="aux_sampler: 'nobody'; expected one of 'policy', 'reference'"):
        StepOptions(aux_sampler="nobody")


def test_a_policy_without_rhyme_pair_data_trains_without():
    settings = {"prompts_per_step": 1, "group_size": 2, "aux_rhyme_weight": 1.0}
    trainer = make(TBTrainer, tiny_policy(), WeightedMean([(Rhyme(), 1.0)]), [Prompt("fr", "couplet")], **settings)
    assert "aux/rhyme_accuracy" not in trainer.step(0.0)[0]


# -- beside the poems of any trainer ----------------------------------------------------------------

KINDS = [TBTrainer, PPOTrainer, GRPOTrainer, RLOOTrainer, RejectionTrainer]


def firsts(run: Trainer) -> list[torch.Tensor]:
    """Gradients of a weight at each update of a step."""
    seen: list[torch.Tensor] = []
    step = run.optimizer.step
    run.optimizer.step = lambda: (seen.append(run.learned[0].grad.clone()), step())[1]
    return seen


@pytest.mark.parametrize("kind", KINDS)
def test_every_trainer_adds_the_gradient_of_the_task_to_its_first_update_and_counts_its_words(kind, monkeypatch):
    settings = {"prompts_per_step": 2, "group_size": 4, "clip": 1e9}
    prompts = [Prompt("fr", "couplet"), Prompt("fr", "quatrain-abab")]
    asked: list[tuple[Rollout, float, float]] = []

    def added(policy, prior, fresh, *, beta, weight, **_):
        asked.append((fresh, beta, weight))
        parameter = next(p for p in policy.model.parameters() if p.requires_grad)
        (weight * parameter.sum()).backward()
        return Practice(right=1, finished=2, words=3, tokens=5)

    monkeypatch.setattr(trainer_module, "add_gradient", added)
    runs = [make(kind, tiny_policy(), plain_reward, prompts, aux_rhyme_weight=weight, **settings) for weight in (0.0, 1e3)]
    (without, plain), (with_task, practised) = [(run, firsts(run)) for run in runs]
    figures = [run.step(0.5) for run in (without, with_task)]
    assert len(asked) == 1 and len(plain) == len(practised) >= 1
    assert torch.allclose(practised[0] - plain[0], torch.full_like(plain[0], 1e3), atol=1.0)
    fresh, beta, weight = asked[0]
    assert fresh.texts == figures[1][1].texts and beta == with_task.beta > 0 and weight == 1e3
    assert "aux/words" not in figures[0][0] and figures[1][0]["aux/words"] == 3 and figures[1][0]["aux/rhyme_accuracy"] == 0.5
    tokens = int(fresh.n_tokens.sum())
    assert (without.n_tokens, with_task.n_tokens) == (tokens, tokens + 5)
    assert [each[0]["time/tokens_drawn"] for each in figures] == [tokens, tokens + 5]
    assert with_task.n_aux_words == 3 and with_task.spent()["aux_words"] == 3 and "aux_words" not in without.spent()


def test_a_checkpoint_keeps_what_was_drawn_and_an_earlier_one_does_not_know(tmp_path):
    settings = {"prompts_per_step": 2, "group_size": 4, "aux_rhyme_weight": 1.0}
    prompts = [Prompt("fr", "couplet"), Prompt("fr", "quatrain-abab")]
    score, policy = WeightedMean([(Rhyme(), 1.0)]), with_rhyme_pairs()
    run, again = (
        make(PPOTrainer, CausalPolicy(copy.deepcopy(policy.model), policy.tokenizer, policy.format, seed=0), score, prompts, **settings)
        for _ in range(2)
    )
    run.step(0.1)
    run.save(tmp_path / "a.pt")
    again.load(tmp_path / "a.pt")
    assert run.n_aux_words > 0 and (again.n_tokens, again.n_aux_words) == (run.n_tokens, run.n_aux_words)
    for progress in (0.2, 0.3, 0.4):
        both = [each.step(progress) for each in (run, again)]
        assert both[0][1].texts == both[1][1].texts and both[0][0].get("aux/words") == both[1][0].get("aux/words")
        assert (again.n_tokens, again.n_aux_words) == (run.n_tokens, run.n_aux_words)
    state = torch.load(tmp_path / "a.pt", weights_only=True)
    del state["n_tokens"], state["n_aux_words"]
    torch.save(state, tmp_path / "b.pt")
    again.load(tmp_path / "b.pt")
    assert "time/tokens_drawn" not in again.step(0.5)[0] and again.spent() == {"fresh_samples": 16, "aux_rhyme_weight": 1.0}


def test_a_run_says_that_the_task_is_on(tmp_path, capsys):
    with_rhyme_pairs().save(str(tmp_path / "policy"))
    argv = ["train", "--algo", "rft", "--policy", str(tmp_path / "policy"), *SMALL, "--max_steps", "1"]
    assert main([*argv, "--aux_rhyme_weight", "1.5", "--output_dir", str(tmp_path / "on")]) == 0
    line = "auxiliary task: single words for the sounds of the poems, weight 1.5, drawn by the policy."
    assert line in " ".join(capsys.readouterr().err.split())
    result = json.loads((tmp_path / "on" / "result.json").read_text(encoding="utf-8"))
    (row,) = read_jsonl(tmp_path / "on" / "metrics.jsonl")
    assert result["aux_rhyme_weight"] == 1.5 and result["aux_words"] == row["aux/words"] > 0
    assert result["tokens_drawn"] == row["time/tokens_drawn"] > 4 * row["samples/tokens"] + result["aux_words"]
    page = (tmp_path / "on" / "report.html").read_text(encoding="utf-8")
    assert f"auxiliary rhyming-word task: weight 1.5, {result['aux_words']} words" in page
    assert main([*argv, "--output_dir", str(tmp_path / "off")]) == 0
    assert "auxiliary task" not in capsys.readouterr().err
    result = json.loads((tmp_path / "off" / "result.json").read_text(encoding="utf-8"))
    assert result["aux_rhyme_weight"] == 0 and "aux_words" not in result


def begun(sounds: list[list[int]] | None) -> Rollout:
    """Two texts of four tokens, 10 to 13 and 20 to 23, with plan tokens at these places."""
    nowhere = torch.full((2, 2), -1)
    places = None if sounds is None else torch.tensor(sounds)
    ids, held = torch.tensor([[10, 11, 12, 13], [20, 11, 22, 23]]), torch.ones(2, 4, dtype=torch.bool)
    return Rollout((Prompt("fr", "couplet"),) * 2, ("", ""), ids, held, torch.ones(2, dtype=torch.bool), nowhere, nowhere, places)


def test_sounds_are_drawn_as_often_as_lines_announce_them():
    rows = sounds_met(begun([[1, 2], [1, -1]]), 300, random.Random(0))
    drawn = [sound for row in rows for sound in row]
    assert {len(row) for row in rows} == {SOUNDS} and set(drawn) == {11, 12}
    assert drawn.count(11) / len(drawn) == pytest.approx(2 / 3, abs=0.03)


@pytest.mark.parametrize("sounds", [None, [[-1, -1], [-1, -1]]])
def test_without_a_plan_token_there_is_nothing_to_practise(sounds):
    assert sounds_met(begun(sounds), 3, random.Random(0)) == []

"""The studies of trainers: what they compute of a run, not the runs."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
import torch
from scipy import stats

from experiments.studies import end_words, known_words, trainers
from experiments.studies.end_words import Choice, Contexts, Rhymes, WordPolicy, best_of, exact
from rlpoet.types import Prompt


def contexts() -> Contexts:
    """Two contexts, of three words and of two."""
    log_prior = torch.tensor([[0.5, 0.3, 0.2], [0.6, 0.4, 0.0]]).log()
    right = torch.tensor([[True, False, True], [False, True, False]])
    noise = torch.Generator().manual_seed(0)
    states, words = torch.randn(2, end_words.WIDTH, generator=noise), torch.randn(2, 3, end_words.WIDTH, generator=noise)
    return Contexts(log_prior, right, states, words, (("mar", "sol", "azar"), ("dos", "voz")))


# -- the choice of a last word ----------------------------------------------------------------------------


def test_the_target_is_at_no_distance_and_the_prior_where_two_lines_of_arithmetic_put_it():
    own = contexts()
    assert exact(own, own.log_target)["kl"] == pytest.approx(0.0, abs=1e-6)
    e = torch.tensor(6.0).exp().item()
    kl = [torch.tensor(0.7 * e + 0.3).log().item() - 6 * 0.7, torch.tensor(0.4 * e + 0.6).log().item() - 6 * 0.4]  # log Z - beta E[r]
    assert exact(own, own.log_prior)["kl"] == pytest.approx(sum(kl) / 2, rel=1e-5)
    assert exact(own, own.log_prior)["right"] == pytest.approx((0.7 + 0.4) / 2)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_the_best_of_n_has_the_probabilities_of_all_outcomes(n: int):
    own = contexts()
    for row in range(2):
        p, found = own.log_prior[row].exp().tolist(), [0.0, 0.0, 0.0]
        for drawn in itertools.product(range(3), repeat=n):
            first = next((word for word in drawn if own.right[row, word]), drawn[-1])
            found[first] += torch.tensor([p[word] for word in drawn]).prod().item()
        assert best_of(own, n)[row].exp().tolist() == pytest.approx(found, abs=1e-6)


def test_a_word_policy_begins_as_the_prior_draws_what_it_weighs_and_keeps_to_its_words():
    own = contexts()
    policy = WordPolicy(Choice(own), own, "es", torch.Generator().manual_seed(0))
    assert torch.allclose(policy.log_p().exp(), own.log_prior.exp(), atol=1e-6)
    asked = [Prompt("es", "couplet", "1"), Prompt("es", "couplet", "0")]
    drawn = policy.masked(policy.sample(asked, 500))
    assert set(drawn.texts[:500]) == {"dos", "voz"} and set(drawn.texts[500:]) == {"mar", "sol", "azar"}
    assert drawn.texts[500:].count("mar") / 500 == pytest.approx(0.5, abs=0.08)
    log_p = policy.log_prob(drawn).sum(1)
    spelt = {"dos": 0.6, "voz": 0.4, "mar": 0.5, "sol": 0.3, "azar": 0.2}
    assert torch.allclose(log_p.exp(), torch.tensor([spelt[text] for text in drawn.texts]), atol=1e-6)
    assert Rhymes(own)(asked, ["voz", "sol"]).total == (1.0, 0.0)


# -- the study of trainers --------------------------------------------------------------------------------


@pytest.mark.slow  # trl is imported
def test_every_cell_of_the_study_is_a_run_that_can_be_made():
    cells = list(trainers.tuning())
    assert len({cell.key for cell in cells}) == len(cells)
    for cell in cells:
        config = trainers.Cell(**json.loads(cell.key)).config("")
        assert config.aux_rhyme_weight == 0.0 and config.learning_rate == cell.tuned["learning_rate"]
    per_arm = {arm: sum(cell.arm == arm for cell in cells) for arm in trainers.ARMS}
    assert len(set(per_arm.values())) == 1  # the same budget of tuning


def row(arm: str, seed: int, kl: float, *, task: bool = False, stage: str = "quatrains", **more: Any) -> dict[str, Any]:
    figures = dict.fromkeys([name for name, _, _ in trainers.COLUMNS.values()], 0.5) | {"target_kl": kl}
    return {
        "stage": stage, "arm": arm, "tuned": {"learning_rate": 2e-4}, "task": task, "seed": seed, "figures": figures,
        "prior": dict.fromkeys(figures, 0.5) | {"target_kl": 4.0, "reward": 0.8}, "commit": "abc", "cpu_seconds": 1.0, **more,
    }  # fmt: skip


def test_arms_are_tested_only_when_their_tuning_is_complete_at_the_cell_that_is_nearest():
    cells = [cell for cell in trainers.tuning() if cell.arm == "RAFT"]
    done = [{**row(cell.arm, cell.seed, 3.0 - n, stage="tuning"), "key": cell.key} for n, cell in enumerate(cells)]
    assert trainers.tuned("RAFT", done[:-1]) is None
    assert trainers.tuned("RAFT", done) == cells[-1].tuned
    tested = list(trainers.testing(done, "plain"))
    assert {cell.arm for cell in tested} == {"RAFT"} and {cell.seed for cell in tested} == set(trainers.SEEDS)


def test_the_plain_model_is_tested_where_there_is_one():
    done = [{**row(cell.arm, cell.seed, 3.0, stage="tuning"), "key": cell.key} for cell in trainers.tuning()]
    with_it, without = ({(cell.stage, cell.arm) for cell in trainers.testing(done, folder)} for folder in ("folder", ""))
    assert with_it - without == {("plain", arm) for arm in trainers.FOUR}
    cell = next(cell for cell in trainers.testing(done, "folder") if cell.stage == "plain" and cell.arm == "RLOO")
    assert cell.config("folder").policy == "folder" and cell.config("folder").forms == ("couplet",)


def test_distances_of_two_machines_are_put_on_the_mean_of_their_measures_of_log_z():
    """log Z is 4 + 10 * .8 = 12 by one machine and 13 by the other, which drew another prior's poems of the same mean reward."""
    other = {"prior": {"target_kl": 5.0, "reward": 0.8}}
    done = [row("RLOO", 0, 3.0), row("RLOO", 1, 3.5), {**row("RLOO", 2, 4.0), **other}, {**row("PPO", 0, 1.0, stage="plain"), **other}]
    moved = trainers.on_one_log_z(done, beta=10.0)
    assert [one["figures"]["target_kl"] for one in moved] == pytest.approx([3.5, 4.0, 3.5, 1.0])
    assert [one["prior"]["target_kl"] for one in moved] == pytest.approx([4.5, 4.5, 4.5, 5.0])
    assert [one["figures"]["target_kl"] for one in done] == [3.0, 3.5, 4.0, 1.0]


def test_one_difference_is_primary_and_the_others_are_corrected_after_holm():
    kls = {"TB, segment": [2.0, 2.2, 2.1], "PPO": [2.5, 2.8, 2.6], "RLOO": [2.1, 2.2, 2.3], "RAFT": [3.0, 3.3, 3.2]}
    notes = trainers.table([row(arm, seed, kl) for arm, found in kls.items() for seed, kl in enumerate(found)])["notes"]
    gaps = {arm: [a - b for a, b in zip(found, kls["TB, segment"], strict=True)] for arm, found in kls.items()}
    p = {arm: float(stats.ttest_1samp(gaps[arm], 0).pvalue) for arm in ("PPO", "RLOO", "RAFT")}
    assert notes[0].startswith("Primary, quatrains: PPO less TB: +0.53") and notes[0].endswith(f"p {p['PPO']:.3f}.")
    assert "RAFT +1.07 (" in notes[1] and f"p {2 * p['RAFT']:.3f}" in notes[1]
    assert f"p {max(2 * p['RAFT'], p['RLOO']):.3f}" in notes[1]


def test_lines_and_quatrains_that_lexicon_pays_are_counted_apart(tmp_path):
    known = "la nuit descend sur la maison"
    texts = ["\n".join([known] * 4), "\n".join([known, "la nuit de Zorvik descend", "zorvique", known])]
    assert known_words.row("fr", "own", texts) == ["fr", "own", "2", "87.5%", "12.5%", "50.0%", "75.0%"]
    path = tmp_path / "poems.jsonl"
    path.write_text(json.dumps({"stanzas": [["a", "b", "c", "d"], ["e", "f"], ["g", "h", "i", "j"]]}) + "\n", encoding="utf-8")
    assert sorted(known_words.quatrains(path, 2, seed=0)) == ["a\nb\nc\nd", "g\nh\ni\nj"]

"""Alarms are raised for what goes wrong, once, and never for a run that is well."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest
import torch
from tiny_policy import tiny_policy

from rewards.compose import WeightedMean
from rlpoet.cli.main import main
from rlpoet.evaluation.diversity import batch_variety
from rlpoet.reporting.run_report import write_report
from rlpoet.reporting.tracking import Tracker, read_jsonl
from rlpoet.training.gflownet.trainer import TBTrainer
from rlpoet.training.monitoring.alarms import NAMES, START, WINDOW, Watch
from rlpoet.types import Prompt

N = 120
FLAGS = ["--minutes", "0", "--prompts_per_step", "2", "--group_size", "2", "--eval_samples", "8", "--threads", "1", "--forms", "couplet"]


def rising(a: float, b: float, *, by: int = 60):
    """From a to b in so many steps, then b."""
    return lambda step: a + (b - a) * min(step / by, 1.0)


def jump(a: float, b: float, *, at: int = 40):
    return lambda step: a if step < at else b


# shaped on recorded runs of the shipped models: values at the start and the end, and the noise of a step of 192 poems
HEALTHY = {
    "reward/mean": (rising(0.64, 0.77), 0.02),
    "frac_reward_zero_std": (lambda step: 0.0, 0.0),
    "objective/kl": (lambda step: 6.0 * min(step / 30, 1.0) - 2.0 * min(max(step - 30, 0) / 60, 1.0), 0.4),
    "objective/prior_nll_per_token": (rising(2.66, 2.70), 0.03),
    "objective/entropy_per_token": (rising(2.66, 2.60), 0.03),
    "samples/tokens": (rising(65.0, 61.0), 1.5),
    "samples/ended": (lambda step: 0.998, 0.001),
    "samples/distinct_end_words": (rising(0.80, 0.72), 0.012),
    "samples/duplicate_texts": (lambda step: 0.0, 0.0),
    "samples/duplicate_lines": (lambda step: 0.004, 0.002),
    "train/grad_norm": (rising(40.0, 130.0), 20.0),
}
TB = {"gfn/beta": (lambda step: 22.0 * min(1.0, 0.25 + 0.75 * step / 20), 0.0), "gfn/log_z": (rising(4.0, 13.0), 0.5),
      "gfn/loss": (rising(2.0, 25.0), 2.0), "gfn/var_residual": (rising(2.0, 25.0), 2.0)}  # fmt: skip
PPO = {"ppo/kl_coefficient": (lambda step: 1 / (22.0 * min(1.0, 0.25 + 0.75 * step / 20)), 0.0), "ppo/clipfrac": (rising(0.02, 0.01), 0.01),
       "ppo/ratio_max": (lambda step: 4.0, 1.5), "ppo/approx_kl_last": (lambda step: 0.004, 0.002),
       "ppo/explained_variance": (rising(-0.15, 0.3, by=20), 0.05)}  # fmt: skip


def raised(changes, *, algo=TB, learned=False, seed=0, steps=N):
    """Names of the alarms of a run whose curves are healthy but for some."""
    rng, watch = random.Random(seed), Watch(beta=22.0, learned_log_z=learned)
    curves = {**HEALTHY, **algo, **{key: value if isinstance(value, tuple) else (value, 0.0) for key, value in changes.items()}}
    for step in range(1, steps + 1):
        watch(step, {key: curve(step) + rng.gauss(0, noise) for key, (curve, noise) in curves.items()})
    return watch.raised


@pytest.mark.parametrize("algo", [TB, PPO], ids=["tb", "ppo"])
def test_a_healthy_run_raises_nothing(algo):
    assert [raised({}, algo=algo, learned=algo is TB, seed=seed, steps=300) for seed in range(10)] == [[]] * 10


TROUBLE = [
    ("reward-dead", {"frac_reward_zero_std": jump(0.0, 0.98), "reward/mean": jump(0.02, 0.0)}, {}),
    ("reward-dead", {"frac_reward_zero_std": jump(0.0, 1.0), "reward/mean": jump(0.9, 1.0), "objective/kl": lambda step: 1.0}, {}),
    ("reward-dead", {"frac_reward_zero_std": jump(0.0, 1.0)}, {}),
    ("log-z-stuck", {"gfn/log_z": lambda step: 3.25}, {}),
    ("log-z-stuck", {"gfn/loss": (lambda step: 25.0 + 12.0**2, 2.0)}, {"learned": True}),
    ("kl-runaway", {"objective/kl": (rising(0.0, 40.0), 0.5)}, {}),
    ("kl-runaway", {"objective/kl": (rising(0.0, 40.0), 0.5)}, {"algo": PPO}),
    ("negative-kl", {"objective/kl": (rising(0.0, -4.0), 0.5)}, {"algo": PPO}),
    ("low-entropy", {"objective/entropy_per_token": (rising(2.66, 0.9), 0.03)}, {}),
    ("few-end-words", {"samples/distinct_end_words": (rising(0.8, 0.4), 0.012)}, {}),
    ("worse-prose", {"objective/prior_nll_per_token": (rising(2.66, 3.2), 0.03)}, {}),
    ("short-texts", {"samples/tokens": (rising(65.0, 8.0), 1.5)}, {}),
    ("unfinished-texts", {"samples/ended": (rising(0.998, 0.4), 0.01)}, {}),
    ("same-texts", {"samples/duplicate_texts": (rising(0.0, 0.3), 0.01)}, {}),
    ("same-texts", {"samples/duplicate_lines": (rising(0.0, 0.3), 0.01)}, {}),
    ("ppo-steps", {"ppo/clipfrac": (rising(0.02, 0.6), 0.01)}, {"algo": PPO}),
    ("ppo-steps", {"ppo/ratio_max": (rising(4.0, 900.0), 1.0)}, {"algo": PPO}),
    ("ppo-steps", {"ppo/approx_kl_last": (rising(0.0, 0.5), 0.002)}, {"algo": PPO}),
    ("ppo-critic", {"ppo/explained_variance": (lambda step: -0.4, 0.05)}, {"algo": PPO}),
    ("not-finite", {"train/grad_norm": jump(100.0, float("inf"))}, {}),
    ("not-finite", {"gfn/log_z": (jump(5.0, float("nan")), 0.5)}, {}),
]


@pytest.mark.parametrize("name, changes, setting", TROUBLE, ids=[f"{row[0]}-{i}" for i, row in enumerate(TROUBLE)])
def test_each_trouble_raises_its_own_alarm_and_no_other(name, changes, setting):
    assert raised(changes, **setting) == [name]


def test_every_alarm_is_tried():
    assert {row[0] for row in TROUBLE} == set(NAMES)


def test_a_flow_that_is_far_off_but_comes_nearer_is_left_alone():
    assert raised({"gfn/loss": lambda step: 25.0 + max(20.0 - step / 3, 0.0) ** 2}, learned=True, steps=60) == []


def test_a_group_estimate_of_log_z_is_never_off():
    assert raised({"gfn/loss": lambda step: 200.0}) == []  # replayed and explored texts may have any residual


def test_strange_prose_without_reward_is_not_gaming():
    changes = {"objective/prior_nll_per_token": (rising(2.66, 3.2), 0.03), "reward/mean": (rising(0.7, 0.64), 0.02)}
    assert "worse-prose" not in raised(changes)


def test_noise_of_small_batches_is_not_taken_for_a_fall():
    noisy = {"samples/tokens": (lambda step: 40.0, 25.0), "samples/distinct_end_words": (lambda step: 0.6, 0.3)}
    assert [raised(noisy, seed=seed) for seed in range(20)] == [[]] * 20


def test_an_alarm_is_told_once_with_numbers_and_advice():
    watch = Watch(beta=20.0)
    told = [alarm for step in range(1, 50) for alarm in watch(step, {"reward/mean": 0.0, "frac_reward_zero_std": 1.0})]
    assert [(alarm.name, alarm.step) for alarm in told] == [("reward-dead", WINDOW)]
    assert "no poem earns anything" in told[0].seen and "100%" in told[0].seen and "preflight" in told[0].advice
    assert told[0].markdown.startswith("**reward-dead** (step 8)")


def test_a_run_that_goes_on_remembers_how_it_began():
    rows = [{"step": step, "samples/tokens": 65.0 + step % 3} for step in range(1, START + WINDOW + 1)]
    watch = Watch(beta=20.0)
    watch.replay(rows)
    told = [alarm for step in range(17, 40) for alarm in watch(step, {"samples/tokens": 9.0 + step % 3})]
    assert [alarm.name for alarm in told] == ["short-texts"] and "fell from 66" in told[0].seen
    again = Watch(beta=20.0)
    again.replay([*rows, *({"step": step, "samples/tokens": 9.0 + step % 3} for step in range(17, 40))])
    assert again.raised == ["short-texts"] and again(40, {"samples/tokens": 9.0}) == []


# -- what the loop measures and keeps ---------------------------------------------------------------


def test_repeated_lines_texts_and_end_words_are_counted_without_the_lines_that_were_given():
    given = Prompt("fr", "couplet", None, ("Le jour descend sur la colline",))
    texts = [
        "Le jour descend sur la colline\nUn chat",
        "Le jour descend sur la colline\nDeux chats",
        "Le jour descend sur la colline\nUn chat",
    ]
    told = batch_variety([given] * 3, texts)
    assert told == {
        "samples/duplicate_texts": pytest.approx(1 / 3),
        "samples/duplicate_lines": pytest.approx(1 / 3),
        "samples/distinct_end_words": pytest.approx(2 / 3),
    }


def test_a_batch_without_a_line_says_nothing_of_lines():
    assert batch_variety([Prompt("fr", "couplet")] * 2, ["", ""]) == {"samples/duplicate_texts": 0.5}


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("policy")
    tiny_policy().save(folder)
    return folder


def defined() -> set[str]:
    """Names in backticks that begin a row of a table in the docs."""
    pages = (Path(__file__).parents[2] / "docs" / name for name in ("metrics.md", "training.md"))
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    return {name for row in re.findall(r"^\| (`[^|]*) \|", text, flags=re.MULTILINE) for name in re.findall(r"`([^`]+)`", row)}


def undefined(folder: Path) -> set[str]:
    """Metrics and figures of a run that the docs do not define."""
    logged = {re.sub(r"^rewards/\w+/mean$", "rewards/NAME/mean", key) for row in read_jsonl(folder / "metrics.jsonl") for key in row}
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    return (logged | set(result["before"]) | set(result["after"])) - {"step"} - defined()


class Vowels:
    """A reward that random weights can earn: the share of e among the letters, up to a fifth."""

    name = "vowels"

    def score(self, prompts, texts):
        return [min(5 * text.count("e") / max(len(text), 1), 1.0) for text in texts]


@pytest.mark.parametrize("algo", ["tb", "ppo"])
@pytest.mark.slow
def test_a_short_healthy_run_of_a_real_policy_raises_nothing_and_logs_what_the_docs_define(saved, tmp_path, algo, capsys, monkeypatch):
    monkeypatch.setattr("rlpoet.training.build.composed", lambda weights, options, **_: WeightedMean([(Vowels(), 1.0)]))
    flags = [*FLAGS, "--max_steps", "18", "--learning_rate", "1e-5", "--algo", algo, "--output_dir", str(tmp_path / "run")]
    assert main(["train", "--policy", str(saved), *flags, "--report_to", "none"]) == 0
    rows = read_jsonl(tmp_path / "run" / "metrics.jsonl")
    assert len(rows) == 18 and {"samples/distinct_end_words", "samples/duplicate_lines"} <= set(rows[-1])
    assert not (tmp_path / "run" / "alarms.jsonl").exists() and "alarm" not in capsys.readouterr().err
    assert json.loads((tmp_path / "run" / "result.json").read_text(encoding="utf-8"))["alarms"] == []
    assert undefined(tmp_path / "run") == set()
    assert "no alarm" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_run_tells_an_alarm_in_the_terminal_its_files_tensorboard_and_the_page(saved, tmp_path, monkeypatch, capsys):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    step = TBTrainer.step

    def dead(self, progress):
        metrics, fresh, scored = step(self, progress)
        return {**metrics, "frac_reward_zero_std": 1.0}, fresh, scored

    monkeypatch.setattr(TBTrainer, "step", dead)
    folder = tmp_path / "run"
    assert main(["train", "--policy", str(saved), *FLAGS, "--max_steps", "10", "--output_dir", str(folder)]) == 0
    assert [row["name"] for row in read_jsonl(folder / "alarms.jsonl")] == ["reward-dead"]
    assert json.loads((folder / "result.json").read_text(encoding="utf-8"))["alarms"] == ["reward-dead"]
    assert "alarm reward-dead at step 8" in capsys.readouterr().err
    assert "<strong>reward-dead</strong>, step 8" in (folder / "report.html").read_text(encoding="utf-8")
    board = EventAccumulator(str(folder))
    board.Reload()
    assert "alarms/text_summary" in board.Tags()["tensors"] and board.Scalars("final/alarms")[0].value == 1.0


def test_a_run_whose_numbers_break_says_so_before_it_stops(saved, tmp_path, monkeypatch, capsys):
    step = TBTrainer.step

    def broken(self, progress):
        metrics, fresh, scored = step(self, progress)
        return {**metrics, "train/grad_norm": float("nan") if self.n_steps == 2 else 1.0}, fresh, scored

    monkeypatch.setattr(TBTrainer, "step", broken)
    flags = [*FLAGS, "--max_steps", "10", "--save_steps", "1", "--output_dir", str(tmp_path / "run"), "--report_to", "none"]
    assert main(["train", "--policy", str(saved), *flags]) == 2
    assert "train/grad_norm is nan" in read_jsonl(tmp_path / "run" / "alarms.jsonl")[0]["seen"]
    assert "alarm not-finite at step 2" in capsys.readouterr().err
    assert torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)["n_steps"] == 1  # from before it broke


def test_markup_in_an_alarm_is_shown_not_obeyed(tmp_path):
    with Tracker(tmp_path, report_to="none") as tracker:
        tracker.scalars(1, {"reward/mean": 0.5})
        tracker.alarm(1, {"name": "x", "seen": "<script>", "advice": ""})
    assert "<script" not in write_report(tmp_path).read_text(encoding="utf-8")


# -- the book of metrics ---------------------------------------------------------------------------------


def test_every_metric_of_flows_and_exploration_is_defined_in_the_docs(saved, tmp_path):
    folder = tmp_path / "run"
    flags = [*FLAGS, "--tb.objective", "fl", "--tb.log_z", "learned", "--tb.explore", "hot", "--tb.replay", "0.5", "--max_steps", "2"]
    assert main(["train", "--policy", str(saved), *flags, "--output_dir", str(folder), "--report_to", "none"]) == 0
    assert undefined(folder) == set()


def test_every_alarm_is_defined_in_the_docs():
    assert set(NAMES) <= defined()

"""Whole runs at the smallest size, through the command line, as a user would start them."""

from __future__ import annotations

import json
import multiprocessing
import shutil
import sys
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file
from tiny_policy import BAUDELAIRE, SMALL, VERLAINE, tiny_policy

from rlpoet.cli.main import main
from rlpoet.cli.verbs.ablate import COMMAND as ABLATE
from rlpoet.cli.verbs.compare import COMMAND as COMPARE
from rlpoet.cli.verbs.finetune import COMMAND as FINETUNE
from rlpoet.cli.verbs.train import COMMAND as TRAIN
from rlpoet.config.parser import parse
from rlpoet.evaluation.sampled import intervals, read
from rlpoet.reporting.poems import NOTE
from rlpoet.reporting.progress import Pulse
from rlpoet.training.baselines.best_of_n import BestOfN
from rlpoet.training.gflownet.trainer import TBTrainer

ROOT = Path(__file__).parents[2]
FIGURES = {
    "target_kl", "rhyme_pairs", "credited_pairs", "lines_in_meter", "perfect_stanzas", "prior_nll_per_token", "distinct_end_words",
    "rhyme_sound_entropy", "n",
}  # fmt: skip
SENSE = {"invented_words"}  # with the extra of that name


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("policy")
    tiny_policy().save(folder)
    return folder


@pytest.fixture
def quiet(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


@pytest.mark.slow
def test_what_is_saved_and_measured_may_be_the_mean_of_what_was_trained_and_its_prior(saved, quiet, monkeypatch):
    def pushed(self: TBTrainer, **_: object) -> float:  # a policy without rhymes learns nothing from its rewards
        with torch.no_grad():
            for weight in self.learned:
                weight += 0.1
        return 0.0

    monkeypatch.setattr(TBTrainer, "descend", pushed)
    assert main(["train", "--policy", str(saved), *SMALL, "--interpolate", "0.25"]) == 0
    kept, prior = (load_file(Path(folder, "model.safetensors")) for folder in ("runs/fr-tb-s0/policy", saved))
    trained = prior | torch.load("runs/fr-tb-s0/checkpoint.pt", weights_only=True)["model"]  # which holds what learns
    assert any(not torch.equal(weight, trained[name]) for name, weight in prior.items())
    for name, weight in kept.items():
        assert torch.allclose(weight, 0.75 * trained[name] + 0.25 * prior[name], atol=1e-6)


def test_a_run_leaves_everything_the_readme_names(saved, quiet, capsys):
    assert main(["train", "--policy", str(saved), *SMALL, "--report_to", "tensorboard"]) == 0
    folder = Path("runs/fr-tb-s0")
    logs = ("metrics.jsonl", "samples.jsonl", "before.json", "after.json", "config.yaml", "checkpoint.pt")
    for name in ("report.html", "result.json", "policy/model.safetensors", "policy/tokenizer.json", *logs):
        assert (folder / name).stat().st_size > 0
    assert list(folder.glob("events.out.tfevents.*"))
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    assert set(result["before"]) - SENSE == set(result["after"]) - SENSE == FIGURES
    assert result["before"]["n"] == 8 and result["fresh_samples"] == 12 and result["seed"] == 0 and result["commit"]
    assert result["intervals"] == {}  # of two prompts
    told = result["target"]
    assert told["before"]["kl"] == result["before"]["target_kl"] and told["after"]["kl"] == result["after"]["target_kl"]
    assert told["beta"] == 30.0 and told["n"] == 8 and 0 < told["acceptance"] < 1 and told["before"]["standard_error"] >= 0
    assert "nats from target" in (folder / "report.html").read_text(encoding="utf-8")
    shown = capsys.readouterr().out
    assert "report.html" in shown and "pairs that rhyme" in shown and "no change seen" not in shown
    assert main(["generate", "--policy", str(folder), "--json", "-n", "2", "--seed", "1", "--raw"]) == 0
    assert main(["train", "--policy", str(saved), *SMALL]) == 0
    assert Path("runs/fr-tb-s0-2/result.json").exists()  # a second run does not touch the first


def test_a_run_says_at_once_what_it_will_do_and_that_it_moves(saved, quiet, monkeypatch, capsys):
    told = []
    tell = Pulse.tell
    monkeypatch.setattr(Pulse, "tell", lambda self, words=None, **numbers: (told.append((words, numbers)), tell(self, words, **numbers))[1])
    assert main(["train", "--policy", str(saved), *SMALL, "--logging_steps", "100"]) == 0
    shown = capsys.readouterr().err
    assert "3 updates of 2 prompts x 2 poems" in shown and "too little for a gain" in shown and "--minutes" in shown
    assert "GFLOP/s" in shown
    table = shown[shown.index("  step  reward") :].splitlines()
    assert table[1].split()[0] == "1"  # a row after the first step, whatever --logging_steps says
    within = [words for words, _ in told if words and words.startswith("step 1: ")]
    assert len(within) > 1 and any("poems drawn" in words or "learning" in words for words in within)
    assert any(words and words.endswith("of 8 poems drawn") for words, _ in told)  # while the prior is measured
    shares = [numbers["share"] for words, numbers in told if words and words.startswith("step ")]
    assert shares == sorted(shares) and shares[0] == 0.0 and 0 < shares[1] < 1
    kept = yaml.safe_load(Path("runs/fr-tb-s0/config.yaml").read_text(encoding="utf-8"))
    assert kept["precision"] in ("fp32", "bf16") and (kept["minutes"], kept["max_steps"], kept["prompts_per_step"]) == (0.0, 3, 2)


@pytest.mark.parametrize("algo", ["tb", *(pytest.param(each, marks=pytest.mark.slow) for each in ("ppo", "rft", "grpo"))])
def test_rate_and_beta_follow_the_progress_of_the_run(saved, quiet, algo):
    flags = ["--algo", algo, "--learning_rate", "1e-4", "--beta", "10", "--beta_warmup", "0.9"]
    assert main(["train", "--policy", str(saved), *SMALL, "--output_dir", "run", "--report_to", "none", *flags]) == 0
    rows = [json.loads(row) for row in Path("run/metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    rates = [row["train/learning_rate"] for row in rows]
    assert rates == pytest.approx([1e-4 * factor for factor in (0.1, 0.7, 0.4)])  # a tenth, and after a tenth of the run a fall to a tenth
    if algo == "tb":
        assert [row["gfn/beta"] for row in rows] == pytest.approx([2.5, 2.5 + 7.5 * (1 / 3) / 0.9, 2.5 + 7.5 * (2 / 3) / 0.9])


def test_a_stopped_run_reports_and_goes_on(saved, quiet, monkeypatch, capsys):
    step = TBTrainer.step

    def stopped(self, progress):
        if self.n_steps == 1:
            raise KeyboardInterrupt
        return step(self, progress)

    monkeypatch.setattr(TBTrainer, "step", stopped)
    assert main(["train", "--policy", str(saved), "--output_dir", "run", *SMALL]) == 130
    assert json.loads(Path("run/result.json").read_text(encoding="utf-8"))["interrupted"] is True
    monkeypatch.setattr(TBTrainer, "step", step)
    assert main(["train", "--resume", "run"]) == 0
    result = json.loads(Path("run/result.json").read_text(encoding="utf-8"))
    assert result["steps"] == 3 and result["interrupted"] is False
    assert [json.loads(row)["step"] for row in Path("run/metrics.jsonl").read_text(encoding="utf-8").splitlines()] == [1, 2, 3]


@pytest.mark.parametrize("algo", ["tb", pytest.param("best-of-n", marks=pytest.mark.slow)])
def test_a_run_says_how_sure_its_table_is_also_after_a_stop(algo, saved, quiet, monkeypatch, capsys):
    trainer = {"tb": TBTrainer, "best-of-n": BestOfN}[algo]
    step = trainer.step

    def stopped(self, progress):
        if self.n_steps == 1:
            raise KeyboardInterrupt
        return step(self, progress)

    def told():
        result = json.loads(Path("run/result.json").read_text(encoding="utf-8"))
        assert set(result["before"]) - SENSE == FIGURES  # as plain as ever
        own = algo == "tb"  # the best of n are not the policy's own
        assert set(result["after"]) - SENSE == (FIGURES if own else FIGURES - {"target_kl"})
        return result["intervals"]

    monkeypatch.setattr(trainer, "step", stopped)
    assert main(["train", "--policy", str(saved), "--algo", algo, "--output_dir", "run", *SMALL, "--eval_samples", "14"]) == 130
    assert set(told()["prior_nll_per_token"]) == set(told()["rhyme_pairs"]) == {"before", "after", "change"}
    shown = capsys.readouterr().out
    assert "no change seen (" in shown and NOTE in shown and "no change seen (" in Path("run/report.html").read_text(encoding="utf-8")
    old = json.loads(Path("run/before.json").read_text(encoding="utf-8"))
    del old["nats"], old["tokens"]  # a run begun before they were kept goes on all the same
    Path("run/before.json").write_text(json.dumps(old), encoding="utf-8")
    monkeypatch.setattr(trainer, "step", step)
    assert main(["train", "--resume", "run"]) == 0
    assert set(told()["prior_nll_per_token"]) == {"after"} and set(told()["rhyme_pairs"]) == {"before", "after", "change"}
    again = intervals(read(Path("run/before.json")), read(Path("run/after.json")))  # drawn alike every time, from the files alone
    assert told() == {name: {side: list(bounds) for side, bounds in sides.items()} for name, sides in again.items()}


def test_one_poem_is_measured_without_intervals(saved, quiet, capsys):
    assert main(["train", "--policy", str(saved), "--output_dir", "run", *SMALL, "--eval_samples", "1"]) == 0
    result = json.loads(Path("run/result.json").read_text(encoding="utf-8"))
    assert result["intervals"] == {} and result["after"]["n"] == 1


def test_a_run_goes_on_with_poems_judged_by_one_ear(saved, quiet):
    flags = ["train", "--policy", str(saved), "--output_dir", "run", *SMALL]
    assert main([*flags, "--max_steps", "1"]) == 0
    kept = json.loads(Path("run/before.json").read_text(encoding="utf-8"))
    measured = dict(kept["figures"])
    kept["figures"] |= {"lines_in_meter": 0.875, "prior_nll_per_token": 7.0}  # of another day
    Path("run/before.json").write_text(json.dumps(kept), encoding="utf-8")
    assert main(["train", "--resume", "run", "--max_steps", "2"]) == 0
    before = json.loads(Path("run/result.json").read_text(encoding="utf-8"))["before"]
    assert before == measured | {"prior_nll_per_token": 7.0}  # what cannot be counted again stands


@pytest.mark.slow
def test_a_run_of_two_processes_goes_on_as_if_it_had_not_stopped(saved, quiet, monkeypatch):
    step = TBTrainer.step

    def left(self, progress):
        if self.n_steps == 1:  # what a machine that went down here would have left
            shutil.copytree("whole", "halted")
        return step(self, progress)

    def rewards(folder):
        rows = map(json.loads, Path(folder, "metrics.jsonl").read_text(encoding="utf-8").splitlines())
        return [(row["step"], row["reward/mean"], row["train/grad_norm"]) for row in rows]

    monkeypatch.setattr(TBTrainer, "step", left)
    assert main(["train", "--policy", str(saved), "--processes", "2", *SMALL, "--output_dir", "whole"]) == 0
    monkeypatch.setattr(TBTrainer, "step", step)
    assert [row[0] for row in rewards("halted")] == [1] and not Path("halted/result.json").exists()
    assert main(["train", "--resume", "halted"]) == 0
    assert [row[0] for row in rewards("halted")] == [1, 2, 3]
    for halted, whole in zip(rewards("halted"), rewards("whole"), strict=True):
        assert halted == pytest.approx(whole, rel=1e-3)
    assert not multiprocessing.active_children()


@pytest.mark.slow
def test_the_lower_half_of_the_layers_stays_as_it_is(saved, quiet, monkeypatch):
    def pushed(self: TBTrainer, **_: object) -> float:
        with torch.no_grad():
            for weight in self.learned:
                weight += 0.1
        return 0.0

    monkeypatch.setattr(TBTrainer, "descend", pushed)
    prior = load_file(Path(saved, "model.safetensors"))
    layers = sorted({name.split(".")[2] for name in prior if name.startswith("model.layers.")})
    assert len(layers) > 1
    for share in (0.5, 0.0):
        flags = ["--freeze_layers", str(share), "--output_dir", f"run{share}"]
        assert main(["train", "--policy", str(saved), *SMALL, *flags]) == 0
        after = load_file(Path(f"run{share}", "policy", "model.safetensors"))
        moved = {name.split(".")[2] for name in prior if name.startswith("model.layers.") and not torch.equal(after[name], prior[name])}
        assert moved == set(layers[int(share * len(layers)) :])


@pytest.mark.slow
def test_a_run_of_before_goes_on_with_all_its_layers(saved, quiet):
    assert main(["train", "--policy", str(saved), *SMALL, "--output_dir", "run", "--freeze_layers", "0"]) == 0
    path = Path("run", "config.yaml")
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    del values["freeze_layers"]
    path.write_text(yaml.safe_dump({**values, "beta_warmup": 20}), encoding="utf-8")  # it was a number of steps
    assert main(["train", "--resume", "run", "--max_steps", "4"]) == 0


def test_a_run_does_not_go_on_from_another_prior(quiet, capsys):
    tiny_policy().save("prior")
    assert main(["train", "--policy", "prior", "--output_dir", "run", *SMALL]) == 0
    tiny_policy(seed=1).save("prior")
    assert main(["train", "--resume", "run"]) == 2
    assert "other weights" in capsys.readouterr().err


@pytest.mark.slow
def test_pretraining_starts_stops_and_goes_on(quiet):
    stanzas = (VERLAINE, BAUDELAIRE, BAUDELAIRE[::-1], VERLAINE[::-1])
    poems = [{"author": "Verlaine", "stanzas": [list(stanza)]} for stanza in stanzas]
    Path("poems.jsonl").write_text("".join(json.dumps(p) + "\n" for p in poems), encoding="utf-8")
    flags = ["pretrain", "--lang", "fr", "--data", "poems.jsonl", "--output_dir", "prior", "--size", "nano", "--vocab_size", "400"]
    flags += ["--batch_tokens", "256", "--window", "128", "--save_steps", "2", "--threads", "1", "--no_compile", "--validation", "0.3"]
    flags += ["--eval_samples", "8"]
    assert main([*flags, "--max_steps", "2"]) == 0
    assert main([*flags, "--max_steps", "4"]) == 2  # a run is there already
    assert main(["pretrain", "--resume", "prior", "--max_steps", "4"]) == 0
    result = json.loads(Path("prior/result.json").read_text(encoding="utf-8"))
    assert result["steps"] == 4 and set(result["rhyme_pairs"]) == {"couplet", "quatrain-abab", "quatrain-abba"}
    assert "bits per character" in Path("prior/README.md").read_text(encoding="utf-8")
    assert Path("prior/loss.png").read_bytes().startswith(b"\x89PNG")
    of_start = [flag for flag in flags if flag not in ("--vocab_size", "400")]
    again = [*of_start, "--output_dir", "second", "--start", "prior", "--max_steps", "1", "--curve", "cosine", "--patience", "1"]
    assert main([*again, "--gradient_accumulation_steps", "2", "--grow", "1"]) == 0
    second = json.loads(Path("second/result.json").read_text(encoding="utf-8"))
    assert second["bits_per_char_at_start"] == pytest.approx(result["bits_per_char"])  # the same weights, pieces and marks
    assert second["parameters"] > result["parameters"]
    others = [*of_start, "--output_dir", "others", "--start", "prior", "--vocab_size", "130"]
    assert main([*others, "--max_steps", "1"]) == 0
    pieces = Path("others/tokenizer.json").read_bytes()
    assert len(json.loads(pieces)["model"]["vocab"]) < len(json.loads(Path("prior/tokenizer.json").read_bytes())["model"]["vocab"])
    assert main(["pretrain", "--resume", "others", "--max_steps", "2"]) == 0 and Path("others/tokenizer.json").read_bytes() == pieces
    assert main([*flags, "--output_dir", "third", "--max_steps", "1", "--key_heads", "2"]) == 2  # nano has three query heads


def test_every_config_is_read():
    configs = sorted(ROOT.joinpath("experiments/configs").rglob("*.yaml"))
    assert len(configs) >= 10
    verbs = {"finetune": FINETUNE, "compare": COMPARE, "ablate": ABLATE}
    for path in configs:
        config = parse(verbs.get(path.name.partition("_")[0], TRAIN), ["--config", str(path)])
        given = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert all(getattr(config, key) == value for key, value in given.items() if isinstance(value, str))


@pytest.mark.parametrize(
    "argv, message",
    [
        (["train", "--lang", "frr"], "did you mean 'fr'"),
        (["train", "--forms", "quatrain-abbab"], "did you mean 'quatrain-abba'"),
        (["train", "--policy", "nowhere"], "unknown 'nowhere'"),
        (["train", "--learning_rat", "1"], "did you mean '--learning_rate'"),
        (["train", "--algo", "tbb"], "did you mean 'tb'"),
        (["train", "--minutes", "0"], "no budget"),
        (["train", "--interpolate", "1"], "--interpolate: 1.0; expected a share in [0, 1)"),
        (["train", "--resume", "nowhere"], "no config.yaml"),
        (["train", "--rewards.rhym", "1"], "did you mean 'rhyme'"),
        (["generate", "--form", "soneto", "--lang", "fr"], "es"),
        (["generate", "--policy", "."], "no policy in it"),
        (["generate", "-n", "0"], "expected 1 or more"),
        (["pretrain", "--lang", "fr", "--data", "none.jsonl", "--output_dir", "x", "--minutes", "1"], "no such file"),
        (["pretrain", "--lang", "fr", "--data", "empty.txt", "--output_dir", "x", "--minutes", "1"], "empty"),
        (["pretrain", "--lang", "fr", "--data", "latin1.txt", "--output_dir", "x", "--minutes", "1"], "byte 0xe9 at column 1 is not UTF-8"),
        (["pretrain", "--lang", "fr", "--data", "bad.jsonl", "--output_dir", "x", "--minutes", "1"], "bad.jsonl:2: not JSON"),
        (["pretrain", "--lang", "fr", "--data", "bad.jsonl", "--output_dir", "x", "--minutes", "1", "--grow", "1"], "nothing to grow"),
        (["score", "none.txt", "--lang", "fr"], "none.txt"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(argv, message, quiet, capsys):
    Path("empty.txt").touch()
    Path("latin1.txt").write_bytes("été".encode("latin-1"))
    Path("bad.jsonl").write_text('{"stanzas": [["a", "b"]]}\n{"stanzas"\n', encoding="utf-8")
    assert main(argv) == 2
    shown = capsys.readouterr().err
    lines = [line for line in shown.splitlines() if line.startswith("rlpoet ")]
    assert len(lines) == 1 and message in lines[0], shown
    assert "Traceback" not in shown and sys.exc_info()[0] is None


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # peft asks transformers the old way
@pytest.mark.parametrize("algo", ["tb", "ppo", "grpo", "rft"])
@pytest.mark.slow
def test_an_adapter_alone_learns_and_is_saved_merged(saved, quiet, algo, capsys):
    assert main(["train", "--policy", str(saved), "--algo", algo, *SMALL, "--lora", "r=2", "--forms", "couplet"]) == 0
    folder = Path(f"runs/fr-{algo}-s0")
    kept, prior = (load_file(where / "model.safetensors") for where in (folder / "policy", saved))
    assert kept.keys() == prior.keys()
    learned = torch.load(folder / "checkpoint.pt", weights_only=True)["model"]
    assert learned and all("lora" in name for name in learned)
    assert main(["train", "--resume", str(folder), "--max_steps", "4"]) == 0
    assert main(["generate", "-i", str(folder), "--form", "couplet", "-n", "1", "--raw"]) == 0


def test_an_adapter_that_cannot_be_meant_is_refused(saved, quiet, capsys):
    assert main(["train", "--policy", str(saved), *SMALL, "--lora", "rank=2"]) == 2
    assert "unknown 'rank'; expected one of alpha, dropout, r" in capsys.readouterr().err
    assert main(["train", "--policy", str(saved), *SMALL, "--lora", "r=2", "--interpolate", "0.2"]) == 2
    assert "expected --interpolate 0" in capsys.readouterr().err

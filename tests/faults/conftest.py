"""The runs that are killed, stopped and damaged here: as small as a run can be, one per verb."""

from __future__ import annotations

import itertools
import json
import signal
from pathlib import Path
from typing import Any

import pytest
from kill_harness import in_child, left, litter, n_changes
from tiny_policy import BAUDELAIRE, VERLAINE, tiny_policy

from rlpoet.checkpoints.folder import run_state

TRAIN = "--max_steps 3 --eval_samples 4 --prompts_per_step 2 --group_size 2 --save_steps 2 --report_to none --forms couplet".split()
FINETUNE = (
    "--window 64 --batch_size 2 --eval_samples 1 --n_samples 1 --max_steps 3 --save_steps 2 --logging_steps 1 --validation 0.3".split()
)
PRETRAIN = "--lang fr --size nano --vocab_size 200 --batch_tokens 128 --window 64 --save_steps 2 --no_compile --validation 0.3".split()
ALGOS = ("ppo", "rft")  # that train by ``train`` too


class Runs:
    """Runs in folders of one place, and what each verb's leaves when it is left alone."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._whole: dict[str, tuple[int, dict[str, Any]]] = {}
        tiny_policy().save(place / "tiny")
        stanzas = [list(order) for lines in (VERLAINE[:4], BAUDELAIRE) for order in itertools.islice(itertools.permutations(lines), 6)]
        rows = [{"author": "Paul Verlaine", "stanzas": [stanza]} for stanza in stanzas]
        (place / "poems.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")

    def argv(self, verb: str, folder: Path) -> list[str]:
        """The command of a run that begins there: three steps, a checkpoint after two."""
        if verb in ALGOS:
            return [*self.argv("train", folder), "--algo", verb]
        if verb == "compare":
            common = " ".join(["--policy", str(self.place / "tiny"), "--precision", "fp32", *TRAIN]).replace("--", "--common.").split()
            return ["compare", "--algos", "tb", "ppo", "--seeds", "0", "--jobs", "1", "--output_dir", str(folder), *common]
        poems = ["--data", str(self.place / "poems.jsonl")]
        own = {
            "train": ["--policy", str(self.place / "tiny"), *TRAIN],
            "finetune": ["--policy", str(self.place / "tiny"), *poems, *FINETUNE, "--report_to", "none"],
            "pretrain": [*poems, *PRETRAIN, "--max_steps", "3", "--eval_samples", "1"],
        }[verb]
        return [verb, *own, "--output_dir", str(folder), "--threads", "1", "--precision", "fp32"]

    def whole(self, verb: str) -> tuple[int, dict[str, Any]]:
        """How often a run that is left alone changes its folder, and what it leaves."""
        if verb not in self._whole:
            folder = self.place / f"whole-{verb}"
            self._whole[verb] = n_changes(self.argv(verb, folder), folder, self.place / f"whole-{verb}.txt"), left(folder)
        return self._whole[verb]

    def go_on(self, verb: str, folder: Path, log: Path) -> None:
        """End a run in whatever state its folder is: by ``--resume``, or by its first command where nothing was written at all."""
        name = "train" if verb in ALGOS else verb
        argv = [name, "--resume", str(folder), *(["--threads", "1"] if name in ("finetune", "pretrain") else [])]
        if run_state(folder) == "new" and not (folder / "config.yaml").exists():
            argv = self.argv(verb, folder)
        assert in_child(argv, log=log) == 0, log.read_text(encoding="utf-8")
        runs = [folder] if verb != "compare" else sorted(folder.glob("*/fr-s0"))
        assert runs and all(run_state(one) == "done" and litter(one) == [] for one in runs)


@pytest.fixture(autouse=True)
def _hang_up_is_heard():
    """``nohup``, under which a suite may run, has it ignored, and a run then ignores it too."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture(scope="session")
def runs(tmp_path_factory) -> Runs:
    return Runs(tmp_path_factory.mktemp("faults"))

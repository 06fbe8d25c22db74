"""A checkpoint has two generations, a folder one run at a time, and a disk that is full costs nothing that was saved."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import resource
import shutil
import signal
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest
import torch
from kill_harness import changes_counted, in_child, left, litter
from safetensors.torch import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from rlpoet.checkpoints import files
from rlpoet.checkpoints.files import earlier, mend_checkpoint, read_checkpoint, write_checkpoint
from rlpoet.checkpoints.folder import refuse_run, run_folder, run_state
from rlpoet.cli.main import main
from rlpoet.errors import RlpoetError
from rlpoet.text import remove_parts, whole_file, whole_files, write_atomically
from rlpoet.text.held import held

STATE = {"model": {"w": torch.arange(1000.0)}, "step": 3}
STEP = {"train": "n_steps", "finetune": "step", "pretrain": "step"}


# -- files ------------------------------------------------------------------------------------------


def test_the_generation_before_is_kept(tmp_path):
    path = tmp_path / "checkpoint.pt"
    for step in (1, 2, 3):
        write_checkpoint(path, {**STATE, "step": step})
    assert [read_checkpoint(one)["step"] for one in (path, earlier(path))] == [3, 2]
    assert sorted(one.name for one in tmp_path.iterdir()) == ["checkpoint.earlier.pt", "checkpoint.pt"]


def test_two_names_of_one_file_leave_no_third(tmp_path):
    path = tmp_path / "checkpoint.pt"
    write_checkpoint(path, STATE)
    os.link(path, earlier(path))  # as where a damaged checkpoint was replaced by the one before it
    write_checkpoint(path, {**STATE, "step": 4})
    assert sorted(one.name for one in tmp_path.iterdir()) == ["checkpoint.earlier.pt", "checkpoint.pt"]
    assert [read_checkpoint(one)["step"] for one in (path, earlier(path))] == [4, 3]


def damaged(path: Path, how: str) -> None:
    content = bytearray(path.read_bytes())
    if how == "half":
        del content[len(content) // 2 :]
    elif how == "a bit":  # of a tensor, which torch itself would load
        at = content.index(STATE["model"]["w"].numpy().tobytes()[400:500])
        content[at] ^= 1
    elif how == "other":
        content = bytearray(b"not a checkpoint")
    path.unlink()
    if how != "missing":
        path.write_bytes(content)


@pytest.mark.parametrize("how", ["half", "a bit", "other", "missing"])
def test_a_damaged_checkpoint_is_told_in_one_line_and_the_one_before_is_used(how, tmp_path):
    path, told = tmp_path / "checkpoint.pt", []
    for step in (1, 2):
        write_checkpoint(path, {**STATE, "step": step})
    mend_checkpoint(path, told.append)
    assert told == [] and read_checkpoint(path)["step"] == 2
    damaged(path, how)
    with pytest.raises(RlpoetError, match=r"checkpoint\.pt: broken checkpoint"):
        read_checkpoint(path)
    mend_checkpoint(path, told.append)
    assert read_checkpoint(path)["step"] == 1 and len(told) == 1 and "going on from the checkpoint before it" in told[0]


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_no_instant_of_writing_a_checkpoint_leaves_none(tmp_path):
    path = tmp_path / "checkpoint.pt"
    for step in (1, 2):
        write_checkpoint(path, {**STATE, "step": step})
    for number in range(1, 9):
        copy = tmp_path / f"at-{number}"
        copy.mkdir()
        for name in (path, earlier(path)):
            shutil.copy(name, copy / name.name)
        pid = os.fork()
        if not pid:
            changes_counted(copy, lambda n, wanted=number: os.kill(os.getpid(), signal.SIGKILL) if n == wanted else None)
            write_checkpoint(copy / path.name, {**STATE, "step": 3})
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        assert read_checkpoint(copy / path.name)["step"] in (2, 3) and read_checkpoint(earlier(copy / path.name))["step"] in (1, 2)
    assert code == 0  # the last instants come after the end


class Interrupting:
    """A stream in whose first writing the process is interrupted."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream, self.asked = stream, False

    def write(self, data: bytes) -> int:
        if not self.asked:
            self.asked = True
            signal.raise_signal(signal.SIGINT)
        return self.stream.write(data)

    def __getattr__(self, name: str) -> object:
        return getattr(self.stream, name)


@contextlib.contextmanager
def interrupting(path: Path) -> Iterator[Interrupting]:
    with whole_file(path) as stream:
        yield Interrupting(stream)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_signal_waits_for_the_checkpoint_in_hand(tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.pt"
    write_checkpoint(path, STATE)
    monkeypatch.setattr(files, "whole_file", interrupting)
    pid = os.fork()  # torch would end the process
    if not pid:
        code = 1
        signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the suite was started in the background
        try:
            write_checkpoint(path, {**STATE, "step": 4})
        except KeyboardInterrupt:
            code = 130
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 130
    assert read_checkpoint(path)["step"] == 4 and litter(tmp_path) == []


def test_a_file_has_the_mode_of_any_new_file_and_two_writers_do_not_meet(tmp_path):
    before = os.umask(0o027)
    try:
        with whole_file(tmp_path / "a") as first, whole_file(tmp_path / "a") as second:
            first.write(b"1")
            second.write(b"2")
    finally:
        os.umask(before)
    assert (tmp_path / "a").read_bytes() == b"1" and stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640
    assert litter(tmp_path) == []


def test_a_link_stays_a_link_and_a_device_a_device(tmp_path):
    (tmp_path / "real").write_text("old", encoding="utf-8")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_atomically(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real").read_text(encoding="utf-8") == "new"
    write_atomically("/dev/null", "nothing")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_files_of_a_folder_take_their_places_together_or_not_at_all(tmp_path):
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(ValueError), whole_files(tmp_path) as folder:
        (folder / "config.json").write_text("{}", encoding="utf-8")
        raise ValueError
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    with whole_files(tmp_path, last="*.safetensors") as folder:
        (folder / "below").mkdir()
        for name in ("a.safetensors", "config.json", "below/x"):
            (folder / name).write_text(name, encoding="utf-8")
        assert sorted(path.name for path in tmp_path.iterdir()) == [folder.name, "mine.txt"]
    assert (tmp_path / "below" / "x").read_text(encoding="utf-8") == "below/x"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.safetensors", "below", "config.json", "mine.txt"]


def test_what_killed_writers_left_is_deleted(tmp_path):
    (tmp_path / ".a.txt.1-00.part").touch()
    (tmp_path / "policy" / ".files.1-00.part").mkdir(parents=True)
    (tmp_path / "b.part").touch()  # somebody's own
    remove_parts(tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["b.part", "policy"]


def weights(folder: Path, _: str) -> None:
    with whole_files(folder) as spare:
        save_file(STATE["model"], spare / "model.safetensors")


def tokenizer(folder: Path, text: str) -> None:
    with whole_files(folder) as spare:
        Tokenizer(WordLevel({text: 0}, unk_token=text)).save(str(spare / "tokenizer.json"))


def test_a_full_disk_is_named_with_the_file(tmp_path, capsys):
    path = tmp_path / "checkpoint.pt"
    write_checkpoint(path, STATE)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        for write, named in ((write_checkpoint, path), (write_atomically, path), (weights, tmp_path), (tokenizer, tmp_path)):
            with pytest.raises(OSError) as caught:
                write(named, STATE if write is write_checkpoint else "x" * 5000)
            assert caught.value.errno == errno.EFBIG and caught.value.filename == str(named)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert read_checkpoint(path)["step"] == 3 and litter(tmp_path) == []


# -- folders ----------------------------------------------------------------------------------------


def test_a_run_is_new_until_a_step_is_saved_and_done_with_its_result(tmp_path):
    assert run_state(tmp_path / "none") == run_state(tmp_path) == "new"
    for name in ("config.yaml", "metrics.jsonl", "before.json"):
        (tmp_path / name).write_text("x", encoding="utf-8")
        assert run_state(tmp_path) == "new"
    refuse_run(tmp_path)
    (tmp_path / "checkpoint.earlier.pt").touch()
    assert run_state(tmp_path) == "stopped"
    (tmp_path / "result.json").write_text('{"interrupted": true}', encoding="utf-8")
    assert run_state(tmp_path) == "stopped"
    (tmp_path / "result.json").write_text('{"interrupted": false}', encoding="utf-8")
    assert run_state(tmp_path) == "done"
    with pytest.raises(RlpoetError, match=r"holds a run already.*Go on with --resume"):
        refuse_run(tmp_path)
    (tmp_path / "result.json").write_text("{", encoding="utf-8")
    with pytest.raises(RlpoetError, match=r"result\.json: not JSON .*expected the result of a run"):
        run_state(tmp_path)


def test_what_is_deleted_was_written_by_a_run_that_took_no_step(tmp_path):
    (tmp_path / "samples.txt").write_text("my poems", encoding="utf-8")
    with pytest.raises(RlpoetError, match="holds a run already"), run_folder(tmp_path, resume=False, tell=print):
        pass
    assert (tmp_path / "samples.txt").read_text(encoding="utf-8") == "my poems"
    (tmp_path / "config.yaml").touch()
    (tmp_path / "thesis.tex").touch()
    with run_folder(tmp_path, resume=False, tell=print) as goes_on:
        assert not goes_on
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.yaml", "thesis.tex"]


def test_a_run_that_ended_before_its_first_checkpoint_begins_again_and_says_so(tmp_path):
    told = []
    with pytest.raises(RlpoetError, match=r"no config\.yaml"), run_folder(tmp_path, resume=True, tell=told.append):
        pass
    for name in ("config.yaml", "metrics.jsonl", "before.json", "events.out.tfevents.1"):
        (tmp_path / name).touch()
    with run_folder(tmp_path, resume=True, tell=told.append) as goes_on:
        assert not goes_on and [path.name for path in tmp_path.iterdir() if path.name != ".lock"] == ["config.yaml"]
    assert told == [f"{tmp_path}: the run ended before its first checkpoint; it begins again."]


def test_a_run_that_goes_on_is_no_longer_done(tmp_path):
    (tmp_path / "config.yaml").touch()
    write_checkpoint(tmp_path / "checkpoint.pt", STATE)
    (tmp_path / "result.json").write_text('{"interrupted": false, "steps": 3}', encoding="utf-8")
    with run_folder(tmp_path, resume=True, tell=print) as goes_on:
        assert goes_on and run_state(tmp_path) == "stopped"
    assert json.loads((tmp_path / "result.json").read_text(encoding="utf-8")) == {"interrupted": True, "steps": 3}
    with run_folder(tmp_path, resume=False, overwrite=True, tell=print) as goes_on:
        assert not goes_on and run_state(tmp_path) == "new"


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_one_process_at_a_time_holds_a_folder_and_none_after_its_death(tmp_path):
    folder = tmp_path / "run"
    told, tell = os.pipe()
    pid = os.fork()
    if not pid:
        with held(folder):
            os.write(tell, b"held")
            signal.pause()
    assert os.read(told, 4) == b"held"
    with pytest.raises(RlpoetError, match="another run is at work here"), held(folder):
        pass
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    with held(folder):
        assert (folder / ".lock").exists()
    assert not folder.exists()  # nothing was written there
    os.close(told)
    os.close(tell)


def test_a_folder_that_cannot_be_made_is_told_in_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RlpoetError, match=r"expected a folder that can be made.*--output_dir"), held(tmp_path / "file" / "run"):
        pass


# -- whole runs -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "verb", ["train", pytest.param("finetune", marks=pytest.mark.slow), pytest.param("pretrain", marks=pytest.mark.slow)]
)
def test_a_run_goes_on_from_the_checkpoint_before_a_damaged_one(verb, runs, tmp_path):
    folder, log = tmp_path / "run", tmp_path / "log.txt"
    expected = runs.whole(verb)[1]
    shutil.copytree(runs.place / f"whole-{verb}", folder)
    (folder / "checkpoint.pt").write_bytes((folder / "checkpoint.pt").read_bytes()[:3000])
    assert read_checkpoint(folder / "checkpoint.earlier.pt")[STEP[verb]] == 2
    runs.go_on(verb, folder, log)
    assert log.read_text(encoding="utf-8").count("going on from the checkpoint before it") == 1
    assert left(folder) == expected


FREES = ("shutil.rmtree", "os.remove", "os.rmdir")  # events that a full disk does not mind


@pytest.mark.parametrize("at", [0.2, 0.7])
def test_a_full_disk_is_one_line_and_the_run_goes_on_once_there_is_room(at, runs, tmp_path):
    folder, log = tmp_path / "run", tmp_path / "log.txt"
    number = round(at * runs.whole("train")[0])

    def full(n: int) -> None:
        if n >= number:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    assert in_child(runs.argv("train", folder), before=lambda: changes_counted(folder, full, but=FREES), log=log) == 2
    lines = [line for line in log.read_text(encoding="utf-8").splitlines() if "No space left" in line]
    assert len(lines) == 1 and "Traceback" not in log.read_text(encoding="utf-8")
    runs.go_on("train", folder, log)
    assert left(folder) == runs.whole("train")[1]


@pytest.mark.parametrize("verb", ["finetune", "pretrain", "train"])
def test_every_verb_tells_a_folder_that_is_at_work(verb, runs, tmp_path, capsys):
    folder = tmp_path / "run"
    with held(folder):
        assert main(runs.argv(verb, folder)) == 2
    told = capsys.readouterr().err
    assert "another run is at work here" in told and "Traceback" not in told

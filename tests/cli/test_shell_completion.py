"""The Tab key: what a shell is offered at each place of a line, and a real bash that asks for it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rlpoet.cli import completion
from rlpoet.cli.main import CORE, find_command, main
from rlpoet.errors import RlpoetError

argcomplete = pytest.importorskip("argcomplete", reason="needs the extra completion")
ROOT = Path(__file__).resolve().parents[2]


VALUES = {  # line -> a word that is offered
    "rlpoet words ombre --lang ": "fr",
    "rlpoet generate --lang es --form redon": "redondilla",
    "rlpoet train --algo p": "ppo",
    "rlpoet train --tb.objective sub": "subtb",
    "rlpoet completion z": "zsh",
    "rlpoet score po": "poem.txt",
    "rlpoet score --lang fr po": "poem.txt",
}
LINES = (*VALUES, "rlpoet ", "rlpoet gen", "rlpoet words ombre --", "rlpoet generate --lang fr --form redon", "rlpoet rhymeee ")
CHILD = """
import json, os, sys
import argcomplete
from rlpoet.cli.completion import answer
from rlpoet.cli.main import CORE, find_command
for n, line in enumerate(json.loads(sys.argv[1])):
    child = os.fork()
    if not child:
        os.environ.update(COMP_LINE=line, COMP_POINT=str(len(line.encode())), _ARGCOMPLETE="1", _ARGCOMPLETE_IFS="|")
        os.environ["_ARGCOMPLETE_STDOUT_FILENAME"] = f"answer-{n}"
        answer(CORE, find_command)
        os._exit(9)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, line
"""


@pytest.fixture(scope="module")
def offered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What a shell gets for each line, whose cursor stands at its end, in a folder with a poem."""
    folder = tmp_path_factory.mktemp("here")
    (folder / "poem.txt").write_text("ombre\n", encoding="utf-8")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    subprocess.run([sys.executable, "-c", CHILD, json.dumps(LINES)], check=True, cwd=folder, env=env)
    answers = [(folder / f"answer-{n}").read_text(encoding="utf-8").split("|") for n in range(len(LINES))]
    return {line: [word.strip() for word in words if word.strip()] for line, words in zip(LINES, answers, strict=True)}


def test_verbs_are_offered_first(offered):
    assert set(CORE) <= set(offered["rlpoet "])
    assert offered["rlpoet gen"] == ["generate"]


def test_options_of_the_verb_are_offered_and_no_others(offered):
    found = offered["rlpoet words ombre --"]
    assert {"--lang", "--kind", "--no_names", "--json", "--help"} <= set(found) and "--seeds" not in found


@pytest.mark.parametrize("line", VALUES)
def test_values_that_can_be_listed_and_files_are_offered(line, offered):
    assert VALUES[line] in offered[line]


def test_a_form_of_another_language_and_what_follows_no_verb_are_not(offered):
    assert offered["rlpoet generate --lang fr --form redon"] == offered["rlpoet rhymeee "] == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_names_the_program_and_its_shell(shell, capsys):
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert "rlpoet" in script and {"bash": "complete ", "zsh": "compdef", "fish": "complete --command"}[shell] in script


def test_a_shell_that_is_not_known_is_told(capsys):
    assert main(["completion", "tcsh"]) == 2
    assert "'bash', 'zsh', 'fish'" in capsys.readouterr().err


def test_without_argcomplete_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "argcomplete", None)
    with pytest.raises(RlpoetError, match=r"pip install 'rlpoet\[completion\]'"):
        completion.script("bash")
    completion.answer(CORE, find_command)  # and the Tab key stays quiet


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash on this machine")
def test_a_real_bash_completes(tmp_path):
    program = tmp_path / "rlpoet"
    program.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}:$PYTHONPATH" exec "{sys.executable}" -m rlpoet "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    line = "rlpoet rh"
    code = f"""
PATH="{tmp_path}:$PATH"
eval "$(rlpoet completion bash)"
COMP_LINE="{line}" COMP_POINT={len(line)} COMP_TYPE=9 COMP_WORDBREAKS=" " _python_argcomplete rlpoet
echo "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(["bash", "--norc", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["rhymes"]

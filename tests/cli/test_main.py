"""The command line: one line for what a user can mend, streams in order, and nothing heavy for a question about verse."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from rlpoet import __version__
from rlpoet.cli import main as cli
from rlpoet.config import parser
from rlpoet.config.command import Command
from rlpoet.errors import RlpoetError

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Toy:
    """A verb for tests.

    Attributes:
        lang: which language.
        steps: how many.
    """

    lang: Literal["fr", "es", "en"]
    words: tuple[str, ...] = ()
    steps: int | None = None
    learning_rate: float = 0.1
    shuffle: bool = True
    json: bool = False
    weights: dict[str, float] = field(default_factory=lambda: {"rhyme": 1.0})
    output_dir: Path | None = None


TOY = Command("toy", "a toy", Toy, lambda _: 0, positional=("words",), short={"n": "steps", "l": "learning_rate"})


def parse(*argv: str) -> Toy:
    return parser.parse(TOY, argv)


def rows(text: str) -> list[dict]:
    return [json.loads(row) for row in text.splitlines()]


def feed(monkeypatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


# --- config: one schema, one line for every mistake --------------------------------------------


def test_flags_words_short_flags_and_switches_fill_the_dataclass():
    got = parse("--lang=fr", "a b", "-n", "5", "-l0.5", "--json", "--no_shuffle", "c", "--weights.meter", "2", "--output_dir", "runs/x")
    assert got == Toy("fr", ("a b", "c"), 5, 0.5, False, True, {"rhyme": 1.0, "meter": 2.0}, Path("runs/x"))


def test_after_two_dashes_everything_is_a_word_and_minus_alone_always_is():
    assert parse("--lang", "fr", "-", "--", "--steps", "-n").words == ("-", "--steps", "-n")


def test_text_that_looks_like_something_else_stays_text():
    assert parse("--lang", "fr", "12", "true", "[x", "a: b", '"', "null").words == ("12", "true", "[x", "a: b", '"', "null")


def test_flags_win_over_files_wherever_they_stand_and_later_files_over_earlier(tmp_path):
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    first.write_text("lang: fr\nsteps: 1\nlearning_rate: 0.5\nwords: [été, x]\n", encoding="utf-8")
    second.write_text("steps: 2\nshuffle: false\n", encoding="utf-8")
    got = parse("--learning_rate", "0.7", "--config", str(first), "--config", str(second))
    assert got == Toy("fr", ("été", "x"), 2, 0.7, False)


def test_a_resolved_config_reads_back_as_itself(tmp_path):
    from rlpoet.reporting.tracking import Tracker

    wanted = Toy("es", ("a",), 7, 0.2, False, True, {"rhyme": 0.5}, Path("runs/y"))
    with Tracker(tmp_path, report_to="none") as tracker:
        tracker.config(wanted)
    assert parse("--config", str(tmp_path / "config.yaml")) == wanted


@pytest.mark.parametrize(
    "argv, message",
    [
        (["--lang", "fr", "--step", "3"], r"unknown flag '--step' \(did you mean '--steps'\?\)"),
        (["--lang", "fr", "--output-dir", "x"], r"did you mean '--output_dir'"),
        (["--lang", "fr", "-z"], "unknown flag '-z'"),
        (["--lang", "frr"], r"--lang: 'frr' \(did you mean 'fr'\?\); expected one of 'fr', 'es', 'en'"),
        (["--lang", "fr", "--steps", "1.5"], r"--steps: '1.5'; expected a whole number or nothing\.$"),
        (["--lang", "fr", "--learning_rate", "fast"], "--learning_rate: 'fast'; expected a number"),
        (["--lang", "fr", "--steps"], "--steps: no value"),
        (["--lang", "fr", "--json=1"], "takes no value"),
        (["word"], "--lang is missing; expected one of 'fr', 'es', 'en'"),
        (["--lang", "fr", "--config", "nowhere.yaml"], "nowhere.yaml: No such file"),
    ],
)
def test_a_wrong_flag_is_one_line_that_says_what_was_wanted(argv, message):
    with pytest.raises(RlpoetError, match=message) as caught:
        parse(*argv)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text, message",
    [
        ("lang: fr\nstepz: 3\n", r"unknown key 'stepz' \(did you mean 'steps'\?\)"),
        ("lang: fr\nsteps: many\n", "--steps: 'many'; expected a whole number or nothing"),
        ("lang: [fr\n", "c.yaml:2: not YAML"),
        ("- lang\n", "list; expected `key: value` lines"),
        ("", "the file is empty"),
    ],
)
def test_a_wrong_file_is_one_line_that_names_it(tmp_path, text, message):
    (tmp_path / "c.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(RlpoetError, match=message) as caught:
        parse("--config", str(tmp_path / "c.yaml"))
    assert "\n" not in str(caught.value)


def test_help_tells_every_flag_with_the_docstring_of_its_field(capsys):
    with pytest.raises(SystemExit) as stop:
        parse("--help")
    shown = capsys.readouterr().out
    assert stop.value.code == 0 and "which language." in shown and "-n STEPS" in shown
    assert all(f"--{name}" in shown for name in Toy.__dataclass_fields__)


# --- main: exit codes --------------------------------------------------------------------------


@pytest.fixture
def toy(monkeypatch):
    """Puts a verb into the command line that does what the test says."""

    def install(run):
        monkeypatch.setattr(cli, "find_command", lambda name: Command("toy", "a toy", Toy, run))

    return install


def test_the_exit_code_of_a_verb_is_that_of_the_process(toy):
    toy(lambda _: 1)
    assert cli.main(["toy", "--lang", "fr"]) == 1


@pytest.mark.parametrize(
    "error, code, message",
    [
        (RlpoetError("x.txt:3: bad;\nexpected good."), 2, "rlpoet toy: x.txt:3: bad; expected good.\n"),
        (KeyboardInterrupt(), 130, "rlpoet toy: interrupted\n"),
        (FileNotFoundError(2, "No such file or directory", "a.txt"), 2, "rlpoet toy: a.txt: No such file or directory\n"),
    ],
)
def test_what_stops_a_verb_is_told_in_one_line(toy, capsys, error, code, message):
    def run(_):
        raise error

    toy(run)
    assert cli.main(["toy", "--lang", "fr"]) == code
    assert capsys.readouterr().err == message


def test_a_bug_is_not_hidden(toy):
    toy(lambda _: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        cli.main(["toy", "--lang", "fr"])


def test_version_and_overview(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"rlpoet {__version__}\n"
    assert cli.main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"  {verb} " in shown for verb in ("env", "generate", "pretrain", "report", "rhymes", "scan", "score", "train"))
    assert "cannot be loaded" not in shown


@pytest.mark.parametrize(
    "argv, message",
    [
        (["rhyme"], "rlpoet: command: unknown 'rhyme' (did you mean 'rhymes'?)"),
        (["scan", "x", "--lang", "de"], "rlpoet scan: language: unknown 'de'"),
        (["scan", "x", "--lang", "fr", "--target", "0"], "rlpoet scan: --target: 0"),
        (["scan", "--lang", "fr"], "rlpoet scan: LINES: none given"),
        (["rhymes", "one", "--lang", "fr"], "rlpoet rhymes: LINES: 1 given"),
        (["rhymes", "--lang", "fr", "--jsonl", "nowhere"], "rlpoet rhymes: nowhere: No such file or directory"),
        (["report", "nowhere"], "rlpoet report: nowhere: no such folder"),
        (["score", "nowhere", "--lang", "es"], "rlpoet score: nowhere: "),
        (["score", __file__, "--lang", "es", "--form", "redondila"], "(did you mean 'redondilla'?)"),
    ],
)
def test_bad_input_is_exit_code_2_and_one_line(capsys, argv, message):
    assert cli.main(argv) == 2
    err = capsys.readouterr().err
    assert message in err and err.count("\n") == 1


# --- the verbs about verse ---------------------------------------------------------------------


def test_rhymes_answers_in_order_one_row_each(monkeypatch, capsys):
    feed(monkeypatch, '{"lines": ["l’ombre", "sombre", "été"], "pairs": [[0, 1], [0, 2]]}\n\n{"lines": ["a", "a"]}\n'.encode())
    assert cli.main(["rhymes", "--lang", "fr", "--jsonl", "-"]) == 0
    first, second = rows(capsys.readouterr().out)
    assert first["rhymes"] == [True, False] and second["kinds"] == ["identical"]


def test_scan_answers_in_order_one_row_each(tmp_path, capsys):
    (tmp_path / "in.jsonl").write_text('\ufeff{"line": "Je suis le ténébreux", "target": 6}\n{"line": "la"}\n', encoding="utf-8")
    assert cli.main(["scan", "--lang", "fr", "--jsonl", str(tmp_path / "in.jsonl")]) == 0
    first, second = rows(capsys.readouterr().out)
    assert first["fits"] is True and first["syllables"] == 6 and second["syllables"] == 1 and "fits" not in second


@pytest.mark.parametrize(
    "data, message",
    [
        (b'{"line": "a"}\n{"line": "\xff"}\n', "<stdin>:2: byte 0xff at column 11 is not UTF-8"),
        (b'{"line": "a"}\nnope\n', "<stdin>:2: not JSON"),
        (b'{"line": "a"}\n[1]\n', "<stdin>:2: list"),
        (b'{"line": "a"}\n{"line": 3}\n', '<stdin>:2: "line" is 3'),
    ],
)
def test_a_bad_row_is_named_and_the_rows_before_it_are_answered(monkeypatch, capsys, data, message):
    feed(monkeypatch, data)
    assert cli.main(["scan", "--lang", "fr", "--jsonl", "-", "--on_error", "stop"]) == 2
    shown = capsys.readouterr()
    assert len(rows(shown.out)) == 1 and message in shown.err and shown.err.count("\n") == 1


@pytest.mark.parametrize("lang, words", [("fr", ["ombre", "sombre"]), ("es", ["corazón", "canción"]), ("en", ["light", "night"])])
def test_people_see_that_two_words_rhyme(capsys, lang, words):
    assert cli.main(["rhymes", *words, "--lang", lang]) == 0
    assert "yes" in capsys.readouterr().out


@pytest.mark.parametrize("lang, line, count", [("fr", "Je suis le ténébreux", 6), ("es", "verde que te quiero", 6), ("en", "the cat", 2)])
def test_people_see_the_syllables_of_a_line(capsys, lang, line, count):
    assert cli.main(["scan", line, "--lang", lang]) == 0
    assert f"{count} syllables" in capsys.readouterr().out


def test_score_shows_the_scheme_and_the_reasons_and_json_holds_the_same(tmp_path, capsys):
    poem = "Verde que te quiero verde,\nverde viento, verdes ramas,\nel barco sobre la mar\ny el caballo en la montaña.\n"
    (tmp_path / "p.txt").write_text(poem, encoding="utf-8")
    assert cli.main(["score", str(tmp_path / "p.txt"), "--lang", "es", "--form", "redondilla"]) == 0
    shown = capsys.readouterr().out
    assert "Verde que te quiero verde," in shown and "rhyme" in shown
    assert cli.main(["score", str(tmp_path / "p.txt"), "--lang", "es", "--form", "redondilla", "--json"]) == 0
    (machine,) = rows(capsys.readouterr().out)
    assert machine["lines"] == poem.splitlines() and set(machine["scores"]) >= {"rhyme", "meter"}


def test_a_question_about_verse_loads_no_torch(tmp_path):
    (tmp_path / "poem.txt").write_text("verde que te quiero verde\nverde viento verdes ramas\n", encoding="utf-8")
    code = """
import sys
from rlpoet.cli.main import main
verbs = [["scan", "la"], ["rhymes", "a", "b"], ["explain", "verde viento"], ["score", "poem.txt"], ["words", "amor", "-n", "1"]]
verbs += [["corpus", "poem.txt", "--out", "corpus.jsonl"], ["annotate", "poem.txt", "--out", "verse.csv"]]
for verb in verbs:
    assert main([*verb, "--lang", "es"]) == 0, verb
    heavy = {"torch", "transformers", "trl", "pandas", "matplotlib", "tensorboard", "numba"} & set(sys.modules)
    assert not heavy, (verb, heavy)
"""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL, cwd=tmp_path, env=env)


def test_help_of_any_verb_loads_no_torch():
    code = """
import sys
from rlpoet.cli.main import CORE, GROUP, main
from rlpoet.registry import names
for verb in (*CORE, *names(GROUP)):
    assert main([verb, "--help"]) == 0
assert main(["--help"]) == 0
heavy = {"torch", "transformers", "trl", "pandas", "matplotlib", "tensorboard", "numba", "numpy"} & set(sys.modules)
sys.exit(f"loaded {heavy}" if heavy else 0)
"""
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def test_a_reader_that_goes_away_is_met_quietly(tmp_path):
    (tmp_path / "in.jsonl").write_text('{"line": "la"}\n' * 20000, encoding="utf-8")
    words = [sys.executable, "-m", "rlpoet", "scan", "--lang", "es", "--jsonl", str(tmp_path / "in.jsonl")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b"" and process.wait() == 141

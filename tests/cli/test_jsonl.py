"""The machine side of ``rhymes`` and ``scan``: answers in order, in blocks, and none that waits for the next question."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlpoet.cli import jsonl as batch
from rlpoet.cli.jsonl import answer_rhymes, answer_scans
from rlpoet.cli.main import main
from rlpoet.errors import RlpoetError
from rlpoet.prosody import verse
from rlpoet.prosody.rhyme import best_kind, rhyme_kind
from rlpoet.text import _arriving
from rlpoet.types import Ending, Scansion

POEM = ["Sous le pont Mirabeau coule la Seine", "Et nos amours", "Faut-il qu'il m'en souvienne", "La joie venait toujours après la peine"]


def ask(answers, *rows, lang="fr"):
    return list(answers([json.dumps(row) for row in rows], lang))


# --- what is answered --------------------------------------------------------------------------


@pytest.mark.parametrize("lang", ["fr", "es", "en"])
def test_a_row_is_answered_as_its_pairs_would_be_alone(lang):
    lines = [*POEM, "", "…", "amour", "light", "la noche", "night"]
    pairs = [[i, j] for i in range(len(lines)) for j in range(len(lines))]
    (whole,) = ask(answer_rhymes, {"lines": lines, "pairs": pairs}, lang=lang)
    assert whole["kinds"] == [rhyme_kind(lines[i], lines[j], lang) for i, j in pairs]


def test_every_pair_is_answered_when_none_is_asked_for():
    given_, left_out = ask(answer_rhymes, {"lines": POEM, "pairs": [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]}, {"lines": POEM})
    assert given_ == left_out


def test_the_best_kind_is_a_full_rhyme_wherever_it_stands_among_the_pronunciations():
    @dataclass(frozen=True)
    class Ear:
        rhyming = frozenset({"full"})

        def kind(self, a, b):
            return {"ax": "lesser", "bx": None, "cx": "full", "dx": "weak"}[a.word + b.word]

    ends = {word: Ending(word, ("a",)) for word in "abcdx"}
    assert best_kind([ends["a"], ends["c"]], [ends["x"]], Ear()) == "full"
    assert best_kind([ends["b"], ends["d"], ends["a"]], [ends["x"]], Ear()) == "weak"
    assert best_kind([ends["b"]], [ends["x"]], Ear()) is None
    assert best_kind([], [ends["x"]], Ear()) is None


@pytest.mark.parametrize("pair", [[0, 4], [-1, 0], [0], [0, 1, 2], "ab", [0, None], 3, [0.5, 1]])
def test_a_pair_that_names_no_two_lines_is_told_with_its_row(pair):
    with pytest.raises(RlpoetError, match=r"<stdin>:2: pair .* does not name two of the 4 lines"):
        ask(answer_rhymes, {"lines": POEM}, {"lines": POEM, "pairs": [pair]})


def test_a_language_that_can_count_without_units_is_asked_to(monkeypatch):
    class Ear:
        def scan(self, line, target=None):
            raise AssertionError("units were built")

        def counted(self, line, target=None):
            return Scansion(line, 7, None, None if target is None else target == 7)

    monkeypatch.setattr(batch, "verse", lambda lang: Ear())
    assert ask(answer_scans, {"line": "x", "target": 7}, {"line": "x"}) == [
        {"syllables": 7, "stress": None, "fits": True},
        {"syllables": 7, "stress": None},
    ]


@pytest.mark.parametrize("lang", ["fr", "es", "en"])
def test_counting_agrees_with_scanning(lang):
    ear = verse(lang)
    for line in [*POEM, "", "Cuando me paro a contemplar mi estado", "Shall I compare thee to a summer's day?"]:
        for target in (None, 10, 11, 12):
            (answer,) = ask(answer_scans, {"line": line, "target": target}, lang=lang)
            full = ear.scan(line, target)
            assert (answer["syllables"], answer["stress"], answer.get("fits")) == (full.syllables, full.stress, full.fits)
            assert (answer.get("caesura"), tuple(answer.get("guessed", ()))) == (full.caesura, full.guessed)


# --- how rows arrive ---------------------------------------------------------------------------


class Dribble(io.RawIOBase):
    """A pipe whose writer sends these pieces, one a read."""

    def __init__(self, pieces):
        self.pieces = [piece for piece in pieces if piece]

    def readable(self):
        return True

    def readinto(self, into):
        piece = self.pieces.pop(0) if self.pieces else b""
        into[: len(piece)] = piece
        return len(piece)


@given(st.lists(st.binary(max_size=9).map(lambda b: b.replace(b"x", b"\n")), max_size=12))
def test_rows_are_the_same_however_they_are_cut_into_pieces(pieces):
    arrived = list(_arriving(io.BufferedReader(Dribble(pieces)), lambda: None))
    assert arrived == list(io.BytesIO(b"".join(pieces)))


def test_what_is_answered_goes_out_before_more_is_waited_for():
    seen = []
    stream = io.BufferedReader(Dribble([b"1\n2\n", b"3", b"\n4\n"]))
    for row in _arriving(stream, lambda: seen.append("flush")):
        seen.append(row)
    assert seen == ["flush", b"1\n", b"2\n", "flush", "flush", b"3\n", b"4\n", "flush"]


def start(verb, **more):
    words = [sys.executable, "-m", "rlpoet", verb, "--lang", "es", "--jsonl", "-"]
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)


def test_a_program_may_read_each_answer_before_it_asks_on():
    with start("scan") as process:
        for line, count in (("verde que te quiero verde", 8), ("la", 2)):
            process.stdin.write(json.dumps({"line": line}).encode() + b"\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["syllables"] == count
        process.stdin.close()
        assert process.stdout.read() == process.stderr.read() == b"" and process.wait() == 0


def test_input_that_ends_without_an_end_of_line_or_at_once_ends_cleanly():
    with start("rhymes") as process:
        out, err = process.communicate(b'{"lines": ["a", "b"]}\n{"lines": ["luna", "cuna"]}')
        assert [json.loads(row)["rhymes"] for row in out.splitlines()] == [[False], [True]] and not err and process.returncode == 0
    with start("rhymes", text=True) as process:
        assert process.communicate("") == ("", "") and process.returncode == 0


def test_a_reader_that_goes_away_while_we_wait_is_met_quietly():
    read, write = os.pipe()
    words = [sys.executable, "-m", "rlpoet", "scan", "--lang", "es", "--jsonl", "-"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=write, stderr=subprocess.PIPE) as process:
        os.close(write)
        os.close(read)
        assert process.communicate(b'{"line": "la"}\n' * 9)[1] == b"" and process.returncode == 141


def test_the_collector_is_left_as_it_was_found(monkeypatch, capsys, tmp_path):
    import gc

    (tmp_path / "in.jsonl").write_text('{"line": "la"}\nnope\n', encoding="utf-8")
    before = gc.get_threshold(), gc.get_freeze_count()
    with pytest.raises(RlpoetError):
        batch.write_answers(answer_scans, str(tmp_path / "in.jsonl"), "es", "stop")
    assert (gc.get_threshold(), gc.get_freeze_count()) == before
    assert json.loads(capsys.readouterr().out)["syllables"] == 2


# --- rows that cannot be answered --------------------------------------------------------------


BAD_ROWS = ["nope", "[1]", '{"line": 5}', '{"line": "la", "target": 0}', "[" * 100_000, "9" * 5000]


@pytest.mark.parametrize("bad", BAD_ROWS, ids=range(len(BAD_ROWS)))
def test_a_row_that_cannot_be_answered_is_said_in_its_place_and_the_rest_is_answered(bad):
    rows = ['{"line": "la"}', bad, "", '{"line": "la mer"}']
    first, error, last = answer_scans(rows, "fr", on_error="go_on")
    assert first == ask(answer_scans, {"line": "la"})[0] and last == ask(answer_scans, {"line": "la mer"})[0]
    assert error.keys() == {"error", "line"} and error["line"] == 2
    assert len(error["error"]) < 300 and not error["error"].startswith("<stdin>") and "expected" in error["error"]
    with pytest.raises(RlpoetError, match="<stdin>:2: "):
        list(answer_scans(rows, "fr"))


def test_the_verb_goes_on_and_says_by_its_exit_code_that_it_had_to(tmp_path, capsys):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"lines": ["nuit", "bruit"]}\n{"lines": ["nuit", "bru\xe9"]}\n{"lines": ["la", "nuit"]}\n')
    assert main(["rhymes", "--lang", "fr", "--jsonl", str(path)]) == 1
    first, error, last = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["rhymes"] == [True] and last["rhymes"] == [False]
    assert error == {"error": "byte 0xe9 is not UTF-8; expected UTF-8 text.", "line": 2}
    assert main(["rhymes", "--lang", "fr", "--jsonl", str(path), "--on_error", "stop"]) == 2
    told = capsys.readouterr()
    assert len(told.out.splitlines()) == 1 and "rows.jsonl:2: byte 0xe9" in told.err and told.err.count("\n") == 1
    path.write_text('{"lines": ["nuit", "bruit"]}\n', encoding="utf-8")
    assert main(["rhymes", "--lang", "fr", "--jsonl", str(path)]) == 0

"""Files of any size are read row by row; what would fill memory, or is damaged, is one line."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlpoet.cli.main import main
from rlpoet.corpus import Poem, read_poems
from rlpoet.corpus import stream as streams
from rlpoet.corpus.build import build
from rlpoet.corpus.config import CorpusConfig
from rlpoet.corpus.stream import objects_of
from rlpoet.corpus.tables import LOOKED_AT
from rlpoet.errors import RlpoetError

POEM = {"author": "A", "stanzas": [["ombre", "sombre"]]}


def written(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return path


# -- lists of objects ---------------------------------------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.dictionaries(st.text(max_size=3), st.one_of(st.text(max_size=9), st.integers(), st.lists(st.text(max_size=3), max_size=3)))
    ),
    st.sampled_from([None, 1, 4]),
    st.sampled_from([1, 2, 7, 1 << 20]),
)
def test_a_list_is_read_as_json_reads_it_however_it_is_cut(tmp_path_factory, items, indent, block):
    path = tmp_path_factory.mktemp("lists") / "a.json"
    path.write_text(json.dumps(items, indent=indent), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "BLOCK", block)
        assert [item for _, item in objects_of(path)] == items


@pytest.mark.parametrize("text, message", [
    ('[{"stanzas": [["a"]]}, {"stanzas": ', "poem 2 of the list is not JSON"),
    ('[{"stanzas": [["a"]]}', "poem 2 of the list is not JSON"),
    ('[{"stanzas": [["a"]]}] x', "text after the list"),
    ('[{"stanzas": [["a"]]}, 5]', ":2: '5' is no poem"),
    ("[" * 100_000, "poem 1 of the list is not JSON"),
    ('[{"a": ' + "9" * 5000 + "}]", "poem 1 of the list is not JSON"),
    ('{"a": ' + "9" * 5000 + "}", ":1: cannot be read"),
    ('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}", ":1: cannot be read"),
    ("", "the file is empty"),
    (" \n\n", "the file is empty"),
])  # fmt: skip
def test_a_broken_file_is_one_short_line(text, message, tmp_path):
    for name in ("a.json", "b.jsonl.gz"):
        with pytest.raises(RlpoetError, match=message) as caught:
            read_poems([written(tmp_path, name, text.encode())])
        assert len(str(caught.value)) < 400 + len(str(tmp_path)) and "\n" not in str(caught.value)


# -- packed files -------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", [
    lambda data: data[:-9], lambda data: data[: len(data) // 2], lambda data: b"\x1f\x8b" + b"x" * 40, lambda data: b"no gzip at all",
    lambda data: data[:20] + bytes([data[20] ^ 255]) + data[21:], lambda data: data[:-5] + b"xxxxx", lambda data: b"",
])  # fmt: skip
@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.json.gz", "a.txt.gz", "a.csv.gz"])
def test_a_damaged_packed_file_is_one_line(damage, name, tmp_path):
    row = json.dumps(POEM)
    plain = {"a.jsonl.gz": row, "a.json.gz": f"[{row}]", "a.txt.gz": "ombre\nsombre", "a.csv.gz": 'text,age\n"a\nb",x'}[name]
    path = tmp_path / name
    path.write_bytes(damage(gzip.compress((plain + "\n").encode())))
    with pytest.raises(RlpoetError, match=r"a\.\w+\.gz: (cannot be read|the file is empty)") as caught:
        read_poems([path])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"\n" * 400_000, b'{"stanzas": [["a"]]}\n' * 15_000, b"[" + b" " * 400_000, b"a\nb\n\n\n" * 50_000])
@pytest.mark.parametrize("suffix", [".jsonl.gz", ".json.gz", ".txt.gz"])
def test_a_packed_file_that_holds_far_more_than_text_does_is_refused(content, suffix, tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "MOST_UNPACKED", 1 << 18)
    with pytest.raises(RlpoetError, match=r"bytes hold more than|is empty|not JSON|a row of more than"):
        read_poems([written(tmp_path, f"a{suffix}", content)])


def test_a_row_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "LONGEST", 1 << 16)
    for name in ("a.jsonl", "a.txt", "a.csv", "a.jsonl.gz"):
        with pytest.raises(RlpoetError, match="a row of more than"):
            read_poems([written(tmp_path, name, b"a" * (1 << 17))])


# -- folders ------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "poems"
    place.mkdir()
    written(place, "a.jsonl", (json.dumps(POEM) + "\nnope\n" + json.dumps({**POEM, "stanzas": [["never", "ever"]]})).encode())
    written(place, "b.csv.gz", b"word,age\na,b\n")
    written(place, "c.txt", b"mer\xe9\nfer")
    written(place, "d.parquet", b"PAR1")
    written(place, "z.jsonl", json.dumps({"stanzas": [["nombre", "encombre"]]}).encode())
    return place


def test_a_bad_file_of_a_folder_does_not_stop_the_rest(folder, tmp_path, capsys):
    out = tmp_path / "out.jsonl"
    assert main(["corpus", str(folder), "--out", str(out), "--json"]) == 0
    told = capsys.readouterr()
    assert [poem.lines[0] for poem in read_poems([out])] == ["ombre", "nombre"]
    said = told.err.replace("\n", " ")
    assert "a.jsonl:2: not JSON" in said and "1 poems before it are kept, the rest of the file is left out" in said
    assert all(name in said for name in ("b.csv.gz", "c.txt", "d.parquet")) and json.loads(told.out)["damaged_files"] == 4
    assert main(["corpus", str(folder)]) == 0 and "4 files left out, or read in part" in capsys.readouterr().out


def test_strict_ends_at_it_and_writes_nothing(folder, tmp_path, capsys):
    out = tmp_path / "out.jsonl"
    assert main(["corpus", str(folder), "--out", str(out), "--strict"]) == 2
    assert "a.jsonl:2: not JSON" in capsys.readouterr().err and not out.exists()
    assert list(tmp_path.glob(".*")) == []
    with pytest.raises(RlpoetError, match="not JSON"):  # nobody is told there: it is an error
        read_poems([folder])


def test_a_folder_of_bad_files_alone_is_an_error(folder, capsys):
    for name in ("a.jsonl", "z.jsonl"):
        (folder / name).unlink()
    assert main(["corpus", str(folder)]) == 2
    assert "no poem in it" in capsys.readouterr().err


# -- what is bounded ----------------------------------------------------------------------------------


def test_a_column_that_comes_late_is_kept(tmp_path):
    rows = [{"text": f"ombre {i}\nsombre"} for i in range(LOOKED_AT + 5)] + [{"text": "mer\nfer", "author": "B", "age": "late"}]
    path = written(tmp_path, "a.jsonl", "".join(json.dumps(row) + "\n" for row in rows).encode())
    assert read_poems([path])[-1] == Poem((("mer", "fer"),), "B", columns={"age": "late"})


def test_half_a_surrogate_pair_is_written_and_read_back(tmp_path):
    path = written(tmp_path, "a.jsonl", b'{"stanzas": [["nuit \\ud83d", "bruit"]]}\n')
    assert build(CorpusConfig((str(path),), out=str(tmp_path / "b.jsonl.gz"))).kept == 1
    assert read_poems([tmp_path / "b.jsonl.gz"])[0].lines == ("nuit \ud83d", "bruit")


PEAK = """
import re, resource, sys
from pathlib import Path
from rlpoet.corpus.build import build
from rlpoet.corpus.config import CorpusConfig
kept = build(CorpusConfig((sys.argv[1],), out=sys.argv[2])).kept
status = Path("/proc/self/status")  # since the start of this program; the usual figure counts the process that it was forked from
high = re.search(r"VmHWM:\\s+(\\d+)", status.read_text()) if status.exists() else None
print(kept, high[1] if high else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tmp_path):
    peaks = []
    for n in (1, 8):
        line = " ".join(["ombre"] * 40)
        rows = (json.dumps({"title": f"t{i}", "stanzas": [[f"{line} {i:x}".translate(LETTERS), line]]}) + "\n" for i in range(n * 10_000))
        path = written(tmp_path, f"{n}.jsonl", "".join(rows).encode())
        done = subprocess.run([sys.executable, "-c", PEAK, path, tmp_path / "out.jsonl.gz"], capture_output=True, text=True, check=True)
        kept, peak = map(int, done.stdout.split())
        assert kept == n * 10_000
        peaks.append(peak * (1 if sys.platform == "darwin" else 1024))
    grown = (tmp_path / "8.jsonl").stat().st_size - (tmp_path / "1.jsonl").stat().st_size
    assert peaks[1] - peaks[0] < grown / 2  # the fingerprints of 70,000 poems are some 10 MB, of 37


LETTERS = str.maketrans("0123456789abcdef", "ghijklmnopqrstuv")  # only letters make a fingerprint


@pytest.mark.parametrize("run", ["\r", " ", ".", "[", "\n", "* ", "[footnote ", "\t", "&", "*** START OF THE PROJECT GUTENBERG EBOOK"])
@pytest.mark.parametrize("name", ["a.txt", "b.jsonl"])
def test_the_time_of_a_long_run_grows_with_its_length(run, name, tmp_path, growth):
    """A pattern that is tried anew at each place of a run would take minutes for these."""

    def read(text):
        poem = f"ombre\n{text}x\nsombre\n"
        read_poems([written(tmp_path, name, (poem if name == "a.txt" else json.dumps({"text": poem})).encode())])

    assert growth(read, run, 200_000) < 10

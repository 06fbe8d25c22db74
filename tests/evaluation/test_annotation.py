"""Tables of a corpus: what a row says, formats that agree, runs that are stopped, and TEI that comes back line by line."""

from __future__ import annotations

import csv
import dataclasses
import gzip
import json
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import psutil
import pyarrow.parquet
import pytest

from rlpoet.cli.main import main
from rlpoet.corpus import Poem, read_poems, write_poems
from rlpoet.errors import RlpoetError
from rlpoet.evaluation.annotation import AnnotateConfig, LineRow, PoemRow, annotate_poem, run
from rlpoet.evaluation.annotation.tables import GIVEN
from rlpoet.prosody import verse
from rlpoet.prosody.meter import scan_within
from rlpoet.prosody.rhyme import rhyme_kind
from rlpoet.text.escapes import cell_text
from rlpoet.text.held import held

GOLDEN = Path(__file__).parents[1] / "golden" / "poems"
DOCS = Path(__file__).parents[2] / "docs" / "corpora.md"
NS = {"t": "http://www.tei-c.org/ns/1.0"}
XML_ID = "{http://www.w3.org/XML/1998/namespace}id"
POEMS = [
    Poem((("Ici gît dans la nuit sombre", "Un poète sans nul nombre"),), "A & B", 'L\'"ombre"', columns={"date": "vers 1857", "id": "p<1"}),
    Poem((("Sous le pont Mirabeau coule la Seine",), ("Et nos amours",)), columns={"book": "Alcools"}),
    Poem((('Un <l> & un "mot" ]]> \x0b', "L'œuvre\u2028du jour"),), None, "=1+1"),
]


def golden(lang: str) -> list[Poem]:
    """The poems of a language without the lines about them."""
    texts = [path.read_text(encoding="utf-8").partition("\n\n")[2] for path in sorted((GOLDEN / lang).glob("*.txt"))]
    return [Poem(tuple(tuple(stanza.split("\n")) for stanza in text.strip().split("\n\n"))) for text in texts]


@pytest.fixture
def corpus(tmp_path) -> Path:
    write_poems(tmp_path / "in" / "poems.jsonl", POEMS)
    return tmp_path / "in"


def config(corpus: Path, out: Path, **options) -> AnnotateConfig:
    return AnnotateConfig((str(corpus),), "fr", str(out), **{"clean": False, **options})


def rows(path: Path) -> list[dict]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


# -- rows --------------------------------------------------------------------------------------------


def test_a_row_says_what_is_heard():
    told = annotate_poem(POEMS[0], "fr", name="a:1", source="a")
    assert dataclasses.asdict(told.lines[1]) == {
        "poem": "a:1", "author": "A & B", "title": 'L\'"ombre"', "year": 1857, "form": "", "stanza": 1, "line": 2,
        "text": "Un poète sans nul nombre", "letter": "a", "rhymes_with": 1, "rhyme": "riche", "sounds": "ɔ̃bʁ", "gender": "feminine",
        "syllables": 7, "target": "7", "in_meter": True,
        "meter": "heptasyllabe", "stress": "", "caesura": None, "licences": "", "guesses": "",
    }  # fmt: skip
    poem = told.poem
    assert (poem.id, poem.date, poem.year, poem.form, poem.scheme, poem.lengths) == ("p<1", "vers 1857", 1857, "", "aa", "7")
    assert (poem.stanzas, poem.lines, poem.syllables, poem.rhyme, poem.rhymed, poem.in_meter) == (1, 2, 7, "riche", 1.0, 1.0)


@pytest.mark.parametrize("lang", ["fr", "es", "en"])
def test_rows_agree_with_what_decides_them(lang):
    for poem in golden(lang)[:4]:
        told = annotate_poem(poem, lang)
        assert [row.text for row in told.lines] == list(poem.lines)
        assert "".join(row.letter for row in told.lines) == told.poem.scheme.replace(" ", "")
        assert [len(part) for part in told.poem.scheme.split(" ")] == [len(stanza) for stanza in poem.stanzas]
        for row in told.lines:
            targets = tuple(map(int, row.target.split("|"))) if row.target else ()
            scansion = scan_within(row.text, lang, targets)
            assert (row.syllables, row.stress, row.caesura) == (scansion.syllables, scansion.stress or "", scansion.caesura)
            assert row.meter == verse(lang).meter_name(scansion) and (row.in_meter is None) == (not targets)
            assert (row.rhymes_with is None) == (row.letter == "x")
            if row.rhymes_with is not None:
                mate = told.lines[row.rhymes_with - 1]
                assert mate.letter == row.letter and mate is not row
                assert row.rhyme == (rhyme_kind(mate.text, row.text, lang) or "")


@pytest.mark.parametrize("lang", ["fr", "es", "en"])
def test_whether_a_line_fits_is_the_same_with_and_without_its_reading(lang):
    language = verse(lang)
    lines = [line for poem in golden(lang)[:3] for line in poem.lines] + ["", "...", "1857"]
    for line in lines:
        assert [language.fits(line, n) for n in range(1, 16)] == [bool(language.scan(line, n).fits) for n in range(1, 16)], line


def test_a_licence_is_what_the_usual_reading_does_not_have():
    line = "Vous avez la passion"  # six syllables, or seven with a diaeresis
    row = annotate_poem(Poem(((line, "Qui n'est jamais la raison"),)), "fr").lines[0]
    usual = annotate_poem(Poem(((line,),)), "fr").lines[0]
    assert usual.licences == ""
    assert bool(row.licences) == (row.syllables != usual.syllables)


@pytest.mark.parametrize(
    ("lang", "lines", "genders"),
    [
        ("fr", ("l'amour", "la rose", "la chose", "le jour"), ["masculine", "feminine", "feminine", "masculine"]),
        ("fr-modern", ("les roses", "ils aimaient"), ["feminine", "masculine"]),
        ("fr", ("ils aiment", "ils voient", "..."), ["feminine", "feminine", ""]),
        ("fr", ("le couvent", "le vent"), ["masculine", "masculine"]),  # its rhyme decides
        ("fr", ("ils couvent", "ils trouvent"), ["feminine", "feminine"]),
        ("fr", ("couvent",), [""]),
        ("es", ("la rosa", "amor"), ["", ""]),
        ("en", ("a question", "the day"), ["", ""]),
    ],
)
def test_french_endings_have_a_gender(lang, lines, genders):
    assert [row.gender for row in annotate_poem(Poem((lines,)), lang).lines] == genders


def test_the_page_names_every_column_and_no_other():
    text = DOCS.read_text(encoding="utf-8")
    for heading, row in (("## The table of lines", LineRow), ("## The table of poems", PoemRow)):
        table = re.search(rf"{heading}\n\n(.*?)\n\n", text, flags=re.S)
        named = [name for cells in table[1].splitlines()[2:] for name in re.findall(r"`(\w+)`", cells.split("|")[1])]
        assert named == [field.name for field in dataclasses.fields(row)]


# -- formats -----------------------------------------------------------------------------------------


def test_formats_hold_the_same_rows(corpus, tmp_path):
    for ending in ("csv", "jsonl", "parquet", "csv.gz"):
        done = run.annotate(config(corpus, tmp_path / f"verse.{ending}"))
        assert [path.name for path in done.files] == [f"verse.{ending}", f"verse.poems.{ending}"]
        assert (done.poems, done.lines, done.kept) == (3, 6, 0)
    for table in ("", ".poems"):
        told = [json.loads(row) for row in (tmp_path / f"verse{table}.jsonl").read_text(encoding="utf-8").split("\n")[:-1]]
        assert pyarrow.parquet.read_table(tmp_path / f"verse{table}.parquet").to_pylist() == told
        plain = (tmp_path / f"verse{table}.csv").read_bytes()
        assert gzip.decompress((tmp_path / f"verse{table}.csv.gz").read_bytes()) == plain
        for cells, row in zip(rows(tmp_path / f"verse{table}.csv"), told, strict=True):
            told_cells = {key: cell_text(value) if key in GIVEN else value for key, value in cells.items()}
            assert told_cells == {key: "" if v is None else str(int(v)) if isinstance(v, bool) else str(v) for key, v in row.items()}
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_ids_name_file_and_poem_and_join_the_tables(corpus, tmp_path):
    (corpus / "more").mkdir()
    (corpus / "more" / "b.txt").write_text("ombre\nsombre\n\n\nmer\nfer\n", encoding="utf-8")
    run.annotate(config(corpus, tmp_path / "verse.csv"))
    ids = [row["poem"] for row in rows(tmp_path / "verse.poems.csv")]
    assert ids == ["more/b.txt:1", "more/b.txt:2", "poems.jsonl:1", "poems.jsonl:2", "poems.jsonl:3"]
    assert list(dict.fromkeys(row["poem"] for row in rows(tmp_path / "verse.csv"))) == ids


def test_a_file_of_a_folder_that_cannot_be_read_is_told_and_the_others_are_annotated(corpus, tmp_path):
    (corpus / "bad.xml").write_text("<TEI><text><body><l>Une ombre</l></body><body><l>fin", encoding="utf-8")
    told: list[str] = []
    done = run.annotate(config(corpus, tmp_path / "verse.csv"), tell=told.append)
    assert (done.poems, len(told)) == (4, 1) and "bad.xml:1: not well-formed" in told[0]
    with pytest.raises(RlpoetError, match="not well-formed"):
        run.annotate(config(corpus / "bad.xml", tmp_path / "verse.csv"))


def test_tei_comes_back_line_by_line_and_keeps_the_rules_of_tei(corpus, tmp_path):
    run.annotate(config(corpus, tmp_path / "verse.tei"))
    back = read_poems([tmp_path / "verse.tei"])
    clean = [tuple(tuple(" ".join(line.replace("\x0b", "").split()) for line in stanza) for stanza in poem.stanzas) for poem in POEMS]
    assert [poem.stanzas for poem in back] == clean
    assert [(poem.author, poem.title) for poem in back[::2]] == [("A & B", 'L\'"ombre"'), (None, "=1+1")]
    assert back[0].columns["date"] == "vers 1857"
    root = ET.parse(tmp_path / "verse.tei").getroot()
    assert [child.tag.partition("}")[2] for child in root] == ["teiHeader", "text"]
    described = root.find("t:teiHeader/t:fileDesc", NS)
    assert [child.tag.partition("}")[2] for child in described] == ["titleStmt", "publicationStmt", "sourceDesc"]
    allowed = {"div": ["head", "docAuthor", "docDate", "lg"], "lg": ["l"], "body": ["div"], "l": [], "text": ["body"]}
    for element in root.find("t:text", NS).iter():
        order = allowed.get(element.tag.partition("}")[2])
        names = [child.tag.partition("}")[2] for child in element]
        assert order is None or names == sorted(names, key=order.index)
        for name in ("met", "real", "rhyme"):
            assert re.fullmatch(r"\S+", element.get(name, "-"))  # a pattern: no space in it
    first = root.find(".//t:div", NS)
    assert first.find("t:lg", NS).get("rhyme") == "aa"
    assert [(line.get("met"), line.get("real")) for line in first.iter(f"{{{NS['t']}}}l")] == [("7", "7")] * 2
    named = {f"#{category.get(XML_ID)}" for category in root.findall("t:teiHeader/t:encodingDesc/t:classDecl/t:taxonomy/t:category", NS)}
    assert {line.get("ana") for line in root.iter(f"{{{NS['t']}}}l")} - {None} <= named == {"#masculine", "#feminine"}
    assert [line.get("ana") for line in first.iter(f"{{{NS['t']}}}l")] == ["#feminine"] * 2


@pytest.mark.parametrize(("lang", "real"), [("es", r"[+-]{11}"), ("en", r"[+-]{10,11}"), ("fr", r"\d+(\+\d+)?")])
def test_tei_has_stresses_where_the_meter_counts_them(lang, real, tmp_path):
    line = {"es": "Nunca ofendí la fe con la esperanza", "en": "Shall I compare thee to a summer's day", "fr": "Ombre"}[lang]
    write_poems(tmp_path / "a.jsonl", [Poem(((line, line),))])
    run.annotate(AnnotateConfig((str(tmp_path / "a.jsonl"),), lang, str(tmp_path / "a.xml")))
    found = ET.parse(tmp_path / "a.xml").getroot().find(".//t:l", NS)
    assert re.fullmatch(real, found.get("real"))


# -- runs that are stopped ---------------------------------------------------------------------------


def test_a_stopped_run_goes_on_and_writes_the_same(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "PART_LINES", 1)
    whole, out = tmp_path / "whole.csv", tmp_path / "verse.csv"
    run.annotate(config(corpus, whole))
    work, calls = run.annotate_part, []

    def stops(number, part, **options):
        calls.append(number)
        if number == 2 and len(calls) <= 3:
            raise KeyboardInterrupt
        return work(number, part, **options)

    monkeypatch.setattr(run, "annotate_part", stops)
    out.write_text("what stood there", encoding="utf-8")
    with pytest.raises(KeyboardInterrupt):
        run.annotate(config(corpus, out))
    assert out.read_text(encoding="utf-8") == "what stood there" and not (tmp_path / "verse.poems.csv").exists()
    done = run.annotate(config(corpus, out))
    assert calls == [0, 1, 2, 2] and (done.poems, done.kept) == (3, 2)
    assert out.read_bytes() == whole.read_bytes()
    assert (tmp_path / "verse.poems.csv").read_bytes() == (tmp_path / "whole.poems.csv").read_bytes()
    assert not (tmp_path / ".verse.csv.parts").exists()


@pytest.mark.parametrize("change", ["source", "option", "damage"])
def test_parts_of_another_run_are_not_taken(change, corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "PART_LINES", 1)
    out, work = tmp_path / "verse.csv", run.annotate_part

    def stops(number, part, **options):
        if number == 1:
            raise KeyboardInterrupt
        return work(number, part, **options)

    with monkeypatch.context() as stopped, pytest.raises(KeyboardInterrupt):
        stopped.setattr(run, "annotate_part", stops)
        run.annotate(config(corpus, out))
    if change == "source":
        write_poems(corpus / "poems.jsonl", [Poem((("Mer", "fer"),)), *POEMS])
    if change == "damage":
        (tmp_path / ".verse.csv.parts" / "000000.json").unlink()  # the part was being written
    assert run.annotate(config(corpus, out, clean=change == "option")).kept == 0
    assert ("Mer" in out.read_text(encoding="utf-8")) == (change == "source")


def test_a_part_whose_count_is_damaged_is_made_again_and_one_process_at_a_time_makes_them(corpus, tmp_path, monkeypatch):
    out, parts = tmp_path / "verse.csv", tmp_path / ".verse.csv.parts"
    with monkeypatch.context() as stopped, pytest.raises(KeyboardInterrupt):
        stopped.setattr(run, "_join", lambda *_: signal.raise_signal(signal.SIGINT))
        run.annotate(config(corpus, out))
    for damage in ("", "[]", '{"poems": "x"}'):
        (parts / "000000.json").write_text(damage, encoding="utf-8")
        assert run._prepare(parts, config(corpus, out)) == 0
    with held(parts), pytest.raises(RlpoetError, match="another run is at work here"):
        run.annotate(config(corpus, out))
    assert run.annotate(config(corpus, out)).poems == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "verse.csv", "verse.poems.csv"]


@pytest.mark.slow
def test_several_processes_write_the_same_whoever_is_killed(tmp_path, monkeypatch):
    """First one of those that annotate, which is one line; then the one that started them, which leaves none of them behind."""
    monkeypatch.setattr(run, "PART_LINES", 4)
    write_poems(tmp_path / "in" / "poems.jsonl", POEMS * 20)
    out = tmp_path / "two.csv"
    argv = ["annotate", str(tmp_path / "in"), "--lang", "fr", "--no_clean", "--out", str(out), "--processes", "2"]

    def kill(poems: int, lines: int) -> None:
        os.kill(multiprocessing.active_children()[0].pid or 0, signal.SIGKILL)

    with pytest.raises(RlpoetError, match=r"a process ended .*The same command goes on"):
        run.annotate(config(tmp_path / "in", out, processes=2), progress=kill)
    process = subprocess.Popen([sys.executable, "-m", "rlpoet", *argv], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (workers := psutil.Process(process.pid).children(recursive=True)):
        time.sleep(0.05)
    process.kill()
    process.wait()
    assert psutil.wait_procs(workers, timeout=60)[1] == []
    run.annotate(config(tmp_path / "in", out, processes=2))
    run.annotate(config(tmp_path / "in", tmp_path / "one.csv"))
    assert out.read_bytes() == (tmp_path / "one.csv").read_bytes()


# -- errors ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options, message",
    [
        (["--out", "verse.doc"], "--out verse.doc: expected a name that ends in .csv"),
        (["--out", "verse.parquet.gz"], "--out verse.parquet.gz: expected a name"),
        (["--out", "v.csv", "--processes", "0"], "--processes: 0; expected 1 or more"),
        (["--out", "v.csv", "--text_column", "poem"], "text_column"),
    ],
)
def test_the_verb_says_what_is_wrong(options, message, corpus, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert main(["annotate", str(corpus), "--lang", "fr", *options]) == 2
    shown = capsys.readouterr().err
    assert message in shown and shown.count("\n") == 1
    assert not (tmp_path / "v.csv").exists()


def test_sources_without_verse_leave_nothing(tmp_path, capsys):
    (tmp_path / "a.txt").write_text("* * *\n12\n", encoding="utf-8")
    assert main(["annotate", str(tmp_path / "a.txt"), "--lang", "fr", "--out", str(tmp_path / "out" / "v.csv")]) == 2
    assert "no line of verse" in capsys.readouterr().err
    assert list((tmp_path / "out").iterdir()) == []


def test_parquet_without_pyarrow_names_what_is_missing(corpus, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(RlpoetError, match="pip install pyarrow"):
        run.annotate(config(corpus, tmp_path / "v.parquet"))


def test_the_verb_says_what_it_wrote(corpus, tmp_path, capsys):
    assert main(["annotate", str(corpus), "--lang", "fr", "--out", str(tmp_path / "v.csv")]) == 0
    shown = capsys.readouterr().out
    assert "v.csv" in shown and "v.poems.csv" in shown and re.search(r"6 lines of 3 poems in \d", shown)

"""Files that are called texts and are something else, poems in one cell, old ebooks, and the project's own outputs."""

from __future__ import annotations

import csv
import io
import json
import sys

import pytest

from rlpoet.corpus import read_poems, write_poems
from rlpoet.corpus.given import is_source, lines_given, verse_or_poems
from rlpoet.corpus.gutenberg import book_poems, is_gutenberg
from rlpoet.corpus.kinds import kind_of
from rlpoet.corpus.layouts import parsed_list
from rlpoet.errors import RlpoetError
from rlpoet.evaluation.poems import read_evaluation_poems
from rlpoet.evaluation.score import score_file

VERSE = (("Ici gît dans la nuit sombre", "Un poète sans nul nombre"), ("Sous la mer", "Sous le fer"))
PLAIN = "\n\n".join("\n".join(stanza) for stanza in VERSE) + "\n"
HTML = "<!DOCTYPE html>\n<html><body><p>Ombre<br>sombre</p></body></html>"
RTF = r"{\rtf1\ansi Ombre\par sombre}"


@pytest.mark.parametrize(
    "content, what",
    [
        (HTML.encode(), "HTML page"),
        (b"\xef\xbb\xbf  " + HTML.lower().encode(), "HTML page"),
        (b"<p>Ombre<br>sombre</p>\n<p>mer</p>", "HTML page"),
        (RTF.encode(), "RTF"),
        (b"%PDF-1.7\nOmbre", "PDF"),
        (b"PK\x03\x04word/document.xml", "ZIP archive"),
        (b"\x1f\x8b\x08\x00", "compressed by gzip"),
        (b"<?xml version='1.0'?><rss><l>a</l></rss>", "root is <rss>"),
    ],
)
@pytest.mark.parametrize("name", ["poem.txt", "poem"])
def test_markup_is_refused_in_one_line_and_never_read_as_verse(content, what, name, tmp_path):
    path = tmp_path / name
    path.write_bytes(content)
    for read in (verse_or_poems, lambda path: read_poems([path]), lambda path: score_file(path, "fr")):
        with pytest.raises(RlpoetError, match=what) as caught:
            read(path)
        assert "\n" not in str(caught.value) and str(path) in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "<3 dit-elle\nsombre",
        "[Ombre]\nsombre",
        "{Ombre}\nsombre",
        "The poet, the poem, the name\na, b, c",
        "# Titre\nOmbre",
        "Ombre / sombre",
        "",
        "\n" * 10_000,
    ],
)
def test_verse_with_signs_stays_verse(text):
    assert kind_of(text, "poem.txt") == "verse"


@pytest.mark.parametrize(
    "lay_out",
    [
        lambda stanzas: " // ".join(" / ".join(stanza) for stanza in stanzas),
        lambda stanzas: "||".join("|".join(stanza) for stanza in stanzas),
        lambda stanzas: " || ".join(" | ".join(stanza) for stanza in stanzas),
        lambda stanzas: r"\n\n".join(r"\n".join(stanza) for stanza in stanzas),
        lambda stanzas: r"\r\n\r\n".join(r"\r\n".join(stanza) for stanza in stanzas),
        lambda stanzas: str([list(stanza) for stanza in stanzas]),
        json.dumps,
        lambda stanzas: str([line for stanza in stanzas for line in (*stanza, "")]),
        lambda stanzas: str(["\n".join(stanza) for stanza in stanzas]),
        lambda stanzas: "\r\n\r\n".join("\r\n".join(stanza) for stanza in stanzas),
    ],
)
def test_a_poem_in_one_cell_keeps_its_lines_and_stanzas(lay_out, tmp_path):
    path = tmp_path / "poems.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerows([["author", "content"], ["A", lay_out(VERSE)], ["B", lay_out((("L'ombre", 'dit "non"'), ("mer", "fer")))]])
    first, second = read_poems([path])
    assert first.stanzas == VERSE
    assert second.stanzas == (("L'ombre", 'dit "non"'), ("mer", "fer"))


def test_a_sign_parts_lines_only_if_most_cells_have_it_and_none_has_line_breaks(tmp_path):
    path = tmp_path / "poems.csv"
    path.write_text('title,content\na,"Ombre / lumière\nsombre"\nb,"mer\nfer"\n', encoding="utf-8")
    assert read_poems([path])[0].lines == ("Ombre / lumière", "sombre")
    path.write_text("title,content\na,prose with one / sign\nb,prose\nc,prose\n", encoding="utf-8")
    with pytest.raises(RlpoetError, match="no text in column 'content' has a line break"):
        read_poems([path])


@pytest.mark.parametrize(
    "text, expected",
    [
        ("['a' 'b'\n 'c']", ["a", "b", "c"]),
        (r"['L\'ombre', 'caf\xe9', 'caf\u00e9']", ["L'ombre", "café", "café"]),
        (r'["caf\u00e9 \ud83d\ude00", "\d"]', ["café 😀", "d"]),
        ("['a\\n', 'b\\n']", ["a", "b"]),
        ("[__import__('os').system('x')]", None),
        ("[[['a']]]", None),
        ("['a'", None),
        ("'a']", None),
        ("]'a'[", None),
        ("[" * 5000 + "]" * 5000, None),
        ("['a'] ['b']", None),
    ],
)
def test_lists_are_read_without_evaluating_anything(text, expected):
    assert parsed_list(text) == expected


OLD = """**The Project Gutenberg Etext of The Raven, by Edgar Allan Poe**

Copyright laws are changing all over the world, be sure to check
the laws for your country before redistributing these files!!!

***START**THE SMALL PRINT!**FOR PUBLIC DOMAIN ETEXTS**START***
Why is this "Small Print!" statement here?  You know: lawyers.
They tell us you might sue us if there is something wrong.
*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*



THE RAVEN


Once upon a midnight dreary, while I pondered,
Over many a quaint and curious volume of forgotten lore,
While I nodded, nearly napping, suddenly there came a tapping,
As of some one gently rapping, rapping at my door.


End of The Project Gutenberg Etext of The Raven, by Edgar Allan Poe
and some words of thanks
"""


@pytest.mark.parametrize(
    "mark",
    [
        "*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*",
        "*END THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*",
        "*END*THE SMALL PRINT! FOR PUBLIC DOMAIN EBOOKS*Ver.02/11/02*END*",
        "*** START OF THIS PROJECT GUTENBERG ETEXT THE RAVEN ***",
    ],
)
def test_the_headers_and_footers_of_old_ebooks_are_stripped(mark):
    text = OLD.replace("*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*", mark)
    assert is_gutenberg(text)
    (poem,) = book_poems(text)
    assert len(poem.lines) == 4 and poem.lines[0].startswith("Once upon") and poem.title == "THE RAVEN"
    assert poem.author == "Edgar Allan Poe" and poem.columns["book"] == "The Raven"


def test_a_licence_at_the_foot_of_a_book_does_not_begin_it():
    mark = "*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*"
    text = OLD.replace(mark, "*** START OF THE PROJECT GUTENBERG EBOOK X ***") + f"\n{mark}\n"
    assert [poem.title for poem in book_poems(text)] == ["THE RAVEN"]


# -- one reader for all verbs ------------------------------------------------------------------------


def written(tmp_path) -> dict[str, str]:
    """The same two poems in every kind of file."""
    title = ("nuit", "mer")
    files = {
        "a.txt": "\n\n\n".join("\n".join(stanza) for stanza in VERSE),
        "b.jsonl": "".join(json.dumps({"title": t, "stanzas": [s]}) + "\n" for t, s in zip(title, VERSE, strict=True)),
        "c.csv": "title,poem\n" + "".join(f'{t},"{s[0]}\n{s[1]}"\n' for t, s in zip(title, VERSE, strict=True)),
        "d.xml": "<TEI><text><body>" + "".join(f"<div><l>{s[0]}</l><l>{s[1]}</l></div>" for s in VERSE) + "</body></text></TEI>",
        "e.txt": "".join(f"# fr couplet-7, temperature 1, seed {n}\n" + "\n".join(s) + "\n\n" for n, s in enumerate(VERSE)),
        "json.txt": "".join(json.dumps({"title": t, "stanzas": [s]}) + "\n" for t, s in zip(title, VERSE, strict=True)),
        "csv.txt": "title,poem\n" + "".join(f'{t},"{s[0]}\n{s[1]}"\n' for t, s in zip(title, VERSE, strict=True)),
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return files


def test_every_verb_reads_every_kind_of_file(tmp_path):
    lines = [line for stanza in VERSE for line in stanza]
    for name in written(tmp_path):
        path = tmp_path / name
        assert lines_given([str(path)]) == lines, name
        assert [line for poem in read_poems([path]) for line in poem.lines] == lines, name
        assert [line for poem in score_file(path, "fr") for line in poem.lines] == lines, name
    every = len(written(tmp_path)) * lines
    assert sorted(lines_given([f"{tmp_path}/"])) == sorted(every)
    assert sorted(line for poem in score_file(tmp_path, "fr") for line in poem.lines) == sorted(every)
    assert [poem.title for poem in score_file(tmp_path / "b.jsonl", "fr")] == ["nuit", "mer"]


@pytest.mark.parametrize("name", ["b.jsonl", "c.csv", "d.xml", "a.txt", "e.txt"])
def test_standard_input_is_read_by_what_stands_in_it(name, tmp_path, monkeypatch):
    text = written(tmp_path)[name]
    for read in (lambda: lines_given(["-"]), lambda: [line for poem in score_file("-", "fr") for line in poem.lines]):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8"))
        assert read() == [line for stanza in VERSE for line in stanza]


def test_what_generate_and_corpus_write_is_read_back_with_its_forms(tmp_path):
    path = tmp_path / "poems.txt"
    path.write_text("# fr couplet, temperature 1, seed 0\n" + "\n".join(VERSE[0]) + "\n\n", encoding="utf-8")
    (poem,) = read_poems([path])
    assert poem.lines == VERSE[0] and poem.title == ""
    write_poems(tmp_path / "corpus.jsonl", [poem])
    for name in ("poems.txt", "corpus.jsonl"):
        (scored,) = score_file(tmp_path / name, "fr")
        assert (scored.form, scored.guessed) == ("couplet", False), name
        (evaluated,), left_out = read_evaluation_poems([str(tmp_path / name)], "fr", [], columns=None)
        assert (evaluated.prompt.form, left_out) == ("couplet", 0), name


def test_headings_are_titles_and_no_lines(tmp_path):
    path = tmp_path / "poems.md"
    path.write_text("# Nuit\n\nombre\nsombre\n\n## Mer noire\nmer\nfer\n\n\n# en passant\n\n\nrose\nchose\n", encoding="utf-8")
    assert [(p.title, p.lines) for p in read_poems([path])] == [
        ("Nuit", ("ombre", "sombre")), ("Mer noire", ("mer", "fer")), ("en passant", ("rose", "chose")),
    ]  # fmt: skip


def test_a_word_that_is_also_a_folder_stays_a_word(tmp_path, monkeypatch):
    (tmp_path / "ombre").mkdir()
    monkeypatch.chdir(tmp_path)
    assert not is_source("ombre") and is_source("./ombre")
    assert lines_given(["ombre", "Il dit a.txt et b.txt"]) == ["ombre", "Il dit a.txt et b.txt"]
    with pytest.raises(RlpoetError, match="no such file"):
        lines_given(["poems.txt"])

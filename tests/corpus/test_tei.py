"""TEI: what is verse, what is left out, who wrote it, and documents that mean harm."""

from __future__ import annotations

import gzip
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlpoet.corpus import Poem, read_poems
from rlpoet.corpus.read import poems_of
from rlpoet.corpus.tei import LONGEST_TEXT, tei_poems
from rlpoet.errors import RlpoetError

HEADER = (
    "<teiHeader><fileDesc><titleStmt><title>Les Fleurs du mal</title><author>Charles Baudelaire</author></titleStmt>"
    "<publicationStmt><date>2001</date><idno>FDM</idno></publicationStmt>"
    '<sourceDesc><bibl><author>Ch. B.</author><date when="1857">1857, en juin</date></bibl></sourceDesc></fileDesc></teiHeader>'
)
P5 = '<TEI xmlns="http://www.tei-c.org/ns/1.0" xml:lang="fr">{header}<text><body>{body}</body></text></TEI>'
P4 = (
    '<?xml version="1.0" encoding="iso-8859-1"?>\n<!DOCTYPE TEI.2 SYSTEM "tei2.dtd" [{dtd}]>\n'
    "<TEI.2>{header}<text><body>{body}</body></text></TEI.2>"
)


def poems(body: str, header: str = "", pattern: str = P5, step: int = 1 << 20, dtd: str = "") -> list[Poem]:
    raw = pattern.format(header=header, body=body, dtd=dtd).encode("iso-8859-1" if pattern is P4 else "utf-8", "xmlcharrefreplace")
    return list(tei_poems((raw[at : at + step] for at in range(0, len(raw), step)), "doc.xml"))


def lines(body: str) -> tuple[str, ...]:
    (poem,) = poems(body)
    return poem.lines


@pytest.mark.parametrize("pattern", [P5, P4, P5.replace(' xmlns="http://www.tei-c.org/ns/1.0"', "")])
@pytest.mark.parametrize("step", [1, 7, 1 << 20])
def test_divisions_are_poems_and_line_groups_their_stanzas(pattern, step):
    body = (
        "<div><head>L'Été<note>un titre</note></head><lg><l>Ombre,</l><l>sombre</l></lg><lg><l>nombre</l></lg></div>"
        "<div><head>II</head><lg><l>mer</l><l>fer</l></lg></div>"
    )
    first, second = poems(body, HEADER, pattern, step)
    assert first.stanzas == (("Ombre,", "sombre"), ("nombre",)) and second.stanzas == (("mer", "fer"),)
    assert (first.author, first.title, second.title) == ("Charles Baudelaire", "L'Été", "II")
    assert first.columns["book"] == "Les Fleurs du mal" and first.columns["date"] == "1857" and first.columns["id"] == "FDM"
    assert first.columns.get("language", "fr") == "fr"


@pytest.mark.parametrize(
    "body, expected",
    [
        ("<l>Ombre<note>une note <hi>longue</hi></note>, sombre</l>", "Ombre, sombre"),
        ("<l><stage>Il sort.</stage>Ombre</l>", "Ombre"),
        ("<l>Ombre<pb n='2'/> et <hi rend='it'>lumière</hi></l>", "Ombre et lumière"),
        ("<l>la ro-<lb break='no'/>se</l>", "la rose"),
        ("<l>la ro-\n   <lb break='no'/>\n   se</l>", "la rose"),
        ("<l>la ro¬<lb/>se</l>", "la rose"),
        ("<l>peut-<lb/>être</l>", "peut-être"),
        ("<l>la<lb/>rose</l>", "la rose"),
        ("<l>ro<pb break='no'/>se</l>", "rose"),
        ("<l>la <choice><sic>rsoe</sic><corr>rose</corr></choice></l>", "la rose"),
        ("<l>la <choice><corr>rose</corr><sic>rsoe</sic></choice></l>", "la rose"),
        ("<l>des <choice><orig>enfans</orig><reg>enfants</reg></choice></l>", "des enfants"),
        ("<l><choice><abbr>Mr</abbr><expan>Monsieur</expan></choice> dort</l>", "Monsieur dort"),
        ("<l>la <app><lem>rose</lem><rdg>fleur</rdg></app></l>", "la rose"),
        ("<l>la <app><rdg>rose</rdg><rdg>fleur</rdg></app></l>", "la rose"),
        ("<l>la <del>fleur</del><add>rose</add></l>", "la rose"),
        ("<l><w>la</w><w>rose</w><pc>.</pc></l>", "la rose."),
        ("<l><rhyme label='a'>ombre</rhyme><caesura/> &amp; sombre</l>", "ombre & sombre"),
        ("<l>\n   la\n   rose\n</l>", "la rose"),
        ("<l>cafe\u0301</l>", "café"),
    ],
)
def test_a_line_is_its_words_without_what_editors_add(body, expected):
    assert lines(body) == (expected,)


def test_variants_of_whole_lines_are_read_once():
    assert lines("<lg><app><lem><l>a</l><l>b</l></lem><rdg><l>A</l><l>B</l></rdg></app><l>c</l></lg>") == ("a", "b", "c")


def test_what_is_no_verse_is_left_out():
    body = (
        "<epigraph><l>Dante</l></epigraph><argument><p>x</p></argument><p>prose</p><lg><head>t</head><l>vers</l></lg><note><l>n</l></note>"
    )
    assert lines(body) == ("vers",)


def test_plays_join_the_lines_that_speakers_share():
    body = (
        "<div type='act'><head>ACTE I</head><div type='scene'><head>SCÈNE I</head>"
        "<sp who='#a'><speaker>CHIMÈNE.</speaker><l part='I'>Rodrigue, qui l'eût cru ?</l></sp><stage>Un temps.</stage>"
        "<sp who='#b'><speaker>RODRIGUE</speaker><l part='F'>Chimène, qui l'eût dit ?</l></sp>"
        "<sp><speaker>CHIMÈNE</speaker><l part='I'>a</l></sp><sp><l part='M'>b</l></sp><sp><l part='F'>c</l><l>d</l></sp></div></div>"
    )
    (scene,) = poems(body, HEADER)
    assert scene.stanzas == (("Rodrigue, qui l'eût cru ? Chimène, qui l'eût dit ?", "a b c", "d"),)
    assert scene.title == "ACTE I — SCÈNE I" and scene.columns["speakers"] == "CHIMÈNE, RODRIGUE"


def test_a_stanza_that_speakers_share_is_one_and_a_part_without_its_beginning_is_a_line():
    shared = "<sp><lg part='I'><l>a</l><l part='I'>b</l></lg></sp><sp><lg part='F'><l part='F'>c</l><l>d</l></lg></sp>"
    assert poems(shared)[0].stanzas == (("a", "b c", "d"),)
    assert lines("<l part='F'>a</l><l part='I'>b</l><l>c</l>") == ("a", "b", "c")


def test_line_groups_of_stanzas_are_poems_of_their_own():
    sonnet = "<lg type='sonnet' xml:id='s{0}'><head>{0}</head><lg><l>a{0}</l></lg><lg><l>b{0}</l></lg></lg>"
    found = poems(sonnet.format(1) + sonnet.format(2), HEADER)
    assert [(p.title, p.stanzas, p.columns["id"]) for p in found] == [
        ("1", (("a1",), ("b1",)), "s1"), ("2", (("a2",), ("b2",)), "s2"),
    ]  # fmt: skip
    (whole,) = poems("<div type='poem'><head>T</head><div><lg><l>a</l></lg></div><div><lg><l>b</l></lg></div></div>")
    assert whole.stanzas == (("a",), ("b",)) and whole.title == "T"


def test_a_corpus_of_texts_gives_each_its_own_header():
    header = "<teiHeader><fileDesc><titleStmt><title>{t}</title>{a}</titleStmt></fileDesc></teiHeader>"
    one = f"<TEI>{header}<text><body><l>{{t}}</l></body></text></TEI>"
    raw = f"<teiCorpus>{HEADER}{one.format(t='A', a='<author>X</author><author>Y</author>')}{one.format(t='B', a='')}</teiCorpus>"
    assert [(p.title, p.author) for p in tei_poems([raw.encode()], "c.xml")] == [("A", "X; Y"), ("B", "Charles Baudelaire")]


def test_signs_that_a_document_type_names_are_read():
    (poem,) = poems("<l>&eacute;t&eacute; &m; &oelig;uvre</l>", "", P4, dtd='<!ENTITY % x "INCLUDE"><!ENTITY m "&#8212;">')
    assert poem.lines == ("été — œuvre",)


BOMB = '<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">'


@pytest.mark.parametrize(
    "dtd, body, message",
    [
        (BOMB, "<l>&c;</l>", "'b' holds other entities"),
        (f'<!ENTITY a "{"x" * 100_000}">', "<l>" + "&a;" * 1000 + "</l>", "'a' holds other entities, tags or long text"),
        ('<!ENTITY a "<l>x</l>">', "&a;", "'a' holds other entities, tags"),
        ('<!ENTITY a SYSTEM "file:///etc/passwd">', "<l>&a;</l>", "stands in another file"),
        ('<!ENTITY % a SYSTEM "file:///etc/passwd"> %a;', "<p>x</p>", "TEI without verse"),
        ("", "<l>&nothing;</l>", "&nothing; is not defined"),
        ("", "<l>ombre</p>", "doc.xml:3: not well-formed XML .mismatched tag"),
        ("", "<l>" + "x" * (LONGEST_TEXT + 1) + "</l>", "a line or heading of more than"),
        ("", "<hi>" * 600 + "</hi>" * 600, "elements in one another"),
        ("", "<p>prose</p>", "TEI without verse; expected lines in l elements"),
    ],
)
def test_documents_that_mean_harm_or_hold_no_verse_are_refused_in_one_line(dtd, body, message):
    with pytest.raises(RlpoetError, match=message) as caught:
        poems(body, "", P4, dtd=dtd)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "raw, message",
    [
        (b"", "not well-formed"),
        (b"<html><body><p>x</p></body></html>", "an HTML page"),
        (b"<rss><l>x</l></rss>", "root is <rss>"),
        (b"<TEI><text><body><xi:include xmlns:xi='http://www.w3.org/2001/XInclude' href='a.xml'/></body></text></TEI>", "xi:include"),
        (b"<TEI><text><body><l>\xff</l></body></text></TEI>", "not well-formed"),
        (b"<?xml version='1.0' encoding='no-such'?><TEI/>", "unknown encoding: no-such"),
    ],
)
def test_other_documents_are_refused(raw, message):
    with pytest.raises(RlpoetError, match=message):
        list(tei_poems([raw], "doc.xml"))


def test_a_large_file_is_read_as_a_stream(tmp_path):
    """Memory is that of a poem and of a block, of a file of 800 kB."""
    path = tmp_path / "large.xml.gz"
    poem = "<div><lg>" + "<l>Sous le pont Mirabeau coule la Seine</l>" * 4 + "</lg></div>"
    path.write_bytes(gzip.compress(P5.format(header="", body=poem * 4_000).encode()))
    assert sum(1 for _ in poems_of(path)) == 4_000
    tracemalloc.start()
    with gzip.open(path) as stream:
        n = sum(len(found.lines) for found in tei_poems(iter(lambda: stream.read(1 << 14), b""), "large.xml"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert n == 4 * 4_000 and peak < 1_000_000


def test_a_folder_may_hold_tei_beside_other_files(tmp_path):
    (tmp_path / "a.xml").write_text(P5.format(header=HEADER, body="<l>ombre</l>"), encoding="utf-8")
    (tmp_path / "b.txt").write_text("mer\nfer", encoding="utf-8")
    assert [poem.lines for poem in read_poems([tmp_path])] == [("ombre",), ("mer", "fer")]


@settings(max_examples=60, deadline=None)
@given(st.text(st.sampled_from("<>/&;lgdiv sp'\"=-!ENTIY[]x \n"), max_size=80))
def test_no_document_makes_the_reader_fail_otherwise_than_by_its_own_error(body):
    try:
        poems(body)
    except RlpoetError as error:
        assert "doc.xml" in str(error)

"""An explanation says what the scores rest on: nothing it leaves out, nothing it makes up, no guess it hides."""

from __future__ import annotations

import dataclasses
import io
import itertools
import json
import sys
import types
import typing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from rlpoet.cli import main as cli
from rlpoet.errors import RlpoetError
from rlpoet.prosody import verse
from rlpoet.prosody.explain import LineExplained, RhymeExplained, explain, explain_rhyme
from rlpoet.prosody.rhyme import rhyme_kind, rhymes
from rlpoet.reporting.explanations import LineView, RhymeView, ipa
from rlpoet.reporting.poems import scansion_rows
from rlpoet.types import Pronunciation, Scansion, Syllable

LANGS = ("fr", "es", "en")
WORDS = {
    "fr": "ombre sombre fils les haine héros aimée aimé temps quelqu’un où Hélas lion est-il blurpé zwx L'été 3 — ! œil".split(),
    "es": "alma al mi estado río poesía hoy y árbol vihuela güero Shakespeare zwx 3 ¿qué ¡oh! — rey averigüéis ñoño".split(),
    "en": "the heav'n o'er love move eternity die thee th' eternal summer's blorping zwx 3 — ! belovèd don’t flower I".split(),
}
PAIRS = {
    "fr": ["ombre", "sombre", "les fils", "Vénus", "nus", "été", "allé", "mortel", "belle", "blurpé", "", "!", "aimer", "la mer"],
    "es": ["alma", "calma", "viento", "lento", "vaca", "nación", "canto", "el llanto", "blaca", "", "!", "cielo", "anhelo"],
    "en": ["love", "move", "eternity", "free", "read", "bed", "wind", "find", "blorping", "", "!", "sea", "see", "morning"],
}


def printed(renderable: object, *, width: int = 80) -> str:
    out = io.StringIO()
    Console(file=out, width=width, highlight=False, soft_wrap=True).print(renderable)
    return out.getvalue()


def rebuilt(hint: typing.Any, data: typing.Any) -> typing.Any:
    """A dataclass from its JSON, by nothing but its type hints."""
    if dataclasses.is_dataclass(hint):
        hints = typing.get_type_hints(hint)
        return hint(**{name: rebuilt(hints[name], data[name]) for name in hints})
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return data if data is None else rebuilt(next(h for h in typing.get_args(hint) if h is not type(None)), data)
    return tuple(rebuilt(typing.get_args(hint)[0], item) for item in data) if typing.get_origin(hint) is tuple else data


def texts(lang: str) -> st.SearchStrategy[str]:
    """Anything at all, and lines that look like verse."""
    lines = st.lists(st.sampled_from(WORDS[lang]), max_size=12).map(" ".join)
    return st.one_of(st.text(max_size=40), lines, st.text(st.sampled_from("aeioué'’- hlrsnt!\u0301œ"), max_size=30))


# --- laws ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", LANGS)
def test_any_text_is_explained_whole_and_drawn(lang):
    @settings(max_examples=60, deadline=None)
    @given(texts(lang), st.sampled_from([None, 8, 12]))
    def law(line, target):
        told = explain(line, lang, target=target)
        assert "".join(unit.text for unit in told.scansion.units) == line
        scansion = verse(lang).scan(line, target)
        assert all(getattr(scansion, item.name) == getattr(told.scansion, item.name) for item in dataclasses.fields(Scansion))
        spans = [(word.start, word.end) for word in told.words]
        assert all(0 <= start < end <= len(line) for start, end in spans)
        assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans))
        assert 0 <= told.tail[0] <= told.tail[1] <= len(line)
        drawn = printed(LineView(told))
        assert all(char.isprintable() or char == "\n" or char in line for char in drawn)
        assert ("guessed  ? " in drawn) == bool(told.guessed)
        for word in told.words:
            if not word.heard.known:
                assert told.guessed and "? guess" in drawn

    law()


@pytest.mark.parametrize("lang", LANGS)
def test_every_letter_of_a_line_belongs_to_a_word_that_is_heard(lang):
    line = " ".join(word for word in WORDS[lang] if word.isalpha())
    heard = [line[word.start : word.end] for word in explain(line, lang).words]
    assert heard == line.split()


@pytest.mark.parametrize("lang", LANGS)
def test_json_says_all_there_is(lang):
    for line in ("", "!", " ".join(WORDS[lang]), *WORDS[lang]):
        told = explain(line, lang, target=8)
        assert rebuilt(LineExplained, json.loads(json.dumps(dataclasses.asdict(told)))) == told
    for a, b in itertools.combinations(PAIRS[lang], 2):
        pair = explain_rhyme(a, b, lang)
        assert rebuilt(RhymeExplained, json.loads(json.dumps(dataclasses.asdict(pair)))) == pair


@pytest.mark.parametrize("lang", LANGS)
def test_the_explanation_of_a_rhyme_agrees_with_the_rhyme(lang):
    ear = verse(lang)
    for a, b in itertools.product(PAIRS[lang], repeat=2):
        told = explain_rhyme(a, b, lang)
        assert (told.kind, told.full) == (rhyme_kind(a, b, lang), rhymes(a, b, lang))
        assert len(told.pairs) == len(ear.endings(a)) * len(ear.endings(b))
        assert (told.decided is None) == (told.kind is None)
        if told.decided is not None:
            assert told.pairs[told.decided].kind == told.kind
            assert all(pair.kind not in ear.rhyming for pair in told.pairs[: told.decided])
        assert told.why and all(sentence.strip() for sentence in told.why)
        drawn = printed(RhymeView(told))
        assert (told.kind or "no rhyme") in drawn and ("a full rhyme" in drawn) == told.full
        assert ("? guess" in drawn) >= any(not end.known for pair in told.pairs[:1] for end in (pair.a, pair.b))


@pytest.mark.parametrize("lang, word", [("fr", "blurpe"), ("en", "blorpish")])
def test_a_guess_is_marked_wherever_it_is_used(lang, word):
    told = explain(f"la {word}", lang)
    assert word in told.guessed
    drawn = printed(LineView(told))
    assert f"? {word}" in drawn and "? guess" in drawn
    assert "? guess" in printed(RhymeView(explain_rhyme(word, word[1:], lang)))


@pytest.mark.parametrize("lang, line, target", [("es", "Cuando me paro a contemplar mi estado", 12), ("fr", "Hier il est venu", 5)])
def test_words_are_heard_in_the_reading_that_was_asked_for(lang, line, target):
    """mi‿estado or mi estado; hier, one syllable or two in classical verse: the words say which."""
    plain, aimed = explain(line, lang), explain(line, lang, target=target)
    assert aimed.scansion.fits and aimed.scansion.syllables == target != plain.scansion.syllables
    assert aimed.words != plain.words


# --- what a reader sees -------------------------------------------------------------------------


def test_a_french_line_shows_its_count_its_caesura_and_its_elision():
    """Racine, Phèdre I, 1: an alexandrine, and the line all manuals scan with the diérèse of Pasiphaé."""
    told = explain("La fille de Minos et de Pasiphaé", "fr", target=12)
    drawn = printed(LineView(told))
    assert told.scansion.fits and told.scansion.syllables == 12
    assert "Mi·nos ‖ et de" in drawn and "alexandrin" in drawn and "fits" in drawn and "masculine" in drawn


def test_a_spanish_line_shows_its_sinalefas_and_its_accents():
    """Garcilaso, Soneto I: ro‿a and mi‿es are joined, eleven syllables."""
    drawn = printed(LineView(explain("Cuando me paro a contemplar mi estado", "es")))
    rows = drawn.splitlines()
    at = next(i for i, row in enumerate(rows) if "ro‿a" in row)
    assert "mi‿es·ta·do" in rows[at] and rows[at - 1].split() == list("xxx/xxx/x/x")
    assert "11 syllables" in drawn and "-ado" in drawn


def test_an_english_line_shows_its_beats():
    """Shakespeare, Sonnet 12: the pattern line of iambic pentameter."""
    drawn = printed(LineView(explain("When I do count the clock that tells the time", "en")))
    assert "x/x/x/x/x/" in "".join(next(row for row in drawn.splitlines() if row.strip().startswith("x")).split())
    assert "iambic pentameter" in drawn and "10 syllables" in drawn


def test_an_elided_word_keeps_its_consonant():
    """C' is /s/ as in ce, d' is /d/ as in de, qu' is /k/: grammar, not the letter alone."""
    told = explain("C’est d’usage qu’à l’an j’ai quelqu’un", "fr")
    elided = {word.heard.word: word.heard.pronunciations[0].ipa for word in told.words if word.note == "elided"}
    assert elided == {"C’": "s", "d’": "d", "qu’": "k", "l’": "l", "j’": "ʒ", "quelqu’": "kɛlk"}


def test_a_language_of_a_users_own_is_explained_too():
    """Dante, Inferno I, 1 and 3, by the folder of Italian."""
    lang = str(Path(__file__).parents[2] / "experiments" / "languages" / "it")
    told = explain("Nel mezzo del cammin di nostra vita", lang, target=11)
    drawn = printed(LineView(told))
    assert told.scansion.fits and "no·stra vi·ta" in drawn and "endecasillabo" in drawn
    assert explain_rhyme("vita", "smarrita", lang).full


def test_a_variety_changes_the_reasons_and_the_answer():
    assert not explain_rhyme("belle", "mortel", "fr").full and explain_rhyme("belle", "mortel", "fr-modern").full
    assert explain_rhyme("caza", "casa", "es").full and not explain_rhyme("caza", "casa", "es-distincion").full


def test_the_letters_that_rhyme_are_found_in_any_spelling():
    line = "Sous le ciel ENFLAMME\u0301E !"
    told = explain(line, "fr")
    assert line[slice(*told.tail)] == "E\u0301E" and told.endings[0].gender == "f"


def test_a_line_without_a_word_says_so():
    for lang in LANGS:
        for line in ("", "   ", "!?", "😀"):
            told = explain(line, lang)
            assert told.words == () and told.endings == () and told.meter == ""
            assert "no word" in printed(LineView(told))
        assert "no word" in " ".join(explain_rhyme("", "!", lang).why)


def test_control_characters_do_not_reach_the_terminal():
    for lang in LANGS:
        assert "\x1b" not in printed(LineView(explain("a\x1b[31mrosa\x07 b", lang)))


def test_a_long_line_is_wrapped_between_words_and_keeps_marks_over_syllables():
    units = tuple(Syllable(text, i % 2 == 0) for i, text in enumerate(["al", "ma ", "mí", "a "] * 8))
    rows = scansion_rows(Scansion("alma mía " * 8, 32, "+-" * 16, None, units), 20)
    assert len(rows) > 1 and all(below.cell_len <= 20 for _, below in rows)
    assert all(below.plain.startswith(("al·ma", "mí·a")) for _, below in rows)
    for marks, below in rows:
        assert {below.plain[i : i + 2] for i, mark in enumerate(marks.plain) if mark == "/"} in ({"al", "mí"}, {"mí"})


def test_the_caesura_after_an_elided_vowel_stands_between_the_words():
    units = (Syllable("ro"), Syllable("se é", note="elided"), Syllable("clo"), Syllable("se", None, False))
    ((marks, below),) = scansion_rows(Scansion("rose éclose", 3, None, None, units, 1))
    assert below.plain == "ro·se ‖ é·clo·(se)"
    assert [below.plain[marks.plain.index(n)] for n in "123"] == ["r", "é", "c"]


def test_a_narrow_terminal_breaks_no_table():
    for lang in LANGS:
        drawn = printed(LineView(explain(" ".join(WORDS[lang]) * 2, lang)), width=60)
        assert max(map(cell_len, drawn.splitlines()[1:])) <= 60


@pytest.mark.parametrize(
    "phones, nuclei, stress, shown",
    [("alma", (0, 3), 0, "ˈalma"), ("aleɡɾia", (0, 2, 5, 6), 2, "aleˈɡɾia"), ("kantaɾ", (1, 4), 1, "kanˈtaɾ"), ("tes", (1,), 0, "tes")],
)
def test_the_stress_mark_stands_before_the_syllable(phones, nuclei, stress, shown):
    assert ipa(Pronunciation(tuple(phones), nuclei, stress)) == shown


# --- the command --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lang, line",
    [("fr", "Mignonne, allons voir si la rose"), ("es", "Volverán las oscuras golondrinas"), ("en", "Tyger Tyger, burning bright")],
)
def test_the_command_explains_a_line_of_each_language(lang, line, capsys):
    assert cli.main(["explain", line, "--lang", lang]) == 0
    shown = capsys.readouterr().out
    assert line in shown and "decided by" in shown and "\x1b" not in shown


def test_the_command_answers_machines_one_object_a_line(capsys):
    assert cli.main(["explain", "l'ombre\nla nuit", "le jour", "--lang", "fr", "--json"]) == 0
    rows = [json.loads(row) for row in capsys.readouterr().out.splitlines()]
    assert [row["line"] for row in rows] == ["l'ombre", "la nuit", "le jour"]
    assert rebuilt(LineExplained, rows[0]) == explain("l'ombre", "fr")


def test_the_command_reads_lines_from_standard_input(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("Año de nieves\n\naño de bienes\n".encode())))
    assert cli.main(["explain", "-", "--lang", "es", "--json"]) == 0
    assert [json.loads(row)["line"] for row in capsys.readouterr().out.splitlines()] == ["Año de nieves", "año de bienes"]


def test_the_command_explains_every_pair_of_lines(capsys):
    assert cli.main(["explain", "--rhyme", "ombre", "sombre", "jour", "--lang", "fr", "--json"]) == 0
    rows = [json.loads(row) for row in capsys.readouterr().out.splitlines()]
    pairs = [("ombre", "sombre", True), ("ombre", "jour", False), ("sombre", "jour", False)]
    assert [(row["a"], row["b"], row["full"]) for row in rows] == pairs


@pytest.mark.parametrize(
    "argv, said",
    [
        (["--lang", "fr"], "LINES: none given; expected a line of verse"),
        (["--rhyme", "ombre", "--lang", "fr"], "LINES: 1 given; expected two lines or words"),
        (["--rhyme", "a", "b", "--target", "8", "--lang", "fr"], "--target: given with --rhyme"),
        (["a", "--target", "0", "--lang", "fr"], "--target: 0; expected 1 or more"),
        (["a", "--lang", "klingon"], "unknown 'klingon'"),
        (["a"], "--lang is missing"),
    ],
)
def test_bad_input_is_one_clear_line(argv, said, capsys):
    assert cli.main(["explain", *argv]) == 2
    told = capsys.readouterr().err
    assert said in told and told.count("\n") == 1 and told.startswith("rlpoet explain: ")


def test_an_unknown_language_is_an_error_in_python_too():
    with pytest.raises(RlpoetError, match="klingon"):
        explain("a", "klingon")
    with pytest.raises(RlpoetError, match="klingon"):
        explain_rhyme("a", "b", "klingon")


def test_explaining_needs_no_torch():
    import subprocess

    code = "import sys, rlpoet.reporting.explanations, rlpoet.prosody.explain as e; e.explain('rosa', 'es'); print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "False"

"""The rhyme dictionary: what a poet expects is there, what it says is what the ear says, filters hold, and it is read once."""

from __future__ import annotations

import gzip
import json
import random
import subprocess
import sys

import pytest

import rlpoet
from rlpoet.analysis.rhyme_dictionary import KINDS, first_of_each_kind, read_range, words
from rlpoet.analysis.rhyme_dictionary.index import DATA, groups
from rlpoet.cli.main import main
from rlpoet.errors import RlpoetError, UnknownName
from rlpoet.prosody import verse
from rlpoet.prosody.rhyme import rhyme_kind

# written before the dictionary was: the first words that come to mind, or that rhyming dictionaries give
EXPECTED = {
    ("fr", "ombre"): "sombre nombre encombre pénombre concombre dénombre surnombre décombre hombre désencombre",
    ("fr", "amour"): "jour tour retour séjour cour autour sourd lourd four troubadour alentour contour court détour tambour vautour pour",
    (
        "fr",
        "cœur",
    ): "douleur bonheur fleur malheur chaleur peur erreur horreur ardeur langueur vainqueur rigueur moqueur rancœur sœur",
    ("es", "amor"): "dolor flor calor temor ardor rumor color honor valor señor candor rigor favor furor esplendor error clamor olor mejor",
    ("es", "vida"): "herida partida perdida querida florida caída medida salida dormida rendida despedida bebida comida venida atrevida",
    ("en", "night"): "light bright sight might right flight delight white height fight knight tonight write despite bite quite kite spite",
    ("en", "day"): "way say may play stay away gray pray lay ray clay bay today decay delay dismay array obey they sway",
    ("en", "heart"): "part art start apart depart dart smart cart chart impart mart tart hart counterpart upstart",
}


@pytest.mark.parametrize(("lang", "word"), EXPECTED)
def test_what_a_poet_expects_is_there_as_a_full_rhyme(lang, word):
    full = {found.word for found in words(word, lang) if found.full}
    assert set(EXPECTED[lang, word].split()) - full == set()


@pytest.mark.parametrize(
    ("lang", "word", "first"),
    [
        ("fr", "ombre", ["sombre", "nombre"]),
        ("es", "vida", ["herida", "perdida", "querida"]),
        ("en", "night", ["light", "bright", "sight", "right", "might"]),
    ],
)
def test_the_commonest_in_verse_come_first(lang, word, first):
    full = [found.word for found in words(word, lang) if found.full]
    assert set(first) <= set(full[:20])


@pytest.mark.parametrize(("lang", "word"), [("fr", "nuit"), ("fr", "beauté"), ("es", "cielo"), ("en", "love"), ("en", "sonnet")])
def test_every_kind_is_what_the_ear_says(lang, word):
    found = words(word, lang)
    chosen = random.Random(0).sample(found, min(len(found), 150))
    rules = verse(lang)
    for one in chosen:
        assert one.full == (rhyme_kind(word, one.word, lang) in rules.rhyming), one
        kinds = {rules.kind(a, b) for a in rules.endings(word) for b in rules.endings(one.word)}  # of every pair of pronunciations
        assert one.kind == "mosaic" or one.kind in kinds, one
    assert [KINDS[lang].index(one.kind) for one in found] == sorted(KINDS[lang].index(one.kind) for one in found)
    assert len({one.word for one in found}) == len(found)
    assert word not in {one.word for one in found}


@pytest.mark.parametrize("lang", ["fr", "es", "en"])
def test_the_file_agrees_with_the_ear(lang):
    """A change of the sounds asks for `python -m experiments.release.tables.build_rhyme_dictionary`."""
    rules = verse(lang)
    chosen = random.Random(1).sample(groups(lang), 400)
    off = []
    for group in chosen:
        ending, word = group.endings[0]
        if not any(heard.phones == ending.phones and heard.gender == ending.gender for heard in rules.endings(word.word)):
            off.append(word.word)
    assert len(off) <= 8, off  # 2 %
    assert (DATA / f"{lang}.txt.gz").stat().st_size < 1_200_000


def test_words_of_today_rhyme_too():
    listed = {one.word for one in words("amor", "es")}
    first = (
        "color calor dolor valor sector motor actor factor mejor mayor menor peor señor doctor autor director interior exterior superior"
    )
    assert set(first.split()) <= listed and {"inspector", "conductor"} <= listed


def test_filters():
    assert {one.syllables for one in words("ombre", "fr", syllables=2)} == {2}
    assert {one.syllables for one in words("ombre", "fr", syllables=(3, 4))} == {3, 4}
    assert {one.kind for one in words("amor", "es", kinds=["asonante"])} == {"asonante"}
    assert {one.gender for one in words("mer", "fr", gender="f")} == {"f"}
    assert {one.stress for one in words("amor", "es", stress=1)} == {1}
    assert {"noun"} == {one.part for one in words("passion", "fr", part="noun")}
    assert not any(one.name for one in words("ombre", "fr", names=False)) and not any(one.old for one in words("love", "en", old=False))
    assert any(one.old for one in words("amour", "fr"))
    names = [one.word for one in words("Italie", "fr") if one.name]
    assert names and all(name[0].isupper() for name in names)


def test_orders():
    lengths = [one.syllables for one in words("ombre", "fr", kinds=["riche"], sort="syllables")]
    assert lengths == sorted(lengths)
    spelt = [one.word.casefold() for one in words("ombre", "fr", kinds=["riche"], sort="alphabet")]
    assert spelt == sorted(spelt)


def test_a_line_is_heard_by_its_end_and_a_sound_by_itself():
    assert words("Et la forêt est sombre", "fr") == words("sombre", "fr")
    by_sound = {one.word for one in words("/ɔ̃bʁ/", "fr") if one.full}
    assert {"ombre", "sombre", "nombre"} <= by_sound
    assert {"night", "light"} <= {one.word for one in words("/aɪt/", "en") if one.full}
    assert {"amor", "dolor"} <= {one.word for one in words("/oɾ/", "es") if one.full}


def test_mosaic_rhymes_are_phrases_that_the_ear_takes():
    found = [one for one in words("bonnet", "en") if one.kind == "mosaic"]
    assert "on it" in {one.word for one in found}
    for one in found:
        assert one.full and one.stress == 2 and rhyme_kind("a bonnet", f"put {one.word}", "en") in verse("en").rhyming


def test_varieties():
    seseo = {one.word for one in words("caza", "es") if one.full}
    distincion = {one.word for one in words("caza", "es-distincion") if one.full}
    assert "casa" in seseo and "casa" not in distincion and "taza" in distincion
    assert "ombres" in {one.word for one in words("sombre", "fr-modern") if one.full}


def test_first_of_each_kind():
    found = words("ombre", "fr")
    few = first_of_each_kind(found, 3)
    assert len(few) <= 3 * len({one.kind for one in found})
    assert few[:3] == list(found[:3])


@pytest.mark.parametrize("text", ["x", "0", "3-2", "2-", "-1", "2-3-4"])
def test_ranges_that_are_none(text):
    with pytest.raises(RlpoetError, match="fewest and the most"):
        read_range(text)


def test_the_command_says_what_it_found(capsys):
    assert main(["words", "ombre", "--lang", "fr", "--kind", "riche", "-n", "2"]) == 0
    shown = capsys.readouterr().out.split()
    assert shown[:4] == ["riche", "·", "2", "of"] and shown[5:] == ["sombre", "nombre"]
    assert main(["words", "sombre", "--lang", "fr", "--json", "-n", "1", "--kind", "riche"]) == 0
    (row,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert row == {
        "word": "ombre", "kind": "riche", "full": True, "syllables": 1, "stress": 1, "gender": "f", "part": "noun", "rank": row["rank"],
        "name": False, "old": False, "sounds": "ɔ̃bʁ",
    }  # fmt: skip
    assert main(["words", "ombre", "--lang", "fr", "--kind", "riche", "--syllables", "9"]) == 1
    shown = capsys.readouterr()
    assert shown.out == "" and "Nothing in the dictionary of fr" in shown.err
    assert main(["words", "zblorf", "--lang", "fr", "-n", "1"]) in (0, 1)
    assert "is a guess from its spelling" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "lang", "options", "message"),
    [
        ("…", "fr", {}, "nothing in '…' can be sounded"),
        ("", "en", {}, "can be sounded"),
        ("/qqq/", "fr", {}, "no word of 'fr' ends in the sounds /qqq/"),
        ("ombre", "fr", {"kinds": ["perfect"]}, "kind of rhyme"),
        ("amor", "es", {"gender": "f"}, "gender 'f' in es"),
        ("amor", "es", {"part": "nouns"}, "did you mean 'noun'"),
        ("amor", "es", {"sort": "rank"}, "order"),
    ],
)
def test_what_cannot_be_asked(text, lang, options, message):
    with pytest.raises(RlpoetError, match=message):
        words(text, lang, **options)


def test_other_languages_have_no_dictionary(tmp_path):
    with pytest.raises(UnknownName):
        words("amore", "xx")
    with pytest.raises(RlpoetError, match="no rhyme dictionary"):
        words("amore", "experiments/languages/it")


def test_a_warm_answer_reads_no_file(monkeypatch):
    words("amor", "es")

    def opened(*args, **kwargs):
        raise AssertionError("the dictionary was read again")

    monkeypatch.setattr(gzip, "open", opened)
    assert all(words(word, "es", kinds=["consonante"]) for word in ("vida", "cielo", "alma", "noche"))


def test_the_face_and_the_command_need_no_torch():
    assert rlpoet.words("ombre", lang="fr")[0].word == "sombre"
    code = """
import sys
from rlpoet.cli.main import main
assert main(["words", "amor", "--lang", "es", "-n", "5"]) == 0
heavy = {"torch", "transformers", "numpy", "scipy", "numba", "matplotlib"} & set(sys.modules)
assert not heavy, heavy
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "consonante" in done.stdout and "dolor" in done.stdout

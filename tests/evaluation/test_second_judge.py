"""The second judge is rough, but not deaf to what any reader hears."""

from __future__ import annotations

import pytest

from rlpoet.evaluation.second_judge import judged, second_judge
from rlpoet.types import Form

RHYMES = {
    "fr": [
        "haleine promène",
        "terre misère",
        "fête tempête",
        "enfant élan",
        "lame flamme",
        "fidèle étincelle",
        "pitié acier",
        "vin parfum",
        "même extrême",
        "bras trépas",
        "mots repos",
        "bois doigts",
        "jamais secrets",
        "mer hiver",
        "aimer été",
        "songe plongent",
        "prairies gémies",
        "place ramasse",
        "travail bétail",
        "travail muraille",
        "paix lait",
        "ville habile",
        "orgueil œil",
        "beau mot",
        "aile belle",
        "lyre rire",
        "pieds assez",
        "vent enfant",
        "moment amant",
    ],
    "es": ["camino destino", "amor dolor", "nave cabe", "búho dúo", "viuda duda", "L'Amor, —DOLOR"],
    "en": ["light night", "heart part", "o’er more", "ne'er care", "bow go", "read bed", "read need"],
}
APART = {
    "fr": [
        "ombre rose",
        "forêt sacré",
        "jour amer",
        "nuit vent",
        "belle muraille",
        "vent couvrent",
        "vers verrai",
        "mer été",
        "cœur deux",
        "le je",
    ],
    "es": ["camino rosa", "amor flores", "virgen examen", "flores voces", "siguen averigüen", "? ?"],
    "en": ["light heart"],
}


@pytest.mark.parametrize(("lang", "pair"), [(lang, pair) for lang, pairs in RHYMES.items() for pair in pairs])
def test_it_hears_plain_rhymes(lang: str, pair: str) -> None:
    judge = second_judge(lang)
    assert judge is not None and judge.rhyme(*pair.split())


@pytest.mark.parametrize(("lang", "pair"), [(lang, pair) for lang, pairs in APART.items() for pair in pairs])
def test_it_does_not_hear_any_two_words_rhyme(lang: str, pair: str) -> None:
    judge = second_judge(lang)
    assert judge is not None and not judge.rhyme(*pair.split())


@pytest.mark.parametrize(
    "pair",
    [
        "eternity free",
        "memories these",
        "wandering king",
        "unshriven driven",
        "beloved's loved's",
        "lov'd shov'd",
        "here fear",
        "hour power",
        "higher fire",
        "o'er before",
        "where'er fair",
        "heav'n seven",
        "tow'r hour",
    ],
)
def test_the_english_judge_hears_past_the_ways_of_its_dictionary(pair: str) -> None:
    judge = second_judge("en")
    assert judge is not None and judge.rhyme(*pair.split())


# -- length -------------------------------------------------------------------------------------------

# lines of verse that the judge reads one way only, and their syllables
LENGTHS = {
    "fr": [
        ("Souvent, pour s'amuser, les hommes d'équipage", 12),
        ("Prennent des albatros, vastes oiseaux des mers,", 12),
        ("Le navire glissant sur les gouffres amers.", 12),
        ("Vous mourûtes aux bords où vous fûtes laissée", 12),
        ("Riche de mes seuls yeux tranquilles,", 8),
        ("Vers les hommes des grandes villes :", 8),
        ("Maïs Noël naïf", 6),
        ("Les reines ont", 4),
        ("La reine ose", 3),
        ("Les", 1),
        ("La honte", 2),
    ],
    "es": [
        ("Con diez cañones por banda,", 8),
        ("viento en popa, a toda vela,", 8),
        ("no corta el mar, sino vuela", 8),
        ("un velero bergantín.", 8),
        ("Volverán las oscuras golondrinas", 11),
        ("en tu balcón sus nidos a colgar", 11),
        ("Bajo las pálidas luces, el cántico", 11),
        ("cantándomelo", 4),
        ("la hora", 2),
        ("rey y ley", 3),
        ("muy alto", 2),
        ("guerra y paz", 4),
    ],
    "en": [
        ("Shall I compare thee to a summer's day", 10),
        ("Rough winds do shake the darling buds of May", 10),
        ("And summer's lease hath all too short a date", 10),
        ("The curfew tolls the knell of parting day", 10),
        ("The woods are lovely, dark and deep,", 8),
        ("Tyger Tyger burning bright", 7),
        ("unshrivenly", 3),
    ],
}
# those it reads two ways, by a diérèse, a verb's mute -ent or another pronunciation
EITHER = {
    "fr": [
        ("passion", 2, 3),
        ("ils chantent", 2, 3),
        ("Ariane, ma sœur, de quel amour blessée", 11, 12),
        ("Qui suivent, indolents compagnons de voyage,", 11, 12),
    ],
    "en": [("fire", 1, 2), ("Thou art more lovely and more temperate", 9, 10), ("And miles to go before I sleep", 8, 9)],
}


def lines_of(table: dict[str, list]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("lang, line, least, most", [(lang, x[0], x[1], x[-1]) for lang, xs in table.items() for x in xs])


@lines_of(LENGTHS)
def test_a_line_has_the_length_of_its_verse_and_none_of_a_syllable_more_or_less(lang: str, line: str, least: int, most: int) -> None:
    judge = second_judge(lang)
    assert judge is not None and list(judge.lengths(line)) == [least]


@lines_of(EITHER)
def test_a_line_that_may_be_read_two_ways_has_both_lengths_and_no_other(lang: str, line: str, least: int, most: int) -> None:
    judge = second_judge(lang)
    assert judge is not None and list(judge.lengths(line)) == list(range(least, most + 1))


@pytest.mark.parametrize("lang", ["fr", "es", "en"])
def test_lines_a_syllable_short_or_long_do_not_fit(lang: str) -> None:
    judge = second_judge(lang)
    assert judge is not None
    lines, sizes = zip(*LENGTHS[lang], strict=True)
    n = len(lines)
    for off, fits in ((-1, 0), (0, n), (1, 0)):
        asked = Form("lines", lang, "x" * n, tuple((size + off,) for size in sizes))
        assert judged(judge, asked, lines) == (0, fits)


# -- rhyme --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pair", "rhymes"),
    [
        ("calle vaya", False),
        ("halla playa", True),  # yeísmo
        ("casa raza", True),  # seseo
        ("ciudad verdad", True),
        ("canción corazón", True),
        ("cántico romántico", True),
        ("papel cartel", True),
        ("papel Pele", False),
        ("amor amo", False),
    ],
)
def test_the_spanish_judge_hears_letters_that_sound_alike(pair: str, rhymes: bool) -> None:
    judge = second_judge("es")
    a, b = pair.split()
    assert judge is not None and judge.rhyme(a, b) is judge.rhyme(b, a) is rhymes


def test_a_word_does_not_rhyme_with_itself_and_a_poem_of_another_length_has_nothing() -> None:
    judge = second_judge("es")
    assert judge is not None
    asked = Form("couplet", "es", "aa", ((3,), (3,)))
    assert judged(judge, asked, ["camino", "destino"]) == (1, 2)
    assert judged(judge, asked, ["camino", "camino"]) == (0, 2)
    assert judged(judge, asked, ["camino"]) == judged(judge, asked, ["camino", "destino", "vino"]) == (0, 0)

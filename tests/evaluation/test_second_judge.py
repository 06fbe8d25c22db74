"""The second judge is rough, but not deaf to what any reader hears."""

from __future__ import annotations

import pytest

from rlpoet.evaluation.second_judge import second_judge

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
    ],
    "es": ["camino destino", "amor dolor"],
    "en": ["light night", "heart part"],
}
APART = {
    "fr": ["ombre rose", "forêt sacré", "jour amer", "nuit vent", "belle muraille", "vent couvrent", "vers verrai"],
    "es": ["camino rosa", "amor flores"],
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

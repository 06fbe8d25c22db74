"""What an edition prints beside the verse is shown and not heard: directions, speakers, note marks, numbers of lines."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlpoet.phonology.apparatus import heard
from rlpoet.prosody import verse


@pytest.mark.parametrize(
    "line, verse_of_it",
    [
        ("To be, or not to be. [Exit]", "To be, or not to be."),
        ("The play's the thing (aside) wherein I'll catch", "The play's the thing wherein I'll catch"),
        ("I hear (within) a voice", "I hear a voice"),
        ("[Kneels.] My lord, I come", "My lord, I come"),
        ("I love thee.[12] And so", "I love thee. And so"),
        ("Sing, goddess1 the wrath", "Sing, goddess the wrath"),
        ("O rose,¹ thou art sick*", "O rose, thou art sick"),
        ("† The bells were rung", "The bells were rung"),
        ("1. In the beginning", "In the beginning"),
        ("Written in yce of melting vanitie? 130", "Written in yce of melting vanitie?"),
        ("HAMLET: To be, or not to be", "To be, or not to be"),
        ("PHÈDRE. — Je le vis, je rougis", "Je le vis, je rougis"),
        ("Que vois-je ? (à part) je tremble", "Que vois-je ? je tremble"),
        ("Il dit (Elle sort.) adieu", "Il dit adieu"),
        ("Et rose elle a vécu (2)", "Et rose elle a vécu"),
        ("¡Ay mísero de mí! (Aparte.)", "¡Ay mísero de mí!"),
        ("(Sale Rosaura.) Hipogrifo violento", "Hipogrifo violento"),
    ],
)
def test_what_is_printed_beside_the_verse_is_not_heard(line, verse_of_it):
    assert " ".join(heard(line).split()) == verse_of_it
    assert len(heard(line)) == len(line)


@pytest.mark.parametrize(
    "line",
    [
        "(As if a door were shut)",
        "[And] so he went his way",
        "O that [I] were a glove",
        "(Music was in the air)",
        "She said (he laughs) no more",
        "O Lord: hear me",
        "AND SO: THE END",
        "I was born in 1812, in spring",
        "In 1850",
        "the 1st of May",
        "He had 3 cows",
        "J'ai 20 ans",
        "[Exit]",
        "12",
        "",
    ],
)
def test_what_a_poet_put_there_is_heard(line):
    assert heard(line) is line


@pytest.mark.parametrize(
    "lang, line, syllables, last",
    [
        ("en", "I side with (aside) the king", 5, "king"),
        ("en", "To be, or not to be. [Exit Hamlet.]", 6, "be"),
        ("fr", "PHÈDRE. — Je le vis, je rougis (à part)", 6, "rougis"),
        ("fr", "Que vois-je ?2 (bas) je tremble", 5, "tremble"),
        ("es", "¡Ay mísero de mí! (Aparte.)   15", 7, "mí"),
        ("experiments/languages/it", "Nel mezzo del cammin di nostra vita 1", 11, "vita"),
    ],
)
def test_syllables_and_rhyme_are_those_of_the_verse_and_the_line_is_shown_whole(lang, line, syllables, last):
    rules = verse(lang)
    scansion = rules.scan(line)
    assert scansion.syllables == syllables
    assert "".join(unit.text for unit in scansion.units) == line == scansion.line
    assert rules.endings(line)[0].word.lower() == last
    words = [line[word.start : word.end] for word in rules.words(line)]
    assert words[-1] == last and not {"aside", "Exit", "PHÈDRE", "bas", "Aparte", "15"} & set(words)


@given(st.text(alphabet="aB1 .:[](){}*¹—'é", max_size=24))
@settings(max_examples=200, deadline=None)
def test_every_place_of_a_line_stays_and_something_is_always_heard(line):
    silent = heard(line)
    assert len(silent) == len(line)
    assert all(a == b or a == " " for a, b in zip(silent, line, strict=True))
    assert any(map(str.isalpha, silent)) == any(map(str.isalpha, line))

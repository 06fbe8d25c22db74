"""Which poems ``rlpoet score`` sees in a text, and which form each is held to."""

from __future__ import annotations

import pytest

from rlpoet.errors import RlpoetError
from rlpoet.evaluation.score import score_text

COUPLET = "Ici gît dans la nuit sombre\nUn poète sans nul nombre"
HEAD = "# fr {}, temperature 1, top-p 0.95, seed 3\n"


def told(text: str, form: str | None = None) -> list[tuple[str | None, int, int, bool]]:
    """Form, first line's number, number of lines, whether the form was guessed."""
    return [(poem.form, poem.start, len(poem.lines), poem.guessed) for poem in score_text(text, "fr", form)]


def test_a_heading_of_generate_is_no_verse_and_names_the_form_of_its_poem():
    text = HEAD.format("couplet") + COUPLET + "\n\n" + HEAD.format("quatrain-abab") + COUPLET + "\n" + COUPLET
    assert told(text) == [("couplet", 2, 2, False), ("quatrain-abab", 6, 4, False)]
    assert score_text(text, "fr")[0] == score_text("\n" + COUPLET, "fr", "couplet")[0]


def test_the_stanzas_of_a_long_form_are_joined_up_to_the_next_heading():
    sonnet = "\n\n".join(["\n".join([COUPLET] * 2), "\n".join([COUPLET] * 2), COUPLET + "\nombre", COUPLET + "\nombre"])
    text = HEAD.format("sonnet") + sonnet + "\n\n" + HEAD.format("sonnet") + sonnet
    assert [(form, n, guessed) for form, _, n, guessed in told(text)] == [("sonnet", 14, False)] * 2


def test_the_form_that_is_asked_for_wins():
    assert told(HEAD.format("quatrain-abab") + COUPLET, "couplet") == [("couplet", 2, 2, False)]


@pytest.mark.parametrize("heading", ["# Chanson", "# es couplet, seed 1", "# fr no-such-form, seed 1"])
def test_a_heading_that_names_no_form_of_the_language_leaves_it_to_be_guessed(heading: str):
    (poem,) = told(f"{heading}\n{COUPLET}")
    assert poem[1:3] == (2, 2) and poem[0] != "no-such-form"
    assert poem == (told(f"\n{COUPLET}")[0])


def test_headings_alone_are_no_poem():
    with pytest.raises(RlpoetError, match="no line of verse"):
        score_text(HEAD.format("couplet"), "fr")


def test_a_sign_that_is_no_heading_is_verse():
    assert told("#ombre\nsombre")[0][2] == 2

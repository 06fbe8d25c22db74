"""``rlpoet score``: schemes of one's own, and the wrong language."""

from __future__ import annotations

import json
import re

import pytest

from rlpoet.cli.main import main

AABA = (
    "The moving finger writes and having writ\nMoves on nor all thy piety nor wit\n"
    "Shall lure it back to cancel half a line\nNor all thy tears wash out a word of it"
)


@pytest.mark.parametrize(
    "options, found", [((), "aaxa"), (("--scheme", "aaba"), "aaxa"), (("--scheme", "aaba", "--meter", "10|11"), "aaxa")]
)
def test_score_takes_any_scheme_and_holds_no_guess_against_a_poem(tmp_path, capsys, options, found):
    path = tmp_path / "poem.txt"
    path.write_text(AABA, encoding="utf-8")
    assert main(["score", str(path), "--lang", "en", "--json", *options]) == 0
    poem = json.loads(capsys.readouterr().out)
    assert (poem["found"], poem["asked"], poem["scores"]["rhyme"]) == (found, "aaxa", 1.0)
    assert poem["guessed"] == (not options)


@pytest.mark.parametrize(
    "options, message",
    [
        (("--scheme", "aaba", "--form", "rubai"), "--scheme: given with --form"),
        (("--meter", "10"), "--meter: given without --scheme"),
        (("--scheme", "aa/ba"), "a / in them"),
        (("--scheme", "a?ba"), "scheme 'a.ba'; expected letters"),
        (("--scheme", "aaba", "--meter", "ten"), "meters 'ten'; expected syllables"),
    ],
)
def test_score_says_what_is_wrong_with_a_scheme(tmp_path, capsys, options, message):
    path = tmp_path / "poem.txt"
    path.write_text(AABA, encoding="utf-8")
    assert main(["score", str(path), "--lang", "en", *options]) != 0
    assert re.search(message, capsys.readouterr().err)


@pytest.mark.parametrize("verb", ["score", "scan"])
def test_a_wrong_language_is_noticed(tmp_path, capsys, verb):
    path = tmp_path / "poem.txt"
    path.write_text(AABA, encoding="utf-8")
    what = [str(path)] if verb == "score" else AABA.split("\n")
    for lang, told in (("fr", True), ("en", False)):
        assert main([verb, *what, "--lang", lang]) == 0
        assert ("This looks like English, not French: set --lang en." in capsys.readouterr().err) == told

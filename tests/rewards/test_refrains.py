"""Forms that repeat lines, end words or beginnings, as the rewards judge them, and what they leave to poems by people."""

from __future__ import annotations

import pytest

from rewards.alternation import Alternation
from rewards.lexicon import Lexicon
from rewards.repetition import Repetition
from rewards.rhyme import Rhyme
from rewards.testing.contract import check_reward
from rlpoet.types import Prompt

TRIOLET = [
    "When first we met we did not guess",
    "That Love would prove so hard a master;",
    "Of more than common friendliness",
    "When first we met we did not guess.",
    "Who could foretell this sore distress,",
    "This irretrievable disaster",
    "When first we met? We did not guess",
    "That Love would prove so hard a master.",
]
RONDEAU = "aabba aab* aabba*/"
SOUND = {"a": ["blow", "row", "below", "ago", "glow", "foe", "throw", "grow"], "b": ["sky", "fly", "lie", "high", "die"]}


def credit(form: str, lines: list[str], lang: str = "en", reward=None) -> list[float | None]:
    told = (reward or Rhyme()).explain(Prompt(lang, form), "\n".join(lines))
    return [row.score for row in told.lines]


def score(form: str, lines: list[str], lang: str = "en", reward=None) -> float | None:
    return (reward or Rhyme()).score([Prompt(lang, form)], ["\n".join(lines)])[0]


def test_a_triolet_earns_all_and_pays_for_each_line_that_is_not_repeated():
    assert score("triolet", TRIOLET) == 1.0
    assert score("triolet", TRIOLET, reward=Repetition()) == 1.0
    for n in (3, 6, 7):
        lines = [*TRIOLET]
        lines[n] = f"A bird of {n} colours in the tree"
        assert score("triolet", lines) < 1.0 and credit("triolet", lines)[n] == 0.0
        assert score("quatrain-abab*2", TRIOLET) < score("triolet", TRIOLET)


def test_credit_by_line_sums_to_the_score_where_lines_repeat():
    prompt, text = Prompt("en", "triolet"), "\n".join(TRIOLET)
    gains = Rhyme().by_line(prompt, text)
    assert sum(gains) == pytest.approx(1.0) and len(gains) == 8
    assert gains[3] > 0 and gains[6] > 0 and gains[0] == 0  # a refrain earns where it comes back


def test_a_word_that_the_form_does_not_repeat_still_rhymes_with_nothing():
    lines = [*TRIOLET]
    lines[4] = "It is not hard for us to guess"
    assert credit("triolet", lines)[4] == 0.0 and score("triolet", lines) < 1.0


def test_a_rentrement_is_the_beginning_of_the_first_line_and_holds_nothing_up():
    sounds = {letter: iter(words) for letter, words in SOUND.items()}
    lines = ["" if letter == "*" else f"There is a {next(sounds[letter])}" for letter in "aabbaaab*aabba*"]
    lines[8] = lines[14] = "There is"
    assert score(RONDEAU, lines) == 1.0
    lines[8] = lines[14] = "There is a blow"  # the whole line, which rhymes with a
    assert score(RONDEAU, lines) == 1.0
    lines[8] = "There was"
    assert credit(RONDEAU, lines)[8] == 0.0 and score(RONDEAU, lines) == pytest.approx(1 - 1 / 13)


def test_a_sestina_earns_by_its_end_words_alone():
    words = ["river", "stone", "winter", "hand", "open", "light"]
    order, lines = list(range(6)), []
    for n in range(6):
        lines += [f"Verse {'nor' * (n % 2)} of the {words[k]}" for k in order]
        order = [order[k] for k in (5, 0, 4, 1, 3, 2)]
    lines += [f"And then the {words[k]}" for k in (4, 2, 0)]
    assert score("sestina", lines) == 1.0
    lines[10] = "And then the fire"
    assert score("sestina", lines) == pytest.approx(1 - 1 / 33)
    assert score("sestina", lines[:-1]) == 0.0


def test_a_line_repeated_whole_is_a_refrain_in_poems_by_people_only():
    lines = ["The woods are lovely, dark and deep,", "And miles to go before I sleep,", "And miles to go before I sleep."]
    assert score("aaa/8", lines) == 0.0
    assert score("aaa/8", lines, reward=Rhyme(refrains=True)) == 1.0
    lines[2] = "And years to go before I sleep."  # another line on the same word is no refrain
    assert score("aaa/8", lines, reward=Rhyme(refrains=True)) == 0.0


def test_rhymes_of_stanzas_alike_are_kept_apart_within_a_stanza():
    stanza = ["the night", "a day", "the light", "the way"]
    again = ["a knight", "to say", "the fight", "a ray"]  # the same sounds in the next stanza
    assert score("quatrain-abab-8*2", stanza + again) == 1.0
    assert score("abab cdcd/", stanza + again) == 0.0  # a scheme of eight lines says that they differ
    assert score("quatrain-abab-8*2", ["the night", "a light", "the sight", "a knight", *again]) == 0.5


def test_poems_by_people_may_have_names():
    lines = ["Zorvannia fell in the night,", "And Morlindra was lost in the light."]
    assert score("couplet", lines, reward=Lexicon(any_capital=True)) == 1.0 > score("couplet", lines, reward=Lexicon())
    assert score("couplet", ["the zorvant fell in the night", lines[1]], reward=Lexicon(any_capital=True)) == 0.5
    verse = ["le jour de Zorvanie", "la nuit", "la vie de Morlinie", "le bruit"]
    assert score("quatrain-abab", verse, "fr", Alternation(known_only=False)) == 1.0
    unknown = score("quatrain-abab", ["le zorvont", "la rose", "le blont", "la chose"], "fr", Alternation())
    assert unknown == 0.0 < score("quatrain-abab", ["le zorvont", "la rose", "le blont", "la chose"], "fr", Alternation(known_only=False))


@pytest.mark.parametrize("reward", [Rhyme(refrains=True), Lexicon(any_capital=True), Alternation(known_only=False)])
def test_the_contract_holds_with_these_options(reward):
    check_reward(reward)

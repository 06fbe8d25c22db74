"""What says something new scores 1, and no way of saying it again pays."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewards.repetition import Repetition
from rewards.testing.contract import check_reward
from rlpoet import registry
from rlpoet.errors import TableError
from rlpoet.evaluation.score import score_text
from rlpoet.training.config import TrainConfig
from rlpoet.types import Prompt

CURFEW = (  # Gray, "Elegy Written in a Country Churchyard"
    "The curfew tolls the knell of parting day,",
    "The lowing herd wind slowly o'er the lea,",
    "The plowman homeward plods his weary way,",
    "And leaves the world to darkness and to me.",
)
DAWN = (  # Hugo, "Demain, dès l'aube": one phrase of three words comes twice
    "Demain, dès l'aube, à l'heure où blanchit la campagne,",
    "Je partirai. Vois-tu, je sais que tu m'attends.",
    "J'irai par la forêt, j'irai par la montagne.",
    "Je ne puis demeurer loin de toi plus longtemps.",
)
NECIOS = (  # Sor Juana, "Hombres necios que acusáis"
    "Hombres necios que acusáis",
    "a la mujer sin razón,",
    "sin ver que sois la ocasión",
    "de lo mismo que culpáis:",
)
ABAB, FRENCH, REDONDILLA = Prompt("en", "quatrain-abab"), Prompt("fr", "quatrain-abab"), Prompt("es", "redondilla")
PERFECT = [(ABAB, CURFEW), (REDONDILLA, NECIOS)]


def scored(*lines, prompt=ABAB, reward=None):
    return (reward or Repetition()).score([prompt], ["\n".join(lines)])[0]


def test_the_contract_is_kept(tmp_path):
    (tmp_path / "stock.tsv").write_text("% stale\nday\tway\n", encoding="utf-8")
    perfect = [(prompt, "\n".join(lines)) for prompt, lines in PERFECT]
    check_reward(Repetition(), perfect=perfect, examples=[(FRENCH, "\n".join(DAWN)), (ABAB, "\n".join([CURFEW[0]] * 4))])
    check_reward(Repetition(n=2, crowd=1.0, stock=str(tmp_path / "stock.tsv")), examples=perfect)


def test_one_phrase_of_a_line_costs_its_share_of_the_line():
    # j'irai par la forêt j'irai par la montagne: eight words with j'irai as one, six triples, one of them old
    assert scored(*DAWN, prompt=FRENCH) == pytest.approx((3 + 5 / 6) / 4)
    assert [row.reason for row in Repetition().explain(FRENCH, "\n".join(DAWN)).lines] == ["", "", "'jirai par la' again", ""]


@pytest.mark.parametrize(
    "what, lines, most",
    [
        ("one line four times", [CURFEW[0]] * 4, 0.25),
        ("one line in four dresses", [CURFEW[0], CURFEW[0].upper(), f"  « {CURFEW[0]} »", CURFEW[0].replace(" ", "  ") + "!!"], 0.25),
        ("one line with invisible marks", [CURFEW[0], CURFEW[0].replace("e", "e\u200b"), CURFEW[1], "\ufeff" + CURFEW[1]], 0.5),
        ("two lines twice", [*CURFEW[:2], *CURFEW[:2]], 0.5),
        ("one line with another first word", [f"{word} {CURFEW[0]}" for word in ("and", "then", "but", "yet")], 0.25),
        ("the same end words", ["a day", "the night", "one more day", "his deepest night"], 0.5),
        ("one end word four times", ["a day", "no day", "some other day", "every single day"], 0.25),
        ("an end word behind a mark", ["a day", "the night", "one more —day!", "his deepest «night»..."], 0.5),
        ("one word", ["love"] * 4, 0.25),
        ("one word filling every line", ["love love love love love love"] * 4, 0.25),
        ("one word before four others", [f"love love love love love love {end}" for end in ("day", "night", "way", "light")], 0.15),
        ("two words in turn", [f"love me love me love me {end}" for end in ("day", "night", "way", "light")], 0.25),
        ("three words in turn", [f"oh love me oh love me {end}" for end in ("day", "night", "way", "light")], 0.45),
        ("very long lines of one word", ["la " * 2000 + end for end in ("day", "night", "way", "light")], 0.01),
        ("no words", ["?!", "...", "—", "…"], 0.0),
        ("marks for one line", [*CURFEW[:3], "!!!"], 0.75),
        ("nothing", [], 0.0),
        ("a line too few", CURFEW[:3], 0.0),
        ("a line too many", [*CURFEW, "and one more"], 0.0),
        ("one line broken in four", ["The curfew", "tolls", "the knell", "of parting day", "again"], 0.0),
    ],
)
def test_no_repetition_pays(what, lines, most):
    assert scored(*lines) <= most


@pytest.mark.parametrize(
    "lines", [["xqzt brmpf", "vlork snee", "grub tanq", "whopil dree"], ["day", "night", "way", "light"], ["lay", "me", "ray", "sea"]]
)
def test_what_is_no_verse_but_new_earns_no_more_than_verse(lines):
    assert scored(*lines) <= scored(*CURFEW) == 1.0


mutations = st.tuples(st.sampled_from(["line", "end", "word", "phrase", "marks"]), st.integers(0, 3), st.integers(0, 3))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(PERFECT), st.lists(mutations, min_size=1, max_size=4))
def test_repeating_something_of_a_perfect_poem_never_raises_its_score(example, changes):
    prompt, lines = example[0], [line.split() for line in example[1]]
    for what, i, j in changes:
        if what == "line":
            lines[j] = list(lines[i])
        elif what == "end":
            lines[j] = [*lines[j][:-1], lines[i][-1]]
        elif what == "word":
            lines[j] = [*([lines[i][0]] * 5), *lines[j]]
        elif what == "phrase":
            lines[j] = [*lines[i][:3], *lines[j][-2:]]
        else:
            lines[j] = ["—", *lines[j], "!"]
    assert scored(*[" ".join(line) for line in lines], prompt=prompt) <= 1.0 == scored(*example[1], prompt=prompt)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2), st.integers(1, 3))
def test_a_line_said_again_costs_a_quatrain_a_quarter_or_more(first, apart):
    lines = list(CURFEW)
    lines[min(3, first + apart)] = lines[first]
    assert scored(*lines) <= 0.75


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([*CURFEW, "love love love", "love me", "a day"]), min_size=4, max_size=4))
def test_what_a_line_earns_depends_on_nothing_below_it(lines):
    gains = Repetition().by_line(ABAB, "\n".join(lines))
    assert gains[:3] == Repetition().by_line(ABAB, "\n".join([*lines[:3], "something else entirely"]))[:3]


def test_lines_free_of_rhyme_may_end_alike():
    romance = ["la voz", "el mar", "otra voz", "el pan", "mi voz", "el cantar", "tu voz", "la verdad"]
    assert scored(*romance, prompt=Prompt("es", "romance")) == 1.0
    romance[5] = "un mar"
    assert scored(*romance, prompt=Prompt("es", "romance")) == 7 / 8


def test_a_usual_word_may_come_often_and_a_crowding_one_may_not():
    usual = ["the cat and the dog", "the sun on the hill", "the fish in a bog", "the corn by the mill"]
    assert scored(*usual) < 1.0  # seven times "the" in twenty words
    assert scored(*usual, reward=Repetition(crowd=0.5)) == 1.0


def test_a_stock_rhyme_halves_the_line_that_answers(tmp_path):
    path = tmp_path / "stock.tsv"
    path.write_text("% everybody's\nWay\tday\n", encoding="utf-8")
    reward = Repetition(stock=str(path))
    assert scored(*CURFEW, reward=reward) == 0.875
    assert "day / way is a stock rhyme" in reward.explain(ABAB, "\n".join(CURFEW)).lines[2].reason
    path = tmp_path / "bad.tsv"
    path.write_text("day way\n", encoding="utf-8")
    with pytest.raises(TableError, match=r"bad\.tsv:1: 1 columns; expected 2: word, word"):
        Repetition(stock=str(path))


@pytest.mark.parametrize("options, message", [({"n": 1}, "n is 1"), ({"crowd": 0.0}, "crowd is 0.0"), ({"crowd": 1.5}, "crowd is 1.5")])
def test_options_out_of_range_are_told(options, message):
    with pytest.raises(ValueError, match=message):
        Repetition(**options)


def test_it_is_scored_and_explained_but_not_trained_on_unless_asked():
    assert {"copying", "repetition"} <= set(registry.names("rlpoet.rewards"))
    assert not {"copying", "repetition"} & set(TrainConfig().rewards)
    (poem,) = score_text("\n".join(CURFEW), "en", "quatrain-abab")
    assert poem.scores["repetition"] == 1.0 and poem.scores["copying"] is None
    assert not any(reason.startswith(("repetition", "copying")) for own in poem.reasons for reason in own)  # nothing to say, nothing said

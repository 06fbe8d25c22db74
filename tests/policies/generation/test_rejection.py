"""Rejection sampling of `rlpoet generate`: what is accepted, in which order draws are used, and what is told of them."""

from __future__ import annotations

import dataclasses
import itertools
import json
import random
from collections import Counter
from dataclasses import dataclass

import pytest
from tiny_policy import BAUDELAIRE, tiny_policy

from policies.generation import generate as verb
from policies.generation import rejection
from policies.generation.rejection import Draft, FormJudge, candidates, sample_accepted
from rlpoet.analysis.coherence import theme_model
from rlpoet.analysis.lexicon import unknown_words
from rlpoet.cli.main import main
from rlpoet.evaluation.form import poem_facts
from rlpoet.types import Prompt

QUATRAIN = Prompt("fr", "quatrain-abab")
COUPLET = Prompt("es", "couplet")
GOOD = "En tanto que de rosa y azucena\ny en el cielo la luz es más serena"
GOOD_TOO = "Que no me falte nunca el alma mía\nni la dulce esperanza de otro día"
INVENTED = "En tanto que de rosa y azucena\ny en el cielo la lur es más serena"
UNRHYMED = "En tanto que de rosa y azucena\ny en el cielo la luz es siempre clara"
BROKEN = "En tanto que de rosa\ny en el cielo la luz es siempre clara"


def accepts(*texts: str):
    """A judge of fakes."""
    return lambda prompt, text: Draft(prompt, text, 0.0, (), text in texts)


class Numbered:
    """Draws 1, 2, 3 ... as texts, and keeps the sizes of the batches."""

    def __init__(self) -> None:
        self.next, self.batches = itertools.count(1), []

    def __call__(self, n):
        self.batches.append(n)
        return [(QUATRAIN, str(next(self.next))) for _ in range(n)]


# -- in which order draws are used ----------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 3, 64])
def test_each_poem_is_the_first_accepted_draw_whatever_the_batch(monkeypatch, batch):
    monkeypatch.setattr(rejection, "BATCH", batch)
    sampled = sample_accepted(Numbered(), accepts("5", "6", "13"), 3, max_draws=64)
    assert [[draft.text for draft in own] for own in sampled.drafts] == [
        list("12345"),
        ["6"],
        ["7", "8", "9", "10", "11", "12", "13"],
    ]
    assert (sampled.accepted, sampled.draws) == (3, 13)


@pytest.mark.parametrize("batch", [1, 64])
def test_a_poem_is_given_up_at_the_bound_and_the_next_one_begins_anew(monkeypatch, batch):
    monkeypatch.setattr(rejection, "BATCH", batch)
    draw = Numbered()
    sampled = sample_accepted(draw, accepts("6"), 3, max_draws=4)
    assert [len(own) for own in sampled.drafts] == [4, 2, 4]
    assert [own[-1].perfect for own in sampled.drafts] == [False, True, False]
    assert (sampled.accepted, sampled.draws) == (1, 10)


@pytest.mark.parametrize("batch", [1, 64])
def test_the_best_of_several_waits_for_as_many_accepted_draws_but_not_beyond_the_bound(monkeypatch, batch):
    monkeypatch.setattr(rejection, "BATCH", batch)
    sampled = sample_accepted(Numbered(), accepts("2", "3", "5"), 2, max_draws=4, best_of=2)
    assert [[draft.text for draft in own] for own in sampled.drafts] == [["1", "2", "3"], ["4", "5", "6", "7"]]
    assert sampled.accepted == 3


@pytest.mark.parametrize("batch", [1, 64])
def test_after_some_draws_one_accepted_poem_is_enough(monkeypatch, batch):
    monkeypatch.setattr(rejection, "BATCH", batch)
    sampled = sample_accepted(Numbered(), accepts("1", "2", "9", "11", "12", "13"), 3, max_draws=6, best_of=3, settle=4)
    assert [[draft.text for draft in own if draft.perfect] for own in sampled.drafts] == [["1", "2"], ["9"], ["11", "12", "13"]]
    assert [len(own) for own in sampled.drafts] == [4, 5, 4]


def test_no_more_is_drawn_than_the_bound_allows():
    draw = Numbered()
    sample_accepted(draw, accepts(), 2, max_draws=5)
    assert sum(draw.batches) == 10


def test_batches_grow_where_few_are_accepted_and_are_small_where_all_are():
    rare, easy = Numbered(), Numbered()
    sample_accepted(rare, accepts("300"), 1, max_draws=1000)
    assert rare.batches[0] < 10 and max(rare.batches) == rejection.BATCH
    sample_accepted(easy, lambda prompt, text: Draft(prompt, text, 0.0, (), True), 1, max_draws=1000)
    assert len(easy.batches) == 1 and easy.batches[0] < 10


@pytest.mark.parametrize("batch", [1, 64])
def test_what_is_delivered_follows_the_policy_over_what_is_accepted(monkeypatch, batch):
    monkeypatch.setattr(rejection, "BATCH", batch)
    rng = random.Random(0)
    weights = {"a": 0.5, "b": 0.3, "c": 0.15, "d": 0.05}

    def draw(n):
        return [(QUATRAIN, text) for text in rng.choices(list(weights), list(weights.values()), k=n)]

    sampled = sample_accepted(draw, accepts("b", "d"), 7000, max_draws=1000)
    counts = Counter(own[-1].text for own in sampled.drafts)
    assert set(counts) == {"b", "d"}
    assert counts["d"] / 7000 == pytest.approx(0.05 / 0.35, abs=0.013)  # three standard errors
    assert sampled.accepted / sampled.draws == pytest.approx(0.35, abs=0.012)


def test_the_nearest_draws_are_those_with_most_credit_and_fewest_unknown_words():
    far, near, nearest = (
        Draft(QUATRAIN, text, credit, unknown, False)
        for text, credit, unknown in (("far", 1.0, ()), ("near", 1.5, ("x", "y")), ("nearest", 1.5, ("x",)))
    )
    assert [draft.text for draft in candidates([far, near, nearest], 2)] == ["nearest", "near"]
    perfect = Draft(QUATRAIN, "perfect", 0.0, (), True)
    assert candidates([far, perfect, near], 2) == [perfect]


# -- what is accepted -----------------------------------------------------------------------------


def judged(*lines: str, prompt: Prompt = QUATRAIN, **options) -> Draft:
    return FormJudge(**options)(prompt, "\n".join(lines))


def test_a_quatrain_that_keeps_its_form_is_accepted():
    draft = judged(*BAUDELAIRE)
    assert draft.perfect and draft.credit == 2.0 and draft.unknown == ()


@pytest.mark.parametrize(
    "line, lacks",
    [
        ("Le navire glissant sur les gouffres profonds.", "rhyme"),
        ("Le navire glissant sur les amers gouffres des mers.", "the same word again"),
        ("Le navire glissant sur les très grands gouffres amers.", "meter"),
        ("Le navire glissant sur les gouffres ouchmers.", "a last word that is known"),
    ],
)
def test_one_wrong_line_is_enough_to_draw_again(line, lacks):
    draft = judged(*BAUDELAIRE[:3], line)
    assert not draft.perfect, lacks
    assert not judged(*BAUDELAIRE[:3], line, allow_unknown=True).perfect, lacks


def test_an_invented_word_is_enough_to_draw_again_unless_it_is_allowed():
    lines = [BAUDELAIRE[0], "Prennent des albatrins, vastes oiseaux des mers,", *BAUDELAIRE[2:]]
    assert judged(*lines).unknown == ("albatrins",) and not judged(*lines).perfect
    assert judged(*lines, allow_unknown=True).perfect
    assert judged(*lines, given="Des albatrins").perfect


@pytest.mark.parametrize("lines", [BAUDELAIRE[:3], (*BAUDELAIRE, BAUDELAIRE[0]), ()])
def test_a_poem_of_another_number_of_lines_is_not_accepted(lines):
    draft = judged(*lines)
    assert not draft.perfect and draft.credit == 0.0


def test_given_lines_are_not_held_against_the_policy():
    first = "Souvent, pour s'amuser, les très grands hommes d'équipage"
    prompt = Prompt("fr", "quatrain-abab", opening=(first,))
    assert judged(first, *BAUDELAIRE[1:], prompt=prompt, n_given=1).perfect
    assert not judged(first, *BAUDELAIRE[1:], prompt=prompt).perfect
    assert not judged(first, *BAUDELAIRE[1:3], "Le navire glissant sur les gouffres profonds.", prompt=prompt, n_given=1).perfect


def test_a_given_line_that_ends_in_a_name_can_be_rhymed_with():
    first = "Souvent, pour s'amuser, les hommes de Brumpage"
    prompt = Prompt("fr", "quatrain-abab", opening=(first,))
    assert judged(first, *BAUDELAIRE[1:], prompt=prompt, n_given=1).perfect


# -- the verb -------------------------------------------------------------------------------------


@dataclass
class Fake:
    """A policy of another package: its poems are a list, given round and round."""

    poems: tuple[str, ...]
    lang: str = "es"
    authors: tuple[str, ...] = ()
    model: object = None

    def __post_init__(self) -> None:
        self.turn = itertools.cycle(self.poems)

    def sample(self, prompts, n=1, **options):
        texts = tuple(next(self.turn) for _ in prompts for _ in range(n))
        return type("Texts", (), {"texts": texts})


@pytest.fixture
def told(monkeypatch, capsys):
    """Run `generate` on listed poems, the first that keeps its form being enough: its JSON objects and what it wrote on stderr."""

    def run(poems, *argv, choose: bool = False):
        argv = argv if choose or "--best_of" in argv else (*argv, "--best_of", "1")
        monkeypatch.setattr(verb, "open_policy", lambda *args, **options: Fake(tuple(poems)))
        assert main(["generate", "--lang", "es", "--form", "couplet", "--seed", "1", "--json", *argv]) == 0
        captured = capsys.readouterr()
        return [json.loads(row) for row in captured.out.splitlines()], captured.err

    return run


def test_a_poem_is_drawn_until_it_keeps_its_form(told):
    poems, err = told([UNRHYMED, BROKEN, INVENTED, UNRHYMED, GOOD], "-n", "3")
    assert [(poem["text"], poem["perfect"], poem["draws"]) for poem in poems] == [(GOOD, True, 5)] * 3
    assert {poem["acceptance"] for poem in poems} == {0.2}
    assert err == "3 of 15 poems drawn keep their form (20%).\n"


def test_the_best_of_the_draws_is_shown_where_none_keeps_the_form(told):
    (poem,), err = told([BROKEN, UNRHYMED, INVENTED, UNRHYMED], "--max_draws", "4")
    assert (poem["text"], poem["perfect"], poem["draws"], poem["acceptance"]) == (INVENTED, False, 4, 0.0)
    assert err.splitlines() == [
        "0 of 4 poems drawn keep their form (0%).",
        "1 poem does not keep its form: the best of 4 draws. Set --max_draws higher, or choose a shorter form.",
    ]


def test_the_bound_holds_in_long_forms_too(told):
    assert told([BROKEN])[0][0]["draws"] == 64
    assert told([BROKEN], "--form", "soneto")[0][0]["draws"] == 64
    assert told([BROKEN], "--form", "soneto", "--max_draws", "20")[0][0]["draws"] == 20


@pytest.mark.parametrize(("mark", "at"), [('"', 0), ("(", 0), ("«", 0), (")", -1), ("¿", 0)])
def test_a_poem_that_leaves_a_quote_or_bracket_open_is_drawn_again(told, mark, at):
    open_one = mark + GOOD if at == 0 else GOOD + mark
    (poem,), _ = told([open_one, GOOD_TOO])
    assert (poem["text"], poem["draws"]) == (GOOD_TOO, 2)
    quoted = f'"{GOOD}"'
    assert told([quoted])[0][0]["draws"] == 1


def test_what_was_given_open_may_stay_open():
    text = f'"{GOOD}'
    assert not FormJudge()(COUPLET, text).perfect
    prompt = dataclasses.replace(COUPLET, opening=(text.partition("\n")[0],))
    assert FormJudge(n_given=1, given=prompt.opening[0])(prompt, text).perfect


def test_unknown_words_can_be_allowed(told):
    (poem,), _ = told([UNRHYMED, INVENTED, GOOD], "--allow_unknown")
    assert (poem["text"], poem["perfect"], poem["draws"]) == (INVENTED, True, 2)


def test_raw_poems_are_drawn_once_and_nothing_is_told(told):
    poems, err = told([UNRHYMED, GOOD, INVENTED], "-n", "3", "--raw")
    assert [poem["text"] for poem in poems] == [UNRHYMED, GOOD, INVENTED]
    assert [(poem["perfect"], poem["draws"]) for poem in poems] == [(False, 1), (True, 1), (False, 1)]
    assert err == ""


@pytest.mark.parametrize("flag", [("--beams", "4"), ("--temperature", "0")])
def test_poems_that_would_be_the_same_again_are_drawn_once(told, flag):
    (poem,), _ = told([UNRHYMED, GOOD], *flag)
    assert (poem["text"], poem["draws"]) == (UNRHYMED, 1)


def test_the_best_is_chosen_among_those_that_keep_their_form(told):
    poems, err = told([UNRHYMED, GOOD, INVENTED, GOOD_TOO], "--best_of", "2", "--theme", "esperanza", "-n", "2")
    assert [(poem["text"], poem["draws"]) for poem in poems] == [(GOOD_TOO, 4)] * 2
    assert err.startswith("4 of 8 ")
    (poem,), _ = told([UNRHYMED, GOOD, UNRHYMED, UNRHYMED], "--best_of", "2", "--max_draws", "4")
    assert (poem["text"], poem["perfect"], poem["draws"]) == (GOOD, True, 4)  # one was enough
    (poem,), _ = told([UNRHYMED, GOOD, UNRHYMED, GOOD_TOO], "--best_of", "2", "--theme", "clara")
    assert poem["text"] in (GOOD, GOOD_TOO)  # although the theme stands in the one without rhyme


@pytest.mark.parametrize("order", [1, -1])
def test_of_several_short_poems_that_keep_their_form_the_one_whose_lines_fit_together_is_shown(told, order):
    fits = {text: theme_model("es").coherence(text.split("\n")) for text in (GOOD, GOOD_TOO)}
    assert len(set(fits.values())) == 2
    poems, _ = told([UNRHYMED, *(GOOD, GOOD_TOO)[::order]], choose=True)
    assert [(poem["text"], poem["draws"]) for poem in poems] == [(max(fits, key=lambda text: fits[text]), 36)]
    assert told([UNRHYMED, GOOD], "--raw", choose=True)[0][0]["draws"] == 1
    assert told([*[UNRHYMED] * 69, GOOD], "--max_draws", "80", choose=True)[0][0]["draws"] == 70  # after 64 draws one is enough


def test_what_is_shown_is_perfect_by_the_figures_of_evaluate_and_by_the_lexicon(capsys):
    argv = ["generate", "--lang", "es", "--form", "couplet", "-n", "12", "--json", "--seed", "5", "--best_of", "1"]
    assert main(argv) == 0
    first = capsys.readouterr()
    poems = [json.loads(row) for row in first.out.splitlines()]
    assert all(poem["perfect"] and poem_facts(COUPLET, poem["text"]).perfect for poem in poems)
    assert [unknown_words(poem["text"], "es") for poem in poems] == [()] * 12
    drawn = sum(poem["draws"] for poem in poems)
    assert first.err == f"12 of {drawn} poems drawn keep their form ({12 / drawn:.0%}).\n" and drawn > 12
    assert main(argv) == 0
    assert capsys.readouterr().out == first.out  # the same seed writes the same poems


def test_first_words_stand_in_every_poem_and_the_rest_keeps_the_form(capsys):
    assert main(["generate", "--lang", "es", "--form", "couplet", "-p", "Yo no", "-n", "3", "--json", "--seed", "2"]) == 0
    poems = [json.loads(row) for row in capsys.readouterr().out.splitlines()]
    assert all(poem["text"].startswith("Yo no ") and poem["perfect"] for poem in poems)
    assert all(poem_facts(COUPLET, poem["text"]).perfect for poem in poems)


def test_a_stream_says_that_it_shows_single_draws(tmp_path, capsys):
    tiny_policy().save(tmp_path / "p")
    assert main(["generate", "-i", str(tmp_path / "p"), "--form", "couplet", "--stream"]) == 0
    assert capsys.readouterr().err.splitlines() == [
        "--stream: poems are shown as they are drawn (--raw), since a line once shown cannot be drawn again."
    ]


@pytest.mark.parametrize("argv", [("--max_draws", "0"), ("--max_draws", "8", "--raw"), ("--max_draws", "8", "--beams", "4")])
def test_a_bound_that_bounds_nothing_is_refused(capsys, argv):
    assert main(["generate", "--lang", "es", *argv]) == 2
    error = capsys.readouterr().err
    assert "--max_draws: " in error and error.count("\n") == 1

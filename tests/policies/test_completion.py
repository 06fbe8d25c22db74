"""`rlpoet complete`: what is given stays byte for byte, what is written fits by the rules of verse, what cannot be filled is said."""

from __future__ import annotations

import io
import json
import sys

import pytest
import torch
from tiny_policy import tiny_policy

from policies.causal_lm import CausalPolicy
from policies.completion.complete import Wishes, complete
from policies.completion.drafts import Draft
from policies.completion.draws import draw_lines, weigh
from policies.completion.filler import Filler
from policies.completion.gaps import Line, Part, guess, parts_of, read_line, split_rows, with_acrostic
from policies.decoding.sampler import Decoding
from policies.generation.config import GenerateConfig
from policies.generation.generate import gaps_of, with_scheme
from rlpoet.cli.main import main
from rlpoet.errors import RlpoetError
from rlpoet.prosody.forms import form
from rlpoet.prosody.meter import in_meter
from rlpoet.prosody.rhyme import rhymes
from rlpoet.types import Prompt

QUATRAIN = ("Le soir descend sur la campagne sombre", "Et le vent passe au fond de la forêt,", "_", "_ secret")


@pytest.fixture(scope="module")
def policy() -> CausalPolicy:
    return tiny_policy()


def lines_of(*texts: str) -> list[Line]:
    return [read_line(text) for text in texts]


# -- gaps ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "start", "end", "letters"),
    [
        ("_", "", "", ""),
        ("  ___  ", "", "", ""),
        ("_ de la nuit !", "", "de la nuit !", ""),
        ("Sous le pont _", "Sous le pont", "", ""),
        ("Ô _ nuit", "Ô", "nuit", ""),
        ("L_", "", "", "L"),
        ("L_ nuit", "", "nuit", "L"),
    ],
)
def test_marks_of_gaps(text, start, end, letters):
    line = read_line(text)
    assert (line.gap, line.start, line.end, line.letters) == (True, start, end, letters)


@pytest.mark.parametrize("text", ["", "Une ligne", "_mot_", "snake_case", "a_b c", "— Ô nuit"])
def test_other_lines_are_kept(text):
    assert not read_line(text).gap


@pytest.mark.parametrize("text", ["a\r\nb\n\n c \n", "a", "\n\na\rb", "a\u2028b\n", ""])
def test_rows_joined_are_the_text(text):
    assert "".join(split_rows(text)) == text


@pytest.mark.parametrize(
    ("texts", "scheme", "length"),
    [
        (QUATRAIN, "abab", 10),
        (("Le soir descend sur la campagne sombre", "_", "_", "Et sur la mer s'allonge une grande ombre"), "abba", 10),
        (("Sur la mer calme et sombre", "Le jour s'en va", "_", "Il reviendra"), "abab", 6),
        (("Dans la nuit", "Un bruit", "_"), "aaa", None),
    ],
)
def test_the_form_is_that_of_the_given_lines(texts, scheme, length):
    found = guess(lines_of(*texts), [len(texts)], "fr")
    assert found.scheme == scheme
    assert length is None or found.meters[2] == (length,)


def test_given_lines_may_rhyme_as_poets_of_their_time_did():
    lines = ("My heart is full of sorrow and of love,", "And all the day", "_ prove", "_")
    assert guess(lines_of(*lines), [4], "en").scheme == "abab"


def test_lines_of_two_lengths_alternate():
    lac = ("Ô temps, suspends ton vol ! et vous, heures propices,", "Suspendez votre cours !", "_", "Des plus beaux de nos jours !")
    assert guess(lines_of(*lac), [4], "fr").meters == ((12,), (6,), (12,), (6,))


@pytest.mark.parametrize(
    ("given", "capital"),
    [
        (("Le soir descend sur la mer", "Et le vent dort"), True),
        (("« Le soir descend sur la mer", "Écoute, il dort »"), True),
        (("Le soir descend sur la mer", "et le vent dort"), False),
        (("le soir descend sur la mer", "et le vent dort"), False),
        (("Le soir descend sur la mer",), False),  # the first line of a sentence says nothing of the others
    ],
)
def test_a_new_line_begins_with_a_capital_where_all_given_lines_do(policy, given, capital):
    part = Part(tuple(lines_of(*given, "_")), tuple(range(len(given) + 1)), form(f"{'x' * len(given)}x/8", "fr"), True)
    filler = Filler(policy, part, Wishes())
    assert filler._shaped("élan de la nuit", read_line("_")) == ["Élan de la nuit" if capital else "élan de la nuit"]
    assert "Ô nuit" in filler._shaped("élan de la nuit", read_line("Ô _"))  # given words stay as they were typed
    assert "ô nuit" in filler._shaped("élan de la nuit", read_line("ô _"))


@pytest.mark.parametrize(("start", "drawn"), [("Le soir descend sur la mer immense et", False), ("Le soir descend", True)])
def test_nothing_is_drawn_for_first_words_that_are_longer_than_the_line(policy, start, drawn):
    part = Part(tuple(lines_of("Le soir descend sur la mer", f"{start} _")), (0, 1), form("aa/8", "fr"), False)
    filler = Filler(policy, part, Wishes(max_draws=2))
    filler.fill(lambda done: None)
    assert (filler.draws > 0) == drawn


def test_first_words_that_are_longer_than_the_line_are_the_reason_that_is_told(policy):
    (found,) = complete(
        policy, "Le soir descend sur la mer\nLe soir descend sur la mer immense et _", asked="couplet-8", wishes=Wishes(max_draws=2)
    )
    ((line, reason),) = found.unfilled
    assert line == 2 and reason.startswith("8 syllables (its first words have 10)")


def test_long_poems_are_taken_stanza_by_stanza():
    stanza = lines_of("a nuit", "_", "b", "_")
    parts = parts_of([stanza] * 4, "fr")
    assert [part.at for part in parts] == [(0, 1, 2, 3), (4, 5, 6, 7), (8, 9, 10, 11), (12, 13, 14, 15)]
    assert all(part.guessed for part in parts)


def test_acrostics():
    lines = with_acrostic(lines_of("_", "Écoute", "_ nuit"), "L É A")
    assert [line.letters for line in lines] == ["L", "", "A"]
    with pytest.raises(RlpoetError, match="2 letters for 3 lines"):
        with_acrostic(lines_of("_", "_", "_"), "LA")
    with pytest.raises(RlpoetError, match="line 2 begins 'Écoute'"):
        with_acrostic(lines_of("_", "Écoute", "_"), "LAS")


# -- draws -----------------------------------------------------------------------------------------


def test_given_last_words_end_each_draw(policy):
    prompt = Prompt("fr", "quatrain-abab", None, ("Les sanglots longs",))
    # random weights end a line late
    drawn = draw_lines(policy, prompt, ["mers"] * 8, key="ɛʁ+s", decoding=Decoding(max_new_tokens=1000))
    written = [line for line in drawn if line]
    assert written and all(line.split()[-1].startswith("mers") for line in written)  # to which they may add letters


def test_free_draws_are_single_lines(policy):
    drawn = draw_lines(policy, Prompt("fr", "quatrain-abab"), [""] * 8, decoding=Decoding(max_new_tokens=1000))
    assert any(drawn) and not any("\n" in line for line in drawn)


def test_weights_are_log_probabilities_of_the_lines_without_the_mark_after_them(policy):
    prompt = Prompt("fr", "quatrain-abab", None, ("Les sanglots longs",))
    lines = ["Des violons", "De l'automne"]
    weights = weigh(policy, prompt, [[line] for line in lines])
    rollout = policy.write([prompt] * 2, ["\n".join([*prompt.opening, line]) for line in lines])
    log_p = policy.log_prob(rollout).detach()
    wanted = [float(row[chosen & (ids != policy.end)].sum()) for row, chosen, ids in zip(log_p, rollout.chosen, rollout.ids, strict=True)]
    assert weights == pytest.approx(wanted, abs=1e-3)
    assert all(weight < 0 for weight in weights)


# -- what fits -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def filler(policy) -> Filler:
    (part,) = parts_of([lines_of(*QUATRAIN)], "fr")
    return Filler(policy, part, Wishes())


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("Et sur les eaux s'allonge une grande ombre", ""),
        ("Et sur les eaux du lac s'allonge une grande ombre", "length"),
        ("Et sur les eaux s'allonge un grand rocher", "rhyme"),
        ("Et sur les eaux la nuit profonde et sombre", "repeated word"),
        ("Et sur les eaux une ombre, une grande ombre", "repeated word"),
        ("Et sur les eaux s'allonge un très grand zombre", "last word"),
        ("Et sur les zoos s'allonde une grande ombre", "unknown word"),
        ("« Et sur les eaux s'allonge une grande ombre", "mark left open"),
    ],
)
def test_each_fault_of_a_line(filler, text, fault):
    draft = Draft(tuple(None if line.gap else line.text for line in filler.part.lines))
    assert filler.fault(draft, 2, text, filler.part.lines[2]) == fault


UNCUT = "Dans les interminables belles nuits"  # ten syllables, and no word ends at 4, 5 or 6
CUT = ["Et sur les eaux s'allonge une grande ombre", "Et sur la mer s'en va la nuit dans l'ombre"]


@pytest.mark.parametrize(
    ("given", "first"),
    [
        (QUATRAIN[:2], CUT[0]),
        ((UNCUT, "Par les interminables belles nuits"), "Dans les interminables grandes eaux"),  # the poem does without
    ],
)
def test_lines_with_their_caesura_come_first_unless_the_poem_does_without(policy, monkeypatch, given, first):
    part = Part(tuple(lines_of(*given, "_")), (0, 1, 2), form("xxx/10", "fr"), False)
    filler = Filler(policy, part, Wishes(n=3))
    found = ["Dans les interminables grandes eaux", *CUT]
    monkeypatch.setattr(filler, "_candidates", lambda draft, n: found)
    monkeypatch.setattr("policies.completion.filler.weigh", lambda policy, prompt, lines: [-1.0, -20.0, -30.0])
    monkeypatch.setattr("policies.completion.filler.coherence", lambda lines, lang: None)
    drafts = filler.fill(lambda done: None)
    assert drafts[0].lines[2] == first and len(drafts) == 3
    assert [draft.n_uncut for draft in drafts] == ([0, 0, 1] if first in CUT else [0, 0, 0])


def test_draws_go_on_until_a_line_has_its_caesura(policy, monkeypatch):
    part = Part(tuple(lines_of(*QUATRAIN[:2], "_")), (0, 1, 2), form("xxx/10", "fr"), False)
    filler = Filler(policy, part, Wishes(n=1))
    batches = iter([[f"{UNCUT} {k}" for k in range(32)], [CUT[0]] * 32])
    monkeypatch.setattr("policies.completion.filler.draw_lines", lambda *args, **options: next(batches))
    monkeypatch.setattr(filler, "fault", lambda draft, n, text, line: "")
    monkeypatch.setattr(filler, "_is_uncut", lambda n, text: text.startswith(UNCUT))
    draft = Draft(tuple(None if line.gap else line.text for line in part.lines))
    assert CUT[0] in filler._candidates(draft, 2) and filler.draws == 64


def test_what_cannot_be_filled_is_said_and_the_rest_is_kept_byte_for_byte(policy):
    text = "  Les sanglots longs \r\nDes violons\r\n\t_\r\n_ nuit"  # a policy of random weights never keeps a form
    (found,) = complete(policy, text, wishes=Wishes(max_draws=4))
    assert found.text == text and found.filled == () and [line for line, _ in found.unfilled] == [3, 4]
    assert found.draws <= 8


def test_refrains_are_copied(policy):
    text = "Les sanglots longs des violons\n_ nuit\n_ saisons\n_\n_ raisons\n_ bruit\n_\n_"
    (found,) = complete(policy, text, asked="triolet", wishes=Wishes(max_draws=2))
    assert dict(found.filled)[4] == dict(found.filled)[7] == "Les sanglots longs des violons"


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("Les sanglots longs\n", {}, "no gap"),
        ("_\n_\n_", {"asked": "couplet"}, "3 lines given; expected 2"),
        ("_ nuit\n_ jour", {"asked": "couplet"}, "lines 1 and 2 do not rhyme"),
        ("_", {"acrostic": "LA"}, "2 letters for 1 lines"),
    ],
)
def test_what_cannot_be_asked(policy, text, options, message):
    with pytest.raises(RlpoetError, match=message):
        complete(policy, text, wishes=Wishes(max_draws=1), **options)


# -- generate goes the same way --------------------------------------------------------------------


def test_generate_with_last_words_is_a_poem_of_gaps():
    config = with_scheme(GenerateConfig(lang="es", scheme="abba ab", meter="8", end_words=("mar", "vida", "_", "_", "_", "_"), n=2))
    wanted, text = gaps_of(config)
    assert text == "_ mar\n_ vida\n_\n_\n\n_\n_" and (wanted.form, wanted.n, wanted.lang) == ("abba ab/8", 2, "es")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"end_words": ("nuit",)}, "1 for the 4 lines"),
        ({"acrostic": "LAURE", "theme": "mer"}, "--theme: given with"),
        ({"end_words": ("a", "b", "c", "d"), "stream": True}, "--stream: given with"),
        ({"acrostic": "LAUR", "best_of_line": 4}, "--best_of_line: given with"),
        ({"acrostic": "LAUR", "top_k": 5}, "--top_k: given with"),
        ({"acrostic": "LAUR", "best_of": 2}, "--best_of: given with"),
        ({"acrostic": "LAUR", "chat": True}, "--chat: given with"),
    ],
)
def test_what_generate_cannot_be_asked(options, message):
    with pytest.raises(RlpoetError, match=message):
        gaps_of(GenerateConfig(lang="fr", **options))
    with pytest.raises(RlpoetError, match="expected both"):
        with_scheme(GenerateConfig(scheme="abba"))


# -- with a policy that can write -----------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lang", "text", "options"),
    [
        ("fr", "_ nuit\n_ ombre\n_ bruit\n_ sombre\n", ["--form", "quatrain-abab"]),
        (
            "es",
            "Cuando me paro a contemplar mi estado\ny a ver los pasos por do me ha traído,\n_\n_\n",
            ["--scheme", "abba", "--meter", "11"],
        ),
        ("en", "Shall I compare thee to a summer's day?\nThou art more lovely and more temperate:\n_\n_\n", ["--meter", "10"]),
    ],
)
def test_every_line_that_is_delivered_fits(monkeypatch, capsys, lang, text, options):
    torch.set_num_threads(1)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    code = main(["complete", "-", "--lang", lang, "--json", "--seed", "1", *options])
    (found,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert code == bool(found["unfilled"])
    asked = form(found["forms"][0], lang)
    lines, given = found["text"].splitlines(), text.splitlines()
    assert found["filled"]
    for number, line in found["filled"].items():
        n = int(number) - 1
        assert lines[n] == line and in_meter(line, lang, asked.meters[n])
        mates = [m for m, letter in enumerate(asked.letters) if letter == asked.letters[n] != "x" and m != n and "_" not in lines[m]]
        assert all(rhymes(lines[m], line, lang) for m in mates)
        assert line.endswith(given[n].removeprefix("_").strip())
    assert [line for line, was in zip(lines, given, strict=True) if "_" not in was] == [was for was in given if "_" not in was]

"""Poets by their sound: smoothed n-grams, features of phones, models that tell poets apart, and the reward that listens."""

from __future__ import annotations

import dataclasses
import io
import json
import math
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from rewards.style import Style
from rewards.testing.contract import check_reward
from rlpoet.analysis.authorship.attribution import attributions
from rlpoet.analysis.authorship.build import build_style
from rlpoet.analysis.authorship.features import KINDS, feature_label, features, inventory
from rlpoet.analysis.authorship.groups import choose_poets, split_groups
from rlpoet.analysis.authorship.model import AVERAGE, SHIPPED, StyleModel, line_sounds, shipped, style_model
from rlpoet.analysis.authorship.ngrams import PhoneNgrams
from rlpoet.analysis.authorship.sound import line_sound
from rlpoet.cli.main import main
from rlpoet.corpus.poem import Poem
from rlpoet.corpus.read import write_poems
from rlpoet.errors import RlpoetError, UnknownName
from rlpoet.reporting.attributions import attribution_table
from rlpoet.types import Prompt

HUGO = """Demain, dès l'aube, à l'heure où blanchit la campagne,
Je partirai. Vois-tu, je sais que tu m'attends.
J'irai par la forêt, j'irai par la montagne.
Je ne puis demeurer loin de toi plus longtemps.
"""
GONGORA = """Mientras por competir con tu cabello
oro bruñido al sol relumbra en vano,
mientras con menosprecio en medio el llano
mira tu blanca frente el lilio bello,
"""
BYRON = """She walks in beauty, like the night
Of cloudless climes and starry skies;
And all that's best of dark and bright
Meet in her aspect and her eyes;
"""
GIBBERISH = """Zgrapt vlokur nbestri gwoxil prand,
Qwertz hjamnuk brolft dvagnizz uzkrot,
Xplindor vrakzet mnoghul tsprand,
Kwazz ibbrygt flemspok jvrunotz vrot.
"""
SEA = "les vagues vertes versent leurs voiles aux rives vives du vent levant".split()
NIGHT = "ombre sombre tombe lente et monte longue au fond du monde profond".split()
DAY = "clair matin rit petit lys fin sur le lin de satin jardin".split()


def verses(words: list[str], author: str | None, n: int) -> list[Poem]:
    rng = random.Random(str(author))
    return [Poem((tuple(" ".join(rng.choices(words, k=5)) for _ in range(16)),), author=author) for _ in range(n)]


@pytest.fixture(scope="module")
def poems() -> list[Poem]:
    return verses(SEA, "Anne Mer", 55) + verses(NIGHT, "Paul Nuit", 55) + verses(DAY, None, 55)


@pytest.fixture(scope="module")
def built(poems):
    return build_style(poems, "fr")


ROWS = st.lists(st.lists(st.sampled_from("abcd"), min_size=1, max_size=6), min_size=1, max_size=8)


@given(ROWS, st.integers(1, 4), st.lists(st.sampled_from("abcde")))
@settings(max_examples=50, deadline=None)
def test_smoothed_probabilities_sum_to_one_after_any_history(rows, order, history):
    model = PhoneNgrams.of(rows, order=order)
    total = sum(model.p(phone, history) for phone in model.inventory) + model.p("never heard", history)
    assert math.isclose(total, 1.0, abs_tol=1e-9)


def test_leaving_out_rare_ngrams_keeps_probabilities_proper():
    rows = [list("abracadabra"), list("abacus"), list("scuba")]
    model = PhoneNgrams.of(rows, order=4, fewest=2)
    assert math.isclose(sum(model.p(phone, list("abr")) for phone in model.inventory) + model.p("z", list("abr")), 1.0, abs_tol=1e-9)
    assert len(model.counts) < len(PhoneNgrams.of(rows, order=4).counts)


def test_what_was_heard_before_is_likelier():
    model = PhoneNgrams.of([list("abab")], order=2)
    assert model.p("b", ["a"]) > model.p("a", ["a"]) > model.p("z", ["a"]) > 0


def test_sound_knows_no_spelling():
    assert line_sound("Le SANG…", "fr") == line_sound("« le cent » ...", "fr")
    assert line_sound("Le SANG…", "fr").words == line_sound("« le cent »", "fr").words
    assert line_sound("VACA, vieja!", "es").words == line_sound("baca bieja", "es").words
    assert line_sound("the knight", "en").words == line_sound("The night;", "en").words


def test_pauses_are_heard_once_between_two_words_however_they_are_pointed():
    assert line_sound("Quoi !... toi, mon (fils) ?", "fr").pauses == ("", "!", ",", "", "?")
    assert line_sound("— ¡Ay, luna: luna!!!", "es").pauses == ("—", ",", ";", "!")
    assert set(line_sound("one well-known day", "en").pauses) == {""}
    assert line_sound("", "en").pauses == ("",)


def test_pauses_are_features_with_the_sounds_around_them_the_words_between_and_their_tune():
    found = told_of(["ah, luna;", "luna sola"], "es")
    assert {"pause /,/", "pause /a,/", "pause /a,l/", "pause /na;/", "pause /a;|/"} <= set(found)
    assert {"breath /,/ 1", "breath /,/ 1 /;/ 1", "breath /|/ 2", "tune /,;|/", "tune /,;||/"} <= set(found)
    assert not [name for name in told_of(["ah luna"], "es") if name.startswith("pause")]


def test_liaison_is_heard_and_an_elided_vowel_is_not():
    assert "".join(line_sound("les amis", "fr").words[1]) == "zami"
    assert "".join(line_sound("l'ombre obscure", "fr").words[0]) == "lɔ̃bʁ"


def told_of(lines, lang, **options):
    sounds = [line_sound(line, lang) for line in lines]
    phones = inventory(sounds)
    return [feature_label(number, phones) for number in features(sounds, phones, **options)[0].tolist()]


def test_figures_of_sound_are_features():
    found = told_of(["peter piper picked"], "en")
    assert found.count("alliteration /p/") == 3  # neighbours, and the two around one
    assert any(name.startswith("word /p") for name in found)
    assert all(name.split(" ")[0] in KINDS for name in found)


def test_rhymes_are_heard_with_their_distance_and_richness_within_a_group_only():
    lines = ["la pierre", "la tour", "amour", "la matière"]
    found = told_of(lines, "fr")
    assert {"rhyme 1-2", "rhyme 3-3", "richness 3-1", "scheme 0-0-1-3"} <= set(found)
    apart = told_of(lines, "fr", sizes=[2, 2])
    assert not [name for name in apart if name.startswith("rhyme")]
    assert [name for name in apart if not name.startswith(("scheme", "lengths", "tune"))] == [
        name for name in found if not name.startswith(("rhyme", "richness", "scheme", "lengths", "tune"))
    ]


def test_a_poem_is_on_one_side_only(poems):
    groups = split_groups(poems, choose_poets(poems), most={"train": 999, "calibrate": 999, "judge": 999})
    of_poem = {line: number for number, poem in enumerate(poems) for line in poem.lines}
    sides = {}
    for (side, _), own in groups.items():
        for group in own:
            assert sides.setdefault(of_poem[group[0]], side) == side
    assert {side for side, _ in groups} == {"train", "calibrate", "judge"}


def test_a_line_that_trains_never_judges(poems):
    groups = split_groups([*poems, *poems], choose_poets(poems), most={"train": 999, "calibrate": 999, "judge": 999})
    trained = {line for (side, _), own in groups.items() if side == "train" for group in own for line in group}
    assert not [line for (side, _), own in groups.items() if side == "judge" for group in own for line in group if line in trained]


def test_poets_are_those_with_most_lines_and_enough_poems(poems):
    assert set(choose_poets(poems)) == {"Anne Mer", "Paul Nuit"}
    with pytest.raises(UnknownName, match="Victor Hugo"):
        choose_poets(poems, ["Victor Hugo"])
    with pytest.raises(RlpoetError, match="50 poems"):
        choose_poets(poems[:60])


def test_poets_that_sound_apart_are_told_apart(built):
    assert built.accuracy[8] == 1.0
    assert built.own[4] > 0.95
    assert built.others[4] < 0.1
    assert built.model.voices == (*built.model.poets, AVERAGE)


def test_whose_the_lines_are_sums_to_one_and_no_sound_is_nobodys(built):
    lines = line_sounds(["les vagues vertes", "ombre sombre tombe", "clair matin rit"], "fr")
    assert math.isclose(built.model.probabilities(lines).sum(), 1.0)
    assert np.allclose(built.model.probabilities([]), 1 / 3)


def test_what_is_told_for_a_poet_is_what_decided(built):
    lines = line_sounds(["les vagues vertes versent"], "fr")
    gains = built.model.telling(lines, built.model.number("Anne Mer"))
    spread = built.model.margins(lines) - built.model.bias
    assert math.isclose(sum(gain for _, gain in gains), spread[built.model.number("Anne Mer")] - spread.mean(), abs_tol=1e-9)


def test_a_saved_model_comes_back(built, tmp_path):
    built.model.save(tmp_path / "style.npz")
    again = StyleModel.load(tmp_path / "style.npz")
    lines = line_sounds(HUGO.splitlines(), "fr")
    assert again.voices == built.model.voices
    assert np.allclose(again.probabilities(lines), built.model.probabilities(lines), atol=0.05)
    assert again.verselike(lines[0]) == built.model.verselike(lines[0])
    again.save(tmp_path / "twice.npz")
    assert (tmp_path / "twice.npz").stat().st_size == (tmp_path / "style.npz").stat().st_size


def test_a_file_that_is_no_model_is_refused(tmp_path):
    (tmp_path / "style.npz").write_text("no", encoding="utf-8")
    np.savez(tmp_path / "other.npz", a=1)
    for name in ("style.npz", "other.npz", "missing.npz"):
        with pytest.raises(RlpoetError, match="rlpoet style build"):
            StyleModel.load(tmp_path / name)


@pytest.mark.parametrize("lang", ["fr", "es", "en"])
def test_ten_poets_a_language_ship_with_their_card(lang):
    model = style_model(lang)
    assert model is not None
    assert len(model.poets) >= 10
    assert (SHIPPED / lang / "style.npz").stat().st_size < 1_500_000
    card = (SHIPPED / lang / "README.md").read_text(encoding="utf-8")
    assert all(poet in card for poet in model.poets)


PROMPTS = {
    "fr": ("quatrain-abab", HUGO, "Victor Hugo"),
    "es": ("quatrain-abab", GONGORA, "Lope de Vega"),
    "en": ("quatrain-abab", BYRON, "Lord Byron"),
}
OPTIONS = [{}, {"author": "hugo"}, {"blend": "hugo:0.6,verlaine:0.4"}, {"author": "byron", "away": 0.3}, {"away": 1.0}]


@pytest.mark.parametrize("options", OPTIONS)
def test_the_reward_keeps_its_contract(options):
    check_reward(Style(**options), examples=[(Prompt("fr", "couplet", "Paul Verlaine"), "\n".join(HUGO.splitlines()[:2]))])


def test_the_reward_abstains_where_no_poet_is_known():
    prompts = [Prompt("fr", "couplet"), Prompt("fr", "couplet", "Nobody At All"), Prompt("es", "redondilla", "Victor Hugo")]
    assert Style().score(prompts, ["a\nb", "a\nb", "a"]) == [None, None, None]
    assert Style(author="hugo").score([Prompt("en", "couplet", "Lord Byron")], ["a\nb"]) == [None]
    assert Style(away=0.5).score([Prompt("fr", "couplet")], ["a\nb"])[0] is not None
    folder = Path(__file__).parents[2] / "experiments" / "languages" / "it"
    assert Style(away=0.5).score([Prompt(str(folder), "terza-rima")], ["a"]) == [None]


@pytest.mark.parametrize("lang", ["fr", "es", "en"])
def test_gibberish_sounds_like_nobody(lang):
    form, verse, author = PROMPTS[lang]
    prompt = Prompt(lang, form, author)
    own, noise = Style().score([prompt] * 2, [verse, GIBBERISH])
    assert noise < 0.02 <= own
    assert Style(away=1.0).score([Prompt(lang, form)], [GIBBERISH])[0] < 0.05


@pytest.mark.parametrize("lang, other", [("fr", BYRON), ("fr", GONGORA), ("en", GONGORA), ("en", HUGO), ("es", BYRON), ("es", HUGO)])
def test_verse_of_another_language_earns_little(lang, other):
    form, verse, _ = PROMPTS[lang]
    away = Style(away=1.0)
    foreign, native = away.score([Prompt(lang, form)] * 2, [other, verse])
    assert foreign < 0.35 < native


def test_a_famous_stanza_is_given_to_its_poet():
    hugo, lamartine, nobody = (
        Style(author=name).score([Prompt("fr", "quatrain-abab")], [HUGO])[0] for name in ("hugo", "lamartine", "leconte de lisle")
    )
    assert hugo > max(lamartine, nobody)


def test_a_blend_wants_both_and_weights_matter(built, tmp_path):
    built.model.save(tmp_path / "style.npz")
    file = str(tmp_path / "style.npz")
    prompt = Prompt("fr", "couplet")
    sea, night = "les vagues vertes versent leurs voiles", "ombre sombre tombe lente et monte"
    pure, mixed = f"{sea}\naux rives vives du vent levant", f"{sea}\n{night}"
    even = Style(blend="mer:1,nuit:1", model=file).score([prompt] * 2, [pure, mixed])
    assert 0.4 < even[0] < 0.6 < even[1]
    heavy = Style(blend="mer:0.9,nuit:0.1", model=file).score([prompt], [pure])[0]
    assert heavy > even[0]
    fused = Style(model=file).score([Prompt("fr", "couplet", "Anne Mer:0.5+Paul Nuit:0.5")] * 2, [pure, mixed])
    assert fused == pytest.approx(even)


def test_a_reason_names_the_voice_and_sounds():
    told_why = Style(author="hugo").explain(Prompt("fr", "quatrain-abab"), HUGO)
    assert told_why.score == Style(author="hugo").score([Prompt("fr", "quatrain-abab")], [HUGO])[0]
    assert any("Victor Hugo" in row.reason and "/" in row.reason for row in told_why.lines)
    noise = Style(author="hugo").explain(Prompt("fr", "quatrain-abab"), GIBBERISH)
    assert all("no verse" in row.reason for row in noise.lines if row.score == 0.0)


@pytest.mark.parametrize(
    "options, match",
    [
        ({"author": "hugo", "blend": "hugo,verlaine"}, "one of the two"),
        ({"author": "nobody"}, "unknown 'nobody'"),
        ({"model": "missing.npz"}, "missing.npz"),
    ],
)
def test_wrong_options_are_refused(options, match):
    with pytest.raises(RlpoetError, match=match):
        Style(**options)
    with pytest.raises(ValueError, match="away is 2"):
        Style(away=2)


def test_the_command_builds_lists_and_scores(poems, tmp_path, capsys):
    write_poems(tmp_path / "poems.jsonl", poems)
    (tmp_path / "poem.txt").write_text("les vagues vertes versent\nleurs voiles aux rives vives\n", encoding="utf-8")
    data, out = str(tmp_path / "poems.jsonl"), tmp_path / "mine"
    assert main(["style", "build", "--lang", "fr", "--data", data, "--output_dir", str(out)]) == 0
    assert "rlpoet style build --lang fr --data poems.jsonl" in (out / "README.md").read_text(encoding="utf-8")
    model = str(out / "style.npz")
    assert main(["style", "poets", "--lang", "fr", "--model", model]) == 0
    assert main(["style", "score", str(tmp_path / "poem.txt"), "--lang", "fr", "--model", model, "--json"]) == 0
    *_, row = capsys.readouterr().out.splitlines()
    assert next(iter(json.loads(row)["voices"])) == "Anne Mer"
    assert main(["style", "score", str(tmp_path / "poem.txt"), "--lang", "fr"]) == 0
    assert main(["style", "build", "--lang", "fr"]) == 2


def test_each_poem_has_its_voices_the_likeliest_first_and_is_shown_as_it_is_written():
    model = style_model("fr")
    (found,) = attributions([HUGO.splitlines()], "fr", model)
    assert found.lines[0].startswith("Demain") and 0 <= found.verselike <= 1
    odds = [voice.probability for voice in found.voices]
    assert odds == sorted(odds, reverse=True) and sum(odds) == pytest.approx(1) and len(odds) == len(model.voices)
    assert {voice.name for voice in found.voices} == set(model.voices) and len(found.voices[0].signs) <= 5
    console = Console(file=io.StringIO(), width=200)
    console.print(attribution_table(dataclasses.replace(found, lines=("[b] dans [/] la nuit",))))
    shown = console.file.getvalue()
    assert "[b] dans [/] la nuit ... (1 lines" in shown and found.voices[4].name in shown and found.voices[5].name not in shown


def test_three_languages_ship():
    assert shipped() == ("en", "es", "fr")

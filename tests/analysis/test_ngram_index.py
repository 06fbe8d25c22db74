"""The index misses no copy and invents none, whatever is done to case, marks and line breaks; the reward pays for it as it says."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewards.copying import Copying
from rewards.testing.contract import check_reward
from rlpoet.analysis.ngram_index import FORMAT, NgramIndex, words_of
from rlpoet.corpus import Poem
from rlpoet.errors import RlpoetError
from rlpoet.evaluation.score import score_text
from rlpoet.types import Prompt

LAKE = (  # Lamartine, "Le Lac"
    "Ô temps ! suspends ton vol, et vous, heures propices !",
    "Suspendez votre cours :",
    "Laissez-nous savourer les rapides délices",
    "Des plus beaux de nos jours !",
)
DAWN = (  # Hugo, "Demain, dès l'aube"
    "Demain, dès l'aube, à l'heure où blanchit la campagne,",
    "Je partirai. Vois-tu, je sais que tu m'attends.",
    "J'irai par la forêt, j'irai par la montagne.",
    "Je ne puis demeurer loin de toi plus longtemps.",
)
OWN = (
    "Le vieux facteur chantait sous la lampe du quai,",
    "Une rame oubliée attendait la marée,",
    "Personne ne savait pourquoi le vent manquait,",
    "Et la barque dormait, de sel toute parée.",
)
ABAB = Prompt("fr", "quatrain-abab")
INDEX = NgramIndex.build([Poem((LAKE,)), Poem((DAWN,))])


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("index") / "corpus.npz"
    INDEX.save(path)
    return str(path)


@pytest.fixture(scope="module")
def reward(saved):
    return Copying(index=saved)


def scored(reward, *lines, prompt=ABAB):
    return reward.score([prompt], ["\n".join(lines)])[0]


# --- the index -------------------------------------------------------------------------------


def naive(poems, lines, n):
    """Longest run by looking every window up in a set of tuples."""
    known = set()
    for poem in poems:
        words = [word for line in poem.lines for word in words_of(line)]
        known |= {tuple(words[i : i + n]) for i in range(len(words) - n + 1)}
    words = [word for line in lines for word in words_of(line)]
    longest = run = 0
    for i in range(len(words) - n + 1):
        run = run + 1 if tuple(words[i : i + n]) in known else 0
        longest = max(longest, run)
    return longest + n - 1 if longest else 0


poem_lines = st.lists(st.lists(st.sampled_from("abc"), max_size=7).map(" ".join), min_size=1, max_size=5)


@settings(max_examples=150, deadline=None)
@given(st.lists(poem_lines, max_size=4), poem_lines, st.integers(2, 5))
def test_the_longest_run_is_that_of_a_search_by_hand(corpus, lines, n):
    poems = [Poem((tuple(own),)) for own in corpus]
    assert NgramIndex.build(poems, n=n).copied(lines).longest == naive(poems, lines, n)


@settings(max_examples=100, deadline=None)
@given(st.lists(poem_lines, min_size=1, max_size=4))
def test_texts_looked_up_together_are_answered_as_one_by_one(texts):
    index = NgramIndex.build([Poem((tuple(texts[0]),))], n=3)
    assert index.copied_all(texts) == [index.copied(text) for text in texts]


@pytest.mark.parametrize(
    "how, text",
    [
        ("as it is", "\n".join(DAWN)),
        ("upper case", "\n".join(DAWN).upper()),
        ("no punctuation", "\n".join(" ".join(words_of(line)) for line in DAWN)),
        ("typographic apostrophes", "\n".join(DAWN).replace("'", "’")),
        ("decomposed accents", "\n".join(DAWN).replace("è", "e\u0300").replace("é", "e\u0301")),
        ("soft hyphens and zero-width spaces", "\n".join(DAWN).replace("ch", "c\u00adh").replace("an", "a\u200bn")),
        ("other line breaks", " / ".join(DAWN).replace(", ", ",\n")),
        ("a stanza break in the middle", "\n\n".join(DAWN)),
        ("one line", " ".join(DAWN)),
    ],
)
def test_no_dress_hides_a_copy(how, text):
    found = INDEX.copied(text)
    assert found.longest == sum(len(words_of(line)) for line in DAWN) and all(found.runs)


def test_a_run_of_seven_words_is_no_copy_and_one_of_eight_is():
    words = "le facteur dit j'irai par la forêt j'irai par la montagne et rit".split()
    assert INDEX.copied(" ".join(words[:10])).longest == 0
    assert INDEX.copied(" ".join(words)).longest == 8


@pytest.mark.parametrize("cut", range(1, 8))
def test_every_run_marks_a_line_wherever_it_is_broken(cut):
    run = words_of(DAWN[2])
    before, after = "un deux trois quatre cinq six sept huit".split(), "neuf dix onze douze treize quatorze quinze seize".split()
    assert any(INDEX.copied([" ".join([*before, *run[:cut]]), " ".join([*run[cut:], *after])]).runs)
    assert any(INDEX.copied([" ".join([*before, *run[:2]]), " ".join(run[2:cut]), " ".join([*run[max(2, cut) :], *after])]).runs)


def test_a_line_that_lends_a_run_one_word_is_not_copied():
    run = words_of(LAKE[0])
    assert INDEX.copied([f"Personne ne savait pourquoi {run[0]}", " ".join(run[1:])]).runs == (False, True)


def test_runs_never_go_from_one_poem_of_the_corpus_into_the_next():
    assert INDEX.copied("de nos jours demain dès l'aube à l'heure où").longest == 0


def test_a_whole_line_of_five_words_counts_apart_and_a_shorter_one_does_not():
    found = INDEX.copied(["Des plus beaux de nos jours", "Suspendez votre cours"])
    assert found.longest == 0 and found.runs == (False, False) and found.whole == found.lines == (True, False)


def test_a_poem_of_the_corpus_has_copied_only_what_another_has_too():
    quoting = (*OWN, DAWN[0])
    index = NgramIndex.build([Poem((DAWN,)), Poem((quoting,))])
    assert index.knows(Poem((DAWN,))) and index.knows(Poem((quoting,))) and not index.knows(Poem((LAKE,)))
    assert index.copied(DAWN).runs == (True,) * 4
    assert index.copied(DAWN, own=True).runs == (True, False, False, False)
    twice = NgramIndex.build([Poem(((DAWN[0], DAWN[0]),))])  # a refrain is no other poem
    assert twice.copied([DAWN[0]], own=True).lines == (False,)


def test_no_word_that_is_not_there_is_ever_found_and_hashes_are_spread_evenly():
    rng = random.Random(0)
    words = ["".join(rng.choices("aeioulmnrst", k=6)) for _ in range(4000)]
    corpus = [Poem((tuple(" ".join(rng.choices(words, k=8)) for _ in range(500)),)) for _ in range(20)]
    index = NgramIndex.build(corpus)
    strangers = [[" ".join("x" + word for word in rng.choices(words, k=8)) for _ in range(500)] for _ in range(40)]
    assert not any(found.longest or any(found.whole) for found in index.copied_all(strangers))
    # of b-bit hashes N / 2**b are taken by chance: with 20 of the 64 bits that is seen, and 2**44 times as often
    other = NgramIndex.build([Poem((tuple(lines),)) for lines in strangers])
    taken = np.isin(other.grams >> np.uint64(44), index.grams >> np.uint64(44)).mean()
    assert taken == pytest.approx(1 - np.exp(-len(index.grams) / 2**20), rel=0.05)


def test_the_same_words_hash_the_same_in_every_process():
    (gram,) = NgramIndex.build([Poem((("a b",),))], n=2).grams.tolist()
    assert gram == two_words("a", "b")


def two_words(a: str, b: str) -> int:
    """The hash of a pair, in plain integers."""
    mask, total = 2**64 - 1, 2
    for word in (a, b):
        total = (total * 0x9E3779B97F4A7C15 + int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "little")) & mask
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        total = ((total ^ (total >> shift)) * factor) & mask
    return total ^ (total >> 31)


@pytest.mark.parametrize("texts", [[], [[]], [[""]], [["", "\ud83d", "?!"], [], ["x" * 5000]], [["la " * 3000]]])
def test_odd_texts_are_no_copies(texts):
    found = INDEX.copied_all(texts)
    assert [len(own.runs) for own in found] == [len(text) for text in texts] and not any(own.longest for own in found)
    assert NgramIndex.build([Poem((tuple(text),)) for text in texts if text]).n == 8


# --- its file --------------------------------------------------------------------------------


def test_an_index_is_read_back_as_it_was(saved):
    again = NgramIndex.load(saved)
    assert again.copied_all([DAWN, OWN, LAKE]) == INDEX.copied_all([DAWN, OWN, LAKE]) and again.n == 8
    assert [path.name for path in Path(saved).parent.iterdir()] == [Path(saved).name]


def test_what_is_no_index_is_told_in_one_line(tmp_path):
    (tmp_path / "text.npz").write_text("ombre", encoding="utf-8")
    np.savez(tmp_path / "other.npz", a=1)
    np.savez(tmp_path / "old.npz", format=FORMAT + 1)
    np.save(tmp_path / "array.npy", np.arange(3))
    (tmp_path / "half.npz").write_bytes(b"PK\x03\x04half")
    for name, message in [("none.npz", "No such file"), ("text.npz", "no index"), ("other.npz", "no index"), ("array.npy", "no index"),
                          ("old.npz", f"expected version {FORMAT}"), ("half.npz", "no index")]:  # fmt: skip
        with pytest.raises(RlpoetError, match=message):
            NgramIndex.load(tmp_path / name)
    with pytest.raises(RlpoetError, match=r"\.npz"):
        INDEX.save(tmp_path / "index.bin")
    with pytest.raises(ValueError, match="2 words or more"):
        NgramIndex.build([], n=1)


# --- the reward ------------------------------------------------------------------------------


def test_the_contract_is_kept_with_an_index_and_without(reward):
    check_reward(reward, perfect=[(ABAB, "\n".join(OWN))], examples=[(ABAB, "\n".join(DAWN)), (ABAB, "\n".join([*OWN[:2], *DAWN[:2]]))])
    check_reward(Copying(), examples=[(ABAB, "\n".join(DAWN))])


def test_without_an_index_nothing_is_said(reward):
    assert Copying().score([ABAB], ["\n".join(DAWN)]) == [None]
    (poem,) = score_text("\n".join(OWN), "fr", "quatrain-abab", rewards=[Copying()])
    assert poem.scores == {"copying": None} and poem.reasons == ((),) * 4


@pytest.mark.parametrize("copied", range(5))
def test_each_copied_line_costs_its_share(reward, copied):
    assert scored(reward, *DAWN[:copied], *OWN[copied:]) == 1 - copied / 4


@pytest.mark.parametrize(
    "what, lines, most",
    [
        ("the poem itself", DAWN, 0.0),
        ("the poem in capitals without marks", [" ".join(words_of(line)).upper() for line in DAWN], 0.0),
        ("its lines in another order", DAWN[::-1], 0.0),
        ("breaks moved by a word", ["Demain", *(f"{a} {b}" for a, b in zip(DAWN[1:], "abc", strict=True))], 0.25),
        ("short lines run together", [f"{LAKE[1]} {LAKE[2]}", *OWN[1:]], 0.75),
        ("an invented last word", [f"{line} zut" for line in DAWN], 0.0),
        ("lines without a word", ["?!", "...", "—", "…"], 0.0),
        ("nothing", [], 0.0),
        ("a line too many", [*OWN, "Un vers de trop"], 0.0),
    ],
)
def test_no_trick_hides_a_copy(reward, what, lines, most):
    assert scored(reward, *lines) <= most


def test_lines_the_prompt_begins_with_are_not_the_policys_copies(reward):
    given = Prompt("fr", "quatrain-abab", opening=DAWN[:2])
    assert scored(reward, *DAWN[:2], *OWN[2:], prompt=given) == 1.0
    assert scored(reward, *DAWN, prompt=given) == 0.5
    assert scored(reward, *DAWN[2:], *OWN[2:], prompt=given) == 0.5
    assert reward.explain(given, "\n".join([*DAWN[:2], *OWN[2:]])).lines[0].reason == "given by the prompt"


@given(st.lists(st.sampled_from([*DAWN, *LAKE, *OWN, "?!", "ombre"]), min_size=4, max_size=4), st.integers(0, 3), st.sampled_from(DAWN))
@settings(max_examples=80, deadline=None)
def test_a_copied_line_never_raises_the_score(reward, lines, at, copy):
    mutated = [*lines[:at], copy, *lines[at + 1 :]]
    if not INDEX.copied([lines[at]]).lines[0] and words_of(lines[at]):
        assert scored(reward, *mutated) <= scored(reward, *lines)


def test_what_a_line_earns_depends_on_nothing_below_it(reward):
    whole = reward.by_line(ABAB, "\n".join([OWN[0], DAWN[1], OWN[2], LAKE[0]]))
    other = reward.by_line(ABAB, "\n".join([OWN[0], DAWN[1], OWN[2], OWN[3]]))
    assert whole[:3] == other[:3] == [0.25, 0.0, 0.25] and (whole[3], other[3]) == (0.0, 0.25)


def test_a_line_says_what_is_copied(reward):
    lines = [OWN[0], DAWN[1], OWN[2], "Oui, j'irai par la forêt j'irai par la montagne"]
    reasons = [row.reason for row in reward.explain(ABAB, "\n".join(lines)).lines]
    assert reasons == ["", "this line is in the corpus", "", "8 of its 9 words are part of a run of the corpus"]


def test_a_missing_index_is_told_at_once():
    with pytest.raises(RlpoetError, match=r"none\.npz.*No such file"):
        Copying(index="none.npz")

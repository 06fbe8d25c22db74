"""What a package like this should test: that its policy and its reward keep rlpoet's contracts."""

from __future__ import annotations

import pytest
from word_poet.policy import LONGEST, WordPolicy
from word_poet.reward import EvenLines

from policies.testing.contract import check_policy
from rewards.testing.contract import check_reward
from rlpoet.errors import RlpoetError, UnknownName
from rlpoet.types import Prompt

COUPLET = Prompt("fr", "couplet")


def test_the_policy_keeps_the_contract():
    check_policy(WordPolicy.load("fr"), draws=300)


def test_a_poem_has_the_lines_of_its_form_and_only_words_it_knows():
    policy = WordPolicy.load("es", seed=1)
    drawn = policy.sample([Prompt("es", "redondilla", None, ("la luna ajena",))], 20)
    for text in drawn.texts:
        first, *lines = text.split("\n")
        assert first == "la luna ajena" and len(lines) == 3
        assert all(1 <= len(line.split()) <= LONGEST and set(line.split()) <= set(policy.words) for line in lines)
    given = policy.write(drawn.prompts, drawn.texts)
    assert given.texts == drawn.texts and (given.ids == drawn.ids).all() and (given.chosen == drawn.chosen).all()


def test_what_it_cannot_do_is_refused():
    with pytest.raises(RlpoetError, match="beams: word-gru does not have it"):
        WordPolicy.load("en").sample([Prompt("en", "couplet")], beams=4)
    with pytest.raises(RlpoetError, match="'zygote': word-gru does not have this word"):
        WordPolicy.load("en").write([Prompt("en", "couplet")], ["the zygote\nthe sea"])
    with pytest.raises(UnknownName, match="word-gru: unknown 'it'"):
        WordPolicy.load("it")


def test_the_reward_keeps_the_contract():
    check_reward(EvenLines(), perfect=[(COUPLET, "la lune\nla brune")])
    assert EvenLines().score([COUPLET, COUPLET], ["la lune\nbrune", "la lune"]) == [0.5, 0.0]

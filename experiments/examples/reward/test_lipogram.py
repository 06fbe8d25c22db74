"""What a package like this should test: that it keeps rlpoet's contract, and what it pays to those who cheat."""

from __future__ import annotations

import pytest
from lipogram import Lipogram

from rewards.testing.attacks import red_team, verdicts
from rewards.testing.contract import check_reward
from rlpoet.types import Prompt

PAREADO = Prompt("es", "pareado")


def test_the_contract_is_kept():
    check_reward(Lipogram(), perfect=[(PAREADO, "la luna\nla cuna")])


def test_lines_with_the_letter_earn_nothing():
    assert Lipogram().score([PAREADO], ["la luna\nÉbano"]) == [0.5]
    assert "'e' in Ébano" in Lipogram().explain(PAREADO, "la luna\nÉbano").lines[1].reason


def test_what_it_pays_to_those_who_cheat():
    told = verdicts(red_team(Lipogram(letter="x")))
    assert "above" not in told.values()
    assert told["signs alone"] == told["the poem twice"] == "closed"
    assert told["la la la"] == "open"  # as README says: never use it alone


def test_one_letter_is_one_letter():
    with pytest.raises(ValueError, match="expected one letter"):
        Lipogram(letter="th")

"""The names of ``import rlpoet`` itself."""

from __future__ import annotations

import json

import pytest
from tiny_policy import tiny_policy

import rlpoet
from rlpoet.errors import RlpoetError, UnknownName

POEM = "Souvent, pour s'amuser, les hommes d'équipage\nPrennent des albatros, vastes compagnons de voyage"


def test_every_name_of_the_face_is_there_and_is_found_by_completion():
    assert {*rlpoet.__all__} <= {*dir(rlpoet)}
    assert all(hasattr(rlpoet, name) for name in rlpoet.__all__)
    with pytest.raises(AttributeError, match="no attribute 'sing'"):
        rlpoet.sing  # noqa: B018


def test_one_poem_is_scored_and_two_are_refused():
    assert rlpoet.score(POEM, "fr", "couplet").scores["rhyme"] == 1.0
    with pytest.raises(RlpoetError, match="2 poems in the text; expected one"):
        rlpoet.score(f"{POEM}\n\n{POEM}", "fr", "couplet")


@pytest.mark.slow
def test_a_policy_is_trained_and_opened_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tiny_policy().save(tmp_path / "prior")
    small = {"eval_samples": 8, "prompts_per_step": 2, "group_size": 2, "threads": 1, "forms": ("couplet",)}
    folder = rlpoet.train(policy=str(tmp_path / "prior"), max_steps=1, **small)
    assert json.loads((folder / "result.json").read_text(encoding="utf-8"))["steps"] == 1
    assert rlpoet.load_policy(folder).lang == "fr"
    again = rlpoet.train(resume=str(folder), max_steps=2)
    assert again == folder and json.loads((folder / "result.json").read_text(encoding="utf-8"))["steps"] == 2


def test_a_setting_that_is_none_is_named():
    with pytest.raises(UnknownName, match="did you mean 'max_steps'"):
        rlpoet.train(max_step=2)

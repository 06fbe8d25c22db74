"""Plug-ins: lazy, named, and never silently the wrong module."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

import rewards
from rlpoet import registry
from rlpoet.errors import RlpoetError, UnknownName
from rlpoet.protocols import Reward

GROUP = "rlpoet.rewards"


@pytest.fixture
def entries(monkeypatch):
    """Replace what is installed by a list of ``name = value``."""

    def put(**values: str | tuple[str, ...]) -> None:
        pairs = [(name, value) for name, own in values.items() for value in ([own] if isinstance(own, str) else own)]
        found = [EntryPoint(name, value, GROUP) for name, value in pairs]
        monkeypatch.setattr(registry, "entry_points", lambda group, name=None: [e for e in found if name in (None, e.name)])

    return put


def test_every_registered_reward_loads_and_is_a_reward():
    assert {"meter", "rhyme"} <= set(registry.names(GROUP))
    for name in registry.names(GROUP):
        reward = registry.load(GROUP, name)()
        assert isinstance(reward, Reward) and reward.name == name


def test_names_are_listed_without_importing_anything(entries):
    entries(b="no_such_module:Thing", a="rewards.rhyme:Rhyme")
    assert registry.names(GROUP) == ("a", "b")


def test_an_unknown_name_is_told_with_the_nearest(entries):
    entries(rhyme="rewards.rhyme:Rhyme")
    with pytest.raises(UnknownName, match="did you mean 'rhyme'"):
        registry.load(GROUP, "ryhme")


def test_nothing_registered_says_that_the_package_is_not_installed(entries):
    entries()
    with pytest.raises(RlpoetError, match=r"nothing is registered.*pip install"):
        registry.load(GROUP, "rhyme")


@pytest.mark.parametrize(
    ("code", "kind"),
    [("None.upper()", AttributeError), ("from math import no_such_function", ImportError), ("{}['rhyme']", KeyError)],
)
def test_a_bug_in_the_code_of_a_plug_in_comes_through_as_it_is(entries, tmp_path, monkeypatch, code, kind):
    (tmp_path / "plugin_with_a_bug.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    entries(broken="plugin_with_a_bug:Thing")
    with pytest.raises(kind) as caught:
        registry.load(GROUP, "broken")
    assert type(caught.value) is kind and Path(caught.traceback[-1].path).name == "plugin_with_a_bug.py"


def test_a_plug_in_that_misses_a_module_says_which_one_and_where(entries, tmp_path, monkeypatch):
    (tmp_path / "plugin_that_needs.py").write_text("import no_such_dependency", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    entries(needy="plugin_that_needs:Thing")
    with pytest.raises(RlpoetError, match=r"'needy' .*does not load: it imports 'no_such_dependency', which is not here") as caught:
        registry.load(GROUP, "needy")
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


@pytest.mark.parametrize("value", ["no_such_module:Thing", "rewards.rhyme:NoSuchThing"])
def test_a_broken_plug_in_is_named(entries, value):
    entries(broken=value)
    with pytest.raises(RlpoetError, match=f"'broken' .{value}. does not load"):
        registry.load(GROUP, "broken")


def test_two_plug_ins_of_one_name_are_refused(entries):
    entries(rhyme=("rewards.rhyme:Rhyme", "other.rhyme:Rhyme"))
    with pytest.raises(RlpoetError, match=r"other.rhyme:Rhyme and rewards.rhyme:Rhyme"):
        registry.load(GROUP, "rhyme")


@pytest.mark.parametrize("layout", ["rewards.py", "rewards/__init__.py", "rewards/empty.txt"])
def test_a_module_that_hides_ours_is_named(entries, layout, tmp_path, monkeypatch):
    entries(rhyme="rewards.rhyme:Rhyme")
    shadow = tmp_path / layout
    shadow.parent.mkdir(exist_ok=True)
    shadow.write_text("", encoding="utf-8")
    for module in [name for name in sys.modules if name.partition(".")[0] == "rewards"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.setattr(sys, "meta_path", [finder for finder in sys.meta_path if "editable" not in str(finder).lower()])
    with pytest.raises(RlpoetError, match=f"{tmp_path}.*hides rlpoet's package"):
        registry.load(GROUP, "rhyme")


def test_our_own_root_is_marked():
    assert rewards.__rlpoet__ is True


class OfTwoLanguages:
    name = "two"

    def judges(self, lang):
        return lang in ("fr", "es")

    def score(self, prompts, texts):
        return [1.0 for _ in texts]

    def explain(self, prompt, text):
        raise NotImplementedError


def test_all_rewards_are_those_that_can_judge_the_language(entries):
    entries(two=f"{__name__}:OfTwoLanguages", meter="rewards.meter:Meter")
    assert {lang: list(registry.rewards_for(lang)) for lang in ("fr", "en")} == {"fr": ["meter", "two"], "en": ["meter"]}
    assert isinstance(registry.rewards_for("es")["two"], OfTwoLanguages)

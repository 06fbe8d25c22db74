"""What some policies can do besides: protocols that an object has or has not, and no trainer asks by the spelling of a name."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest
from tiny_policy import tiny_policy

from rlpoet import rollout
from rlpoet.rollout import (
    AskedInWords,
    CopiesItself,
    DrawsRhymingWords,
    EndsLines,
    LocatesMeterErrors,
    NamesIdleOptions,
    ReadsInParts,
    ReportsProgress,
    ScoresTokens,
    ShowsTokens,
    TakesAdapter,
    TracksMasks,
)

ABILITIES = {
    ScoresTokens: "score_tokens", TracksMasks: "masked", LocatesMeterErrors: "meter_error_spans", DrawsRhymingWords: "rhyming_words",
    EndsLines: "lines_ending", TakesAdapter: "adapt", ReportsProgress: "progress", ShowsTokens: "continued",
    ReadsInParts: "micro_batch", CopiesItself: "copy", NamesIdleOptions: "idle_options", AskedInWords: "ask_by",
}  # fmt: skip


@pytest.fixture(scope="module")
def policy():
    return tiny_policy()


@pytest.mark.parametrize("ability", ABILITIES)
def test_our_policy_has_every_ability_with_its_arguments(policy, ability):
    assert isinstance(policy, ability)
    for name, promised in inspect.getmembers(ability, inspect.isfunction):
        if not name.startswith("_"):
            own = inspect.signature(getattr(type(policy), name))
            assert list(own.parameters) == list(inspect.signature(promised).parameters), name


@pytest.mark.parametrize("ability", ABILITIES)
def test_a_policy_without_the_method_lacks_that_ability_alone(policy, ability):
    names = set(ABILITIES.values()) | {"tokenizer", "end", "start_ids"}
    least = type("Least", (), dict.fromkeys(names - {ABILITIES[ability]}, print))()
    assert not isinstance(least, ability)
    assert all(isinstance(least, other) for other in ABILITIES if other is not ability)


def test_every_ability_says_what_it_gives():
    for ability in ABILITIES:
        assert ability.__doc__
        assert all(inspect.getdoc(method) for name, method in inspect.getmembers(ability, inspect.isfunction) if not name.startswith("_"))


def test_every_protocol_of_the_module_is_held_here():
    tree = ast.parse(Path(rollout.__file__).read_text(encoding="utf-8"))
    protocols = [node.name for node in tree.body if isinstance(node, ast.ClassDef) and "Protocol" in map(ast.unparse, node.bases)]
    assert set(protocols) - {"Policy", "PolicyClass", "Opening", "Asking"} == {ability.__name__ for ability in ABILITIES}

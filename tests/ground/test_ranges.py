"""Ranges and choices as types: held from Python and from the command line, in tables too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import pytest

from rlpoet.config.command import Command
from rlpoet.config.parser import parse, read
from rlpoet.config.ranges import (
    Count,
    Natural,
    NonNegative,
    Options,
    Positive,
    Several,
    Share,
    ShareAboveZero,
    ShareBelowOne,
    flat,
    in_order,
    leaves,
    made,
    nested,
    outside,
)  # fmt: skip
from rlpoet.errors import RlpoetError


@dataclass(frozen=True)
class Inner(Options):
    """Inner options.

    Attributes:
        lam: of it.
        whiten: or not.
        kinds: some of them.
    """

    lam: Share = 0.95
    whiten: bool = True
    kinds: tuple[Literal["hot", "cold"], ...] = ()
    weights: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Base(Options):
    """Base.

    Attributes:
        n: how many.
    """

    n: Count = 1


@dataclass(frozen=True)
class Outer(Base):
    """Outer options.

    Attributes:
        rate: of it.
        way: of doing it.
        inner: a table.
    """

    rate: NonNegative | None = None
    way: Literal["own", "trl"] = "own"
    inner: Inner = field(default_factory=Inner)


COMMAND = Command("toy", "a toy", Outer, lambda _: 0)


@pytest.mark.parametrize(
    ("hint", "inside", "out"),
    [
        (Natural, (0, 3), (-1, 1.5, "1", True, None)),
        (Count, (1,), (0,)),
        (Several, (2,), (1,)),
        (NonNegative, (0, 0.0, 7.5), (-0.1, float("nan"), "x")),
        (Positive, (1e-9,), (0.0,)),
        (Share, (0, 1, 0.5), (-1e-9, 1.0001)),
        (ShareAboveZero, (1.0, 1e-9), (0.0, 1.1)),
        (ShareBelowOne, (0.0, 0.99), (1.0, -0.1)),
        (Share | None, (None, 1.0), (2.0, "none")),
        (Literal["own", "trl"], ("own",), ("owm", None)),
        (tuple[Literal["hot", "cold"], ...], ((), ("hot", "cold")), (("hot", "warm"),)),
        (str, ("x", 3), ()),
    ],
)
def test_what_lies_inside_and_outside(hint, inside, out):
    assert [value for value in inside if outside(hint, value)] == []
    assert [value for value in out if not outside(hint, value)] == []


def test_python_and_the_command_line_refuse_alike():
    for settings, flags, message in (
        ({"n": 0}, ["--n", "0"], "n: 0; expected 1 or more."),
        ({"inner": {"lam": 1.5}}, ["--inner.lam", "1.5"], r"lam: 1\.5; expected a share in \[0, 1\]\."),
        ({"way": "owm"}, ["--way", "owm"], r"way: 'owm' \(did you mean 'own'\?\); expected one of 'own', 'trl'\."),
        ({"inner": {"kinds": ["warm"]}}, ["--inner.kinds", "warm"], "kinds: 'warm'; expected one of 'hot', 'cold'"),
    ):
        with pytest.raises(RlpoetError, match=message):
            made(Outer, settings)
        with pytest.raises(RlpoetError, match=message):
            parse(COMMAND, flags)
    with pytest.raises(RlpoetError, match=r"^--inner\.lam"):  # the command line names the whole flag
        parse(COMMAND, ["--inner.lam", "2"])


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ([], Outer()),
        (["--n", "2", "--inner.lam", "1"], Outer(n=2, inner=Inner(lam=1.0))),
        (["--inner.no_whiten"], Outer(inner=Inner(whiten=False))),
        (["--inner", "{lam: 0.5, whiten: false}"], Outer(inner=Inner(lam=0.5, whiten=False))),
        (["--inner", "{lam: 0.5}", "--inner.lam", "0.25"], Outer(inner=Inner(lam=0.25))),
        (["--inner.kinds", "hot", "cold"], Outer(inner=Inner(kinds=("hot", "cold")))),
        (["--inner.kinds", "[hot, cold]"], Outer(inner=Inner(kinds=("hot", "cold")))),
        (["--inner.weights.a", "2", "--inner.weights.b", "3"], Outer(inner=Inner(weights={"a": 2.0, "b": 3.0}))),
        (["--inner.weights.my.mod:f", "2"], Outer(inner=Inner(weights={"my.mod:f": 2.0}))),
        (["--rate", "null"], Outer()),
    ],
)
def test_a_table_s_options_are_flags(argv, expected):
    assert parse(COMMAND, argv) == expected


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--inner.lan", "1"], r"unknown flag '--inner\.lan' \(did you mean '--inner\.lam'\?\)"),
        (["--inner.no_lam"], "unknown flag"),
        (["--inner.whiten=1"], r"takes no value; expected --inner\.whiten or --inner\.no_whiten"),
        (["--inner", "{lan: 1}"], "unknown 'lan'"),
        (["--inner", "3"], "expected a table"),
        (["--lam", "1"], "unknown flag '--lam'"),
        (["--inner.lam"], "no value; expected a number, a share in"),
        (["--inner.lam", "much"], r"--inner\.lam: 'much'; expected a number"),
    ],
)
def test_a_flag_that_is_none_says_what_is_known_beside_it(argv, message):
    with pytest.raises(RlpoetError, match=message):
        parse(COMMAND, argv)


def test_a_file_has_tables_and_its_unknown_keys_are_named_whole(tmp_path):
    path = tmp_path / "toy.yaml"
    path.write_text("n: 3\ninner: {lam: 0.5, kinds: [hot]}\n", encoding="utf-8")
    assert read(Outer, path) == Outer(n=3, inner=Inner(lam=0.5, kinds=("hot",)))
    assert parse(COMMAND, ["--config", str(path), "--inner.lam", "0"]).inner == Inner(lam=0.0, kinds=("hot",))
    path.write_text("inner.lam: 0.5\n", encoding="utf-8")
    assert read(Outer, path).inner.lam == 0.5
    for text, message in (("inner: {lan: 1}", r"unknown key 'inner\.lan' \(did you mean"), ("inner: 3", "inner: 3; expected a table")):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(RlpoetError, match=message):
            read(Outer, path)


def test_help_shows_a_class_s_own_options_first_and_each_table_under_its_heading(capsys):
    with pytest.raises(SystemExit):
        parse(COMMAND, ["--help"])
    shown = capsys.readouterr().out
    places = [shown.index(word) for word in ("--rate", "--n N", "Inner options:", "--inner.lam")]
    assert places == sorted(places) and "--inner.whiten, --inner.no_whiten" in shown and "[a share in [0, 1]]" in shown


def test_dotted_and_nested_are_two_spellings_of_one_thing():
    settings = {"n": 2, "inner": {"lam": 0.5, "weights": {"a.b": 1.0}}}
    dotted = {"n": 2, "inner.lam": 0.5, "inner.weights": {"a.b": 1.0}}
    assert flat(settings, Outer) == dotted and nested(dotted) == settings
    assert nested({"inner.lam": 0.5, "inner": {"whiten": False}}) == {"inner": {"lam": 0.5, "whiten": False}}
    assert [name for name, _ in leaves(Outer)] == ["n", "rate", "way", "inner.lam", "inner.whiten", "inner.kinds", "inner.weights"]
    assert [item.name for item in in_order(Outer)] == ["rate", "way", "inner", "n"]

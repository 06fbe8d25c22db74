"""Argument lists as they are read, word by word, and names of an earlier release as they are translated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from rlpoet.config.command import Command, Switch, chosen, renames_of, switched, without_switches
from rlpoet.config.flags import Flags
from rlpoet.config.parser import parse
from rlpoet.config.ranges import Options, Share, made, nested, outside, refuse
from rlpoet.errors import RlpoetError, UnknownName


@dataclass(frozen=True)
class Deep(Options):
    """Deep options.

    Attributes:
        low: of it.
    """

    low: float = 0.0


@dataclass(frozen=True)
class Table(Options):
    """A table.

    Attributes:
        lit: or not.
        low: of it.
        deep: a table in it.
    """

    lit: bool = True
    low: float = 0.0
    deep: Deep = field(default_factory=Deep)


@dataclass(frozen=True)
class Verb(Options):
    """A verb.

    Attributes:
        title: of it.
        files: to read.
        low: a number.
        walk: or not.
        several: texts.
        table: of options.
        weights: by name.
        options: by name.
    """

    title: str = ""
    files: tuple[str, ...] = ()
    low: float = 0.0
    walk: bool = True
    several: tuple[str, ...] = ()
    table: Table = field(default_factory=Table)
    weights: Mapping[str, float] = field(default_factory=lambda: {"rhyme": 2.0})
    options: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


COMMAND = Command("verb", "a verb", Verb, lambda _: 0, positional=("title", "files"), short={"l": "low"})


@pytest.mark.parametrize(
    ("argv", "given"),
    [
        (["--low", "1", "--", "--walk", "-x"], {"low": "1", "title": "--walk", "files": ["-x"]}),
        (["-", "a"], {"title": "-", "files": ["a"]}),
        (["--low", "-0.5"], {"low": "-0.5"}),
        (["-l=0.5"], {"low": "0.5"}),
        (["-l0.5"], {"low": "0.5"}),
        (["-l", "0.5"], {"low": "0.5"}),
        (["--low=0.5"], {"low": "0.5"}),
        (["--several", "a", "--low", "1", "--several", "b", "c"], {"several": ["a", "b", "c"], "low": "1"}),
        (["--several", "[a, b]"], {"several": ["a", "b"]}),
        (["--several", "[a]", "b"], {"several": ["[a]", "b"]}),
        *((["--several", text], {"several": [text]}) for text in ("[sic] or [not]", "[a]]", "[a]: [b]")),
        (["--files", "a", "t", "b"], {"files": ["a", "b"], "title": "t"}),  # a flag of a list that may stand bare takes one word
        (["--walk", "--table.no_lit"], {"walk": True, "table.lit": False}),
        (["--no_walk"], {"walk": False}),
    ],
)
def test_words_are_read_as_flags_values_and_places(argv, given):
    assert Flags(COMMAND).read(argv) == (given, [])


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--low", "--no_walk"], "--low: no value; expected a number"),
        (["--walk=1"], "--walk=1: this flag takes no value; expected --walk or --no_walk"),
        (["--unwalk"], "unknown flag '--unwalk'"),
        (["--go_walk"], "unknown flag '--go_walk'"),
        (["-x"], "unknown flag '-x'"),
        (["--table.deep.lo", "1"], r"did you mean '--table\.deep\.low'\?\); expected one of --table\.deep\.low\.$"),
    ],
)
def test_what_is_no_flag_is_told(argv, message):
    with pytest.raises(RlpoetError, match=message):
        Flags(COMMAND).read(argv)


def test_a_word_too_many_is_told():
    one = Command("verb", "a verb", Table, lambda _: 0, positional=("low",))
    assert Flags(one).read(["1"]) == ({"low": "1"}, [])
    for argv in (["1", "2"], ["--low", "1", "2"]):
        with pytest.raises(RlpoetError, match="'2': one word too many; expected LOW"):
            Flags(one).read(argv)


def test_flags_add_to_tables_of_files_and_of_defaults(tmp_path):
    path = tmp_path / "verb.yaml"
    path.write_text("weights: {meter: 1}\noptions: {rhyme: {a: 1}, my.mod:f: {a: 1}}\n", encoding="utf-8")
    assert parse(COMMAND, ["--weights.my.mod:f", "3"]).weights == {"rhyme": 2.0, "my.mod:f": 3.0}
    config = ["--config", str(path)]
    assert parse(COMMAND, [*config, "--weights.my.mod:f", "3"]).weights == {"meter": 1.0, "my.mod:f": 3.0}
    assert parse(COMMAND, [*config, "--options.rhyme.b", "2"]).options == {"rhyme": {"a": 1.0, "b": 2.0}, "my.mod:f": {"a": 1.0}}
    assert parse(COMMAND, [*config, "--options.my.mod:f.b", "2"]).options["my.mod:f"] == {"a": 1.0, "b": 2.0}
    assert parse(COMMAND, [*config, "--options.my.mod:f", "{b: 2}"]).options["my.mod:f"] == {"a": 1.0, "b": 2.0}
    assert parse(COMMAND, ["--table", "{deep: {low: 2}, lit: false}"]).table == Table(lit=False, deep=Deep(2.0))
    assert parse(COMMAND, ["--table", "{deep.low: 2}"]).table == Table(deep=Deep(2.0))


@pytest.mark.parametrize("flag", ["table", "options.a.b", "options.my.mod:f", "options.my.mod:f.a"])
def test_a_value_that_is_no_yaml_is_named(flag):
    with pytest.raises(RlpoetError, match=rf"--{flag}: '\[1, 2'"):
        parse(COMMAND, [f"--{flag}", "[1, 2"])


def test_a_flag_that_means_the_default_wins_over_a_file(tmp_path):
    @dataclass(frozen=True)
    class Rated:
        """A verb.

        Attributes:
            rate: of it.
        """

        EARLIER_VALUES = {"rate": {"0": None}}  # noqa: RUF012

        rate: float | None = None

    path = tmp_path / "verb.yaml"
    path.write_text("rate: 2.0\n", encoding="utf-8")
    command = Command("verb", "a verb", Rated, lambda _: 0)
    assert parse(command, ["--config", str(path)]).rate == 2.0
    assert parse(command, ["--config", str(path), "--rate", "0"]).rate is None


def test_the_item_that_is_wrong_is_named_and_a_name_that_is_none():
    with pytest.raises(RlpoetError, match=r"--several: 2\.0; expected a share"):
        refuse("--several", tuple[Share, ...], (0.5, 2.0))
    assert made(Verb, {"several": ["a"], "table.deep": {"low": 1.0}}) == Verb(several=("a",), table=Table(deep=Deep(1.0)))
    with pytest.raises(UnknownName, match="setting: unknown 'lo'"):
        made(Table, {"lo": 1})
    assert outside(type(None), 3) == "nothing" and outside(type(None), None) == ""
    assert nested({"a.b.c": 1, "a": {"d": 2}, "a.b": {"e": 3}}) == {"a": {"b": {"c": 1, "e": 3}, "d": 2}}


# -- names of an earlier release ----------------------------------------------------------------------


@dataclass(frozen=True)
class Inner:
    """Of another table."""

    EARLIER = {"speed": "pace"}  # noqa: RUF012
    EARLIER_VALUES = {"pace": {"quick": "fast", "0": None, "True": "never"}}  # noqa: RUF012

    pace: str = ""


@dataclass(frozen=True)
class Renamed:
    """A verb whose options have new names."""

    EARLIER = {"arms.*.drill": "arms.*.practice", "lam": "{algo:tb,ppo}.lam", "box.old": "box.new"}  # noqa: RUF012
    EARLIER_VALUES = {"kinds": {"a": "b", "1": "one"}, "shelf.book.kind": {"a": "b"}}  # noqa: RUF012
    EARLIER_SWITCHES = {"log": Switch("title", off="quiet"), "draw": Switch("title")}  # noqa: RUF012

    inner: Inner = field(default_factory=Inner)
    arms: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


RENAMES = renames_of(Renamed)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("inner.speed", "inner.pace"),
        ("inner.speed.most", "inner.pace.most"),
        ("speed", "speed"),
        ("arms.hot.drill", "arms.hot.practice"),
        ("arms.hot", "arms.hot"),
        ("box", "box"),
        ("box.old.x.y", "box.new.x.y"),
        ("lam", "{algo:tb,ppo}.lam"),
    ],
)
def test_a_key_is_spelled_as_today_with_all_that_follows_it(old, new):
    assert RENAMES.key(tuple(old.split("."))) == tuple(new.split("."))


@pytest.mark.parametrize(
    ("path", "value", "today"),
    [
        ("inner.pace", "quick", "fast"),
        ("inner.pace", 0, None),
        ("inner.pace", 0.0, None),
        ("inner.pace", 0.5, 0.5),
        ("inner.pace", True, True),
        ("inner.pace", "slow", "slow"),
        ("inner.pace.more", "quick", "quick"),
        ("kinds", ["a", "c", 1], ["b", "c", 1]),
        ("kinds", "1", "one"),
        ("pace", "quick", "quick"),
    ],
)
def test_a_value_is_spelled_as_today(path, value, today):
    assert RENAMES.value(tuple(path.split(".")), value) == today and type(RENAMES.value(tuple(path.split(".")), value)) is type(today)


def test_a_table_is_read_where_something_in_it_was_renamed():
    inside = {
        path: RENAMES.below(tuple(path.split("."))) for path in ("arms", "arms.hot", "arms.hot.drill", "box", "lam", "shelf", "shelf.book")
    }
    assert inside == {"arms": True, "arms.hot": True, "arms.hot.drill": False, "box": True, "lam": False, "shelf": True, "shelf.book": True}


@pytest.mark.parametrize(
    ("beside", "table"), [({"algo": "ppo"}, "ppo"), ({"algo": "tb"}, "tb"), ({}, "tb"), ({"algo": "rft"}, "tb"), ({"x.algo": "ppo"}, "tb")]
)
def test_a_key_goes_to_the_table_of_the_algorithm_beside_it(beside, table):
    assert chosen(("{algo:tb,ppo}", "lam"), beside, ()) == (table, "lam")
    assert chosen(("arms", "{algo:tb,ppo}", "lam"), beside, ("arms",)) == ("arms", table, "lam")


def told(flags: dict, others: dict | None = None) -> tuple[dict, list[str]]:
    notes: list[str] = []
    return switched(Renamed, flags, others or {}, notes.append), notes


def test_a_switch_stands_for_the_option_it_was():
    assert told({"log": True, "title": "t"}) == ({"log": "t", "title": "t"}, ["--log without a value is --log t now"])
    assert told({"log": True}, {"title": "file"})[0] == {"log": "file"}
    assert told({"log": True, "title": "flag"}, {"title": "file"})[0]["log"] == "flag"
    assert told({"log": "x"}) == ({"log": "x"}, [])
    assert told({"log": False}) == ({"quiet": True}, ["--no_log is --quiet now"])
    assert told({"draw": False}) == ({}, ["--no_draw is left out now"])
    with pytest.raises(RlpoetError, match="--log: no value"):
        told({"log": True})
    assert without_switches(Renamed, {"log": True, "draw": "x", "title": True}) == {"draw": "x", "title": True}
    flags = Flags(Command("verb", "a verb", Renamed, lambda _: 0))
    assert flags.read(["--log", "--no_draw"])[0] == {"log": True, "draw": False}
    assert flags.read(["--log", "x"])[0] == {"log": "x"}

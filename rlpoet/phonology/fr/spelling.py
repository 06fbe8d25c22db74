"""French spelling to sound by the ordered rules of ``rules.tsv``."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from pathlib import Path

from rlpoet.text.tables import read_table

DATA = Path(__file__).parent / "data"
COLUMNS = ["before", "find", "after", "put", "example"]


@dataclass(frozen=True)
class Rule:
    """One row of ``rules.tsv``, ready to match at a place in ``#word#``."""

    where: str
    pattern: re.Pattern[str]
    put: tuple[str, ...]
    example: str


@functools.cache
def spelling_rules() -> dict[str, tuple[Rule, ...]]:
    """Rules by the first letter they can match, in table order."""
    classes: dict[str, str] = {}
    by_letter: dict[str, list[Rule]] = {}
    rows = list(read_table(DATA / "rules.tsv", COLUMNS, classes=classes))
    sets = {f"{{{name}}}": f"[{members}]" for name, members in classes.items()}
    for where, (before, find, after, put, example) in rows:
        for name, members in sets.items():
            before, find, after = (cell.replace(name, members) for cell in (before, find, after))
        source = (f"(?<={before})" if before else "") + find + (f"(?={after})" if after else "")
        rule = Rule(where, re.compile(source), () if put == "0" else tuple(put.split()), example)
        first = find[1 : find.index("]")] if find.startswith("[") else find[0]
        if "|" in find and not find.startswith("["):
            first = "".join(option[0] for option in find.split("|"))
        for letter in first:
            by_letter.setdefault(letter, []).append(rule)
    return {letter: tuple(rules) for letter, rules in by_letter.items()}


def spell_out(word: str) -> tuple[tuple[str, ...], str]:
    """Phones of a lower-case word by the rule table alone, and the last row used.

    >>> "".join(spell_out("gobelette")[0])
    'ɡobəlɛt'
    """
    padded = f"#{word}#"
    rules = spelling_rules()
    phones: list[str] = []
    where, at = "rules.tsv", 1
    while at <= len(word):
        for rule in rules.get(padded[at], ()):
            match = rule.pattern.match(padded, at)
            if match and match.end() > at:
                phones += rule.put
                where, at = rule.where, match.end()
                break
        else:
            at += 1
    return tuple(phones), where


def example_failures() -> list[str]:
    """Rows of ``rules.tsv`` whose own example fails, as messages. Empty when the table is sound."""
    failures = []
    for rule in {rule.where: rule for rules in spelling_rules().values() for rule in rules}.values():
        word, _, wanted = rule.example.partition(">")
        got = "".join(spell_out(word)[0])
        if got != wanted:
            failures.append(f"{rule.where}: example {word!r} gives {got!r}, the row promises {wanted!r}")
    return failures

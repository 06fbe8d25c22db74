"""Numbers as they are read aloud: years in pairs of digits, other numbers in full. Such a pronunciation counts as a guess."""

from __future__ import annotations

import re

ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
).split()
TENS = "- - twenty thirty forty fifty sixty seventy eighty ninety".split()
ORDINALS = {"one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth", "twelve": "twelfth"}
YEARS = range(1100, 2000)
ROMAN = re.compile("(?=[ivxl]{2})(?:xl|l?x{0,3})(?:ix|iv|v?i{0,3})")  # no English word is one: VIII, xiv
VALUES = {"i": 1, "v": 5, "x": 10, "l": 50}


def in_words(digits: str, *, ordinal: bool = False) -> str:
    """The words of a number joined by hyphens; more than nine digits are read one by one.

    >>> in_words("1850"), in_words("1805"), in_words("3", ordinal=True), in_words("120")
    ('eighteen-fifty', 'eighteen-o-five', 'third', 'one-hundred-twenty')
    """
    n = int(digits) if len(digits) <= 9 else -1
    if n < 0:
        words = [ONES[int(d)] for d in digits]
    elif n in YEARS and n % 1000 and not ordinal:
        century, year = divmod(n, 100)
        words = [*_cardinal(century), *(["hundred"] if not year else ["o", ONES[year]] if year < 10 else _cardinal(year))]
    else:
        words = _cardinal(n)
    if ordinal:
        last = words[-1]
        words[-1] = ORDINALS.get(last) or (f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th")
    return "-".join(words)


def _cardinal(n: int) -> list[str]:
    for size, name in ((1_000_000, "million"), (1000, "thousand"), (100, "hundred")):
        if n >= size:
            many, rest = divmod(n, size)
            return [*_cardinal(many), name, *(_cardinal(rest) if rest else [])]
    if n < 20:
        return [ONES[n]]
    tens, one = divmod(n, 10)
    return [TENS[tens], *([ONES[one]] if one else [])]


def roman_in_words(word: str) -> tuple[str, ...]:
    """A Roman numeral in small letters as an ordinal with its article, behind a name, and as a number; empty if it is none.

    >>> roman_in_words("viii"), roman_in_words("ill")
    (('the-eighth', 'eight'), ())
    """
    if not ROMAN.fullmatch(word):
        return ()
    values = [VALUES[letter] for letter in word]
    n = str(sum(-a if a < b else a for a, b in zip(values, [*values[1:], 0], strict=True)))
    return f"the-{in_words(n, ordinal=True)}", in_words(n)

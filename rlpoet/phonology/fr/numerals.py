"""Roman numerals as they are read aloud: Louis XIV (quatorze), le XIXe siècle (dix-neuvième). The reading counts as a guess."""

from __future__ import annotations

import re

NUMERAL = re.compile(r"(?<![^\W_])(?:(?=[IVXL]{2})|(?=[IVX]+[eèᵉ]))(XL|L?X{0,3})(IX|IV|V?I{0,3})(er|re|ère|e|ème|ᵉ)?(?![^\W_])")
LIKELY = re.compile("[IVX][IVXLeèrᵉ]|L[IVX]")  # a line without this has no numeral; found in an eighth of the time
CARDINALS = "- un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize dix-sept dix-huit dix-neuf".split()
TENS = {20: "vingt", 30: "trente", 40: "quarante", 50: "cinquante", 60: "soixante"}
VALUES = {"I": 1, "V": 5, "X": 10, "L": 50}


def aloud(numeral: str) -> str:
    """The words of a Roman numeral, joined by hyphens; empty if it is none or greater than 69.

    >>> aloud("XIV"), aloud("XIXe"), aloud("Ier"), aloud("XXI"), aloud("IL")
    ('quatorze', 'dix-neuvième', 'premier', 'vingt-et-un', '')
    """
    match = NUMERAL.fullmatch(numeral)
    if match is None:
        return ""
    values = [VALUES[letter] for letter in match[1] + match[2]]
    n = sum(-a if a < b else a for a, b in zip(values, [*values[1:], 0], strict=True))
    if n >= 70:
        return ""
    if n == 1 and match[3]:
        return "premier" if match[3] == "er" else "première"
    words = cardinal(n)
    return ordinal(words) if match[3] else words


def cardinal(n: int) -> str:
    """A number from 1 to 69."""
    if n < 20:
        return CARDINALS[n]
    ten, one = n - n % 10, n % 10
    return TENS[ten] + ("" if not one else "-et-un" if one == 1 else f"-{CARDINALS[one]}")


def ordinal(words: str) -> str:
    """The ordinal of a cardinal: neuvième, cinquième, quatrième."""
    stem = words[:-1] + "v" if words.endswith("neuf") else words + "u" if words.endswith("cinq") else words.removesuffix("e")
    return f"{stem}ième"

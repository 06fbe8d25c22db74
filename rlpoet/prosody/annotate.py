"""Annotates a poem with its scheme, rhyme tails and line lengths, for the training of language models."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rlpoet.prosody import verse
from rlpoet.prosody.rhyme import find_scheme

WHOLE = 14  # lines: a stanza up to a sonnet is kept whole, a longer one is cut where its rhymes close


@dataclass(frozen=True)
class Group:
    """Consecutive lines whose rhymes close among themselves.

    Attributes:
        lines: the lines of verse.
        scheme: letters with a space at each stanza break (``abba abba ccd eed``).
        keys: one rhyme-tail label per line, the same for all lines of a rhyme family; empty for a line with no word.
        meter: ``"12"`` if (nearly) all lines have that length, else lengths joined by dots, else ``""``.
    """

    lines: tuple[str, ...]
    scheme: str
    keys: tuple[str, ...]
    meter: str


def tail_keys(lines: Sequence[str], letters: str, lang: str) -> tuple[str, ...]:
    """Labels of the lines' rhyme tails; a rhyme family shares the label that fits most of its lines."""
    language = verse(lang)
    choices = [[language.key(e) for e in language.endings(line)] for line in lines]
    keys = [line_keys[0] if line_keys else "" for line_keys in choices]
    for letter in set(letters) - {"x"}:
        members = [i for i, line_keys in enumerate(letters) if line_keys == letter]
        votes = Counter(key for i in members for key in dict.fromkeys(choices[i]))
        if votes:
            shared = max(votes, key=lambda key: (votes[key], key == keys[members[0]]))
            for i in members:
                keys[i] = shared
    return tuple(keys)


def meter_label(lengths: Sequence[int]) -> str:
    """One length where the lines agree, the dotted pattern of a short strophe, else empty.

    Lines agree if at least half have one length and four in five are within one syllable of it. The tolerance is needed because
    a count without a known meter is sometimes off by one, and English lines may end in an extra weak syllable.

    >>> meter_label([12, 12, 11, 12]), meter_label([8, 6, 8, 6]), meter_label([12, 3, 7, 9, 2, 12, 5])
    ('12', '8.6.8.6', '')
    """
    length, n = Counter(lengths).most_common(1)[0]
    if 2 * n >= len(lengths) and sum(abs(x - length) <= 1 for x in lengths) >= 0.8 * len(lengths):
        return str(length)
    return ".".join(map(str, lengths)) if len(lengths) <= 6 else ""


def annotate(stanzas: Sequence[Sequence[str]], lang: str) -> list[Group]:
    """Cut a poem into groups. A sonnet stays one group; other stanzas are groups of their own.

    A stanza of more than 14 lines is cut where no rhyme crosses, into pieces of two to eight lines if possible.
    """
    n_lines = sum(map(len, stanzas))
    if n_lines == WHOLE and len(stanzas) > 1:
        lines = [line for stanza in stanzas for line in stanza]
        letters = iter(find_scheme(lines, lang))
        return [_group(lines, " ".join("".join(next(letters) for _ in stanza) for stanza in stanzas), lang)]
    groups = []
    for stanza in stanzas:
        for piece in _pieces(stanza, find_scheme(stanza, lang)):
            groups.append(_group(piece[0], piece[1], lang))
    return groups


def _group(lines: Sequence[str], scheme: str, lang: str) -> Group:
    language = verse(lang)
    lengths = [language.scan(line).syllables for line in lines]
    return Group(tuple(lines), relabel(scheme), tail_keys(lines, scheme.replace(" ", ""), lang), meter_label(lengths))


def relabel(scheme: str) -> str:
    """Letters in order of appearance from ``a``; a letter that stands alone becomes ``x``.

    >>> relabel("ccdcd e")
    'aabab x'
    """
    names: dict[str, str] = {" ": " ", "x": "x"}
    out = []
    for letter in scheme:
        if letter not in names:
            alone = scheme.count(letter) == 1
            names[letter] = "x" if alone else chr(ord("a") + sum(v not in " x" for v in names.values()))
        out.append(names[letter])
    return "".join(out)


def _pieces(lines: Sequence[str], letters: str) -> list[tuple[Sequence[str], str]]:
    if len(lines) <= WHOLE:
        return [(lines, letters)]
    last = {letter: i for i, letter in enumerate(letters) if letter != "x"}
    pieces, start, open_until = [], 0, 0
    for i, letter in enumerate(letters):
        open_until = max(open_until, last.get(letter, i))
        long_enough = i + 1 - start >= 2 + 2 * (start % 3)  # 2, 4 or 6 lines: couplets, quatrains, sestets out of one flow
        if (i >= open_until and (long_enough or i + 1 - start >= WHOLE)) or i + 1 - start >= 2 * WHOLE:
            pieces.append((lines[start : i + 1], letters[start : i + 1]))
            start = i + 1
    if start < len(lines):
        pieces.append((lines[start:], letters[start:]))
    return pieces

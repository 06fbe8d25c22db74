"""Rhyme licences of a poem: lines that rhyme with no other line by the rules may still rhyme by a licence.

This is for finding the scheme of poems by people (Laforgue rhymes singular with plural, Marot nommer with mer), never for a reward.
A line without a rhyme by the classical rules is matched, within a few lines, with lines that differ only in number, in the support
consonant, or in the old sound of -er. Lines that rhyme by the rules are not affected.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

from rlpoet.types import Ending

LICENCES = frozenset({"irrégulière", "insuffisante", "normande"})  # androgyne costs more false pairs than it finds
REACH = 6  # lines


def licensed_lines(
    endings: Sequence[tuple[Ending, ...]],
    families: Sequence[Sequence[Hashable]],
    kind: Callable[[Ending, Ending], str | None],
) -> frozenset[int]:
    """Lines that take part in a licence: those without a rhyme by the rules, and the lines they are matched with.

    Args:
        endings: the endings of each line of a poem.
        families: for each ending the key that two endings share if they rhyme by the rules.
        kind: how two endings rhyme.

    >>> e = [(Ending(word, (sound,), gender="m"),) for word, sound in (("a", "i"), ("b", "u"), ("is", "i"), ("us", "o"))]
    >>> plural = lambda x, y: "irrégulière" if x.phones == y.phones else None
    >>> sorted(licensed_lines(e, [[own[0].word] for own in e], plural))
    [0, 2]
    """
    seen: dict[Hashable, int] = {}
    mated = [False] * len(endings)
    for i, values in enumerate(families):
        for label in values:
            j = seen.get(label)
            if j is not None and i - j <= REACH and j != i:
                mated[i] = mated[j] = True
        for label in values:
            seen[label] = i
    if all(mated):
        return frozenset()
    licensed: set[int] = set()
    for i, values in enumerate(endings):
        if mated[i]:
            continue
        for j in range(max(i - REACH, 0), min(i + REACH + 1, len(endings))):
            if j != i and any(kind(a, b) in LICENCES for a in values for b in endings[j]):
                licensed |= {i, j}
    return frozenset(licensed)

"""Licences a poem takes: a line that no other answers by the rules may still rhyme against one of them.

For finding who rhymes with whom in poems people wrote (Laforgue rhymes singular with plural, Marot nommer with mer),
never for a reward. Within a few lines, a line without a mate by the classical rules is given the mates that only
number, support or the old sound of -er denies it; lines that have their mates keep to the rules.
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
    """Lines that take part in a licence: those left alone by the rules, and the lines they reach for.

    Args:
        endings: of each line of a poem.
        families: of each ending, what two of them share when they rhyme by the rules.
        kind: how two endings rhyme.

    >>> e = [(Ending(word, (sound,), gender="m"),) for word, sound in (("a", "i"), ("b", "u"), ("is", "i"), ("us", "o"))]
    >>> plural = lambda x, y: "irrégulière" if x.phones == y.phones else None
    >>> sorted(licensed_lines(e, [[own[0].word] for own in e], plural))
    [0, 2]
    """
    seen: dict[Hashable, int] = {}
    mated = [False] * len(endings)
    for i, own in enumerate(families):
        for label in own:
            j = seen.get(label)
            if j is not None and i - j <= REACH and j != i:
                mated[i] = mated[j] = True
        for label in own:
            seen[label] = i
    if all(mated):
        return frozenset()
    licensed: set[int] = set()
    for i, own in enumerate(endings):
        if mated[i]:
            continue
        for j in range(max(i - REACH, 0), min(i + REACH + 1, len(endings))):
            if j != i and any(kind(a, b) in LICENCES for a in own for b in endings[j]):
                licensed |= {i, j}
    return frozenset(licensed)

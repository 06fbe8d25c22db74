"""Splits poems into groups of lines, by poet and by side: training, calibration, test.

Whole poems go to one side, by a hash of their beginning. Groups are runs of lines of one poem that do not overlap. They are chosen with
fixed seeds, so the same corpus gives the same groups.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from rlpoet.analysis.authorship.model import AVERAGE
from rlpoet.analysis.ngram_index import words_of
from rlpoet.corpus.poem import Poem
from rlpoet.errors import RlpoetError, UnknownName

SIZE = 8  # lines of a group
FEWEST = 50  # poems a poet needs, so that whole poems can be held out
NOBODY = ("anon", "various", "traditional", "unknown")
SIDES = ("train", "calibrate", "judge")
SHARES = {"judge": 0.15, "calibrate": 0.10}  # of poems; the rest trains
A_POEM = {"train": 60, "calibrate": 12, "judge": 12}  # groups that one poem gives at most, so that none speaks for its poet
AVERAGE_GROUPS = 2  # the same, of poems that are nobody's here
MIN_WORDS = 4  # words from which a line of another side betrays a second edition

Group = tuple[str, ...]
Groups = Mapping[tuple[str, str], Sequence[Group]]


def choose_poets(poems: Sequence[Poem], named: Sequence[str] = (), *, n: int = 10) -> tuple[str, ...]:
    """Poets by full name: those named, or the ``n`` with the most lines among those with fifty poems or more.

    Raises:
        UnknownName: the corpus has no author of that name.
        RlpoetError: too few poets.
    """
    lines: Counter[str] = Counter()
    works: Counter[str] = Counter()
    for poem in poems:
        if poem.author:
            lines[poem.author] += len(poem.lines)
            works[poem.author] += 1
    for name in named:
        if name not in lines:
            raise UnknownName("author", name, lines)
    chosen = tuple(named) or tuple(
        [name for name, _ in lines.most_common() if works[name] >= FEWEST and not name.lower().startswith(NOBODY)][:n]
    )
    if len(chosen) < 2:
        raise RlpoetError(f"poets: {len(chosen)} with {FEWEST} poems or more; expected two at least. Name them with --authors.")
    return chosen


def split_groups(poems: Sequence[Poem], poets: Sequence[str], *, most: Mapping[str, int]) -> Groups:
    """Groups by (side, voice); voices are the poets and the average of everybody else.

    Calibration and test groups have no line of four words or more in common with the training groups, which excludes second editions.

    Args:
        most: most groups per voice on each side.
    """
    by_voice: dict[tuple[str, str], list[Group]] = defaultdict(list)
    for poem in poems:
        place, side = int(poem.fingerprint[:8], 16) / 16**8, "train"
        for name, share in SHARES.items():
            if 0 <= place < share:
                side = name
            place -= share
        voice = poem.author if poem.author is not None and poem.author in poets else AVERAGE
        groups = [poem.lines[at : at + SIZE] for at in range(0, len(poem.lines) - SIZE + 1, SIZE)]
        random.Random(poem.fingerprint).shuffle(groups)
        by_voice[side, voice] += groups[: AVERAGE_GROUPS if voice == AVERAGE else A_POEM[side]]
    for groups in by_voice.values():
        random.Random(0).shuffle(groups)
    train_lines = {_normalized(line) for (side, _), groups in by_voice.items() if side == "train" for group in groups for line in group}
    chosen = {}
    for (side, voice), groups in sorted(by_voice.items()):
        fresh = (
            groups
            if side == "train"
            else [group for group in groups if not any(_is_telling(line) and _normalized(line) in train_lines for line in group)]
        )
        chosen[side, voice] = fresh[: most[side]]
    return chosen


def _normalized(line: str) -> str:
    return " ".join(words_of(line))


def _is_telling(line: str) -> bool:
    return len(words_of(line)) >= MIN_WORDS

"""Names of English lines: the foot, how many of them, and the licences of the pattern.

The name is that of the cheapest way to divide the beats into feet of one kind. Costs are those of ``stress_patterns.FEET`` and a few
more for naming alone (amphibrachs, and feet of two beats or none, which scansions by hand may have). A pattern normally has one beat
per foot. The notes of its syllables, ``demoted`` and ``promoted``, show heavy feet (spondees) and light ones (pyrrhics); the name
shows them only where the pattern itself has two beats or none in a foot.
"""

from __future__ import annotations

import functools

from rlpoet.prosody.en.stress_patterns import FEET
from rlpoet.types import Scansion

LINES = ("", "monometer", "dimeter", "trimeter", "tetrameter", "pentameter", "hexameter", "heptameter", "octameter")
ORDINALS = ("", "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
FOOT = {"-+": "iambic", "+-": "trochaic", "--+": "anapestic", "+--": "dactylic", "-+-": "amphibrachic", "++": "spondaic", "--": "pyrrhic"}
FOOT_PATTERNS = {"iambic": "-+", "trochaic": "+-", "anapestic": "--+", "dactylic": "+--", "amphibrachic": "-+-"}
RISING = frozenset({"iambic", "anapestic"})
HAND = {"++": 4.0, "--": 4.0}  # in feet of two syllables, where somebody scanned by hand
AMPHIBRACHIC: dict[str, dict[str | int, float]] = {
    "feet": {1: -9.0, 2: -5.5, 3: -4.6, 4: -4.2, 5: -6.0},
    "first": {"-+-": 0.0, "+-": 3.0},
    "other": {"-+-": 0.0},
    "last": {"-+-": 0.0, "-+": 2.5},
}
LONGEST = 32  # syllables: no longer line has a name
Feet = tuple[str, ...]


@functools.cache
def _families() -> dict[str, dict[str, dict[str | int, float]]]:
    """The feet of ``stress_patterns`` with the additional ones that only names use."""
    families: dict[str, dict[str, dict[str | int, float]]] = {"amphibrachic": AMPHIBRACHIC}
    for name, spec in FEET.items():
        families[name] = {place: dict(forms) for place, forms in spec.items()}  # type: ignore[call-overload]
        if len(FOOT_PATTERNS[name]) == 2:
            for place in ("first", "other", "last"):
                families[name][place].update(HAND)
    return families


def divided(pattern: str, family: str, n: int) -> tuple[float, Feet] | None:
    """The cheapest division of a pattern into ``n`` feet of one family, with its cost; None if there is none."""
    spec = _families()[family]
    ways: dict[int, tuple[float, Feet]] = {0: (0.0, ())}
    for i in range(n):
        forms = spec["last"] if i == n - 1 else spec["first"] if i == 0 else spec["other"]
        grown: dict[int, tuple[float, Feet]] = {}
        for at, (paid, feet) in ways.items():
            for form, cost in forms.items():
                foot = str(form)
                end = at + len(foot)
                if pattern.startswith(foot, at) and (end not in grown or grown[end][0] > paid + cost):
                    grown[end] = (paid + cost, (*feet, foot))
        ways = grown
    return ways.get(len(pattern))


@functools.lru_cache(maxsize=10_000)
def feet_of(pattern: str) -> tuple[str, Feet] | None:
    """The family of feet of a pattern and its feet; None if no family can form the pattern.

    >>> feet_of("+--+-+-+")
    ('iambic', ('+-', '-+', '-+', '-+'))
    """
    if not pattern or len(pattern) > LONGEST:
        return None
    best: tuple[float, str, Feet] | None = None
    for family, spec in _families().items():
        for n, weight in spec["feet"].items():
            feet = divided(pattern, family, int(n))
            if feet is not None and (best is None or weight - feet[0] > best[0]):
                best = (weight - feet[0], family, feet[1])
    return None if best is None else best[1:]


def name_pattern(pattern: str) -> str:
    """The meter of a pattern of beats with its licences, or an empty string.

    >>> name_pattern("+--+-+-+-+-")
    'iambic pentameter, first foot inverted, feminine ending'
    >>> name_pattern("+-+-+-+")
    'trochaic tetrameter catalectic'
    """
    parsed = feet_of(pattern)
    if parsed is None:
        return ""
    family, feet = parsed
    n, standard = len(feet), FOOT_PATTERNS[family]
    name = f"{family} {LINES[n]}"
    notes: list[str] = []
    for i, foot in enumerate(feet, start=1):
        if foot == standard:
            continue
        base, extra = foot, ""
        if i == n and family in RISING and foot.endswith("-") and foot != "+-" and "+" in foot:
            base = foot.rstrip("-")
            extra = "feminine ending" if len(foot) - len(base) == 1 else "triple ending"
        if i == n and family not in RISING and len(foot) < len(standard):
            if family == "dactylic" and n == 6 and foot == "+-":
                continue  # the hexameter of Evangeline always ends so
            name += " catalectic" if len(standard) - len(foot) == 1 else " brachycatalectic"
        elif base == "+" or (i == 1 and family == "amphibrachic"):
            notes.append("headless")
        elif base == standard[::-1] and len(standard) == 2:
            notes.append(f"{ORDINALS[i]} foot inverted")
        elif base != standard:
            notes.append(f"{ORDINALS[i]} foot {FOOT.get(base, base)}")
        if extra:
            notes.append(extra)
    return ", ".join([name, *notes])


ELISIONS = frozenset({"elided", "hour", "synizesis", "syncope-r", "syncope", "heaven", "spirit", "synaeresis"})  # notes of syllables


def meter_name(scansion: Scansion) -> str:
    """The traditional name of a reading: feet, number, licences; empty if its beats cannot be divided into feet.

    >>> meter_name(Scansion("", 10, "-+-+-+-+-+"))
    'iambic pentameter'
    """
    name = name_pattern(scansion.stress or "")
    elided = getattr(scansion, "is_licensed", True) and any(not ELISIONS.isdisjoint(unit.note.split()) for unit in scansion.units)
    return f"{name}, elision" if name and elided else name

"""The kinds of rhyme of each language in the order in which a rhyme dictionary shows them: first the full rhymes."""

from __future__ import annotations

MOSAIC = "mosaic"  # a full rhyme of several words

KINDS: dict[str, tuple[str, ...]] = {
    "fr": ("léonine", "riche", "suffisante", "pauvre", "homonyme", "irrégulière", "insuffisante", "androgyne", "normande", "assonante"),
    "es": ("consonante", "asonante"),
    "en": ("perfect", MOSAIC, "promoted", "rich", "eye", "historical", "weak", "slant"),
}

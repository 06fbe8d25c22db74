"""Regular forms of French verbs in -er and of Spanish verbs in -ar: the infinitives that a form may belong to.

A list of words that authors have used has most verbs but not all their forms (*culpáis*, *rêverez*). These two classes take in nearly all
new verbs and have few irregular ones. Forms in which the stem of some verbs changes are left out for those verbs: *appelle*, *cuento*.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

IRREGULAR = frozenset({"aller", "andar", "dar", "estar"})
LONGEST = 8  # letters of an ending

_FR_BEFORE_A = "ons ais ait aient ai as a âmes âtes asse asses ât assions assiez assent ant ants ante antes".split()  # mangeons, plaçons
_FR_OTHERS = "ez ions iez é ée és ées èrent".split()
_FR_MUTE = "e es ent erai eras era erons erez eront erais erait erions eriez eraient".split()
_FR_CHANGES = re.compile("(?:[eé][^aeiouyéèêâîôû]|[ou]y)$")  # before a mute e: lève, cède, jette, emploie
_ES_BEFORE_E = "é emos éis".split()  # toqué, pagué, tracé
_ES_OTHERS = """amos áis aba abas ábamos abais aban aste ó asteis aron aré arás ará aremos aréis arán aría arías aríamos aríais arían
ara aras áramos arais aran ase ases ásemos aseis asen are ares áremos areis aren ad ando ado ada ados adas""".split()


def infinitives(word: str, code: str) -> Iterator[str]:
    """Infinitives of which a word would be a regular form; whether there are such verbs is for a lexicon to say.

    Args:
        word: in lower case.
        code: of the language; none but ``fr`` and ``es`` has such rules.

    >>> list(infinitives("plaçons", "fr")), list(infinitives("cèdes", "fr")), list(infinitives("appele", "fr"))
    (['placer'], ['cèder'], [])
    >>> list(infinitives("toquemos", "es")), list(infinitives("culpáis", "es")), list(infinitives("toce", "es"))
    (['tocar'], ['culpar'], [])
    """
    for cut in range(max(len(word) - LONGEST, 2), len(word)):
        stem, ending = word[:cut], word[cut:]
        found = _in_er(stem, ending) if code == "fr" else _in_ar(stem, ending) if code == "es" else None
        if found is not None and found not in IRREGULAR:
            yield found


def _in_er(stem: str, ending: str) -> str | None:
    if ending in _FR_BEFORE_A:
        if stem.endswith(("c", "g")):
            return None
        return (stem[:-1] + "c" if stem.endswith("ç") else stem[:-1] if stem.endswith("ge") else stem) + "er"
    if ending in _FR_OTHERS or (ending in _FR_MUTE and not _FR_CHANGES.search(stem)):
        return None if stem.endswith(("ç", "ge")) else stem + "er"
    return None


def _in_ar(stem: str, ending: str) -> str | None:
    if ending in _ES_OTHERS:
        return stem + "ar"
    if ending not in _ES_BEFORE_E or stem.endswith(("g", "z")):
        return None
    for spelt, of in (("qu", "c"), ("gu", "g"), ("c", "z")):
        if stem.endswith(spelt):
            return stem.removesuffix(spelt) + of + "ar"
    return stem + "ar"

"""Sound features of lines by which poets differ, as whole numbers.

| kind | what | label |
| --- | --- | --- |
| phones | one to six phones in a row, a space between words and at both ends | ``phones / lɔ̃/`` |
| vowels | vowel colour: one to four vowels in a row, consonants left out, ``|`` at both ends | ``vowels /ɔ̃yɔ̃/`` |
| consonants | consonance: two to four consonants in a row, vowels left out | ``consonants /bʁds/`` |
| rhythm | syllables of one to four words in a row | ``rhythm 1-1-2`` |
| beats | five or six syllables of the scanned line, ``+`` and ``-`` (Spanish, English) | ``beats +-+--`` |
| length | syllables of the line | ``length 12`` |
| alliteration | one of the two words before begins with the same consonant | ``alliteration /s/`` |
| assonance | one of the two syllables before has the same vowel | ``assonance /ɔ̃/`` |
| end | the last one to six phones of the line | ``end /ete/`` |
| word | a word, of its phones the first seven | ``word /sɔ̃bʁ/`` |
| pair | two words in a row, of each the first three phones | ``pair /lɔ̃b sɔ̃b/`` |
| rhyme | how many lines above (four at most) one ends alike from the last vowel on; with it, the phones they share | ``rhyme 2-3`` |
| richness | how many phones they share; with it, how many of them before the vowel | ``richness 4-1`` |
| scheme | the same distances of two to four lines in a row, 0 for a line without such a mate | ``scheme 0-0-2-2`` |
| lengths | syllables of two or three lines in a row | ``lengths 12-6`` |
| pause | one to four phones and pauses in a row, a pause among them | ``pause /e?/`` |
| breath | a pause and how many words lie before it since the last one, of one and two pauses | ``breath /,/ 3`` |
| tune | one to four pauses in a row, ends of lines among them, however many lines they take | ``tune /,|./`` |

``tune`` and the four kinds before the pauses concern several lines; they belong to the last of these.

A number holds the kind, the number of sounds, and the sounds at seven bits each, so its label can be recovered.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import numpy as np

from rlpoet.analysis.authorship.sound import PAUSES, LineSound

KINDS = (
    "phones", "vowels", "consonants", "rhythm", "beats", "length", "alliteration", "assonance", "end",
    "word", "pair", "rhyme", "richness", "scheme", "lengths", "pause", "breath", "tune",
)  # fmt: skip
COUNTED = ("rhythm", "length", "rhyme", "richness", "scheme", "lengths")  # kinds spelt in numbers
RUNS = {"phones": (1, 6), "vowels": (1, 4), "consonants": (2, 4), "rhythm": (1, 4), "beats": (5, 6)}  # shortest and longest
LONGEST_END = 6
LONGEST_WORD, OF_EACH = 7, 3
FARTHEST, RICHEST = 4, 6  # lines back, phones shared
BITS = 7  # of a sound, so that an inventory has at most 125 phones
UNKNOWN_PHONE, WORD, EDGE = 0, 1, 2  # an unheard-of phone, the space between words, the end of a line
PAUSE = {pause: place for place, pause in enumerate(PAUSES, start=EDGE + 1)}
FIRST = EDGE + 1 + len(PAUSES)  # the first phone
POINTED = 4  # phones and pauses in a row
BEATS = {"+": FIRST, "-": FIRST + 1}
MOST = (1 << BITS) - 1 - FIRST


def inventory(lines: Iterable[LineSound]) -> tuple[str, ...]:
    """The phones of some lines, sorted; the number of a phone is its place."""
    return tuple(sorted({phone for line in lines for word in line.words for phone in word})[:MOST])


def features(lines: Sequence[LineSound], phones: Sequence[str], *, sizes: Sequence[int] = ()) -> tuple[np.ndarray, np.ndarray]:
    """All features of some lines, with repetitions, and for each the number of its line.

    Args:
        sizes: number of lines of each group, in order; by default all lines are one group.

    >>> from rlpoet.analysis.authorship.sound import line_sound
    >>> line = line_sound("l'ombre du sombre été", "fr")
    >>> phones = inventory([line])
    >>> found = [feature_label(number, phones) for number in features([line], phones)[0].tolist()]
    >>> [name in found for name in ("phones / dy /", "vowels /ɔ̃əy/", "consonants /ds/", "rhythm |-2-1-1", "length 6", "end /ete/")]
    [True, True, True, True, True, True]
    """
    number = {phone: place for place, phone in enumerate(phones, start=FIRST)}
    rows: dict[str, list[list[int]]] = {kind: [] for kind in RUNS}
    single: list[int] = []
    owners: list[int] = []
    for at, line in enumerate(lines):
        spoken, vowels, consonants, onsets = [WORD], [EDGE], [EDGE], []
        for word, nuclei in zip(line.words, line.nuclei, strict=True):
            word_phones = [number.get(phone, UNKNOWN_PHONE) for phone in word]
            spoken += word_phones
            spoken.append(WORD)
            inner = set(nuclei)
            vowels += [word_phones[n] for n in nuclei]
            consonants += [phone for n, phone in enumerate(word_phones) if n not in inner]
            onsets.append(word_phones[0] if nuclei and nuclei[0] else EDGE)
        n_syllables = len(line.beats) or len(vowels) - 1
        vowels.append(EDGE)
        rows["phones"].append(spoken)
        rows["vowels"].append(vowels)
        rows["consonants"].append([*consonants, EDGE])
        rows["rhythm"].append([EDGE, *(min(MOST, len(nuclei)) + FIRST for nuclei in line.nuclei), EDGE])
        rows["beats"].append([EDGE, *(BEATS[beat] for beat in line.beats), EDGE] if line.beats else [])
        line_features = [_code("length", [min(MOST, n_syllables) + FIRST])]
        line_features += [
            _code("alliteration", [b]) for gap in (1, 2) for a, b in zip(onsets, onsets[gap:], strict=False) if a == b != EDGE
        ]
        line_features += [
            _code("assonance", [b]) for gap in (1, 2) for a, b in zip(vowels[1:-1], vowels[1 + gap : -1], strict=False) if a == b
        ]
        last = [phone for phone in spoken if phone != WORD][-LONGEST_END:]
        line_features += [_code("end", last[start:]) for start in range(len(last))]
        word_rows = [[number.get(phone, UNKNOWN_PHONE) for phone in word] for word in line.words]
        line_features += [_code("word", word[:LONGEST_WORD]) for word in word_rows]
        line_features += [_code("pair", [*a[:OF_EACH], WORD, *b[:OF_EACH]]) for a, b in itertools.pairwise(word_rows)]
        line_features += _pointed(line, word_rows)
        single += line_features
        owners += [at] * len(line_features)
    for at, line_features in enumerate(_in_company(lines, sizes)):
        single += line_features
        owners += [at] * len(line_features)
    numbers, places = [np.array(single, dtype=np.uint64)], [np.array(owners, dtype=np.int64)]
    for kind, (shortest, longest) in RUNS.items():
        sizes = [len(row) for row in rows[kind]]
        flat = np.array([sound for row in rows[kind] for sound in row], dtype=np.uint64)
        owner = np.repeat(np.arange(len(sizes)), sizes)
        run = np.zeros(len(flat), dtype=np.uint64)
        for n in range(1, longest + 1):
            run = (run[: len(flat) - n + 1] << np.uint64(BITS)) | flat[n - 1 :]
            within = owner[: len(run)] == owner[n - 1 :]
            if n >= shortest:
                numbers.append(run[within] | np.uint64(_code(kind, [0] * n)))
                places.append(owner[: len(run)][within])
    return np.concatenate(numbers), np.concatenate(places)


def feature_label(feature: int, phones: Sequence[str]) -> str:
    """The readable label of a feature."""
    kind, n = KINDS[feature >> 56], (feature >> 52) & 15
    sounds = [(feature >> (BITS * place)) & ((1 << BITS) - 1) for place in reversed(range(n))]
    if kind in COUNTED:
        return f"{kind} {'-'.join('|' if sound == EDGE else str(sound - FIRST) for sound in sounds)}"
    if kind == "beats":
        return f"{kind} {''.join('|' if sound == EDGE else '+-'[sound - FIRST] for sound in sounds)}"
    symbols = ("?", " ", "|", *PAUSES, *phones)
    if kind == "breath":
        return f"{kind} {' '.join(f'/{symbols[a]}/ {b - FIRST}' for a, b in zip(sounds[::2], sounds[1::2], strict=True))}"
    return f"{kind} /{''.join(symbols[sound] for sound in sounds)}/"


def _in_company(lines: Sequence[LineSound], sizes: Sequence[int]) -> list[list[int]]:
    """Features of each line together with those above it in its group."""
    rows: list[list[int]] = []
    for size in sizes or [len(lines)]:
        group = lines[len(rows) : len(rows) + size]
        tails = [[phone for word in line.words for phone in word][::-1] for line in group]
        vowels = [len(line.words[-1]) - line.nuclei[-1][-1] if line.words and line.nuclei[-1] else 0 for line in group]
        syllables = [min(MOST, len(line.beats) or sum(map(len, line.nuclei))) + FIRST for line in group]
        distances: list[int] = []
        tune: list[int] = []
        for n in range(len(group)):
            line_features: list[int] = []
            for pause in (*(PAUSE[pause] for pause in group[n].pauses if pause), EDGE):
                tune.append(pause)
                line_features += [_code("tune", tune[-run:]) for run in (1, 2, 3, 4) if len(tune) >= run]
            distance = FIRST
            for back in range(1, min(FARTHEST, n) + 1):
                shared = next((k for k, (a, b) in enumerate(zip(tails[n], tails[n - back], strict=False)) if a != b), None)
                shared = min(len(tails[n]), len(tails[n - back])) if shared is None else shared
                if vowels[n] and shared >= vowels[n]:
                    distance, rich = back + FIRST, min(shared, RICHEST) + FIRST
                    line_features += [_code("rhyme", [distance]), _code("rhyme", [distance, rich]), _code("richness", [rich])]
                    line_features.append(_code("richness", [rich, min(shared - vowels[n], RICHEST) + FIRST]))
                    break
            distances.append(distance)
            line_features += [_code("scheme", distances[-run:]) for run in (2, 3, 4) if len(distances) >= run]
            line_features += [_code("lengths", syllables[n - run + 1 : n + 1]) for run in (2, 3) if n + 1 >= run]
            rows.append(line_features)
    return rows


def _pointed(line: LineSound, words: Sequence[Sequence[int]]) -> list[int]:
    """Features of pauses with the phones around them, and with the number of words between them."""
    before, *after = line.pauses or ("",)
    spoken = [PAUSE.get(before, WORD)]
    breaths: list[list[int]] = []
    n_words = 0
    for word, pause in zip(words, after, strict=False):
        spoken += [*word, PAUSE.get(pause, WORD)]
        n_words += 1
        if pause:
            breaths.append([PAUSE[pause], min(MOST, n_words) + FIRST])
            n_words = 0
    breaths.append([EDGE, min(MOST, n_words) + FIRST])
    spoken.append(EDGE)
    pause_features = []
    for at, sound in enumerate(spoken):
        if EDGE < sound < FIRST:  # every run of which this is the last pause
            for begin in range(max(0, at - POINTED + 1), at + 1):
                for end in range(at + 1, min(begin + POINTED, len(spoken)) + 1):
                    if end > at + 1 and EDGE < spoken[end - 1] < FIRST:
                        break
                    pause_features.append(_code("pause", spoken[begin:end]))
    pause_features += [_code("breath", breath) for breath in breaths] + [_code("breath", [*a, *b]) for a, b in itertools.pairwise(breaths)]
    return pause_features


def kind_of(feature: int) -> str:
    return KINDS[feature >> 56]


def text_of(line: LineSound) -> list[str]:
    """The phones of a line one after the other, ``_`` after each word."""
    return [phone for word in line.words for phone in (*word, "_")]


def _code(kind: str, sounds: Sequence[int]) -> int:
    value = 0
    for sound in sounds:
        value = value << BITS | sound
    return KINDS.index(kind) << 56 | len(sounds) << 52 | value

"""The sounds of a line of verse without its spelling: phones by word, vowels, beats and pauses.

The sounds are those of the reading that scansion chose: they include French liaison and each mute e that counts, but no elided one.
Word boundaries are kept. So are pauses, at most one between two words, with the kind of punctuation that causes them. Quotation marks,
brackets and capitals make no sound. Stress is that of the scanned line (Spanish, English).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

from rlpoet.prosody import verse

REMEMBERED = 50_000  # lines; a training run hears the same openings and replayed poems again and again
SHORT, MIDDLE, FULL, ASKING, CRYING, TRAILING, BROKEN = ",", ";", ".", "?", "!", "…", "—"
PAUSES = (ASKING, CRYING, TRAILING, FULL, MIDDLE, SHORT, BROKEN)  # the first that is pointed counts
SIGNS = {ASKING: "?", CRYING: "!", TRAILING: "…", FULL: ".", MIDDLE: ";:", SHORT: ",", BROKEN: "—–"}
TIE = "‿"  # a link that is no sound of its own: two vowels share a syllable


@dataclass(frozen=True)
class LineSound:
    """The sounds of a line.

    Attributes:
        words: the phones of each word; a liaison consonant belongs to the next word, and so does an elided word.
        nuclei: for each word the places of its vowels in its phones.
        beats: ``+`` and ``-``, one per syllable, or empty if the meter of the language has no stress.
        guessed: words whose pronunciation is a guess.
        pauses: before the first word and after each word, one of ``PAUSES`` or nothing.
    """

    words: tuple[tuple[str, ...], ...]
    nuclei: tuple[tuple[int, ...], ...]
    beats: str = ""
    guessed: tuple[str, ...] = ()
    pauses: tuple[str, ...] = ()

    @property
    def n_phones(self) -> int:
        return sum(map(len, self.words))


@functools.lru_cache(maxsize=REMEMBERED)
def line_sound(line: str, lang: str) -> LineSound:
    """A line of verse by ear.

    >>> ["".join(word) for word in line_sound("les amis, c'est l'hiver", "fr").words]
    ['le', 'zami', 'sɛ', 'livɛʁ']
    >>> line_sound("« Les AMIS » ; c’est l’hiver", "fr") == line_sound("les amis : c'est l'hiver", "fr")
    True
    >>> line_sound("Quoi ! toi, mon fils ?...", "fr").pauses
    ('', '!', ',', '', '?')
    """
    language = verse(lang)
    words: list[tuple[str, ...]] = []
    nuclei: list[tuple[int, ...]] = []
    guessed: list[str] = []
    before: tuple[str, ...] = ()  # sounds that lean on the word to come
    gaps, read_until = [""], 0  # what stands before the first word and after each, and how far the line is read
    for word in language.words(line):
        gaps[-1] += line[read_until : word.start]
        read_until = word.end
        if not word.heard.known:
            guessed.append(line[word.start : word.end])
        if not word.heard.pronunciations:
            continue
        pronunciation = word.heard.pronunciations[0]
        phones = before + pronunciation.phones
        link = (word.link,) if word.link and word.link != TIE else ()
        if pronunciation.nuclei:
            words.append(phones)
            gaps.append("")
            nuclei.append(tuple(len(before) + place for place in pronunciation.nuclei))
            before = link
        else:  # c', l', qu': no syllable of its own
            before = phones + link
    if before and words:
        words[-1] += before
    gaps[-1] += line[read_until:]
    return LineSound(tuple(words), tuple(nuclei), language.scan(line).stress or "", tuple(guessed), tuple(map(_pause, gaps)))


def _pause(gap: str) -> str:
    gap = gap.replace("...", "…")
    return next((pause for pause in PAUSES if any(sign in gap for sign in SIGNS[pause])), "")

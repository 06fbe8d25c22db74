"""What the ear gets of a line of verse: its phones word by word, its vowels, its beats and its pauses; nothing of how it is spelt.

A line is heard in the reading scansion takes, so French liaison and the counted mute e are in it and an elided one is not. Word
boundaries are kept, as in any phonetic transcription, and so are pauses, with the tune that leads to them, as a voice makes them where
the text is pointed: one between two words, whatever signs stand there. Quotation marks, brackets and capitals make no sound. Stress is
that of the scanned line (Spanish, English).
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
    """A line as it is heard.

    Attributes:
        words: the phones of each word; a liaison belongs to the word it leads to, an elided word to the next one.
        nuclei: for each word the places of its vowels in its phones.
        beats: ``+`` and ``-``, one a syllable, or empty where the meter counts no stress.
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

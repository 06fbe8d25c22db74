"""Explains to readers why two English words rhyme or do not, and how the words of a line sound. Not used by scoring."""

from __future__ import annotations

import itertools

from rlpoet.phonology.apparatus import heard
from rlpoet.phonology.en.sounds import phones_of, pronunciation
from rlpoet.phonology.en.tables import Phones
from rlpoet.prosody.en.feet import ELISIONS
from rlpoet.prosody.en.rhyme import HISTORICAL, PRIMARY, PROMOTED, WORD, WRENCHED, EnglishEnding, word_endings
from rlpoet.prosody.en.scansion import WordOptions, lay, word_options
from rlpoet.prosody.en.syllables import Reading
from rlpoet.prosody.en.tables import historical_tails, historical_vowels
from rlpoet.types import Ending, Pronunciation, SpokenWord, Syllable, Transcription

STRESS = {
    PROMOTED: "the meter stresses the last syllable of “{word}”, the word itself an earlier one",
    HISTORICAL: "the last syllable of “{word}” is heard as older verse rhymed it",
    WRENCHED: "the rhyme forces the stress of “{word}” onto its last syllable",
}


def spoken(line: str, parse: tuple[tuple[WordOptions, Reading], ...], pattern: str) -> tuple[SpokenWord, ...]:
    """The words of a line as its scansion pronounces them.

    Args:
        parse: each word with its reading in the line.
        pattern: the beats of the line.
    """
    words = []
    at = 0
    syllables = iter(pattern)
    places = [match for match in WORD.finditer(heard(line)) if word_options(match[0]) is not None]
    for (word, reading), place in zip(parse, places, strict=True):
        beats = "".join(itertools.islice(syllables, len(reading.marks)))
        units = lay(word.spelt, ((word, reading),), beats) if beats else ()
        at = place.start()
        words.append(SpokenWord(at, at + len(word.spelt), transcribe_in_line(word, reading), "", word_note(reading, units)))
    return tuple(words)


def transcribe_in_line(word: WordOptions, reading: Reading) -> Transcription:
    """All pronunciations of a word; that of the reading comes first."""
    pronunciations, known = phones_of(word.spelt)
    ways: list[Phones] = [reading.phones] if reading.phones else []
    in_line: dict[Pronunciation, None] = dict.fromkeys(
        pronunciation(phones) for phones in [*ways, *(phones for phones, _ in pronunciations)]
    )
    source = next((where for phones, where in pronunciations if phones == reading.phones), pronunciations[0][1] if pronunciations else "")
    return Transcription(word.spelt, tuple(in_line), source, known)


def word_note(reading: Reading, units: tuple[Syllable, ...]) -> str:
    """A note on a word: its licences, then the changes that the meter makes to its syllables."""
    notes = dict.fromkeys(note for unit in units for note in unit.note.split())
    for note in reading.note.split():
        notes.setdefault(note)
    return " ".join("-èd" if note == "-ed" else f"elision ({note})" if note in ELISIONS - {"elided"} else note for note in notes)


def reasons(a: Ending, b: Ending, kind: str | None) -> tuple[str, ...]:
    """Short sentences on why ``a`` and ``b`` have this kind: their tails, pronunciations, what is missing, what is a guess."""
    sentences = [f"“{a.word}” ends in /{''.join(a.phones)}/, “{b.word}” in /{''.join(b.phones)}/."]
    for ending in (a, b):
        tails = list(dict.fromkeys(e.phones for e in word_endings(ending.word) if e.stress == PRIMARY))
        others = [tail for tail in tails if tail != ending.phones]
        if ending.phones in tails and others:
            sentences.append(f"“{ending.word}” is said in {len(tails)} ways: here /{''.join(ending.phones)}/, not {_listed(others)}.")
    sentences.append(_verdict(a, b, kind))
    for ending in (a, b):
        stress = ending.stress if isinstance(ending, EnglishEnding) else ""
        if stress in STRESS and a.word != b.word:
            reason = STRESS[stress].format(word=ending.word)
            sentences.append(f"{reason[0].upper()}{reason[1:]}.")
    sentences += [
        f"“{e.word}” is in no lexicon and no rule reaches it: its sound is a guess." for e in dict.fromkeys((a, b)) if not e.known
    ]
    return tuple(dict.fromkeys(sentences))


def _listed(tails: list[tuple[str, ...]]) -> str:
    return " or ".join("/" + "".join(tail) + "/" for tail in tails)


def _verdict(a: Ending, b: Ending, kind: str | None) -> str:
    x, y = "".join(a.onset), "".join(b.onset)
    letters = a.word[a.start :]
    if kind == "identical":
        return "Identical: the same word twice, which is repetition and no rhyme."
    if kind == "rich":
        return f"Rich rhyme: what stands before the stressed vowel agrees too ({f'/{x}/' if x else 'nothing'})."
    if kind == "perfect":
        return f"Perfect rhyme: all sounds agree from the stressed vowel on, those before it differ (/{x or '-'}/, /{y or '-'}/)."
    if kind == "promoted":
        return "Promoted rhyme, a full one: all sounds agree, one of the two stresses is the meter's."
    if kind == "weak":
        return "Weak rhyme, not a full one: all sounds agree, but both stresses are the meter's."
    if kind == "wrenched":
        return "Wrenched rhyme, not a full one: all sounds agree, but the beat falls beside the word's own stress."
    if kind == "eye":
        return f"Eye rhyme, not a full one: both are spelt -{letters}, but they sound apart."
    if kind == "historical":
        where = historical_tails()[0].get(" ".join(a.phones), {}).get(" ".join(b.phones))
        where = where or historical_vowels().get((a.phones[0], b.phones[0]), "")
        source = f" ({where})" if where and a.phones != b.phones else ""
        return f"Historical rhyme, dead today and not a full one: poets long rhymed these sounds{source}."
    if kind == "slant":
        return f"Slant rhyme, not a full one: what follows the vowel agrees, the vowels differ (/{a.phones[0]}/, /{b.phones[0]}/)."
    return "No rhyme: the sounds from the stressed vowel on differ."

"""The words of a French line with their pronunciation in verse: mute e sounded or not, diérèse, liaison, h aspiré.

Liaison as in the diction of verse (Martinon, Comment on prononce le français, 1913): before a vowel and without a
pause every written s, x, z sounds /z/, t and d /t/, also after nouns, -r of -er /ʁ/; n only after the words that
give it up in prose too, p and g in a few. Left out: liaison over punctuation, and what single poets avoid.
"""

from __future__ import annotations

import bisect
import re

from rlpoet.phonology.fr.numerals import aloud
from rlpoet.phonology.fr.sounds import ELISION, VOWELS, French, clean, pronounce
from rlpoet.prosody.fr.readings import LineReading, Mark, lower_same_length, read_line
from rlpoet.prosody.fr.syllables import START_P, chance, start_keys
from rlpoet.types import Pronunciation, SpokenWord, Transcription

TOKEN = re.compile(r"[^\W\d_]+(?:['’ʼ-]+[^\W\d_]+)*['’ʼ]?")
PART = re.compile(r"[^\W\d_]+['’ʼ]?")
TIED = frozenset(" \t\u00a0-‐‑'’ʼ")
LATENT = {"s": "z", "x": "z", "z": "z", "t": "t", "d": "t", "r": "ʁ", "n": "n", "p": "p", "g": "k"}
SOUNDED = {"s": "sz", "x": "s", "z": "z", "t": "t", "d": "d", "r": "ʁ", "p": "p", "g": "ɡk"}  # what the letter says where it is not silent
N_LINKS = frozenset(
    "un mon ton son on en bien rien aucun commun bon ancien plein certain vain divin moyen prochain lointain vilain soudain".split()
)
FEW_LINKS = frozenset("trop beaucoup coup sang long rang".split())
NEVER = frozenset("et vers nid pied nœud".split())
MIN_CHANCE = 0.02  # below this chance of diérèse nobody asks (bien, roi)
GLIDES = {"j": "i", "w": "u", "ɥ": "y"}
CLOSED = {vowel: glide for glide, vowel in GLIDES.items()}


def spoken_words(line: str, phonology: French, target: int | None = None) -> tuple[SpokenWord, ...]:
    """The words of a line in order, in the reading that scansion chose.

    >>> from rlpoet.phonology import phonology
    >>> [word.heard.pronunciations[0].ipa + word.link for word in spoken_words("les hommes ont une passion", phonology("fr"))]
    ['lez', 'ɔməz', 'ɔ̃t', 'ynə', 'pasiɔ̃']
    """
    line_reading = read_line(line, target)
    lowered = lower_same_length(line_reading.text)
    spans = [span for token in TOKEN.finditer(line_reading.text) for span in token_parts(token.start(), token.group(), phonology)]
    places = _places(line_reading)
    words = []
    for index, (start, end) in enumerate(spans):
        following = spans[index + 1] if index + 1 < len(spans) else None
        transcription, note = transcribe_in_line(line_reading, start, end, phonology)
        link = ""
        if following is not None and TIED.issuperset(line_reading.text[end : following[0]]):
            link = liaison(lowered[start:end], transcription.pronunciations, lowered[following[0] : following[1]])
        words.append(SpokenWord(places[start], places[end], transcription, link, note))
    return tuple(words)


def token_parts(start: int, token: str, phonology: French) -> list[tuple[int, int]]:
    """The places of the words in a token: elided words and inversions apart, compounds of the lexicon whole."""
    cleaned = clean(token)
    if token[-1].isalpha() and ("-" in cleaned or "'" in cleaned) and not ELISION.match(cleaned) and phonology.look_up(cleaned):
        return [(start, start + len(token))]
    return [(start + part.start(), start + part.end()) for part in PART.finditer(token)]


def transcribe_in_line(line_reading: LineReading, start: int, end: int, phonology: French) -> tuple[Transcription, str]:
    """The pronunciation of the word at a place of the line, and a note on how it differs from the word alone."""
    word = line_reading.text[start:end]
    numeral = line_reading.letters[start] if line_reading.letters is not None else ""
    if len(numeral) > 1 and aloud(numeral) == word:
        return phonology.transcribe(numeral), ""
    elided = word[-1] in "'’ʼ"
    if elided or (word in ("t", "T") and line_reading.text[start - 1 : start] == "-"):
        whole = phonology.transcribe(clean(word) + "e")  # c', d' and qu' sound as in ce, de and que
        phones = whole.pronunciations[0].phones
        phones = phones[:-1] if phones[-1:] and phones[-1] in VOWELS else phones
        return Transcription(word, (pronounce(phones),), whole.source, whole.known), "elided" if elided else "euphonic"
    transcription = phonology.transcribe(word)
    first, last = (bisect.bisect_left(line_reading.marks, place, key=lambda mark: mark.start) for place in (start, end))
    marks = [(line_reading.marks[i], line_reading.counts(i)) for i in range(first, last)]
    starts = start_keys(word.lower())
    notes = ["h aspiré"] if word[0] in "hH" and chance(starts, START_P[starts[-1]]) > 0.5 else []
    notes += [note_of(mark, counts) for mark, counts in marks]
    likeliest = sorted(transcription.pronunciations, key=lambda p: abs(_full(p) - sum(counts and not mark.mute for mark, counts in marks)))[
        :1
    ]
    shaped = [shape(pronunciation, marks) for pronunciation in likeliest]
    rest = [p for p in transcription.pronunciations if p not in likeliest and p not in shaped]
    in_line = Transcription(word, (*shaped, *rest), transcription.source, transcription.known)
    return in_line, ", ".join(dict.fromkeys(note for note in notes if note))


def note_of(mark: Mark, counts: bool) -> str:
    """The note on a nucleus, or empty."""
    if mark.mute:
        return "" if counts else "e caduc" if mark.last else "e elided"
    return ("diérèse" if counts else "synérèse" if mark.p > MIN_CHANCE else "") if mark.contact else ""


def shape(pronunciation: Pronunciation, marks: list[tuple[Mark, bool]]) -> Pronunciation:
    """A dictionary pronunciation adapted to the line: glides opened or closed, and each mute e that counts is sounded."""
    phones = list(pronunciation.phones)
    missing = sum(counts and not mark.mute for mark, counts in marks) - _full(pronunciation)
    apart, counted = set(), 0  # which counted vowels end before a diérèse
    for mark, counts in marks:
        if counts and not mark.mute:
            if mark.contact:
                apart.add(counted - 1)
            counted += 1
    nuclei = 0
    for i, phone in enumerate(phones):
        before_vowel = i + 1 < len(phones) and phones[i + 1] in VOWELS
        if missing > 0 and phone in GLIDES and before_vowel and nuclei in apart:
            phones[i] = phone = GLIDES[phone]
            missing -= 1
        elif missing < 0 and phone in CLOSED and before_vowel:
            phones[i] = phone = CLOSED[phone]
            missing += 1
        nuclei += phone in VOWELS
    sounded = any(mark.mute and counts for mark, counts in marks) and sum(counts for _, counts in marks) > nuclei  # je has its vowel
    if phones and phones[-1] != "ə" and sounded:
        phones.append("ə")
    return pronounce(tuple(phones))


def liaison(word: str, pronunciations: tuple[Pronunciation, ...], following: str) -> str:
    """The consonant of a liaison with the next word, or empty.

    >>> from rlpoet.phonology import phonology
    >>> ear = phonology("fr")
    >>> [liaison(a, ear.transcribe(a).pronunciations, b) for a, b in (("les", "amis"), ("les", "héros"), ("aimer", "encor"), ("et", "une"))]
    ['z', '', 'ʁ', '']
    """
    starts = start_keys(following.rstrip("'’ʼ"))
    if word in NEVER or not pronunciations or chance(starts, START_P[starts[-1]]) > 0.5:
        return ""
    last = word[-1]
    phones = pronunciations[0].phones
    final = phones[-2:-1] if phones[-1:] == ("ə",) else phones[-1:]
    if last not in LATENT or not final or final[0] in SOUNDED.get(last, ""):
        return ""
    if last == "n":
        return "n" if word in N_LINKS else ""
    if last in "pg":
        return LATENT[last] if word in FEW_LINKS else ""
    if word.endswith(("rt", "rd", "ct")) or (last == "r" and final[0] not in "eɛ"):
        return ""
    return LATENT[last]


def _full(pronunciation: Pronunciation) -> int:
    return pronunciation.n_syllables - (pronunciation.n_syllables > 1 and pronunciation.phones[-1] == "ə")


def _places(line_reading: LineReading) -> list[int]:
    """The place in the original line of each letter of the composed text, and of its end."""
    if line_reading.letters is None:
        return list(range(len(line_reading.text) + 1))
    places = [0]
    for letter in line_reading.letters:
        places.append(places[-1] + len(letter))
    return places

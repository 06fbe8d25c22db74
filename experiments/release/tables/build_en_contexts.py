"""Build ``contexts.tsv``: which phones an English letter stands for between its neighbours, learnt from CMUdict.

    python -m experiments.release.tables.build_en_contexts > rlpoet/phonology/en/data/contexts.tsv
    python -m experiments.release.tables.build_en_contexts --held 20 --fold 3 > contexts_without_fold_3.tsv

Letters and phones of each word are aligned by Viterbi training (a letter says nothing, one phone or two). The aligned
letters grow a tree that looks at one neighbour more a level, in the order ``ORDER``; a node is written only where it
answers otherwise than the node above it (Daelemans and van den Bosch's IGTree). A node answers three things: what the
letter says if it carries the word's primary stress, what if not, and the log odds that it does. ``--held N --fold K``
leaves out each word whose checksum is K modulo N, for measuring.
"""

from __future__ import annotations

import argparse
import math
import sys
import zlib
from collections import Counter, defaultdict
from dataclasses import dataclass

from rlpoet.phonology.en.contexts import ORDER, window
from rlpoet.phonology.en.tables import is_vowel, lexicon, stressed_nucleus

ROUNDS = 4
VOWELS = frozenset("aeiouy")
SMOOTH = 2.0  # sights of the node above that count as a node's own
FEWEST = 2  # words a node must have been seen in
Pair = tuple[str, tuple[str, ...]]


def training(held: int, fold: int) -> list[Pair]:
    """Every word of letters only with each of its pronunciations."""
    found = []
    for entry, said in lexicon().items():
        word = entry.partition("(")[0]
        if word.isalpha() and word.isascii() and not (held and zlib.crc32(word.encode()) % held == fold):
            phones = tuple(said.split("#")[0].split())
            vowels = [i for i, phone in enumerate(phones) if is_vowel(phone)]
            if len(word) > 1 and len(phones) <= 2 * len(word) and any(phones[i][-1] == "1" for i in vowels):
                main = vowels[stressed_nucleus(phones)]  # one primary stress a word
                found.append((word, tuple(p.replace("1", "2") if i != main else p for i, p in enumerate(phones))))
    return found


def first_guess(pairs: list[Pair]) -> dict[str, dict[str, float]]:
    """How often a phone stands about where a letter stands."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for word, phones in pairs:
        for i, letter in enumerate(word):
            for j, phone in enumerate(phones):
                off = abs((i + 0.5) / len(word) - (j + 0.5) / len(phones))
                if off < 0.2:
                    counts[letter][phone] += 1 - 4 * off
    return {letter: {p: math.log(n / sum(c.values())) for p, n in c.items() if n > 0} for letter, c in counts.items()}


def aligned(word: str, phones: tuple[str, ...], score: dict[str, dict[str, float]], first: bool) -> list[str] | None:
    """The likeliest chunk of phones of each letter, or None if there is none."""
    n, m = len(word), len(phones)
    rows: list[dict[int, tuple[float, int]]] = [{0: (0.0, 0)}]
    for i, letter in enumerate(word):
        known, row = score[letter], {}
        led = i > 0 and word[i - 1] in VOWELS and letter not in VOWELS  # the vowel of -er is its e, never its r
        for j, (paid, _) in rows[-1].items():
            for k in (0, 1, 2):
                if j + k > m or m - j - k > 2 * (n - i - 1):
                    continue
                if led and any(is_vowel(phone) for phone in phones[j : j + k]):
                    continue
                if first:
                    cost = -2.5 if k == 0 else sum(known.get(p, -9.0) for p in phones[j : j + k]) - 3.0 * (k == 2)
                else:
                    cost = known.get(" ".join(phones[j : j + k]), -14.0)
                if j + k not in row or row[j + k][0] < paid + cost:
                    row[j + k] = (paid + cost, k)
        rows.append(row)
    if m not in rows[-1]:
        return None
    chunks = []
    for i in range(n, 0, -1):
        k = rows[i][m][1]
        chunks.append(" ".join(phones[m - k : m]))
        m -= k
    return chunks[::-1]


def align(pairs: list[Pair]) -> list[tuple[str, list[str]]]:
    """All words aligned, after ``ROUNDS`` rounds of counting what the last alignment did."""
    score = first_guess(pairs)
    found: list[tuple[str, list[str]]] = []
    for turn in range(ROUNDS):
        found = []
        for word, phones in pairs:
            chunks = aligned(word, phones, score, not turn)
            if chunks is not None:
                found.append((word, chunks))
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for word, chunks in found:
            for letter, chunk in zip(word, chunks, strict=True):
                counts[letter][chunk] += 1
        score = {letter: {c: math.log(n / sum(by.values())) for c, n in by.items()} for letter, by in counts.items()}
        print(f"round {turn}: {len(found)} words", file=sys.stderr)
    return found


@dataclass(frozen=True)
class Answer:
    """What a node says: the chunk under stress, the one without, the log odds of the stress."""

    stressed: str
    plain: str
    odds: float


def answer(counts: Counter[str], above: Answer, strict: int) -> Answer:
    """A node's answer; it keeps the one above where it has no better reason."""
    chosen = []
    for old, wanted in ((above.stressed, True), (above.plain, False)):
        group = {chunk: n for chunk, n in counts.items() if ("1" in chunk) is wanted}
        best, n = min(group.items(), key=lambda item: (-item[1], item[0]), default=(old, 0))
        chosen.append(old if old != "?" and n - group.get(old, 0) < strict else best)
    seen, stressed = sum(counts.values()), sum(n for chunk, n in counts.items() if "1" in chunk)
    prior = 1 / (1 + math.exp(-above.odds))
    p = (stressed + SMOOTH * prior) / (seen + SMOOTH)
    p = min(max(p, 1e-4), 1 - 1e-4)
    return Answer(chosen[0], chosen[1], math.log(p / (1 - p)))


def grow(found: list[tuple[str, list[str]]], strict: int, step: float) -> list[tuple[str, Answer, int]]:
    """The nodes that answer otherwise than those above them: letters in the order they are looked at, answer, sights."""
    nodes: list[tuple[str, Answer, int]] = []
    roots: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for word, chunks in found:
        for i, chunk in enumerate(chunks):
            roots[word[i]].append((window(word, i), chunk))
    work = [(letter, cases, Answer("?", "?", -2.0)) for letter, cases in sorted(roots.items())]
    while work:
        path, cases, above = work.pop()
        counts = Counter(chunk for _, chunk in cases)
        own = answer(counts, above, strict)
        if len(path) == 1 or (own.stressed, own.plain) != (above.stressed, above.plain) or abs(own.odds - above.odds) > step:
            nodes.append((path, own, len(cases)))
        else:
            own = above
        if len(counts) > 1 and len(path) <= len(ORDER) and len(cases) >= FEWEST:
            below: dict[str, list[tuple[str, str]]] = defaultdict(list)
            for seen, chunk in cases:
                below[seen[len(path) - 1]].append((seen, chunk))
            work += [(path + letter, group, own) for letter, group in below.items() if len(group) >= FEWEST]
    return sorted(nodes, key=lambda node: node[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--held", type=int, default=0, help="leave out one word in so many")
    parser.add_argument("--fold", type=int, default=0, help="which of them")
    parser.add_argument("--strict", type=int, default=2, help="by how many sights a node must beat the one above it")
    parser.add_argument("--step", type=float, default=2.0, help="by how many nats its stress must differ")
    options = parser.parse_args()
    print("% Learnt from CMUdict (experiments/release/tables/build_en_contexts.py): what a letter says between its neighbours.")
    print("% context: the letter, then its neighbours in the order of en_contexts.ORDER, _ beyond the word. stressed, plain: what it")
    print("% says with the word's primary stress and without, - for silence, ? for never seen. odds: of that stress, in nats.")
    print("context\tstressed\tplain\todds")
    for path, own, _ in grow(align(training(options.held, options.fold)), options.strict, options.step):
        print(path, own.stressed or "-", own.plain or "-", f"{own.odds:.1f}", sep="\t")


if __name__ == "__main__":
    main()

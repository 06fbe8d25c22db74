"""Where the French verse module and the scheme of a poem disagree, with no annotation: for finding words and rules to mend.

A poem whose stanzas of one length mostly rhyme by one scheme (three in five, at least three, every line rhymed) wants that
scheme in its other stanzas too. Reported for one half of the poems (by hash of author and title): the share of wanted pairs the
verse module accepts, and the share of pairs it asserts that the scheme denies. Read the errors of half A only; half B is for judging.

    python experiments/release/tables/mine_fr_rhymes.py ../shared/corpora/fr.jsonl.gz
    python experiments/release/tables/mine_fr_rhymes.py ../shared/corpora/fr.jsonl.gz --errors errors.tsv
"""

from __future__ import annotations

import argparse
import collections
import gzip
import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from rlpoet.prosody import verse
from rlpoet.prosody.rhyme import rhyme_kind

WINDOW = 6
SHORTEST, LONGEST = 4, 12
LEAST_STANZAS, LEAST_SHARE = 4, 0.6

Pair = tuple[int, int]


def kinds_of(lines: Sequence[str]) -> dict[Pair, str | None]:
    """The kind of every pair of lines within the window."""
    n = len(lines)
    return {(i, j): rhyme_kind(lines[i], lines[j], "fr") for i in range(n) for j in range(i + 1, min(i + WINDOW + 1, n))}


def wanted_pairs(stanzas: Sequence[Sequence[str]], full: frozenset[str]) -> frozenset[Pair] | None:
    """The pairs of the scheme that most stanzas of one length keep; None without such a scheme."""
    n = len(stanzas[0])
    seen = collections.Counter(frozenset(pair for pair, kind in kinds_of(lines).items() if kind in full) for lines in stanzas)
    scheme, times = seen.most_common(1)[0]
    family = list(range(n))
    for i, j in sorted(scheme):
        family[j] = family[i]
    whole = {(i, j) for i in range(n) for j in range(i + 1, min(i + WINDOW + 1, n)) if family[i] == family[j]}
    closed = all(family.count(letter) > 1 for letter in family) and whole == scheme
    return scheme if closed and times >= max(3, LEAST_SHARE * len(stanzas)) else None


def stanzas_with_scheme(path: Path, half: str, full: frozenset[str]) -> Iterator[tuple[frozenset[Pair], Sequence[str]]]:
    """Stanzas of one half of the corpus with the pairs their poem wants."""
    with gzip.open(path, "rt", encoding="utf-8") as rows:
        for row in rows:
            poem = json.loads(row)
            name = hashlib.sha1((poem["author"] + poem["title"]).encode()).hexdigest()
            if "AB"[int(name, 16) % 2] != half:
                continue
            by_length = collections.defaultdict(list)
            for lines in poem["stanzas"]:
                by_length[len(lines)].append(lines)
            for n, stanzas in by_length.items():
                wanted = wanted_pairs(stanzas, full) if SHORTEST <= n <= LONGEST and len(stanzas) >= LEAST_STANZAS else None
                if wanted:
                    yield from ((wanted, lines) for lines in stanzas)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--errors", type=Path, help="where to write the disagreements of half A")
    args = parser.parse_args()
    rules = verse("fr")
    full = rules.rhyming | {"identical"}
    found: list[str] = []
    for half in "AB":
        kept = missed = denied = 0
        for wanted, lines in stanzas_with_scheme(args.corpus, half, full):
            kinds = kinds_of(lines)
            good = sum(kinds[pair] in full for pair in wanted)
            if 2 * good < len(wanted):  # a stanza of another scheme
                continue
            wrong = [pair for pair, kind in kinds.items() if (kind in full) != (pair in wanted)]
            kept, missed = kept + good, missed + len(wanted) - good
            denied += sum(pair not in wanted for pair in wrong)
            if half == "A":
                found += [f"{'missed' if (i, j) in wanted else 'false'}\t{kinds[i, j]}\t{lines[i]}\t{lines[j]}" for i, j in wrong]
        accepted, against = kept / (kept + missed), denied / (kept + denied)
        print(f"half {half}: accepted {accepted:.4f} of {kept + missed} wanted, {against:.4f} of asserted denied")
    if args.errors:
        args.errors.write_text("\n".join(found) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

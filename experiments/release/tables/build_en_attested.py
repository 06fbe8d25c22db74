"""Build ``attested.tsv``: words that CMUdict lacks, with the pronunciation that poets' rhymes confirm.

    python -m experiments.release.tables.build_en_attested ../shared/corpora/en.jsonl.gz > rlpoet/phonology/en/data/attested.tsv

Every derivation of a word and the reading of its letters are candidates. A place is a line end with the word; it speaks for a
candidate that rhymes with one of the ends of the four lines before and after it. In nearly eight of ten places a word of the lexicon
has such a rhyme. Only words are written whose derivation nothing else confirms. Words with another confirmation that hardly ever
rhyme are listed on standard error: look them up, and put what is wrong into ``words.tsv``.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator

from rlpoet.phonology.en import tables
from rlpoet.phonology.en.contexts import guess
from rlpoet.phonology.en.derived_forms import derivations
from rlpoet.phonology.en.sounds import fold, phones_of
from rlpoet.phonology.en.tables import Phones, is_vowel
from rlpoet.prosody.en.rhyme import PRIMARY, PROMOTED, last_words, merged, tails

REACH = 4  # lines
FEWEST_PLACES, MOST_PLACES = 4, 40
MOST_OF_AN_AUTHOR = 4
FEWEST_AUTHORS = 2
FEWEST_RHYMES = 3
CONFIRMED, DOUBTFUL = 0.5, 0.34  # shares of the places
BETTER = 2  # places more than those of the pronunciation that would be used
Place = tuple[str, frozenset[str]]  # author, words at the ends of the lines around


def places(corpus: str) -> dict[str, list[Place]]:
    """Where each word stands at a line's end."""
    found: dict[str, list[Place]] = defaultdict(list)
    with gzip.open(corpus, "rt", encoding="utf-8") as rows:
        for row in rows:
            poem = json.loads(row)
            for stanza in poem["stanzas"]:
                ends = [fold(words[-1]) if (words := last_words(line)) else "" for line in stanza]
                for i, word in enumerate(ends):
                    around = frozenset(ends[max(0, i - REACH) : i + REACH + 1]) - {word, ""}
                    if word.isalpha() and len(around) > 1:
                        found[word].append((poem["author"], around))
    return found


def endings(word: str, phones: Phones) -> set[tuple[str, ...]]:
    """The tails of one pronunciation that may rhyme in full; a word of two syllables shows by its rhymes which is stressed."""
    allowed = (PRIMARY, PROMOTED) if sum(map(is_vowel, phones)) > 2 else (PRIMARY,)
    return {merged(tail) for _, tail, stress in tails(word, phones) if stress in allowed}


def candidates(word: str) -> Iterator[Phones]:
    for derivation in derivations(word):
        yield derivation.pronunciations[0][0]
    yield guess(word)[0]


def main() -> None:
    tables.attested = dict  # type: ignore[assignment]  # what this program writes takes no part in it
    known: dict[str, set[tuple[str, ...]]] = {}

    def heard(word: str) -> set[tuple[str, ...]]:
        if word not in known:
            pronunciations, sure = phones_of(word)
            known[word] = {tail for phones, _ in pronunciations for tail in endings(word, phones)} if sure else set()
        return known[word]

    print("% Learnt from verse by experiments/release/tables/build_en_attested.py: words whose sound the rhymes of poets confirm.")
    print("% phones: ARPAbet. places: line ends with the word; rhymed: how many of them have a rhyme for it near by.")
    print("word\tphones\trhymed\tplaces")
    for word, found in sorted(places(sys.argv[1]).items()):
        if len(found) < FEWEST_PLACES or tables.known_phones(word):
            continue
        seen: Counter[str] = Counter()
        near: list[set[tuple[str, ...]]] = []
        for author, around in found:
            tails_around = [tail for other in sorted(around) for tail in heard(other)]
            if len(tails_around) > 1 and seen[author] < MOST_OF_AN_AUTHOR and len(near) < MOST_PLACES:
                seen[author] += 1
                near.append(set(tails_around))
        if len(near) < FEWEST_PLACES or len(seen) < FEWEST_AUTHORS:
            continue
        votes = {phones: sum(not endings(word, phones).isdisjoint(tails) for tails in near) for phones in candidates(word)}
        pronunciations, sure = phones_of(word)
        used = votes.get(pronunciations[0][0], 0)
        best, rhymed = max(votes.items(), key=lambda item: item[1])
        if rhymed < used + BETTER:
            best, rhymed = pronunciations[0][0], used
        if sure:
            if used < DOUBTFUL * len(near) and len(near) > FEWEST_PLACES:
                print(
                    f"doubtful: {word} /{' '.join(pronunciations[0][0])}/ rhymed {used} of {len(near)}, /{' '.join(best)}/ {rhymed}",
                    file=sys.stderr,
                )
        elif rhymed >= max(CONFIRMED * len(near), FEWEST_RHYMES):
            print(word, " ".join(best), rhymed, len(near), sep="\t")


if __name__ == "__main__":
    main()

"""Build ``vocabulary.tsv``: the lexicon's words that are common in verse, of which unknown words may be compounded.

    python -m experiments.release.tables.build_en_vocabulary ../shared/corpora/en.jsonl.gz > rlpoet/phonology/en/data/vocabulary.tsv

CMUdict is full of surnames (elor, bagl), which would make bachelor a compound. A word counts once a poem.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections import Counter

from rlpoet.phonology.en.sounds import fold
from rlpoet.phonology.en.tables import known_phones
from rlpoet.prosody.en.rhyme import words_of

FEWEST_POEMS = 10
SHORTEST = 3  # letters


def main() -> None:
    counts: Counter[str] = Counter()
    with gzip.open(sys.argv[1], "rt", encoding="utf-8") as rows:
        for row in rows:
            counts.update({fold(word) for stanza in json.loads(row)["stanzas"] for line in stanza for word in words_of(line)})
    print(f"% Words of CMUdict and words.tsv found in {FEWEST_POEMS} or more poems of the corpora of public-domain verse.")
    print("word")
    for word, n in sorted(counts.items()):
        if n >= FEWEST_POEMS and len(word) >= SHORTEST and word.isalpha() and known_phones(word):
            print(word)


if __name__ == "__main__":
    main()

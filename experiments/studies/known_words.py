"""How many lines of human verse, and of a policy's unfiltered poems, the reward ``lexicon`` pays in full.

    rlpoet generate --lang fr --raw --n 100 --seed 0 --json > RAW/fr.jsonl     # and es, en
    python -m experiments.studies.known_words --corpora FOLDER --raw RAW [--n 500] [--seed 0]

FOLDER holds ``fr.jsonl.gz``, ``es.jsonl.gz`` and ``en.jsonl.gz``; stanzas of four lines are drawn from all of each file. The word lists
were made of these texts among others, so human verse from elsewhere earns somewhat less. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Sequence
from pathlib import Path

from rewards.lexicon import Lexicon
from rlpoet.analysis.lexicon import unknown_words
from rlpoet.corpus import read_poems
from rlpoet.types import Prompt

FORM = "quatrain-abab"  # any form of four lines: the reward reads words alone
HEADER = ("", "verse", "quatrains", "lines paid", "paid by a capital", "quatrains that score 1", "lines known to `generate`")


def quatrains(path: Path, n: int, *, seed: int) -> list[str]:
    """So many stanzas of four lines from a file of poems."""
    found = ["\n".join(stanza) for poem in read_poems([path]) for stanza in poem.stanzas if len(stanza) == 4]
    return random.Random(seed).sample(found, n)


def row(lang: str, verse: str, texts: Sequence[str]) -> list[str]:
    """One row of the table, of stanzas of four lines."""
    prompt, reward = Prompt(lang, FORM), Lexicon()
    told = [reward.explain(prompt, text) for text in texts]
    lines = [line for one in told for line in one.lines]
    shares = [
        sum(line.score == 1.0 for line in lines) / len(lines),
        sum(line.score == 1.0 and bool(line.reason) for line in lines) / len(lines),
        sum(one.score == 1.0 for one in told) / len(told),
        sum(not unknown_words(line.line, lang) for line in lines) / len(lines),
    ]
    return [lang, verse, f"{len(texts)}", *(f"{share:.1%}" for share in shares)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", type=Path, required=True)
    parser.add_argument("--raw", type=Path, required=True)
    parser.add_argument("--n", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rows = [list(HEADER), ["---"] * len(HEADER)]
    for lang in ("fr", "es", "en"):
        rows.append(row(lang, "human", quatrains(options.corpora / f"{lang}.jsonl.gz", options.n, seed=options.seed)))
        raw = (options.raw / f"{lang}.jsonl").read_text(encoding="utf-8").splitlines()
        rows.append(row(lang, "raw", [json.loads(line)["text"] for line in raw]))
    print("\n".join(f"| {' | '.join(cells)} |" for cells in rows))


if __name__ == "__main__":
    main()

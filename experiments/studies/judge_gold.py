"""How far the second judges (``rlpoet.evaluation.form.second_judge``) are to be trusted: precision and recall on annotated rhyme.

    python -m experiments.studies.judge_gold --gold FOLDER fr es en

FOLDER holds ``rhyme_LANG_dev.jsonl.gz``: poems with ``lines``, ``scheme`` (a family a line or null), ``stanza`` and ``rtype``. Pairs of
lines at most six apart inside one stanza; poems that assonate are left out; ``--poems`` of each source, by a hash of their text. A pair
of one word counts as no rhyme by the judge, as it does where the judge is used.
"""

from __future__ import annotations

import argparse
import collections
import gzip
import hashlib
import json
from pathlib import Path

from rlpoet.evaluation.second_judge import last_word, second_judge

WINDOW, MOST = 6, 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("langs", nargs="+")
    parser.add_argument("--gold", required=True, type=Path)
    parser.add_argument("--poems", type=int, default=150)
    args = parser.parse_args()
    for lang in args.langs:
        judge = second_judge(lang)
        if judge is None:
            raise SystemExit(f"{lang}: no second judge; expected fr, es or en.")
        by_source = collections.defaultdict(list)
        with gzip.open(args.gold / f"rhyme_{lang}_dev.jsonl.gz", "rt", encoding="utf-8") as rows:
            for row in rows:
                poem = json.loads(row)
                if poem.get("rtype") != "assonant":
                    by_source[poem["source"]].append(poem)
        right = false = missed = 0
        for poems in by_source.values():
            for poem in sorted(poems, key=lambda own: hashlib.sha1("\n".join(own["lines"]).encode()).hexdigest())[: args.poems]:
                lines, scheme, stanza = (poem[key][:MOST] for key in ("lines", "scheme", "stanza"))
                ends = [last_word(line) for line in lines]
                for i in range(len(lines)):
                    for j in range(i + 1, min(i + WINDOW + 1, len(lines))):
                        if None in (scheme[i], scheme[j]) or stanza[i] != stanza[j]:
                            continue
                        says, gold = ends[i] != ends[j] and judge.rhyme(lines[i], lines[j]), scheme[i] == scheme[j]
                        right, false, missed = right + (says and gold), false + (says and not gold), missed + (gold and not says)
        precision, recall = round(right / (right + false), 4), round(right / (right + missed), 4)
        print(json.dumps({"lang": lang, "judge": judge.name, "precision": precision, "recall": recall, "pairs": right + missed}))


if __name__ == "__main__":
    main()

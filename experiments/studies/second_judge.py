"""Ask a detector that is not this project's whether a run's poems rhyme.

    python -m experiments.studies.second_judge runs/fr-tb-s0

reads ``before.json`` and ``after.json`` and counts the pairs of each scheme twice: by rlpoet, and by frhyme (French), pyverse (Spanish)
or CMUdict through `pronouncing` (English). The first two are not dependencies: install them beside rlpoet to measure. A word never
rhymes with itself.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

from rlpoet.prosody.forms import form
from rlpoet.prosody.rhyme import rhymes
from rlpoet.text import split_poem

Judge = Callable[[str, str], bool]
VOWELS = "aeEiouyO29@$#()"  # of frhyme's alphabet; the last four are nasal


def last_word(line: str) -> str:
    words = re.findall(r"[^\W\d_]+", line.lower().replace("’", "'"))
    return words[-1] if words else ""


def french() -> Judge:
    from frhyme.frhyme import lookup

    def tails(word: str) -> set[str]:
        found = [sound for _, sound in lookup(word, 3)]
        return {match[0] for sound in found if (match := re.search(f"[{VOWELS}][^{VOWELS}]*$", sound))}

    return lambda a, b: bool(tails(last_word(a)) & tails(last_word(b)))


def spanish() -> Judge:
    from pyverse import Pyverse

    return lambda a, b: Pyverse(a).consonant_rhyme == Pyverse(b).consonant_rhyme


def english() -> Judge:
    import pronouncing

    def parts(word: str) -> set[str]:
        return {pronouncing.rhyming_part(phones) for phones in pronouncing.phones_for_word(word)}

    return lambda a, b: bool(parts(last_word(a)) & parts(last_word(b)))


JUDGES: dict[str, Callable[[], Judge]] = {"fr": french, "es": spanish, "en": english}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    for folder in parser.parse_args().runs:
        for phase in ("before", "after"):
            item = json.loads((folder / f"{phase}.json").read_text(encoding="utf-8"))
            lang = item["prompts"][0]["lang"]
            other = JUDGES[lang]()
            ours = theirs = both = n = 0
            for prompt, text in zip(item["prompts"], item["texts"], strict=True):
                lines, asked = split_poem(text), form(prompt["form"], lang)
                n += len(asked.pairs)
                if len(lines) != asked.n_lines:
                    continue
                for i, j in asked.pairs:
                    distinct = last_word(lines[i]) != last_word(lines[j])
                    mine, yours = rhymes(lines[i], lines[j], lang), distinct and other(lines[i], lines[j])
                    ours, theirs, both = ours + mine, theirs + yours, both + (mine and yours)
            row = {"run": folder.name, "phase": phase, "pairs": n, "rlpoet": ours / n, "other": theirs / n, "both": both / n}
            sys.stdout.write(json.dumps({k: round(v, 3) if isinstance(v, float) else v for k, v in row.items()}) + "\n")


if __name__ == "__main__":
    main()

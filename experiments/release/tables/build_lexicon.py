"""Build the word list of a language: the forms that several authors have used, in verse or in novels.

    python -m experiments.release.tables.build_lexicon --lang es es.jsonl.gz es_more.jsonl.gz prose_es.jsonl.gz

Rows of the files have ``author`` and ``stanzas`` (lists of lines) or ``paragraphs``. A form that one author alone has is often a slip
of an edition or a name. Writes ``rlpoet/analysis/lexicon/data/LANG.txt.gz``, one form per line in alphabetical order.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from rlpoet.analysis.lexicon import DATA, words

AUTHORS = 3  # that have used a form


def texts_of(paths: Sequence[Path]) -> Iterator[tuple[str, str]]:
    """Author and text of each row; a row without an author counts by its title, else by its file."""
    for path in paths:
        with gzip.open(path, "rt", encoding="utf-8") as rows:
            for line in rows:
                row = json.loads(line)
                parts = row.get("paragraphs") or ["\n".join(stanza) for stanza in row.get("stanzas") or []]
                yield row.get("author") or row.get("title") or path.name, "\n".join(parts)


def forms(texts: Iterator[tuple[str, str]], lang: str, *, authors: int = AUTHORS) -> list[str]:
    """The forms that so many authors have used, in order."""
    used: dict[str, set[str]] = defaultdict(set)
    for author, text in texts:
        used[author].update(words(text, lang))
    counts = Counter(word for own in used.values() for word in own)
    return sorted(word for word, n in counts.items() if n >= authors)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lang", required=True)
    parser.add_argument("--authors", type=int, default=AUTHORS)
    parser.add_argument("files", nargs="+", type=Path)
    options = parser.parse_args()
    found = forms(texts_of(options.files), options.lang, authors=options.authors)
    path = DATA / f"{options.lang}.txt.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress("\n".join(found).encode() + b"\n", mtime=0))
    print(f"{path}: {len(found):,} forms, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()

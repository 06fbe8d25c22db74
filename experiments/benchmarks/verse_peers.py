"""Other people's rhyme and scansion tools behind the protocol of ``rlpoet rhymes`` and ``rlpoet scan``.

    python verse_peers.py list                                       # what there is, as JSON
    python verse_peers.py frhyme rhymes fr < rows.jsonl > answers.jsonl

Needs nothing but the standard library and the peer, so that a peer may live in a virtual environment of its own. None of them is a
dependency, and those under the GPL (plint, espeak-ng, and RhymeTagger through espeak-ng) are only ever called. A tool that is
not there ends with exit code 3 and how to get it, one that is there but lacks something (a model, a program) with 4 and what is missing.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import verse_adapters as adapters  # beside this script, which is not run as a part of a package

BLOCK = {"rhymes": 16, "scan": 128}  # rows handed to a tool at once: prosodic and espeak-ng are built for batches


@dataclass(frozen=True)
class Peer:
    """A tool and what it can be asked.

    Attributes:
        package: what ``pip install`` takes, or ``apt install`` for a program.
        modules: what has to be importable; empty for a program of the package's name.
        does: language -> ``rhymes``, ``scan``, ``fits`` (scans only against a given length).
        open: loads it for a language: ``(verdicts or None, readings or None)``.
        note: what the adapter replaces.
    """

    package: str
    modules: tuple[str, ...]
    does: dict[str, tuple[str, ...]]
    open: Callable[[str], tuple[adapters.Verdicts | None, adapters.Readings | None]]
    note: str = ""

    @property
    def get(self) -> str:
        return f"pip install {self.package}" if self.modules else f"apt install {self.package}"

    @property
    def installed(self) -> bool:
        return all(importlib.util.find_spec(name) for name in self.modules) and bool(self.modules or shutil.which(self.package))

    @property
    def version(self) -> str:
        if not self.modules:
            said = subprocess.run([self.package, "--version"], check=False, text=True, capture_output=True).stdout
            return next((word for word in said.split() if word[0].isdigit()), "")
        try:
            return " + ".join(metadata.version(package.partition("==")[0]) for package in self.package.split())
        except metadata.PackageNotFoundError:  # unpacked by hand
            return "?"


BOTH = ("rhymes", "scan")
ALONE = "NLTK's punkt is not needed: a line is a sentence"
PEERS = {
    "frhyme": Peer("frhyme", ("frhyme",), {"fr": ("rhymes",)}, adapters.open_frhyme, "any of its three likeliest pronunciations"),
    "plint": Peer(
        "plint frhyme haspirater",
        ("plint", "frhyme", "haspirater"),
        {"fr": ("rhymes", "fits")},
        adapters.open_plint,
        "classical rules; lengths up to 16",
    ),
    "rhymetagger": Peer("rhymetagger", ("rhymetagger",), dict.fromkeys(("fr", "es", "en"), ("rhymes",)), adapters.open_rhymetagger, ALONE),
    "epitran": Peer("epitran silabeador", ("epitran", "silabeador"), {"fr": ("rhymes",), "es": ("rhymes",)}, adapters.open_epitran),
    "pyverse": Peer("pyverse==1.1.0", ("pyverse",), {"es": BOTH}, adapters.open_pyverse, "its consonant rhyme; asked once a word"),
    "rantanplan": Peer(
        "rantanplan", ("rantanplan", "spacy"), {"es": ("scan",)}, adapters.open_rantanplan, "made for spaCy 2; here on spaCy 3, no affixes"
    ),
    "libescansion": Peer("libEscansion", ("libEscansion",), {"es": ("scan",)}, adapters.open_libescansion),
    "pronouncing": Peer("pronouncing", ("pronouncing",), {"en": BOTH}, adapters.open_pronouncing),
    "g2p_en": Peer(
        "g2p_en pronouncing", ("g2p_en", "pronouncing"), {"en": BOTH}, adapters.open_g2p_en, "CMUdict first; NLTK's tagger not used"
    ),
    "prosodic": Peer("prosodic", ("prosodic",), {"en": BOTH}, adapters.open_prosodic, ALONE),
    "espeak-ng": Peer(  # the syllables it speaks are not those French and Spanish verse counts
        "espeak-ng", (), {"fr": ("rhymes",), "es": ("rhymes",), "en": BOTH}, adapters.open_espeak, "one process a block of lines"
    ),
}


def describe(peer: Peer) -> dict[str, Any]:
    """What the bench has to know of a peer, in this interpreter."""
    version = peer.version if peer.installed else ""
    return {"installed": peer.installed, "version": version, "get": peer.get, "does": peer.does, "note": peer.note}


def answer(name: str, verb: str, lang: str) -> None:
    """Rows of standard input to answers on standard output, in blocks."""
    out = sys.stdout
    with redirect_stdout(sys.stderr):  # some peers talk
        verdicts, readings = PEERS[name].open(lang)
        while rows := [json.loads(row) for row in itertools.islice(sys.stdin, BLOCK[verb])]:
            if verb == "rhymes" and verdicts is not None:
                found: Iterable[Any] = ({"rhymes": said} for said in verdicts([(row["lines"], row["pairs"]) for row in rows]))
            elif verb == "scan" and readings is not None:
                found = readings([(row["line"], row.get("target")) for row in rows])
            else:
                raise adapters.Missing(f"a notion of {verb}")
            out.writelines(json.dumps(said) + "\n" for said in found)


def main(argv: Sequence[str]) -> int:
    if list(argv) == ["list"]:
        json.dump({name: describe(peer) for name, peer in PEERS.items()}, sys.stdout)
        return 0
    name, verb, lang = argv
    if not PEERS[name].installed:
        sys.stderr.write(f"not installed ({PEERS[name].get})\n")
        return 3
    try:
        answer(name, verb, lang)
    except adapters.Missing as missing:
        sys.stderr.write(f"lacks {missing}\n")
        return 4
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

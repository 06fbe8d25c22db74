"""``rlpoet corpus``: poems from files, the hub or Project Gutenberg to one clean corpus."""

from __future__ import annotations

from rlpoet.config.command import Command
from rlpoet.corpus.config import CorpusConfig


def run(config: CorpusConfig) -> int:
    from rlpoet.corpus.build import build
    from rlpoet.reporting.corpus import show_corpus
    from rlpoet.reporting.poems import console

    show_corpus(config, build(config, tell=console(stderr=True).print))
    return 0


COMMAND = Command("corpus", "gather poems from anywhere into one clean corpus", CorpusConfig, run, positional=("sources",))

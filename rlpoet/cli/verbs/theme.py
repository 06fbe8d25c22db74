"""``rlpoet theme``: build a language's theme model from poems, or ask it what is near to a word."""

from __future__ import annotations

from dataclasses import dataclass

from rlpoet.config.command import Command
from rlpoet.config.ranges import Seed
from rlpoet.errors import UnknownName

ACTIONS = ("build", "near")


@dataclass(frozen=True)
class ThemeConfig:
    """Build the word model that the reward theme uses, or show the words nearest to given words.

    Attributes:
        action: build (from --data) or near (of the words that follow).
        words: near: one word or more; the answers are near to the sum of their vectors.
        lang: fr, es or en.
        data: build: files of poems, as rlpoet corpus reads and writes them.
        out: build: folder to write theme.npz and its card README.md into.
        model: near: a theme.npz of your own; the shipped one by default.
        validation: build: share of poems held out for the figures.
        dimensions: build: size of a word's vector.
        epochs: build: passes over the lines.
        batch: build: groups of four lines per batch.
        rate: build: size of the first step.
        forget: build: share of words left out of a line at random.
        entries: build: most words kept.
        beginnings: build: most beginnings of rarer words kept.
        seed: build: of all draws.
        n: near: how many words to show.
    """

    action: str
    words: tuple[str, ...] = ()
    lang: str = "fr"
    data: tuple[str, ...] = ()
    out: str = ""
    model: str = ""
    validation: float = 0.1
    dimensions: int = 64
    epochs: float = 4.0
    batch: int = 128
    rate: float = 0.1
    forget: float = 0.1
    entries: int = 12000
    beginnings: int = 4000
    seed: Seed = 0
    n: int = 12


def run(config: ThemeConfig) -> int:
    from rlpoet.reporting.poems import console

    out = console()
    if config.action == "build":
        from rlpoet.analysis.coherence.build import build_files
        from rlpoet.analysis.coherence.learn import LearnOptions

        names = ("dimensions", "epochs", "batch", "rate", "forget", "seed")
        figures = build_files(
            config.lang,
            config.data,
            config.out,
            LearnOptions(**{name: getattr(config, name) for name in names}),
            entries=config.entries,
            beginnings=config.beginnings,
            validation=config.validation,
            say=out.print,
        )
        for figure in figures:
            out.print(figure.line())
    elif config.action == "near":
        from rlpoet.analysis.coherence.model import near_words

        for word, likeness in near_words(config.words, config.lang, n=config.n, path=config.model):
            out.print(f"{likeness:.2f}  {word}", highlight=False, markup=False)
    else:
        raise UnknownName("theme action", config.action, ACTIONS)
    return 0


COMMAND = Command("theme", "build a word model of themes, or ask it for near words", ThemeConfig, run, positional=("action", "words"))

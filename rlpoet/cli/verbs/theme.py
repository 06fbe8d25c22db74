"""``rlpoet theme``: build a language's theme model from poems, or ask it what is near to a word."""

from __future__ import annotations

from dataclasses import dataclass

from rlpoet.config.command import Command
from rlpoet.errors import RlpoetError, UnknownName

ACTIONS = ("build", "near")


@dataclass(frozen=True)
class ThemeConfig:
    """Build the word model the reward theme reads, or show the words nearest to some.

    Attributes:
        action: build (from --data) or near (of the words that follow).
        words: near: one word or more; their sum is what others are near to.
        lang: fr, es or en.
        data: build: files of poems, as rlpoet corpus reads and writes them.
        out: build: folder to write theme.npz and its card README.md into.
        model: near: a theme.npz of your own; the shipped one by default.
        validation: build: share of poems held out for the figures.
        dimensions: build: numbers of a word's vector.
        epochs: build: times each line is learned from.
        batch: build: runs of four lines told apart at once.
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
    seed: int = 0
    n: int = 12


def run(config: ThemeConfig) -> int:
    if config.action not in ACTIONS:
        raise UnknownName("theme action", config.action, ACTIONS)
    return _build(config) if config.action == "build" else _near(config)


def _build(config: ThemeConfig) -> int:
    from pathlib import Path

    from rlpoet.analysis.coherence.build import build
    from rlpoet.analysis.coherence.learn import LearnOptions
    from rlpoet.corpus.read import read_poems
    from rlpoet.languages import code_of
    from rlpoet.reporting.poems import console

    for field in ("data", "out"):
        if not getattr(config, field):
            raise RlpoetError(f"--{field}: missing; expected files of poems and a folder: theme build --lang fr --data FILE --out FOLDER.")
    if not 0 < config.validation < 1:
        raise RlpoetError(f"--validation {config.validation}: expected a share between 0 and 1, 0.1 for one poem in ten.")
    for field in ("dimensions", "epochs", "batch", "rate", "entries"):
        if getattr(config, field) <= 0:
            raise RlpoetError(f"--{field} {getattr(config, field)}: expected a positive number.")
    if not 0 <= config.forget < 1:
        raise RlpoetError(f"--forget {config.forget}: expected a share from 0 to below 1.")
    said = {name: getattr(config, name) for name in ("dimensions", "epochs", "batch", "rate", "forget", "seed")}
    flags = [f"--{name} {value}" for name, value in said.items()]
    flags += [f"--entries {config.entries}", f"--beginnings {config.beginnings}", f"--validation {config.validation}"]
    names = " ".join(Path(source).name for source in config.data)
    figures = build(
        code_of(config.lang),
        read_poems(config.data),
        Path(config.out),
        LearnOptions(**said),
        words=config.entries,
        rest=config.beginnings,
        validation=config.validation,
        command=f"rlpoet theme build --lang {config.lang} --data {names} " + " ".join(flags),
        say=console().print,
    )
    for figure in figures:
        console().print(
            f"AUC {figure.auc:.3f} ({figure.low:.3f} to {figure.high:.3f}), {figure.n} stanzas of {figure.poems} poems: {figure.name}"
        )
    return 0


def _near(config: ThemeConfig) -> int:
    from rlpoet.analysis.coherence.model import ThemeModel, theme_model
    from rlpoet.reporting.poems import console

    if not config.words:
        raise RlpoetError("WORDS: none given; expected a word or more: theme near --lang fr mer.")
    model = ThemeModel.load(config.model) if config.model else theme_model(config.lang)
    if model is None:
        raise RlpoetError(
            f"--lang {config.lang}: no theme model is shipped; expected fr, es or en, or --model FILE. Build one: theme build."
        )
    found = model.near(config.words, config.n)
    if not found:
        raise RlpoetError(f"{' '.join(config.words)}: no word the {model.lang} model knows; expected commoner words.")
    for word, likeness in found:
        console().print(f"{likeness:.2f}  {word}", highlight=False, markup=False)
    return 0


COMMAND = Command("theme", "build a word model of themes, or ask it for near words", ThemeConfig, run, positional=("action", "words"))

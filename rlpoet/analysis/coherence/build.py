"""Builds a language's theme model from poems: word vectors, calibration on shuffled stanzas, test figures, a model card."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rlpoet.analysis.coherence.learn import LearnOptions, LineRows, learn, once
from rlpoet.analysis.coherence.model import FILE, ThemeModel, quantised, set_against
from rlpoet.analysis.coherence.shuffles import auc, auc_interval, same_author, same_form, shuffled, stanzas_of, without_ends
from rlpoet.analysis.coherence.words import WordLines, choose_entries
from rlpoet.corpus.poem import Poem, split_poems
from rlpoet.corpus.read import read_poems
from rlpoet.errors import RlpoetError
from rlpoet.languages import code_of
from rlpoet.text import check_writable, write_atomically

LENGTHS = (2, 3, 4, 5, 6, 8, 10, 14, 20)  # numbers of lines at which shuffled stanzas are measured
SHUFFLES = 1000  # stanzas made at each length
STANZAS = 2000  # real stanzas whose mean and covariance are kept
SEED = 7  # of these two; the learner has its own


@dataclass(frozen=True)
class Figure:
    """How well coherence separates real stanzas from shuffled ones, on held-out poems.

    Attributes:
        name: how the stanzas were shuffled.
        n: number of real stanzas, and of shuffled ones. poems: number of their poems.
        auc: area under the ROC curve, and its 95 % bounds over poems.
        real, false: median coherence.
    """

    name: str
    n: int
    poems: int
    auc: float
    low: float
    high: float
    real: float
    false: float

    def line(self) -> str:
        """The same as one line."""
        return f"AUC {self.auc:.3f} ({self.low:.3f} to {self.high:.3f}), {self.n} stanzas of {self.poems} poems: {self.name}"


def build_model(
    lang: str, poems: Sequence[Poem], options: LearnOptions, *, words: int, rest: int, say: Callable[[str], object] = lambda text: None
) -> ThemeModel:
    """Learn a model from all of these poems, in the precision in which it is stored.

    Args:
        words, rest: most words to keep, and most beginnings of other words.

    Raises:
        RlpoetError: too few poems to learn anything.
    """
    word_lines = WordLines.of(poems)
    entries = choose_entries(word_lines, words=words, rest=rest)
    lines = LineRows.of(word_lines, {entry: row for row, entry in enumerate(entries)})
    say(f"{len(poems):,} poems, {len(lines.rows):,} lines, {len(entries):,} entries")
    try:
        small, scale = quantised(learn(lines, len(entries), options, say=say))
    except ValueError as error:
        raise RlpoetError(f"theme: {error}. Give more poems, or a smaller --batch.") from None
    none = np.zeros((0, 3))
    vectors = small.astype(np.float32) * scale[:, None]
    uncalibrated = ThemeModel(lang, entries, vectors, np.zeros(0, np.int64), none, np.zeros(0), np.zeros((0, 0)))
    return _calibrated(uncalibrated, poems, lines)


def measure(model: ThemeModel, poems: Sequence[Poem], *, n_lines: int = 4, seed: int = 0) -> list[Figure]:
    """Test figures on stanzas of ``n_lines`` lines from held-out poems; a kind of shuffle with too few stanzas is left out."""
    stanzas = stanzas_of(poems, model.lang, n_lines=n_lines)
    figures = []
    for name, alike in (("lines of poems of the same form", same_form), ("lines of poems of the same form and author", same_author)):
        pairs = shuffled(stanzas, alike, seed=seed)
        if len({real.poem for real, _ in pairs}) < 2:
            continue
        for suffix, transform in (("", list), (", last words removed", without_ends)):
            real = np.array([model.coherence(transform(one.lines)) for one, _ in pairs])
            false = np.array([model.coherence(transform(one.lines)) for _, one in pairs])
            of = [one.poem for one, _ in pairs]
            medians = float(np.median(real)), float(np.median(false))
            figures.append(Figure(name + suffix, len(pairs), len(set(of)), auc(real, false), *auc_interval(real, false, of), *medians))
    return figures


def build(
    lang: str,
    poems: Sequence[Poem],
    out: Path,
    options: LearnOptions,
    *,
    words: int,
    rest: int,
    validation: float,
    command: str,
    say: Callable[[str], object] = lambda text: None,
) -> list[Figure]:
    """Build a model, measure it on the poems held out, write ``theme.npz`` and its card into a folder.

    Args:
        validation: share of poems held out, by a hash of their first lines.
        command: the command that builds it, for the card.
    """
    check_writable(out / FILE)
    train, held_out = split_poems(poems, validation=validation)
    model = build_model(lang, train, options, words=words, rest=rest, say=say)
    model.save(out / FILE)
    figures = measure(ThemeModel.load(out / FILE), held_out)
    size = (out / FILE).stat().st_size
    write_atomically(out / "README.md", card(model, figures, options, n_train=len(train), n_held=len(held_out), size=size, command=command))
    return figures


def build_files(
    lang: str,
    sources: Sequence[str],
    out: str | Path,
    options: LearnOptions,
    *,
    entries: int,
    beginnings: int,
    validation: float,
    say: Callable[[str], object] = lambda text: None,
) -> list[Figure]:
    """``build`` from files of poems, with the options of ``rlpoet theme build`` and its command on the card.

    Args:
        lang: code, variety or folder of a language.
        sources: files of poems, as ``rlpoet corpus`` reads and writes them.

    Raises:
        RlpoetError: files that cannot be read, or an option out of its range.
    """
    for field, given in (("data", sources), ("out", out)):
        if not given:
            raise RlpoetError(f"--{field}: missing; expected files of poems and a folder: theme build --lang fr --data FILE --out FOLDER.")
    if not 0 < validation < 1:
        raise RlpoetError(f"--validation {validation}: expected a share between 0 and 1, 0.1 for one poem in ten.")
    learning = {name: getattr(options, name) for name in ("dimensions", "epochs", "batch", "rate", "forget", "seed")}
    for name, value in {**learning, "entries": entries}.items():
        if value <= 0 and name not in ("forget", "seed"):
            raise RlpoetError(f"--{name} {value}: expected a positive number.")
    if not 0 <= options.forget < 1:
        raise RlpoetError(f"--forget {options.forget}: expected a share from 0 to below 1.")
    flags = {**learning, "entries": entries, "beginnings": beginnings, "validation": validation}
    command = f"rlpoet theme build --lang {lang} --data {' '.join(Path(source).name for source in sources)} "
    command += " ".join(f"--{name} {value}" for name, value in flags.items())
    poems, code = read_poems(sources), code_of(lang)
    sizes = {"words": entries, "rest": beginnings}
    return build(code, poems, Path(out), options, **sizes, validation=validation, command=command, say=say)


def card(model: ThemeModel, figures: Sequence[Figure], options: LearnOptions, *, n_train: int, n_held: int, size: int, command: str) -> str:
    """The model card."""
    rows = "\n".join(
        f"| {f.name} | {f.n:,} | {f.poems:,} | {f.auc:.3f} ({f.low:.3f} to {f.high:.3f}) | {f.real:.2f} / {f.false:.2f} |" for f in figures
    )
    settings = ", ".join(f"{name} {value}" for name, value in dataclasses.asdict(options).items())
    return f"""---
language: {model.lang}
license: apache-2.0
tags: [poetry, rlpoet, theme]
---
# rlpoet theme model ({model.lang})

Vectors of {len(model.entries):,} words and beginnings of words, {model.vectors.shape[1]} numbers of eight bits each, {size / 1e6:.2f} MB,
taught to tell the lines of a stanza from lines of other poems (`rlpoet.analysis.coherence`). It holds no verse, only words and
numbers; the reward
`theme` and `rlpoet theme near` read it.

## Data

{n_train:,} poems learned from; {n_held:,} whole poems held out, by a hash of their first lines. Editions differ in licence: look at your
sources before you use the weights where a non-commercial licence would matter.

## Built by

    {command}

{settings}.

## Figures

Stanzas of four lines of the poems held out against shuffled ones: as many lines of as many poems, each line from the same place of a
stanza whose lines have the same metrical lengths. AUC with its 95 % interval (bootstrap over poems), and the median coherence of real and
shuffled stanzas.

| shuffled with | stanzas | poems | AUC | median real / shuffled |
| --- | --- | --- | --- | --- |
{rows}
"""


def _calibrated(model: ThemeModel, poems: Sequence[Poem], lines: LineRows) -> ThemeModel:
    rng = np.random.default_rng(SEED)
    lengths = [n for n in LENGTHS if n <= lines.poem[-1] + 1]
    table = []
    for n in lengths:
        evidence = _shuffled_evidence(model, lines, n, rng)
        table.append(
            (evidence.mean(), max(evidence.mean(axis=1).std(), 1e-9), max(evidence.std(), 1e-9)) if len(evidence) else (0.0, 1.0, 1.0)
        )
    blocks = [stanza for poem in poems for stanza in poem.stanzas]
    bags = [[row for line_rows in model.stanza_words(blocks[i]).lines for row in line_rows] for i in rng.permutation(len(blocks))[:STANZAS]]
    vectors = np.stack([model.stanza_vector(rows) for rows in bags if rows])
    centre, spread = vectors.mean(axis=0), np.atleast_2d(np.cov(vectors.T, bias=True))
    return dataclasses.replace(model, lengths=np.array(lengths), shuffled=np.array(table), centre=centre, spread=spread)


def _shuffled_evidence(model: ThemeModel, lines: LineRows, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """``model.evidence`` of stanzas whose n lines come from n poems, [S, n]; without stanzas that have a line with no word."""
    first = np.flatnonzero(np.diff(lines.poem, prepend=-1))
    count = np.diff(first, append=len(lines.poem))
    sampled = np.stack([rng.choice(len(first), n, replace=False) for _ in range(SHUFFLES)])
    picked = first[sampled] + (rng.random(sampled.shape) * count[sampled]).astype(np.int64)
    pad = len(model.vectors)
    table = np.vstack([model.vectors, np.zeros((1, model.vectors.shape[1]), np.float32)])
    rows = once(lines.rows[picked].reshape(SHUFFLES, -1), pad).reshape(SHUFFLES, n, -1)
    ends = np.where((rows == lines.ends[picked][:, :, None]).any(axis=2), lines.ends[picked], pad)
    words = (rows < pad).sum(axis=2)
    return set_against(table[rows].sum(axis=2, dtype=np.float64), table[ends].astype(np.float64))[(words > 0).all(axis=1)]

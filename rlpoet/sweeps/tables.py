"""The tables of a comparison: Markdown for a file, rich for a terminal; figures spelt once for these and the page."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.table import Table

from rlpoet.analysis.intervals import Interval, number_of
from rlpoet.sweeps.figures import FIGURES, Figure
from rlpoet.sweeps.results import Comparison, Row, spoken

EXPLAINED = (
    "The primary figure is the distance from the target, KL(policy || p0 exp(beta reward) / Z): 0 is the target itself. "
    "Mean over seeds, and in brackets an interval of 95 %: Student's over the seeds. With one seed the prompts are drawn again, each with "
    "its poems, and what belongs to no single poem (KL to the prior, distinct end words, entropy, reward, samples) has none. "
    "Differences are paired by seed, or by prompt with one seed; `not separated` means that the interval holds 0. "
    "No correction is made for many comparisons."
)
SHORT = (
    "target_kl",
    "credited_pairs",
    "rhyme_pairs",
    "lines_in_meter",
    "perfect_stanzas",
    "prior_nll_change",
    "kl",
    "distinct_end_words",
    "samples_to_reach",
    "fresh_samples",
    "tokens_drawn",
)


def columns(comparison: Comparison, lang: str) -> list[str]:
    """Names of the figures that at least one run of a language has."""
    runs = [one.figures for arm in comparison.arms for one in comparison.of(arm, lang)]
    return [name for name in FIGURES if any(name in figures for figures in runs)]


def heading(name: str, reach: float) -> str:
    """A figure's name for people."""
    return FIGURES[name].label.format(reach=f"{100 * reach:.0f} % of pairs")


def number(value: float, figure: Figure, *, signed: bool = False) -> str:
    """A value without its unit.

    >>> number(0.8496, FIGURES["rhyme_pairs"]), number(21312, FIGURES["fresh_samples"]), number(-0.04, FIGURES["kl"], signed=True)
    ('85.0', '21312', '-0.040')
    """
    sign = "+" if signed or figure.kind == "relative" else ""
    if figure.kind in ("share", "relative"):
        return f"{100 * value:{sign}z.1f}"
    if figure.kind == "count":
        return f"{value:{sign}z.0f}"
    return f"{value:{sign}z.3f}" if abs(value) < 10 else f"{value:{sign}.1f}"


def spelt(value: Interval, figure: Figure, *, gap: bool = False) -> str:
    """A figure with its interval, where it is a merit and has one: ``85.0 % [83.1, 86.9]``, ``+3.2 points [+1.1, +5.4]``, ``2.5``."""
    unit = {"share": " points" if gap else " %", "relative": " points" if gap else " %"}.get(figure.kind, "")
    mean = f"{number(value.mean, figure, signed=gap)}{unit}"
    if not figure.better or value.low is None or value.high is None:
        return mean
    low, high = (number(x, figure, signed=gap) for x in (value.low, value.high))
    return mean if low == high else f"{mean} [{low}, {high}]"


def cell_text(comparison: Comparison, row: Row, name: str) -> str:
    """The cell of a table; for samples to reach, the number of seeds that reached it, if not all did."""
    if name in row.figures:
        return spelt(row.figures[name], FIGURES[name])
    if name == "samples_to_reach" and row.arm in comparison.arms:
        n_runs = sum(name in one.figures for one in comparison.of(row.arm, row.lang))
        return f"reached by {n_runs} of {len(row.seeds)}"
    return ""


def verdict(value: Interval, figure: Figure) -> str:
    """The verdict on a difference: ``better``, ``worse``, ``not separated``; empty without an interval or for a cost."""
    if value.separated is None or not figure.better:
        return ""
    if not value.separated:
        return "not separated"
    return "better" if (value.mean > 0) == (figure.better == "high") else "worse"


def leads(comparison: Comparison) -> list[str]:
    """One sentence per language: the arm nearest the target, and whether it is separated from the baseline.

    Where arms have different targets, and in runs of earlier versions, which have no distance, it is the arm with most rhymes.
    """
    sentences = []
    for lang in comparison.langs:
        rows = [row for row in comparison.rows if row.lang == lang and row.seeds and row.arm in comparison.arms]
        primary = comparison.one_target(lang) and any("target_kl" in row.figures for row in rows)
        name, manner = ("target_kl", "is nearest the target") if primary else ("rhyme_pairs", "rhymes most")
        figure, sign = FIGURES[name], 1 if FIGURES[name].better == "low" else -1
        arms = [row for row in rows if name in row.figures]
        if not arms:
            continue
        first, *others = sorted(arms, key=lambda row: sign * row.figures[name].mean)
        text = f"{lang}: {first.arm} {manner}, {spelt(first.figures[name], figure)}"
        leader = first if first.arm != comparison.baseline else next((row for row in others if name in row.differences), None)
        if leader is not None and name in leader.differences:
            gap = leader.differences[name]
            text += f"; {leader.arm} against {comparison.baseline} {spelt(gap, figure, gap=True)}"
            text += f", {verdict(gap, figure)}" if verdict(gap, figure) else ""
        sentences.append(f"{text}.")
    return sentences


def markdown(comparison: Comparison) -> str:
    """``table.md``: figures, differences and single seeds, language by language."""
    parts = [f"`{comparison.command}`", *leads(comparison), EXPLAINED, *(f"**{warning}**" for warning in comparison.warnings)]
    for lang in comparison.langs:
        rows = [row for row in comparison.rows if row.lang == lang]
        if not rows:
            continue
        names = columns(comparison, lang)
        heads = [heading(name, comparison.config.reach) for name in names]
        parts += [f"## {lang}", _table(["", *heads], [[row.arm, *(cell_text(comparison, row, name) for name in names)] for row in rows])]
        apart = [row for row in rows if row.differences]
        if apart:
            judged = [name for name in names if FIGURES[name].better]
            heads = [heading(name, comparison.config.reach) for name in judged]
            gaps = _table(["", *heads], [[row.arm, *(_gap(row, name) for name in judged)] for row in apart])
            parts += [f"### Differences from {comparison.baseline}", gaps]
    if comparison.trained:
        parts += ["## Each run", runs_markdown(comparison)]
    return "\n\n".join(parts) + "\n"


def runs_markdown(comparison: Comparison) -> str:
    """One row per finished run, which shows each seed."""
    names = [name for name in SHORT if any(name in t.figures for t in comparison.trained)]
    rows = []
    for one in comparison.trained:
        cells = []
        for name in names:
            value = one.figures.get(name)
            cells.append("" if value is None else number(number_of(value), FIGURES[name]))
        rows.append([one.cell.name, *cells, one.commit, f"`{spoken(one.cell.config)}`"])
    heads = [heading(name, comparison.config.reach) + (" %" if FIGURES[name].kind in ("share", "relative") else "") for name in names]
    return _table(["run", *heads, "commit", "settings"], rows)


def terminal_table(comparison: Comparison, lang: str) -> Table:
    """A language's figures, those that fit a terminal."""
    rows = [row for row in comparison.rows if row.lang == lang]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=lang if len(comparison.langs) > 1 else None, title_justify="left")
    names = [name for name in columns(comparison, lang) if name in SHORT]
    table.add_column("")
    for name in names:
        table.add_column(heading(name, comparison.config.reach), justify="right")
    for row in rows:
        cells = []
        for name in names:
            gap = row.differences.get(name)
            lines = [cell_text(comparison, row, name).replace(" [", "\n["), verdict(gap, FIGURES[name]) if gap else ""]
            cells.append("\n".join(filter(None, lines)))
        table.add_row(row.arm, *cells)
    return table


def _gap(row: Row, name: str) -> str:
    if name not in row.differences:
        return ""
    gap = row.differences[name]
    judged = verdict(gap, FIGURES[name])
    return spelt(gap, FIGURES[name], gap=True) + (f" **{judged}**" if judged not in ("", "not separated") else f" {judged}".rstrip())


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    aligned = ["---", *(["---:"] * (len(heads) - 1))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, aligned, *rows))

"""A corpus at a glance: tables for the terminal or one JSON object, and one PNG for a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table

from rlpoet.corpus.build import Built
from rlpoet.corpus.config import CorpusConfig
from rlpoet.corpus.statistics import Statistics, quantiles
from rlpoet.reporting.charts import BLUE, GREY, canvas, literal, save_png
from rlpoet.reporting.poems import console
from rlpoet.reporting.terminal import write_row

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 12  # authors, sizes or values in a list


def show_corpus(config: CorpusConfig, built: Built) -> None:
    """Draw the picture, and print what was read, left out, kept and written."""
    found, written = built.found or built.count.found(config.lang), built.written
    if config.picture is not None:
        title = ", ".join(Path(source).name or source for source in config.sources[:3])
        save_png(corpus_figure(found, title), Path(config.picture))
    gone = {"filtered": built.filtered, "without_a_line": built.empty, "too_short": built.short, "prose": built.prose, "twice": built.twice}
    if config.json:
        item: dict[str, Any] = {"sources": list(config.sources), "read": built.read, "left_out": gone, **found.as_json()}
        item |= {"damaged_files": built.damaged} if built.damaged else {}
        item |= {"written": {str(path): n for path, n in written.items()}} if written else {}
        item |= {"picture": config.picture} if config.picture else {}
        write_row(item)
        return
    out = console()
    told = ", ".join(f"{n:,} {name.replace('_', ' ')}" for name, n in gone.items() if n)
    out.print(f"{built.read:,} poems read, {built.kept:,} kept" + (f"; left out: {told}" if told else ""))
    if built.damaged:
        out.print(f"{built.damaged:,} file{'s' if built.damaged > 1 else ''} left out, or read in part; --strict would end there")
    for table in corpus_tables(found):
        out.print(table)
    for path, n in written.items():
        out.print(f"{path}: {n:,} poems")
    if config.picture is not None:
        out.print(f"picture: {config.picture}")


def corpus_tables(found: Statistics) -> list[Table]:
    """Counts, authors, stanzas and the values of other columns."""
    counts = _table("", "")
    width, size = quantiles(found.widths), quantiles(found.poem_sizes)
    for name, value in (("poems", found.poems), ("stanzas", found.stanzas), ("lines", found.lines), ("characters", found.characters)):
        counts.add_row(name, f"{value:,}")
    counts.add_row("authors", f"{len(found.authors):,}" + (f" ({found.anonymous:,} poems of nobody)" if found.anonymous else ""))
    if size:
        counts.add_row("lines a poem", f"{size['50%']:g} ({size['5%']:g} to {size['95%']:g})")
        counts.add_row("characters a line", f"{width['50%']:g} ({width['5%']:g} to {width['95%']:g})")
    if found.rhymed:
        mean = sum(found.rhymed) / len(found.rhymed)
        counts.add_row("lines that rhyme", f"{100 * mean:.1f} %, {'heard in' if found.heard else 'as said of'} {len(found.rhymed):,} poems")
    if found.years:
        counts.add_row("years", f"{min(found.years)} to {max(found.years)}, of {sum(found.years.values()):,} poems")
    tables = [counts]
    lists: list[tuple[str, Mapping[Any, int]]] = [("author", found.authors), ("lines a stanza", found.stanza_sizes)]
    lists += [("syllables a line", found.syllables)]
    lists += [(name, own) for name, own in found.columns.items() if len(own) <= max(50, found.poems // 4)]
    for name, own in lists:
        if own:
            tables.append(_counted(name, own))
    return tables


def corpus_figure(found: Statistics, title: str) -> Figure:
    """Poems per author, line lengths, stanza sizes, and how much rhymes (or when it was written)."""
    figure, (who, wide, sizes, last) = canvas(11, 7.5, columns=2, rows=2, grid=False)
    figure.suptitle(f"{literal(title)}: {found.poems:,} poems, {found.lines:,} lines, {len(found.authors):,} authors")
    names = list(found.authors.items())[:15][::-1]
    _bars(who, [literal(name if len(name) <= 28 else name[:27] + "…") for name, _ in names], [n for _, n in names], flat=True)
    _named(who, "poems an author", "", "no author is named" if not names else "")
    if found.syllables:
        _whole(wide, found.syllables, 20)
        _named(wide, "metrical syllables a line", "lines", "")
    else:
        _whole(wide, found.widths, 100)
        _named(wide, "characters a line", "lines", "")
    _whole(sizes, found.stanza_sizes, 16)
    _named(sizes, "lines a stanza", "stanzas", "")
    if found.rhymed:
        last.hist(found.rhymed, bins=[i / 20 for i in range(21)], color=BLUE)
        _named(last, "share of rhymed lines", "poems", "")
    elif found.years:
        decades = sorted(10 * (year // 10) for year, n in found.years.items() for _ in range(n))
        last.hist(decades, bins=range(decades[0], decades[-1] + 20, 10), color=BLUE)
        _named(last, "decade", "poems", "")
    else:
        _named(last, "share of rhymed lines", "", "not known: name the language")
    return figure


def _table(*names: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD if any(names) else None, show_header=any(names))
    for number, name in enumerate(names):
        table.add_column(name, justify="right" if number else "left")
    return table


def _counted(name: str, own: Mapping[Any, int]) -> Table:
    table = _table(name, "poems" if name not in ("lines a stanza", "syllables a line") else name.rpartition(" ")[2] + "s")
    rest = list(own.items())[SHOWN:]
    for value, n in list(own.items())[:SHOWN]:
        table.add_row(str(value)[:60], f"{n:,}")
    if rest:
        table.add_row(f"{len(rest):,} others", f"{sum(n for _, n in rest):,}")
    return table


def _bars(axes: Any, names: Sequence[str], heights: Sequence[int], *, flat: bool = False) -> None:
    (axes.barh if flat else axes.bar)(range(len(names)), heights, color=BLUE)
    (axes.set_yticks if flat else axes.set_xticks)(range(len(names)), names)


def _whole(axes: Any, counts: Mapping[int, int], most: int) -> None:
    """Bars of whole numbers; what is above ``most`` is one bar."""
    folded: dict[int, int] = {}
    for value, n in counts.items():
        folded[min(value, most + 1)] = folded.get(min(value, most + 1), 0) + n
    axes.bar(list(folded), list(folded.values()), width=0.9, color=BLUE)
    axes.set_xlim(max(0, min(folded) - 2), max(folded) + 2) if folded else None
    axes.xaxis.get_major_locator().set_params(integer=True)
    if most + 1 in folded:
        axes.annotate(f">{most}", (most + 1, folded[most + 1]), ha="center", va="bottom", fontsize=8)


def _named(axes: Any, below: str, left: str, missing: str) -> None:
    axes.set_xlabel(below)
    axes.set_ylabel(left)
    if left:  # it counts
        axes.yaxis.get_major_locator().set_params(integer=True)
    if missing:
        axes.set_xticks([])
        axes.set_yticks([])
        axes.text(0.5, 0.5, missing, ha="center", va="center", transform=axes.transAxes, color=GREY)

"""Write ``experiments/RESULTS.md``, ``VERSE.md`` and ``SPEED.md`` from ``experiments/results/*.json``.

    python -m experiments.release.results_page            # or: make results

Each file is one table of the page:

| key | meaning |
| --- | --- |
| ``title``, ``question``, ``says``, ``limits`` | heading; what was asked; what the numbers say; what they do not say |
| ``command``, ``commit``, ``date``, ``seeds`` | how to get the numbers again; ``seeds`` is empty where nothing is drawn |
| ``columns``, ``rows`` | the table |
| ``brackets`` | what stands in brackets; without it, brackets are left out of the page |
| ``notes`` | conditions of the measurement; they stay in the file |

A cell is a number, a text, null (not measured) or an object: ``mean`` with ``seeds`` (one number per seed), ``interval`` or ``beside``.
``main_job.json`` has the row format of the benchmark of the default run, which writes it.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2

from experiments.release.pages import write_page

EXPERIMENTS = Path(__file__).resolve().parents[1]
RESULTS = EXPERIMENTS / "results"
MAIN_JOB = "main_job"
PAGES: Mapping[str, Sequence[str]] = {  # name of a page: its tables in their order
    "RESULTS": (
        MAIN_JOB,
        "shipped",
        "generate",
        "sense",
        "readers",
        "bench",
        "target",
        "trainers_to_target",
        "end_words",
        "rewards",
        "priors",
    ),
    "VERSE": ("judge", "verse_tools", "human", "style_theme"),
    "SPEED": ("step_cost", "sampling", "verse_versions"),
}
ORDER = tuple(name for names in PAGES.values() for name in names)
COMMAND_WIDTH = 160  # characters; longer commands are left in the file
MAIN_JOB_COLUMNS = (
    "language", "machine", "minutes", "updates", "poems", "pairs before", "pairs", "lines before", "lines", "perfect before", "perfect",
    "end words before", "end words",
)  # fmt: skip


def read_tables(folder: Path = RESULTS) -> dict[str, dict[str, Any]]:
    """All result files in the order of the page; numbers stay as the file writes them (0.500, not 0.5).

    Args:
        folder: holds the JSON files.

    Returns:
        Tables by the name of their file; files that ``ORDER`` does not know come last.
    """
    places = {name: place for place, name in enumerate(ORDER)}
    names = sorted((path.stem for path in folder.glob("*.json")), key=lambda name: (places.get(name, len(places)), name))
    return {name: json.loads((folder / f"{name}.json").read_text(encoding="utf-8"), parse_float=str, parse_int=str) for name in names}


def cell(value: Any, *, brackets: bool = False) -> str:
    """One cell as the page shows it.

    >>> cell(None), cell("0.500"), cell({"mean": "95.4", "seeds": ["94.7", "95.9"]})
    ('–', '0.500', '95.4')
    >>> cell({"mean": "95.4", "seeds": ["95.9", "94.7"]}, brackets=True), cell({"seeds": ["88.2", "85.7"]}, brackets=True)
    ('95.4 (94.7 to 95.9)', '85.7 to 88.2')
    >>> cell({"mean": "0.916", "beside": "0.959"}, brackets=True)
    '0.916 (0.959)'
    """
    if value is None:
        return "–"
    if not isinstance(value, Mapping):
        return str(value)
    ends = (min(value["seeds"], key=float), max(value["seeds"], key=float)) if "seeds" in value else value.get("interval")
    more = value.get("beside") if ends is None else " to ".join(dict.fromkeys(ends))
    if "mean" not in value:
        return str(more)
    return f"{value['mean']} ({more})" if brackets and more is not None else str(value["mean"])


def provenance(name: str, *, command: str | Sequence[str], commit: str, seeds: Sequence[str], brackets: str | None = None) -> str:
    """Where a table comes from, in one line: command, commit, seeds, file, and what its brackets are.

    >>> provenance("judge", command="rlpoet judge", commit="e974b11", seeds=["0", "1"])
    '`rlpoet judge`, commit e974b11, seeds 0, 1; [judge.json](results/judge.json).'
    """
    commands = [command] if isinstance(command, str) else list(command)
    short = sum(map(len, commands)) <= COMMAND_WIDTH
    said = ", ".join(f"`{one}`" for one in commands) if short else f"Command{'s' if len(commands) > 1 else ''} in the file"
    drawn = f"seed{'s' if len(seeds) > 1 else ''} {', '.join(seeds)}" if seeds else "no seed"
    about = f" In brackets: {brackets}." if brackets else ""
    return f"{said}, commit {commit}, {drawn}; [{name}.json](results/{name}.json).{about}"


def table_of(name: str, file: Mapping[str, Any]) -> dict[str, Any]:
    """What the template needs of one file."""
    where = {key: file.get(key) for key in ("command", "commit", "seeds", "brackets")}
    rows = [[cell(value, brackets="brackets" in file) for value in row] for row in file["rows"]]
    return {**file, "rows": rows, "provenance": provenance(name, **where)}


def main_job(file: Mapping[str, Any]) -> dict[str, Any]:
    """The table of the default run, from the rows of its benchmark."""
    rows = file["rows"]
    commits = ", ".join(dict.fromkeys(row["commit"] for row in rows))
    seeds = sorted({row["seed"] for row in rows}, key=int)

    def measured(row: Mapping[str, Any]) -> list[str]:
        shown = []
        for name in ("rhyme_pairs", "lines_in_meter", "perfect_stanzas"):
            shown += [f"{100 * float(row[when][name]):.1f}" for when in ("before", "after")]
        return shown + [f"{float(row[when]['distinct_end_words']):.3f}" for when in ("before", "after")]

    gains = [100 * (float(row["after"]["rhyme_pairs"]) - float(row["before"]["rhyme_pairs"])) for row in rows]
    gained = " to ".join(dict.fromkeys(f"{gain:.1f}" for gain in (min(gains), max(gains))))
    return {
        "title": "What the default run brings, on which machine",
        "question": "What does `rlpoet train --lang LANG` bring with nothing else set?",
        "says": f"Pairs that rhyme gain {gained} points.",
        "limits": "A run measures 256 poems, good to 1.7 points of pairs and 3 of perfect quatrains, and a slower processor is emulated.",
        "columns": MAIN_JOB_COLUMNS,
        "rows": [[*(row[key] for key in ("lang", "machine", "minutes", "updates", "poems")), *measured(row)] for row in rows],
        "provenance": provenance(MAIN_JOB, command=file["command"], commit=commits, seeds=seeds),
    }


def page(files: Mapping[str, Mapping[str, Any]], name: str = "RESULTS") -> str:
    """A page as Markdown.

    Args:
        files: what ``read_tables`` read; those of other pages are left out.
        name: of the page, one of ``PAGES``.
    """
    files = {table: file for table, file in files.items() if table in PAGES[name]}
    tables = [main_job(file) if table == MAIN_JOB else table_of(table, file) for table, file in files.items()]
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(
        loader=loader, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, autoescape=False
    )
    return environment.get_template("results.md.jinja").render(tables=tables, page=name)


def main() -> None:
    for name in PAGES:
        write_page(EXPERIMENTS / f"{name}.md", functools.partial(_page, name), about=__doc__)


def _page(name: str) -> str:
    return page(read_tables(), name)


if __name__ == "__main__":
    main()

"""The figures of ``rlpoet evaluate`` as tables for a terminal."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from json import dumps as encode
from typing import Any

from rich import box
from rich.table import Table

from rlpoet.evaluation.human_baseline import MEASURES
from rlpoet.evaluation.repetition import VARIETY
from rlpoet.reporting.poems import METRICS, console

COLUMNS = {"sampled": "sampled", "texts": "texts", "human": "human"}
PRIOR = {"prior_perplexity": "perplexity per token", "prior_bits_per_char": "bits per character"}
SENSE = {
    "coherence": ("coherence of the lines", False),
    "style_of_a_poet": ("style: sounds like one of the poets, not the average", True),
    "style_of_the_author": ("style: its author is the likeliest poet", True),
}
SECOND = {"second_rhyme_pairs": "pairs that rhyme", "second_lines_in_meter": "lines in meter", "second_agreement": "pairs both judge alike"}


def show_figures(told: Mapping[str, Any], *, json: bool = False) -> None:
    """Print what was measured, as tables or as one JSON object."""
    if json:
        sys.stdout.write(encode(told, ensure_ascii=False) + "\n")
        return
    out = console()
    for table in tables(told):
        out.print(table)


def tables(told: Mapping[str, Any]) -> list[Table]:
    """What was measured: the cost of held-out poems, the figures of each form, and what they were made with."""
    out = [_cost_table(told)] if "bits_per_char" in told else []
    shown = [name for name in COLUMNS if name in told]
    if shown:
        out += [_figure_table(told, shown)]
    return out


def _cost_table(told: Mapping[str, Any]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, title=f"{told['policy']} reads {told['poems']} poems", title_justify="left")
    for name in ("", "value", "95 %"):
        table.add_column(name, justify="left" if not name else "right")
    for name, key in (("bits per character", "bits_per_char"), ("perplexity per token", "perplexity")):
        table.add_row(name, f"{told[key]:.3f}", " – ".join(f"{edge:.3f}" for edge in told[key + "_95"]))
    rows = {"characters": "characters", "tokens charged": "tokens", "poems of authors it has no mark for": "poems_of_unknown_author"}
    for name, key in rows.items():
        table.add_row(name, f"{told[key]:,}", "")
    return table


def _figure_table(told: Mapping[str, Any], shown: list[str]) -> Table:
    title = f"{told['policy']} writes, temperature {told['temperature']:g}" if "sampled" in told else f"poems in {told['lang']}"
    versions = told["versions"]
    caption = f"rlpoet {versions['rlpoet']}, ear {versions['ear']}, second judge: {versions['second_judge'] or 'none'}"
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", caption=caption, caption_justify="left")
    for name in ("form", "", *(head for own in shown for head in (COLUMNS[own], "95 %"))):
        table.add_column(name, justify="left" if name in ("form", "") else "right", no_wrap=True)
    groups = list(dict.fromkeys(name for own in shown for name in told[own] if name != "all"))
    for group in [*groups, "all"]:
        blocks = [told[own].get(group, {}) for own in shown]
        for number, (key, label, is_share) in enumerate(_rows(blocks)):
            table.add_row(group if not number else "", label, *(cell for own in blocks for cell in _cells(own, key, is_share=is_share)))
        counts = [str(own["n"]) if "n" in own else "" for own in blocks]
        table.add_row("", "poems or stanzas", *(cell for count in counts for cell in (count, "")), end_section=True)
    return table


def _rows(blocks: list[Mapping[str, Any]]) -> list[tuple[str, str, bool]]:
    """``(key, label, is it a share)`` of what any block has, in the order of the page."""
    there = dict.fromkeys(key for own in blocks for key in own if not key.endswith("_95"))
    rows = [(key, METRICS[key][0], key != "distinct_end_words") for key in MEASURES]
    rows += [(key, "rhyme: " + key.removeprefix("kind_"), True) for key in sorted(there) if key.startswith("kind_")]
    rows += [(key, "reward " + key.removeprefix("reward_"), False) for key in sorted(there) if key.startswith("reward_")]
    rows += [(key, f"second judge: {label}", True) for key, label in SECOND.items()]
    rows += [(key, label, is_share) for key, (label, is_share) in SENSE.items()]
    rows += [(key, f"prior: {label}", False) for key, label in PRIOR.items()]
    rows += [(key, label, is_share) for key, (label, is_share) in VARIETY.items()]
    return [row for row in rows if row[0] in there]


def _cells(own: Mapping[str, Any], key: str, *, is_share: bool = True) -> tuple[str, str]:
    if key not in own:
        return "–", ""
    if not is_share:
        return f"{own[key]:.2f}", " – ".join(f"{edge:.2f}" for edge in own[key + "_95"])
    return f"{100 * own[key]:.1f} %", " – ".join(f"{100 * edge:.1f}" for edge in own[key + "_95"])

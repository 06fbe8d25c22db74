"""The figures of ``rlpoet evaluate`` as tables for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.table import Table

from rlpoet.evaluation.human_baseline import MEASURES
from rlpoet.evaluation.repetition import VARIETY
from rlpoet.reporting.poems import METRICS, console
from rlpoet.reporting.terminal import write_row

COLUMNS = {"sampled": "sampled", "texts": "texts", "human": "human"}
PRIOR = {"prior_perplexity": "perplexity per token", "prior_bits_per_char": "bits per character"}
SENSE = {
    "coherence": ("coherence of the lines", False),
    "style_of_a_poet": ("style: sounds like one of the poets, not the average", True),
    "style_of_the_author": ("style: its author is the likeliest poet", True),
}
WHOLE_SETS = {  # measure of sense -> (label, whether it is a share, digits); those of a set of poems, whatever their forms
    "invented_words": ("poems with an invented word", True, 1),
    "coherence_auc": ("AUC: own lines against shuffled ones", False, 3),
    "judge_bits_per_char": ("bits per character", False, 3),
    "judge_bits_per_char_from_human": ("bits per character, less those of people", False, 3),
    "context_gain": ("bits per character saved by the own first line", False, 3),
    "context_gain_from_human": ("bits saved, less those of people", False, 3),
    "classifier_auc": ("AUC: a classifier, against poems by people", False, 3),
    "distinct_bigrams": ("distinct word pairs in 5,000 words", True, 1),
    "rhyme_sound_entropy": ("entropy of rhyme sounds, nats", False, 2),
}
BOARD = {  # figures of the benchmark
    "right_lines": "as many lines",
    "rhyme_pairs": "pairs that rhyme",
    "credited_pairs": "pairs that earn",
    "lines_in_meter": "lines in meter",
    "perfect_stanzas": "perfect",
}
SECOND = {"second_rhyme_pairs": "pairs that rhyme", "second_lines_in_meter": "lines in meter", "second_agreement": "pairs both judge alike"}


def show_figures(told: Mapping[str, Any], *, json: bool = False) -> None:
    """Print what was measured, as tables or as one JSON object."""
    if json:
        write_row(told)
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
    if shown and "sense" in told:
        out += [_sense_table(told["sense"], shown)]
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


def _sense_table(told: Mapping[str, Any], shown: list[str]) -> Table:
    judges = told["judges"]
    labels = {"words": "words", "lines": "lines", "model": "bits"}
    caption = "judges: " + ("; ".join(f"{label} {judges[key]}" for key, label in labels.items() if key in judges) or "none")
    table = Table(box=box.SIMPLE_HEAD, title="sense, all forms", title_justify="left", caption=caption, caption_justify="left")
    for name in ("", *(head for own in shown for head in (COLUMNS[own], "95 %"))):
        table.add_column(name, justify="left" if not name else "right", no_wrap=True)
    for key, (label, is_share, digits) in WHOLE_SETS.items():
        if any(key in told[own] for own in shown):
            cells = [cell for own in shown for cell in _cells(told[own], key, is_share=is_share, digits=digits)]
            table.add_row(label, *cells)
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


def board_table(board: Mapping[str, Any]) -> Table:
    """A leaderboard of ``rlpoet bench``: a row per model and language, best model first, and one of people."""
    title = f"{board['benchmark']}, version {board['version']}"
    note = "Shares with 95 % intervals. People: each poem under the form it keeps best."
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", caption=note, caption_justify="left")
    for name in ("model", "", "n", *BOARD.values()):
        table.add_column(name, justify="left" if name in ("model", "") else "right")
    langs = list(dict.fromkeys(lang for row in board["models"] for lang in row["langs"]))
    people = {"model": "people", "langs": {lang: own for lang, own in board["people"].items() if lang in langs}}
    for row in (people, *board["models"]):
        for number, (lang, own) in enumerate(row["langs"].items()):
            cells = (f"{share} ({bounds})" if bounds else share for key in BOARD for share, bounds in [_cells(own["all"], key, digits=0)])
            table.add_row("" if number else row["model"], lang, str(own["all"]["n"]), *cells)
        table.add_section()
    return table


def _cells(own: Mapping[str, Any], key: str, *, is_share: bool = True, digits: int | None = None) -> tuple[str, str]:
    if key not in own:
        return "–", ""
    scale, unit, digits = (100, " %", 1 if digits is None else digits) if is_share else (1, "", 2 if digits is None else digits)
    return f"{scale * own[key]:.{digits}f}{unit}", " – ".join(f"{scale * edge:.{digits}f}" for edge in own[key + "_95"])

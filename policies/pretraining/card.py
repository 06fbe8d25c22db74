"""The model card of a pretrained policy: every figure from the run's own ``result.json``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from policies.loading.files import locate
from rlpoet.text import visible, write_atomically
from rlpoet.text.escapes import markdown

TOLD_APART = ("lang", "data", "prose", "prose_share", "prose_until")
OF_ONE_CALL = ("output_dir", "overwrite", "prepare", "resume")  # what a run is made again without
NAMES = {"fr": "French", "es": "Spanish", "en": "English"}


def write_card(folder: Path, result: Mapping[str, Any], config: Mapping[str, Any]) -> None:
    """``README.md`` with Hugging Face front matter."""
    lang = str(result["lang"])
    rates = "\n".join(f"| {name} | {rate:.1%} |" for name, rate in result["rhyme_pairs"].items())
    order = "**backwards, from its last word**" if config.get("order", "backward") == "backward" else "from its first word"
    bits = f"{result['bits_per_char']:.3f}" if "bits_per_char" in result else "not measured"
    start = str(config.get("start") or "")
    earlier = _training_of(locate(start)) if start else ""
    told = {key: value for key, value in config.items() if key not in (*TOLD_APART, *OF_ONE_CALL) and value not in ("", None)}
    flags = " ".join(_flag(key, value) for key, value in told.items())
    names = ", ".join(Path(path).name for path in config["data"])
    prose = ", ".join(Path(path).name for path in config.get("prose", ()))
    flags = f"--prose {prose} --prose_share {config['prose_share']} --prose_until {config['prose_until']} {flags}" if prose else flags
    sources = markdown(f"{names}; prose: {prose}" if prose else names)
    text = f"""---
language: {lang}
license: apache-2.0
library_name: transformers
pipeline_tag: text-generation
tags: [poetry, rlpoet]
---
# rlpoet {NAMES.get(lang, lang)} prior

A tiny Llama ({result["parameters"] / 1e6:.2f}M parameters, multi-query attention) that writes rhymed verse. It reads a header of control
codes (author, length, scheme) and writes each line after the sound of its rhyme, {order}:
`AutoModelForCausalLM` and `AutoTokenizer` open it, `verse_format.json` names its marks, and `rlpoet generate` puts the lines in order.

## Data

{sources}. Only the weights are shipped, no poem is. Editions and annotations differ in licence; look at your sources before you
use the weights where a non-commercial licence would matter.
{result["poems"]["train"]} poems trained on, {result["poems"]["validation"]} whole poems held out (by a hash of their first lines).

## Training

    {visible(f"rlpoet pretrain --lang {lang} --data {names} {flags}")}

{result["tokens_seen"]:,} tokens seen ({result["epochs"]:.2f} epochs) in {result["seconds"]} s, {result["steps"]} updates,
seed {result["seed"]}.
{earlier}
## Figures

Held-out cross-entropy: **{bits} bits per character** (header given; marks that are not text cost their nats; stanza and line breaks count).
`rlpoet evaluate --policy {lang} --poems HELD_OUT.jsonl.gz --json` measures it on poems of yours.

Share of scheme pairs that rhyme in {config.get("eval_samples", 256)} poems a form, sampled at temperature 1, before any
reinforcement learning:

| form | rhyming pairs |
| --- | --- |
{rates}

## Limits

It has read mostly verse from before 1930 and keeps its views and its spelling. It makes no sense for long: it is a prior to train from.
"""
    write_atomically(folder / "README.md", text)


def _flag(key: str, value: object) -> str:
    return ("--" if value else "--no_") + key if isinstance(value, bool) else f"--{key} {value}"


def _training_of(folder: Path) -> str:
    """What the card of the policy a run went on from says of its own training, as a section."""
    card = folder / "README.md"
    text = card.read_text(encoding="utf-8") if card.exists() else ""
    match = re.search(r"^## Training\n(.*?)^## ", text, flags=re.DOTALL | re.MULTILINE)
    return f"\n### The policy it went on from\n{match[1].rstrip()}\n" if match else ""

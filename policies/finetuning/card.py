"""The model card of a fine-tuned policy or adapter: every figure from the run's own ``result.json``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from policies.pretraining.card import NAMES
from rlpoet.text import visible, write_atomically
from rlpoet.text.escapes import markdown

LABELS = {
    "bits_per_char": "held-out bits per character",
    "rhyme_pairs": "scheme pairs that rhyme",
    "lines_in_meter": "lines in meter",
    "perfect_stanzas": "perfect stanzas",
    "distinct_end_words": "distinct line-ending words",
}


def write_card(folder: Path, result: Mapping[str, Any], config: Mapping[str, Any]) -> None:
    """Write ``README.md`` with Hugging Face front matter; the base has the name that the run gave it."""
    lang, base = str(result["lang"]), str(result["policy"])
    name = Path(base).name if ("/" in base and Path(base).exists()) else base
    before, after = result["before"], result["after"]
    rows = "\n".join(f"| {label} | {_number(key, before)} | {_number(key, after)} |" for key, label in LABELS.items() if key in after)
    facts = {
        key: config[key]
        for key in ("where", "format", "lora", "freeze", "epochs", "max_steps", "minutes", "batch_size", "learning_rate", "seed")
    }
    flags = " ".join(f"--{key} {_spell(value)}" for key, value in facts.items() if value)
    data = ", ".join(Path(path).name for path in config["data"])
    adapter = bool(config["lora"]) and not config["merge"]
    new = f"\nNew author marks: {', '.join(map(markdown, result['new_authors']))}.\n" if result["new_authors"] else ""
    kind = "A LoRA adapter: `rlpoet generate --policy` of this folder finds its base by name and checks its weights."
    kind = kind if adapter else "Whole weights."
    text = f"""---
language: {lang}
library_name: {"peft" if adapter else "transformers"}
pipeline_tag: text-generation
tags: [poetry, rlpoet{", lora" if adapter else ""}]
---
# {NAMES.get(lang, lang)} verse, fine-tuned from {markdown(name)}

{kind}
Licences of the base and of the poems hold for what was made of them.
{new}
    {visible(f"rlpoet finetune --policy {name} --data {data} {flags}")}

Way of training: {markdown(result["how"])}; {result["parameters_trained"]:,} parameters. {result["poems"]["train"]} poems read,
{result["poems"]["validation"]} whole poems held out; {result["steps"]} updates ({result["epochs"]} epochs) in {result["seconds"]} s.

| | before | after |
| --- | --- | --- |
{rows}

Bits count line breaks and stanza breaks; the header (author, length, scheme) is given. The other rows are of
{config["eval_samples"]} poems drawn at temperature 1. `samples.txt` has poems of both, `loss.png` the curves.
"""
    write_atomically(folder / "README.md", text)


def _number(key: str, values: Mapping[str, float]) -> str:
    if key not in values:
        return "–"
    return f"{values[key]:.3f}" if key in ("bits_per_char", "distinct_end_words") else f"{values[key]:.1%}"


def _spell(value: Any) -> str:
    if isinstance(value, tuple | list):
        return ",".join(map(str, value))
    return f'"{value}"' if isinstance(value, str) and " " in value else str(value)

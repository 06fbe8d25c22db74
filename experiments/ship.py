"""Put the policy of a training run where the package ships it, in bfloat16, with a card of the run's own figures.

    python -m experiments.ship runs/fr-tb-s0            # writes policies/pretrained/fr-tb
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from pathlib import Path
from typing import Any

import torch
import yaml

from policies.causal_lm import CausalPolicy
from policies.model_files import SHIPPED
from rlpoet.train_command import TrainConfig

NAMES = {"fr": "French", "es": "Spanish", "en": "English"}
ROWS = {
    "rhyme_pairs": "scheme pairs that rhyme",
    "lines_in_meter": "lines in meter",
    "perfect_stanzas": "perfect poems",
    "prior_nll_per_token": "nats per token under the prior",
    "distinct_end_words": "distinct line-ending words",
}


def command_of(config: dict[str, Any]) -> str:
    """The command that starts such a run: what differs from the defaults."""
    usual = yaml.safe_load(yaml.safe_dump(_plain(TrainConfig())))
    words = ["rlpoet", "train"]
    for name, value in config.items():
        if name in ("output_dir", "resume", "policy") or value == usual.get(name):
            continue
        if isinstance(value, dict):
            words += [part for key, own in value.items() if own != usual[name].get(key) for part in (f"--{name}.{key}", str(own))]
        elif isinstance(value, bool):
            words.append(f"--{name}" if value else f"--no_{name}")
        elif isinstance(value, list):
            words += [f"--{name}", json.dumps(value)]
        else:
            words += [f"--{name}", str(value)]
    return shlex.join(words)


def _plain(config: TrainConfig) -> dict[str, Any]:
    return {
        name: dict(value) if hasattr(value, "items") else list(value) if isinstance(value, tuple) else value
        for name, value in vars(config).items()
    }


def card(lang: str, config: dict[str, Any], result: dict[str, Any]) -> str:
    """The model card: front matter, data, command, figures before and after."""
    before, after = result["before"], result["after"]
    rows = "\n".join(f"| {told} | {before[name]:.3f} | {after[name]:.3f} |" for name, told in ROWS.items() if name in before)
    return f"""---
language: {lang}
license: apache-2.0
library_name: transformers
pipeline_tag: text-generation
tags: [poetry, rlpoet, reinforcement-learning]
---
# rlpoet {NAMES.get(lang, lang)} rhyming policy

The shipped {NAMES.get(lang, lang)} prior (`policies/pretrained/{lang}`, whose card says what it was trained on), trained by
trajectory balance to rhyme and keep its meter. `rlpoet generate` uses it; marks and word order are the prior's.

## Training

    {command_of(config)}

Commit {result["commit"]}, seed {result["seed"]}, {result["steps"]} steps, {result["fresh_samples"]:,} fresh poems,
{result["seconds"]:.0f} s of training. No poem was read: the model learned from its own texts and the rewards.

## Figures

{before["n"]:.0f} fresh poems each, forms {", ".join(result["forms"])}, temperature 1, measured by the same run:

| | prior | this policy |
| --- | --- | --- |
{rows}

## Limits

Rhyme and length are what was paid for. It makes no sense for long, and keeps the views and the spelling of verse from before 1930.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    args = parser.parse_args()
    result = json.loads((args.run / "result.json").read_text(encoding="utf-8"))
    config = yaml.safe_load((args.run / "config.yaml").read_text(encoding="utf-8"))
    lang = result["lang"]
    folder = SHIPPED / f"{lang}-{result['algo']}"
    CausalPolicy.load(args.run / "policy").save(str(folder), dtype=torch.bfloat16)
    (folder / "README.md").write_text(card(lang, config, result), encoding="utf-8")
    sys.stdout.write(f"{folder}\n")


if __name__ == "__main__":
    main()

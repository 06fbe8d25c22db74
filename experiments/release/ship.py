"""Put the policy of a training run, or the mean of several, where the package ships it, with a card of their figures.

What runs with ``--lora`` have learned is shipped as an adapter on the shipped prior, other policies as whole weights in eight bits.

python -m experiments.release.ship runs/fr-tb-s0 runs/fr-tb-s1            # writes policies/pretrained/fr-tb
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import yaml

from experiments.release.average import mean_weights
from experiments.studies.quatrains import figures
from experiments.studies.target_distance import COLUMNS, measured_rows
from policies.causal_lm import CausalPolicy
from policies.loading.adapters import adapter_of, save_adapter
from policies.loading.files import SHIPPED
from rlpoet.training.config import TrainConfig

HEATS, SEEDS = (0.3, 0.7, 1.0), (0, 1)  # of the samples in a card
NAMES = {"fr": "French", "es": "Spanish", "en": "English"}
ROWS = {
    "rhyme_pairs": "scheme pairs that rhyme",
    "lines_in_meter": "lines in meter",
    "perfect_stanzas": "perfect poems",
    "prior_nll_per_token": "nats per token under the prior",
    "distinct_end_words": "distinct line-ending words",
}


RECIPE = (
    "rewards",
    "beta",
    "learning_rate",
    "prompts_per_step",
    "aux_rhyme_weight",
    "aux_sampler",
    "localize_meter_errors",
    "plan_token_weight",
    "rhyme_word_weight",
    "token_prob_exponent",
)  # named, lest a default changes


def command_of(config: dict[str, Any]) -> str:
    """The command that starts such a run: its recipe, and what else differs from the defaults."""
    usual = json.loads(json.dumps(dataclasses.asdict(TrainConfig()), default=dict))
    words = ["rlpoet", "train"]
    for name, value in config.items():
        if name in ("output_dir", "resume", "policy") or (value == usual.get(name) and name not in RECIPE):
            continue
        if isinstance(value, dict):
            words += [
                part
                for key, own in value.items()
                if name in RECIPE or own != usual[name].get(key)
                for part in (f"--{name}.{key}", str(own))
            ]
        elif isinstance(value, bool):
            words.append(f"--{name}" if value else f"--no_{name}")
        elif isinstance(value, list):
            words += [f"--{name}", json.dumps(value)]
        else:
            words += [f"--{name}", str(value)]
    return shlex.join(words)


def card(
    lang: str,
    config: dict[str, Any],
    results: Sequence[dict[str, Any]],
    figures: Mapping[str, Mapping[str, float]],
    distances: Sequence[Sequence[Any]],
    samples: Mapping[float, Sequence[str]],
) -> str:
    """The model card: front matter, data, command, figures of each run before and after, and of what ships beside its prior.

    Args:
        config: of the first run.
        figures: of ``prior`` and ``policy``, by ``experiments.studies.quatrains.figures``.
        distances: rows of prior, policy and target, by ``experiments.studies.target_distance.measured_rows``.
        samples: poems by temperature.
    """
    verse = "\n\n".join(
        f"Temperature {heat:g}:\n\n" + "\n\n".join(f"```text\n{text}\n```" for text in texts) for heat, texts in samples.items()
    )
    away = "\n".join(f"| {told} | " + " | ".join(_shown(row[n]) for row in distances) + " |" for n, told in enumerate(COLUMNS) if n)
    whole = (
        "an adapter on the prior, which `load_policy` opens as one model and `save` writes as a whole"
        if config.get("lora")
        else "whole, in eight bits"
    )
    name = NAMES.get(lang, lang)
    seeds = ", ".join(str(result["seed"]) for result in results)
    commits = ", ".join(sorted({result["commit"] for result in results}))
    mean = f"The weights are the mean of {len(results)} such runs, seeds {seeds}. " if len(results) > 1 else f"Seed {seeds}. "
    runs = "\n".join(
        f"| {result['seed']} | "
        + " | ".join(f"{result['before'][key]:.3f} -> {result['after'][key]:.3f}" for key in ROWS if key in result["before"])
        + " |"
        for result in results
    )
    heads = [told for key, told in ROWS.items() if key in results[0]["before"]]
    sides = figures["prior"], figures["policy"]
    shipped = "\n".join(f"| {told} | {sides[0][key]:.3f} | {sides[1][key]:.3f} |" for key, told in ROWS.items() if key in sides[0])
    return f"""---
language: {lang}
license: apache-2.0
library_name: transformers
pipeline_tag: text-generation
tags: [poetry, rlpoet, reinforcement-learning]
---
# rlpoet {name} rhyming policy

The shipped {name} prior (`policies/pretrained/{lang}`, whose card says what it was trained on), trained by
trajectory balance to rhyme and keep its meter. `rlpoet generate` uses it; marks and word order are the prior's.
The weights are {whole}.

## Training

    {command_of(config)}

{mean}Commit {commits}; {results[0]["steps"]} steps, {results[0]["fresh_samples"]:,} fresh poems and
some {max(result["seconds"] for result in results):.0f} s of training a run. No poem was read: the models learned from their own texts
and the rewards. `python -m experiments.release.ship RUN ...` made this folder.

## Figures

{results[0]["before"]["n"]:.0f} fresh poems before and after each run, forms {", ".join(results[0]["forms"])}, temperature 1,
measured by the run:

| seed | {" | ".join(heads)} |
|{" --- |" * (len(heads) + 1)}
{runs}

What ships: {figures["policy"]["n"]:.0f} poems of each side, the same forms, 20 authors and none, temperature 1, seed 7
(`python -m experiments.studies.quatrains`):

| | prior | this policy |
| --- | --- | --- |
{shipped}

1,024 other poems, four to a prompt, seed 7, fp32 (`python -m experiments.studies.target_distance --langs {lang}`). The
target of training is `p0 exp(30 reward)`; what exact rejection keeps of the prior's poems is a sample of it.

| | prior | this policy | target |
| --- | --- | --- | --- |
{away}

## Samples

Seeds {SEEDS[0]} and {SEEDS[1]} of `rlpoet generate --lang {lang} --temperature T --seed S`, not chosen.

{verse}

## Limits

Rhyme and length are what was paid for. It makes no sense for long, and keeps the views and the spelling of verse from before 1930.
"""


def sampled(folder: Path, heat: float, seed: int) -> str:
    """A poem as ``generate`` shows it."""
    argv = ["generate", "--policy", str(folder), "--temperature", str(heat), "--seed", str(seed), "--json"]
    done = subprocess.run([sys.executable, "-m", "rlpoet", *argv], stdout=subprocess.PIPE, text=True, check=True)
    text: str = json.loads(done.stdout)["text"]
    return text


def _shown(cell: Any) -> str:
    if isinstance(cell, dict):
        return f"{cell['mean']} ({' to '.join(map(str, cell['interval']))})"
    return "" if cell is None else str(cell)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+")
    args = parser.parse_args()
    results = [json.loads((run / "result.json").read_text(encoding="utf-8")) for run in args.runs]
    config = yaml.safe_load((args.runs[0] / "config.yaml").read_text(encoding="utf-8"))
    lang = results[0]["lang"]
    folder = SHIPPED / f"{lang}-{results[0]['algo']}"
    policies = [CausalPolicy.load(run / "policy") for run in args.runs]
    policies[0].model.load_state_dict(mean_weights([(1.0, own.model.state_dict()) for own in policies]))
    for old in folder.glob("*"):
        old.unlink()
    if config.get("lora"):
        base = CausalPolicy.load(lang)
        adapter = adapter_of(policies[0].model, base.model)
        save_adapter(adapter, folder, base=lang, tokenizer=base.tokenizer, verse_format=base.format)
        for name in ("README.md", "tokenizer.json", "tokenizer_config.json", "verse_format.json"):  # the base's own
            (folder / name).unlink(missing_ok=True)
    else:
        policies[0].save(str(folder), dtype=torch.int8)
    told = {side: figures(CausalPolicy.load(name, seed=7)) for side, name in (("prior", lang), ("policy", str(folder)))}
    samples = {heat: [sampled(folder, heat, seed) for seed in SEEDS] for heat in HEATS}
    distances = measured_rows(lang, [str(folder)], seed=7)
    (folder / "README.md").write_text(card(lang, config, results, told, distances, samples), encoding="utf-8")
    sys.stdout.write(f"{folder}\n{json.dumps(told)}\n")


if __name__ == "__main__":
    main()

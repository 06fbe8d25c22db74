"""Poems before and after a run, for people: ``samples.txt``, the log, the terminal and TensorBoard's text tab."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from policies.causal_lm import CausalPolicy
from policies.decoding.sampler import Decoding
from policies.finetuning.config import FinetuneConfig
from policies.formats.data import Annotated
from rlpoet.errors import UnknownName
from rlpoet.reporting.tracking import ENDINGS, Tracker
from rlpoet.text import write_atomically
from rlpoet.types import Prompt

ENDED = re.compile(rf"^# (?:{'|'.join(ENDINGS)}), step \d", re.MULTILINE)


class Samples:
    """Draws samples with the same prompts and seed each time, so that only the policy differs.

    A run that goes on takes away the poems that it ended with, as the log does.

    Args:
        folder: of the run.
        poems: the training poems. If no author is named, the samples take their commonest author that the policy knows.

    Raises:
        UnknownName: an author the policy has no mark for.
    """

    def __init__(self, config: FinetuneConfig, policy: CausalPolicy, poems: Sequence[Annotated], folder: Path) -> None:
        self.config, self.path = config, folder / "samples.txt"
        if not policy.codec.any_author:
            for author in config.authors:
                if author not in policy.authors:
                    raise UnknownName("author", author, policy.authors)
        counts = Counter(poem.author for poem in poems if poem.author and (policy.codec.any_author or poem.author in policy.authors))
        authors: list[str | None] = [*config.authors] or [name for name, _ in counts.most_common(1)]
        self.prompts = [Prompt(policy.lang, name, author) for name in config.forms for author in (authors or [None])]

    def write(self, policy: CausalPolicy, phase: str, tracker: Tracker, out: Console, *, step: int) -> None:
        """Draw the poems of a phase (``before``, ``after``, ``interrupted``) and write them to every output."""
        options = decoding(self.config.sampling)
        if options.get("beams"):
            options["beams"] = max(options["beams"], self.config.n_samples)
        policy.generator.manual_seed(self.config.seed + 7)
        rollout = policy.sample(self.prompts, self.config.n_samples, **options)
        settings = ", ".join(f"{key} {value:g}" for key, value in options.items())
        blocks = [f"# {phase}, step {step}{f' ({settings})' if settings else ''}"]
        for prompt, text in zip(rollout.prompts, rollout.texts, strict=True):
            blocks.append(f"## {prompt.form}{f', {prompt.author}' if prompt.author else ''}\n\n{text}")
        before = ENDED.split(self.path.read_text(encoding="utf-8"))[0] if phase != "before" and self.path.exists() else ""
        write_atomically(self.path, before + "\n\n".join(blocks) + "\n\n\n")
        rows = [
            {"phase": phase, "prompt": dataclasses.asdict(p), "text": text} for p, text in zip(rollout.prompts, rollout.texts, strict=True)
        ]
        tracker.samples(step, rows, markdown="\n\n".join(block.replace("\n", "  \n") for block in blocks))
        out.print(f"{phase}:\n{rollout.texts[0]}\n", highlight=False, markup=False)


def decoding(sampling: Mapping[str, float]) -> dict[str, Any]:
    """Sampling options in the types of ``Decoding``: flags and YAML give numbers.

    >>> decoding({"top_k": 20.0, "temperature": 1})
    {'top_k': 20, 'temperature': 1.0}
    """
    whole = {item.name for item in dataclasses.fields(Decoding) if item.type == "int"}
    return {name: int(value) if name in whole else float(value) for name, value in sampling.items()}

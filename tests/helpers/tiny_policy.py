"""A policy small enough to build in a test: random weights, a tokenizer learned from eight lines."""

from __future__ import annotations

import torch

from policies.causal_lm import CausalPolicy
from policies.formats.data import Annotated, choose_format
from policies.formats.tokenizer import train_tokenizer
from policies.pretraining.model import SIZES, Size, build_model
from rlpoet.prosody.annotate import annotate

VERLAINE = ("Les sanglots longs", "Des violons", "De l'automne", "Blessent mon cœur", "D'une langueur", "Monotone.")
# a run, without the pictures of its poems for TensorBoard, which take longer than all the rest of it
SMALL = "--max_steps 3 --minutes 0 --eval_samples 8 --prompts_per_step 2 --group_size 2 --save_steps 1 --threads 1 --report_to none".split()
BAUDELAIRE = (
    "Souvent, pour s'amuser, les hommes d'équipage",
    "Prennent des albatros, vastes oiseaux des mers,",
    "Qui suivent, indolents compagnons de voyage,",
    "Le navire glissant sur les gouffres amers.",
)
torch.set_num_threads(1)  # a second thread costs more than it brings at this size
SIZES["test"] = Size(32, 2, 2, 64)


def annotated() -> list[Annotated]:
    return [
        Annotated("Paul Verlaine", tuple(annotate([VERLAINE], "fr"))),
        Annotated("Charles Baudelaire", tuple(annotate([BAUDELAIRE], "fr"))),
        Annotated("Charles Baudelaire", tuple(annotate([BAUDELAIRE[::-1]], "fr"))),
    ]


def tiny_policy(*, seed: int = 0, kind: str = "bpe", countdown: int = 0) -> CausalPolicy:
    poems = annotated()
    verse_format = choose_format(poems * 2, "fr", countdown=countdown)
    bare = choose_format(poems * 2, "fr")
    lines = [bare.write_line(line, "").rpartition("|>")[2] for poem in poems for group in poem.groups for line in group.lines]
    tokenizer = train_tokenizer(lines, verse_format.marks, kind=kind, size=400)
    model = build_model("test", tokenizer, seed=seed).eval()
    with torch.no_grad():  # sharp enough that a mistake in the cache shows
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.mul_(6.0)
    return CausalPolicy(model, tokenizer, verse_format, seed=seed)

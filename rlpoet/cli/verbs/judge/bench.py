"""``rlpoet bench``: models that are asked for verse in words, side by side with people."""

from __future__ import annotations

import os

from rlpoet.config.command import Command
from rlpoet.evaluation.bench.config import BenchConfig
from rlpoet.registry import first_import


def run(config: BenchConfig) -> int:
    from rewards.adapters.completions import poem_of
    from rlpoet.corpus import read_poems
    from rlpoet.evaluation.bench.kept import forget
    from rlpoet.evaluation.bench.run import Answering, bench, check, entered, people, shipped_people
    from rlpoet.evaluation.bench.server import ServerModel
    from rlpoet.reporting.evaluation_tables import board_table
    from rlpoet.reporting.poems import console
    from rlpoet.reporting.progress import Pulse

    check(config)
    reference = shipped_people()
    if config.human:
        lang = config.langs[0]
        reference = {lang: people(read_poems(config.human), lang, config.n, seed=config.seed)}
    if config.model.startswith(("http://", "https://")):
        model: Answering = ServerModel.of(config, os.environ.get("OPENAI_API_KEY"))
    else:
        with first_import("torch"):
            from policies.generation.asked import open_model
        model = open_model(config)
    with Pulse(console(stderr=True)) as pulse:
        row = bench(config, model, poem_of, lambda done, of: pulse.tell(f"{done} of {of} answers", share=done / of))
    board = entered(config.out, row, reference)
    forget(config)
    console().print(board_table(board))
    return 0


COMMAND = Command("bench", "models asked for verse in words, beside people", BenchConfig, run, positional=("model",), short={"n": "n"})

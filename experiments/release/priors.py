"""Train the priors of the languages anew: verse among prose first, then verse alone. One command, resumable.

python -m experiments.release.priors FOLDER --out runs/priors                    # on a GPU some minutes a language, on a CPU hours
python -m experiments.release.priors FOLDER --out runs/priors --langs fr --minutes 90
python -m experiments.release.priors FOLDER --out runs/priors --prepare          # all but the training, on a machine without a GPU
python -m experiments.release.priors --out runs/priors                           # the rest, in runs/priors moved to one with a GPU

FOLDER holds ``fr.jsonl.gz`` and so on, ``prose_fr.jsonl.gz``, and ``es_more.jsonl.gz`` where there is one. Asked again, a stopped run
goes on and an ended one is not done again.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from policies.pretraining.prepared import FILE
from rlpoet.checkpoints.folder import run_state
from rlpoet.errors import RlpoetError

LANGS = ("fr", "es", "en")
TOKENS = 120_000_000  # of a run without another budget
ON_GPU, ON_CPU = 65536, 4096  # tokens a batch
RECIPE = (  # 14M weights: 14 MiB in eight bits
    "--size", "small", "--vocab_size", "4096", "--countdown", "2", "--no_core", "--core_times", "2", "--rhyme_pairs_share", "0.2",
    "--learning_rate", "0.003", "--decay", "0.4", "--save_steps", "250",
)  # fmt: skip
PROSE = ("--prose_share", "0.6", "--prose_until", "0.7")


def command(corpora: Path | None, out: Path, lang: str, *, minutes: float, steps: int, batch: int, prepare: bool = False) -> list[str]:
    """The words of ``rlpoet pretrain`` for a language: a new run, or the rest of one.

    Args:
        minutes, steps: budget; 0 for none of that kind.
        batch: tokens a batch.
        prepare: stop before training.

    Raises:
        RlpoetError: there is no verse of the language, or no folder of it.
    """
    folder = out / lang
    if run_state(folder) == "stopped" or (folder / FILE).exists():
        return ["pretrain", "--resume", str(folder)]
    if corpora is None:
        raise RlpoetError(f"{folder}: nothing prepared; expected a folder of corpora, or {folder} as --prepare makes it.")
    data = [path for path in (corpora / f"{lang}.jsonl.gz", corpora / f"{lang}_more.jsonl.gz") if path.exists()]
    if not data:
        raise RlpoetError(f"{corpora}: no {lang}.jsonl.gz; expected verse of each language asked for. Choose some with --langs.")
    words = ["pretrain", "--lang", lang, "--data", *map(str, data), "--output_dir", str(folder), *RECIPE]
    words += ["--minutes", f"{minutes:g}", "--max_steps", str(steps), "--batch_tokens", str(batch), *(["--prepare"] if prepare else [])]
    prose = corpora / f"prose_{lang}.jsonl.gz"
    return [*words, "--prose", str(prose), *PROSE] if prose.exists() else words


def run(words: Sequence[str]) -> None:
    """A command of rlpoet, told and run.

    Raises:
        subprocess.CalledProcessError: it failed, or was stopped.
    """
    print("rlpoet", shlex.join(words), flush=True)
    subprocess.run([sys.executable, "-m", "rlpoet", *words], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", type=Path, nargs="?", help="not needed for what is prepared")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--langs", nargs="+", default=LANGS, choices=LANGS)
    parser.add_argument("--minutes", type=float, default=0.0, help="of training, a language")
    parser.add_argument("--steps", type=int, default=0, help=f"updates, a language; by default {TOKENS // 1_000_000}M tokens")
    parser.add_argument("--batch_tokens", type=int, default=0, help=f"by default {ON_GPU} on a GPU, or with --prepare, else {ON_CPU}")
    parser.add_argument("--prepare", action="store_true", help="stop before training")
    args = parser.parse_args()
    batch = args.batch_tokens or (ON_GPU if args.prepare or torch.cuda.is_available() else ON_CPU)
    steps = args.steps or (0 if args.minutes else TOKENS // batch)
    for lang in args.langs:
        if run_state(args.out / lang) == "done" or (args.prepare and (args.out / lang / FILE).exists()):
            continue
        run(command(args.corpora, args.out, lang, minutes=args.minutes, steps=steps, batch=batch, prepare=args.prepare))


if __name__ == "__main__":
    main()

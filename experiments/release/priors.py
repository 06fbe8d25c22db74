"""Train the priors of the languages anew, in two stages: verse among prose, then verse alone. One command, resumable.

python -m experiments.release.priors FOLDER --out runs/priors                    # on a GPU some minutes a language, on a CPU hours
python -m experiments.release.priors FOLDER --out runs/priors --langs fr --minutes 90

FOLDER holds ``fr.jsonl.gz`` and so on, ``prose_fr.jsonl.gz``, and ``es_more.jsonl.gz`` where there is one. Asked again, a stopped stage
goes on and an ended one is not done again.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from rlpoet.checkpoints.folder import run_state
from rlpoet.errors import RlpoetError

LANGS = ("fr", "es", "en")
STAGES = ("prose", "verse")
OF_PROSE = 0.7  # share of the budget that the first stage has
LARGE = ("--size", "small", "--vocab_size", "4096", "--batch_tokens", "65536")  # 14M weights: 14 MiB in eight bits
SMALL = ("--size", "small", "--vocab_size", "4096", "--batch_tokens", "4096")
RATES = {"prose": ("--learning_rate", "0.003", "--decay", "0.2"), "verse": ("--learning_rate", "0.002", "--decay", "1.0")}
PAIRS = {"prose": "0.1", "verse": "0.25"}  # share of rhyme pairs


def command(corpora: Path, out: Path, lang: str, stage: str, *, minutes: float, steps: int, on_gpu: bool) -> list[str]:
    """The words of ``rlpoet pretrain`` for a stage: a new run, or the rest of one.

    Args:
        minutes, steps: budget of both stages; 0 for none of that kind.
    """
    folder, share = out / f"{lang}-{stage}", OF_PROSE if stage == "prose" else 1 - OF_PROSE
    if run_state(folder) == "stopped":
        return ["pretrain", "--resume", str(folder)]
    data = [path for path in (corpora / f"{lang}.jsonl.gz", corpora / f"{lang}_more.jsonl.gz") if path.exists()]
    if not data:
        raise RlpoetError(f"{corpora}: no {lang}.jsonl.gz; expected verse of each language asked for. Choose some with --langs.")
    words = ["pretrain", "--lang", lang, "--data", *map(str, data), "--output_dir", str(folder)]
    words += ["--minutes", f"{minutes * share:g}", "--max_steps", str(round(steps * share))]
    words += ["--no_core", "--core_times", "2", "--rhyme_pairs_share", PAIRS[stage], *RATES[stage], "--save_steps", "250"]
    if stage == "verse":
        return [*words, "--start", str(out / f"{lang}-prose"), "--batch_tokens", (LARGE if on_gpu else SMALL)[-1]]
    words += [*(LARGE if on_gpu else SMALL), "--countdown", "2"]
    prose = corpora / f"prose_{lang}.jsonl.gz"
    return [*words, "--prose", str(prose), "--prose_share", "0.6"] if prose.exists() else words


def run(words: Sequence[str]) -> None:
    """A command of rlpoet, told and run.

    Raises:
        subprocess.CalledProcessError: it failed, or was stopped.
    """
    print("rlpoet", shlex.join(words), flush=True)
    subprocess.run([sys.executable, "-m", "rlpoet", *words], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--langs", nargs="+", default=LANGS, choices=LANGS)
    parser.add_argument("--minutes", type=float, default=0.0, help="of training, a language")
    parser.add_argument("--steps", type=int, default=0, help="updates, a language; by default 120M tokens on a GPU")
    args = parser.parse_args()
    on_gpu = torch.cuda.is_available()
    steps = args.steps or (0 if args.minutes else 120_000_000 // int((LARGE if on_gpu else SMALL)[-1]))
    for lang in args.langs:
        for stage in STAGES:
            folder = args.out / f"{lang}-{stage}"
            if run_state(folder) == "done":
                continue
            words = command(args.corpora, args.out, lang, stage, minutes=args.minutes, steps=steps, on_gpu=on_gpu)
            if stage == "verse" and not folder.exists():
                folder.mkdir(parents=True)
                for name in ("train.jsonl.gz", "held.jsonl.gz"):  # the same verse, heard once
                    shutil.copy(args.out / f"{lang}-prose" / name, folder)
            run(words)


if __name__ == "__main__":
    main()

"""One training run from policy to report: measure, train, measure again, write everything down."""

from __future__ import annotations

import dataclasses
import gc
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import yaml
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from rlpoet.alarms import Watch
from rlpoet.assembly import Trainer, authors_of, check, helpers_of, policy_of, score_of, trainer_of, with_rate
from rlpoet.best_of_n import BestOfN
from rlpoet.errors import RlpoetError
from rlpoet.evaluation import figures_of, measure
from rlpoet.exam import PER_PROMPT, examine, intervals, keep, read, weights_digest
from rlpoet.languages import code_of
from rlpoet.preflight import foretell
from rlpoet.prompts import mixed_prompts, with_openings
from rlpoet.prosody.forms import form
from rlpoet.prosody.meter import in_meter
from rlpoet.protocols import Scorer
from rlpoet.render import SideBySide, comparison_table, console, poem_markdown
from rlpoet.render_image import poems_figure
from rlpoet.report import heard, write_report
from rlpoet.rollout import Rollout
from rlpoet.text import split_poem
from rlpoet.tracking import Tracker, read_jsonl
from rlpoet.train_command import TrainConfig
from rlpoet.trainer import free_threads, interpolate
from rlpoet.types import Prompt
from rlpoet.variety import batch_variety

CHECKPOINT, BEFORE, AFTER, POLICY = "checkpoint.pt", "before.json", "after.json", "policy"
N_SHOWN = 16  # poems of each side kept in samples.jsonl for the report
COLUMNS = {  # of the running table: heading -> metric
    "reward": "reward/mean",
    "rhyme": "rewards/rhyme/mean",
    "meter": "rewards/meter/mean",
    "KL nats": "objective/kl",
    "prior nats/token": "objective/prior_nll_per_token",
    "poems/s": "time/samples_per_second",
}


def train(config: TrainConfig) -> int:
    """Run to the end of the budget; 130 after Ctrl-C, with everything saved and reported."""
    if config.resume is not None:
        config = resumed(config)
    check(config)
    config = with_rate(config)
    cores = config.threads or free_threads()
    torch.set_num_threads(cores)
    out = console(stderr=True)
    score, policy = score_of(config), policy_of(config)
    folder = run_folder(config)
    rng = random.Random(config.seed)
    authors = authors_of(config.authors, policy)
    exam = mixed_prompts(config.lang, config.forms, authors, -(-config.eval_samples // PER_PROMPT), rng=rng)
    prior = policy.reference()

    resume_step = None
    if config.resume is not None:
        resume_step = int(torch.load(folder / CHECKPOINT, map_location="cpu", weights_only=True)["n_steps"])
    with helpers_of(config, cores, out) as helpers, Tracker(folder, report_to=config.report_to, resume_step=resume_step) as tracker:
        if config.resume is None:
            tracker.config(config)
            out.print(f"Measuring {config.eval_samples} poems of the prior ...")
            before, drawn = examine(policy, prior, exam, config.eval_samples, seed=config.seed, top_p=config.eval_top_p)
            keep(folder / BEFORE, before, prior=weights_digest(prior))
            show(tracker, 0, "before", drawn, score)
        else:
            before = read(folder / BEFORE)
            if before.prior not in (None, weights_digest(prior)):
                raise RlpoetError(
                    f"--resume {folder}: policy {config.policy or config.lang!r} has other weights than the prior this run began with; "
                    "expected the same ones. Put them back, or start a new run."
                )
            # counted again, so that one ear judges both sides
            before = dataclasses.replace(before, figures={**before.figures, **figures_of(before.facts)})
        lines = openings([p for p in exam for _ in range(PER_PROMPT)], before.texts)
        prompts = with_openings(
            list(dict.fromkeys(mixed_prompts(config.lang, config.forms, authors, 4096, rng=rng))), lines, config.openings, rng=rng
        )
        trainer = trainer_of(config, policy, score, prompts, exam, helpers)
        watch = Watch(beta=config.beta, learned_log_z=config.log_z == "learned" and not (config.explore or config.replay))
        if config.resume is not None:
            trainer.load(folder / CHECKPOINT)
            watch.replay(read_jsonl(folder / "metrics.jsonl"))
        else:
            trainer.save(folder / CHECKPOINT)  # --resume goes on from here, whatever the pre-flight says
            scores = score(before.prompts, before.texts).total
            for line in foretell(folder, before.prompts, scores, beta=config.beta, group_size=PER_PROMPT):
                out.print(line)
        policy.may_repeat = config.may_repeat and config.algo != "best-of-n"
        torch.set_num_threads(max(1, cores // max(1, config.processes)))
        interrupted = loop(config, trainer, tracker, folder, score, out, watch=watch)
        if helpers is not None:
            helpers.close()
        torch.set_num_threads(cores)
        trainer.save(folder / CHECKPOINT)
        if config.interpolate:
            interpolate(policy.model, prior.model, config.interpolate)
        policy.save(str(folder / POLICY))
        out.print(f"Measuring {config.eval_samples} poems of the trained policy ...")
        best = trainer if isinstance(trainer, BestOfN) else None
        shown = best.shown() if best is not None else None
        after, drawn = examine(policy, prior, exam, config.eval_samples, seed=config.seed, top_p=config.eval_top_p, drawn=shown)
        keep(folder / AFTER, after)
        show(tracker, trainer.n_steps, "after", drawn, score)
        found = intervals(before, after)
        tracker.result({
            "lang": config.lang, "algo": config.algo, "forms": list(config.forms), "before": before.figures, "after": after.figures,
            "intervals": found, "seed": config.seed, "seconds": round(trainer.seconds, 1), "fresh_samples": trainer.n_fresh,
            "steps": trainer.n_steps, "interrupted": interrupted, "commit": commit(), "alarms": watch.raised,
            **(best.facts() if best is not None else {}),
        })  # fmt: skip
        spent = {"seconds": trainer.seconds, "fresh_samples": trainer.n_fresh, "alarms": len(watch.raised)}
        tracker.hparams(config, {**after.figures, **spent})
    report = write_report(folder)
    tensorboard = Path(sys.executable).with_name("tensorboard")  # a reader may never have activated the environment
    answer = console()
    answer.print(comparison_table(before.figures, after.figures, found))
    both = zip(exam, range(0, 12, 4), strict=False)
    for prompt, row in both:
        first, last = ([heard(side.texts[row], prompt.lang, form=prompt.form)] for side in (before, after))
        answer.print(SideBySide(first, last))
    answer.print(
        f"report       {report}\nTensorBoard  {tensorboard} --logdir {folder.parent}\n"
        f"policy       {folder / POLICY}\nresult       {folder / 'result.json'}",
        soft_wrap=True,
    )
    return 130 if interrupted else 0


def loop(config: TrainConfig, trainer: Trainer, tracker: Tracker, folder: Path, score: Scorer, out: Console, *, watch: Watch) -> bool:
    """Step until the budget is spent; True if Ctrl-C ended it."""

    def progress() -> float:
        spent = [trainer.n_steps / config.max_steps] if config.max_steps else []
        spent += [trainer.seconds / (60 * config.minutes)] if config.minutes else []
        return max(spent)

    out.print("".join(f"{name:>{len(name) + 2}}" for name in ("step", *COLUMNS)))
    gc.freeze()  # models and tables live as long as the run: a collector that walks through them takes a tenth of a step
    with Progress(
        TextColumn("training"),
        BarColumn(),
        TextColumn("{task.percentage:.0f} %"),
        TimeRemainingColumn(),
        console=out,
        disable=not out.is_terminal,
    ) as bar:
        task = bar.add_task("", total=1.0)
        try:
            while (share := progress()) < 1.0:
                if hasattr(score, "at"):  # weights that follow the run's progress
                    trainer.score = score.at(share)
                metrics, fresh, _ = trainer.step(share)
                if hasattr(score, "weights"):
                    metrics |= {f"rewards/{name}/weight": weight for name, weight in score.weights(share).items()}
                metrics |= batch_variety(fresh.prompts, fresh.texts)
                right = measure(fresh.prompts, fresh.texts)
                metrics |= {f"samples/{name}": right[name] for name in ("rhyme_pairs", "lines_in_meter", "perfect_stanzas")}
                for alarm in watch(trainer.n_steps, metrics):
                    tracker.alarm(alarm.step, dataclasses.asdict(alarm), markdown=alarm.markdown)
                    out.print(f"alarm {alarm.name} at step {alarm.step}: {alarm.seen}. {alarm.advice}")
                tracker.scalars(trainer.n_steps, metrics)
                bar.update(task, completed=share)
                if trainer.n_steps % config.logging_steps == 0 or trainer.n_steps == 1:
                    shown = [metrics.get(key) for key in COLUMNS.values()]
                    cells = [str(trainer.n_steps), *("" if x is None else f"{x:.3f}" if x < 10 else f"{x:.1f}" for x in shown)]
                    out.print(
                        "".join(f"{cell:>{len(name) + 2}}" for cell, name in zip(cells, ("step", *COLUMNS), strict=True)), highlight=False
                    )
                if trainer.n_steps % config.save_steps == 0:
                    trainer.save(folder / CHECKPOINT)
                    show(tracker, trainer.n_steps, "step", fresh.rows(range(4)), score)
            bar.update(task, completed=1.0)
        except KeyboardInterrupt:
            out.print(f"Interrupted at step {trainer.n_steps}; saving. Go on with: rlpoet train --resume {folder}")
            return True
        finally:
            gc.unfreeze()
    return False


def openings(prompts: Sequence[Prompt], texts: Sequence[str]) -> list[str]:
    """First lines of the prior's own poems that are in meter: openings that need no corpus."""
    found = []
    for prompt, text in zip(prompts, texts, strict=False):
        lines = split_poem(text)
        if lines and in_meter(lines[0], prompt.lang, form(prompt.form, prompt.lang).meters[0]):
            found.append(lines[0])
    return list(dict.fromkeys(found))


def show(tracker: Tracker, step: int, phase: str, rollout: Rollout, score: Scorer) -> None:
    """Some poems into samples.jsonl and TensorBoard's text tab."""
    some = rollout.rows(range(0, len(rollout), max(1, len(rollout) // N_SHOWN))[:N_SHOWN])
    scored = score(some.prompts, some.texts)
    scores = [{"total": scored.total[i], **{name: part[i] for name, part in scored.parts.items()}} for i in range(len(some))]
    told = list(zip(some.prompts, some.texts, scores, strict=True))
    rows = [{"phase": phase, "prompt": dataclasses.asdict(prompt), "text": text, "scores": own} for prompt, text, own in told]
    shown = [heard(text, prompt.lang, form=prompt.form, scores=own) for prompt, text, own in told[:4]]
    tracker.samples(step, rows, markdown="\n\n".join(map(poem_markdown, shown)))
    if tracker.has_pictures:
        tracker.figure(step, f"poems/{phase}", poems_figure(shown))


# -- files of a run ---------------------------------------------------------------------------------


def run_folder(config: TrainConfig) -> Path:
    """The folder asked for, or the first free ``runs/LANG-ALGO-sSEED[-N]``."""
    if config.resume is not None:
        return Path(config.resume)
    if config.output_dir is not None:
        return Path(config.output_dir)
    base = Path("runs") / f"{code_of(config.lang)}-{config.algo}-s{config.seed}"
    number, folder = 2, base
    while folder.exists():
        folder, number = base.with_name(f"{base.name}-{number}"), number + 1
    return folder


def resumed(config: TrainConfig) -> TrainConfig:
    """The configuration a stopped run was started with.

    Raises:
        RlpoetError: the folder holds no stopped run.
    """
    folder = Path(str(config.resume))
    for name in ("config.yaml", CHECKPOINT, BEFORE):
        if not (folder / name).exists():
            raise RlpoetError(f"--resume {folder}: no {name}; expected the folder of a run that was stopped after its first checkpoint.")
    values: dict[str, Any] = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    known = {field.name: field for field in dataclasses.fields(TrainConfig)}
    kept = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items() if name in known}
    budget = {name: getattr(config, name) for name in ("minutes", "max_steps") if getattr(config, name) != known[name].default}
    return TrainConfig(**{**kept, **budget, "resume": str(folder)})


def commit() -> str:
    """Commit of the checkout this code runs from, ``-dirty`` if it was edited; the version where there is no checkout."""
    from rlpoet import __version__

    here = Path(__file__).resolve().parent
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"], cwd=here, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return __version__
    return done.stdout.strip() or __version__

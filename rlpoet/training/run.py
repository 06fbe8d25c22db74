"""One training run from policy to report: measure, train, measure again, write everything down."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import math
import random
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from rlpoet import __version__
from rlpoet.checkpoints.files import read_checkpoint
from rlpoet.checkpoints.folder import AFTER, BEFORE, BEST, CHECKPOINT, run_folder
from rlpoet.checkpoints.signals import Stop, stop_signals
from rlpoet.config.command import current
from rlpoet.config.documents import read_settings
from rlpoet.config.ranges import made, nested
from rlpoet.errors import RlpoetError
from rlpoet.evaluation.diversity import batch_variety
from rlpoet.evaluation.form import figures_of, measure
from rlpoet.evaluation.sampled import (
    PER_PROMPT,
    about_target,
    intervals,
    keep,
    read,
    weights_digest,
    weights_of,
)
from rlpoet.evaluation.sense import figures_of_texts
from rlpoet.languages import code_of
from rlpoet.machine import AUTO, PRECISIONS, pace_of
from rlpoet.protocols import Scorer
from rlpoet.reporting.figures import poems_figure
from rlpoet.reporting.poems import SideBySide, comparison_table, console, poem_markdown
from rlpoet.reporting.progress import Pulse
from rlpoet.reporting.run_report import heard, write_report
from rlpoet.reporting.tracking import Tracker, read_jsonl, write_config
from rlpoet.rollout import Rollout
from rlpoet.training.auxiliary import task_line
from rlpoet.training.best import Best, reward_change
from rlpoet.training.build import (
    authors_of,
    check,
    fitted,
    follow,
    plan_of,
    policy_of,
    ranks_of,
    resolve,
    score_of,
    settled,
    threads_of_a_process,
    trainer_of,
    try_saving,
)
from rlpoet.training.common import interpolate
from rlpoet.training.config import TABLES, TrainConfig
from rlpoet.training.distributed.ranks import follows_launcher
from rlpoet.training.measuring import aimed, measured, watched
from rlpoet.training.monitoring.alarms import Watch
from rlpoet.training.monitoring.preflight import report_learnability
from rlpoet.training.prompts import mixed_prompts, openings, with_openings
from rlpoet.training.trainer import Trainer

POLICY, BEST_POLICY = "policy", "best"
RESUME_WITH = ("minutes", "max_steps")  # what may be given beside --resume
N_SHOWN = 16  # poems of each side kept in samples.jsonl for the report
COLUMNS = {  # of the running table: heading -> metric
    "reward": "reward/mean",
    "rhyme": "rewards/rhyme/mean",
    "meter": "rewards/meter/mean",
    "KL nats": "objective/kl",
    "prior nats/token": "objective/prior_nll_per_token",
    "poems/s": "time/samples_per_second",
}


def train(**settings: Any) -> Path:
    """Train a policy to rhyme: measure it, train it, measure it again, and write the run's folder.

    Args:
        settings: fields of ``rlpoet.training.config.TrainConfig``, the flags of ``rlpoet train``. A trainer's table may be a mapping,
            ``train(tb={"credit": "poem"})``.

    Returns:
        The run's folder, with ``result.json``, ``report.html`` and ``policy``, which ``load_policy`` opens.

    Raises:
        RlpoetError, UnknownName: a setting that cannot be meant.
    """
    notes: list[str] = []
    config = made(TrainConfig, current(TrainConfig, settings, note=notes.append))
    if notes:
        warnings.warn("; ".join(notes), FutureWarning, stacklevel=2)
    folder = folder_of(config)
    run(config if config.resume is not None else dataclasses.replace(config, output_dir=str(folder)))
    return folder


def run(config: TrainConfig, *, spawn: bool = False) -> int:
    """Run to the end of the budget; 130 if a signal stopped it, with everything saved and reported.

    Args:
        spawn: whether worker processes may be started where ``processes`` is left to the program.

    Raises:
        KeyboardInterrupt: stopped where there is nothing to save yet, or asked twice; the folder holds the last checkpoint.
        RlpoetError: see ``rlpoet.checkpoints.folder.run_folder``.
    """
    if follows_launcher():  # rank 0 alone reads, measures and writes
        follow()
        return 0
    if config.resume is not None:
        config = resumed(config)
    check(config)
    config = resolve(config, spawn=spawn and config.resume is None)
    folder, out = folder_of(config), console(stderr=True)
    with stop_signals() as stop, run_folder(folder, resume=config.resume is not None, tell=out.print) as goes_on:
        if not goes_on:
            config = dataclasses.replace(config, resume=None, output_dir=str(folder))
        return run_in(folder, config, out, stop=stop)


def run_in(folder: Path, config: TrainConfig, out: Console, *, stop: Stop) -> int:
    """Run in a folder that this process holds, from its checkpoint if the configuration resumes one; as ``run``."""
    torch.set_num_threads(config.threads or 1)
    torch.manual_seed(config.seed)
    score, policy = score_of(config), policy_of(config)
    pace = None
    if config.resume is None or config.precision == AUTO:  # a run that goes on keeps to what was measured when it began
        pace = pace_of(policy.model, threads=max(1, (config.threads or 1) // config.n_processes))
        if config.precision == AUTO:
            out.print(pace.line(), highlight=False)
        config = settled(config, pace)
    cores = config.threads or 1
    torch.set_num_threads(cores)
    policy.precision = PRECISIONS[config.precision]
    if config.resume is None:
        config = fitted(config, policy)
        try_saving(policy, folder)
        write_config(folder, config)  # a run that ends before its first checkpoint can begin again by it
    elif not (folder / BEFORE).exists():
        raise RlpoetError(f"--resume {folder}: no {BEFORE}; expected the folder of a run that was stopped. Start a new run.")
    rng = random.Random(config.seed)
    authors = authors_of(config.authors, policy)
    eval_prompts = mixed_prompts(config.lang, config.forms, authors, -(-config.eval_samples // PER_PROMPT), rng=rng)
    prior = policy.reference()

    resume_step, step_seconds = None, 0.0
    if config.resume is not None:
        resume_step = int(read_checkpoint(folder / CHECKPOINT)["n_steps"])
    with ranks_of(config, cores, out) as ranks, Tracker(folder, report_to=config.report_to, resume_step=resume_step) as tracker:
        if config.resume is None:
            before, drawn = measured(config, policy, prior, eval_prompts, out, whose="the prior")
            planned = plan_of(config, before, pace)
            config, step_seconds = dataclasses.replace(config, prompts_per_step=planned.prompts), planned.step_seconds
            for line in planned.lines(config.group_size):
                out.print(line, highlight=False)
            tracker.config(config)
            before = aimed(config, before, score)
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
            again = figures_of(before.facts) | figures_of_texts(before.prompts, before.texts)
            before = aimed(config, dataclasses.replace(before, figures={**before.figures, **again}), score)
        lines = openings([p for p in eval_prompts for _ in range(PER_PROMPT)], before.texts)
        prompts = with_openings(
            list(dict.fromkeys(mixed_prompts(config.lang, config.forms, authors, 4096, rng=rng))), lines, config.openings, rng=rng
        )
        trainer = trainer_of(config, policy, score, prompts, eval_prompts, ranks, prior)
        if len(prompts) < config.n_prompts:
            out.print(f"{config.n_prompts} prompts per step, of {len(prompts)} different ones: each stands several times.", highlight=False)
        if trainer.aux_rhyme_weight:
            out.print(task_line(trainer.aux_rhyme_weight, config.aux_sampler), highlight=False)
        best = Best(policy.model)
        watch = Watch(beta=config.beta, learned_log_z=config.tb.log_z == "learned" and not (config.tb.explore or config.tb.replay))
        if config.resume is not None:
            trainer.load(folder / CHECKPOINT)
            rows = read_jsonl(folder / "metrics.jsonl")
            watch.replay(rows)
            best.take_up(folder / BEST, rows)
        else:
            scores = score(before.prompts, before.texts).total
            try:
                told = report_learnability(folder, before.prompts, scores, beta=config.beta, group_size=PER_PROMPT)
            finally:
                trainer.save(folder / CHECKPOINT)  # --resume goes on from here, whatever the pre-flight says
            for line in told:
                out.print(line)
        policy.allow_identical_rhyme = config.allow_identical_rhyme and config.algo != "best-of-n"
        torch.set_num_threads(threads_of_a_process(config, cores))
        interrupted = loop(config, trainer, tracker, folder, score, out, watch=watch, best=best, step_seconds=step_seconds, stop=stop)
        ranks.close()
        torch.set_num_threads(cores)
        best.keep(folder / BEST)
        trainer.save(folder / CHECKPOINT)
        if config.interpolate:
            interpolate(policy.model, prior.model, config.interpolate)
        policy.save(str(folder / POLICY))
        after, drawn = measured(config, policy, prior, eval_prompts, out, whose="the trained policy", drawn=trainer.shown(), weigh=True)
        after = aimed(config, after, score, prior=before)
        keep(folder / AFTER, after)
        show(tracker, trainer.n_steps, "after", drawn, score)
        found, earned = intervals(before, after), reward_change(before, after, score)
        better = earned.fell and trainer.optimizer is not None and best.mean > earned.before
        shutil.rmtree(folder / BEST_POLICY, ignore_errors=True)  # of a stop after which the run went on
        if better:
            with best.put_in():
                policy.save(str(folder / BEST_POLICY))
        result = {
            "lang": config.lang, "algo": config.algo, "forms": list(config.forms), "before": before.figures, "after": after.figures,
            "intervals": found, "target": about_target(before, after), "seed": config.seed, "seconds": round(trainer.seconds, 1),
            "steps": trainer.n_steps, "interrupted": interrupted, "commit": commit(), "alarms": watch.raised,
            "reward": earned.plain() | ({"best": {"mean": best.mean, "step": best.step}} if best.step else {}),
            **trainer.spent(), **trainer.facts(),
        }  # fmt: skip
        tracker.result(result | {"interrupted": True})  # until its page is there: a run that is killed here goes on, and makes it
        spent = {
            "seconds": trainer.seconds, "fresh_samples": trainer.n_fresh, "tokens_drawn": trainer.n_tokens, "alarms": len(watch.raised),
        }  # fmt: skip
        tracker.hparams(config, {**after.figures, **spent})
    report = write_report(folder)
    tracker.result(result)
    tensorboard = Path(sys.executable).with_name("tensorboard")  # a reader may never have activated the environment
    answer = console()
    answer.print(comparison_table(before.figures, after.figures, found))
    if (weights := weights_of(before)) is not None:
        answer.print(weights.line())
    both = zip(eval_prompts, range(0, 12, 4), strict=False)
    for prompt, row in both:
        first, last = ([heard(side.texts[row], prompt.lang, form=prompt.form)] for side in (before, after))
        answer.print(SideBySide(first, last))
    if earned.fell:
        answer.print(earned.line(folder / POLICY), highlight=False, soft_wrap=True)
        if better:
            answer.print(best.line(folder / BEST_POLICY), highlight=False, soft_wrap=True)
    answer.print(
        f"report       {report}\nTensorBoard  {tensorboard} --logdir {folder.parent}\n"
        f"policy       {folder / POLICY}\nresult       {folder / 'result.json'}",
        soft_wrap=True,
    )
    return 130 if interrupted else 0


def loop(
    config: TrainConfig,
    trainer: Trainer,
    tracker: Tracker,
    folder: Path,
    score: Scorer,
    out: Console,
    *,
    watch: Watch,
    best: Best,
    step_seconds: float,
    stop: Stop,
) -> bool:
    """Step until the budget is spent; True if it was stopped. The trainer is left as it was between two steps.

    Args:
        best: told of each step.
        step_seconds: what a step is expected to take, for the estimate before the first is done; 0 if nobody knows.
    """
    took, drawing = step_seconds, 0.3  # seconds of a step, and the share of them that goes into drawing
    first = trainer.n_steps + 1
    minutes, max_steps = config.budget

    def progress(more: float = 0.0) -> float:
        """Share of the budget spent, once the step in hand has gone so far."""
        spent = [(trainer.n_steps + more) / max_steps] if max_steps else []
        spent += [(trainer.seconds + more * took) / (60 * minutes)] if minutes else []
        return max(spent)

    def tell(words: str, more: float) -> None:
        left = [(max_steps - trainer.n_steps - more) * took] if max_steps and took else []
        left += [60 * minutes - trainer.seconds - more * took] if minutes else []
        pulse.tell(f"step {trainer.n_steps + 1}: {words}", share=progress(more), left=min(left, default=None))

    def drawn(done: int, total: int) -> None:
        n = config.n_processes
        words = f"{min(done * n, total * n)} of {total * n} poems drawn" if done < total else "learning from them"
        tell(words, drawing * done / total)

    out.print("".join(f"{name:>{len(name) + 2}}" for name in ("step", *COLUMNS)))
    gc.freeze()  # models and tables live as long as the run: a collector that walks through them takes a tenth of a step
    interrupted = False
    with Pulse(out) as pulse, watched(trainer.policy, drawn), stop.between_steps():
        try:
            while (share := progress()) < 1.0 and not (interrupted := stop.asked):
                tell("drawing poems", 0.0)
                if hasattr(score, "at"):  # weights that follow the run's progress
                    trainer.score = score.at(share)
                before = trainer.seconds
                metrics, fresh, _ = trainer.step(share)
                took, drawing = trainer.seconds - before, metrics.get("time/share_sampling", drawing)
                if hasattr(score, "weights"):
                    metrics |= {f"rewards/{name}/weight": weight for name, weight in score.weights(share).items()}
                metrics |= batch_variety(fresh.prompts, fresh.texts)
                right = measure(fresh.prompts, fresh.texts)
                metrics |= {f"samples/{name}": right[name] for name in ("rhyme_pairs", "lines_in_meter", "perfect_stanzas")}
                for alarm in watch(trainer.n_steps, metrics):
                    tracker.alarm(alarm.step, dataclasses.asdict(alarm), markdown=alarm.markdown)
                    out.print(f"alarm {alarm.name} at step {alarm.step}: {alarm.seen}. {alarm.advice}")
                if metrics.get("train/update_skipped"):  # what is no number has been told, and was not learned from
                    metrics = {name: value for name, value in metrics.items() if math.isfinite(value)}
                tracker.scalars(trainer.n_steps, metrics)
                best.look(trainer.n_steps, metrics)
                if trainer.n_steps % config.logging_steps == 0 or trainer.n_steps == first:
                    shown = [metrics.get(key) for key in COLUMNS.values()]
                    cells = [str(trainer.n_steps), *("" if x is None else f"{x:.3f}" if x < 10 else f"{x:.1f}" for x in shown)]
                    out.print(
                        "".join(f"{cell:>{len(name) + 2}}" for cell, name in zip(cells, ("step", *COLUMNS), strict=True)), highlight=False
                    )
                if trainer.n_steps == first and trainer.aux_rhyme_weight and "aux/words" not in metrics:
                    out.print("auxiliary task: not done, for this policy names no sounds, or has read no rhyme-pair data.")
                if trainer.n_steps % config.save_steps == 0:
                    show(tracker, trainer.n_steps, "step", fresh.rows(range(4)), score)
                    best.keep(folder / BEST)
                    trainer.save(folder / CHECKPOINT)  # after all logs of the step: a run that goes on from it writes none of them again
        except KeyboardInterrupt:
            if stop.asked:  # twice
                raise
            trainer.rewind()  # this may be in the middle of a step
            interrupted = True
        except BaseException:  # of a reward, a library, the system: what was learned until then is not lost
            keep_steps(trainer, folder, out)
            raise
        finally:
            gc.unfreeze()
    if interrupted:
        out.print(f"Interrupted at step {trainer.n_steps}; saving. Go on with: rlpoet train --resume {folder}")
    return interrupted


def keep_steps(trainer: Trainer, folder: Path, out: Console) -> None:
    """Save the steps before the one that failed, and say how to go on. A disk that is full leaves the checkpoint before."""
    trainer.rewind()
    with contextlib.suppress(OSError):
        trainer.save(folder / CHECKPOINT)
        out.print(f"Step {trainer.n_steps + 1} failed; those before it are saved. Go on with: rlpoet train --resume {folder}")


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


def folder_of(config: TrainConfig) -> Path:
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
        RlpoetError: the folder holds no stopped run, or a setting is given anew that its own configuration decides.
    """
    folder = Path(str(config.resume))
    default = TrainConfig()
    for field in dataclasses.fields(TrainConfig):
        value = getattr(config, field.name)
        if field.name not in ("resume", *RESUME_WITH) and value != getattr(default, field.name):
            raise RlpoetError(
                f"--{field.name}: given with --resume {folder}, whose own configuration holds; expected at most "
                f"{', '.join(f'--{name}' for name in RESUME_WITH)} beside it. Leave --{field.name} out, or start a new run."
            )
    if not (folder / "config.yaml").exists():
        raise RlpoetError(f"--resume {folder}: no config.yaml; expected the folder of a run that was stopped. Start one without --resume.")
    notes: list[str] = []
    values = nested(current(TrainConfig, read_settings(folder / "config.yaml"), where=f"{folder / 'config.yaml'}: ", note=notes.append))
    if notes:
        console(stderr=True).print("; ".join(notes), highlight=False, soft_wrap=True)
    table = TABLES.get(values.get("algo", TrainConfig.algo))
    others = set(TABLES.values()) - {table}  # runs of an earlier version name every trainer's options
    values = {"freeze_layers": 0.0, **{name: value for name, value in values.items() if name not in others}}  # before: all layers
    if values.get("beta_warmup", 0.0) > 1:  # a warm-up was counted in steps
        values["beta_warmup"] = TrainConfig.beta_warmup
    budget = {name: getattr(config, name) for name in RESUME_WITH if getattr(config, name) is not None}
    return made(TrainConfig, {**values, **budget, "resume": str(folder)})


def commit() -> str:
    """Commit of the checkout this code runs from, ``-dirty`` if it was edited; the version where there is no checkout."""
    here = Path(__file__).resolve().parent
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"], cwd=here, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return __version__
    return done.stdout.strip() or __version__

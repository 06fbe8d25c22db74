"""The training loop of pretraining and fine-tuning: updates, budget, checkpoints, early stopping.

A checkpoint holds only the trained parameters, so that of a LoRA run is as small as its adapter.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from policies.formats.data import IGNORED
from rlpoet.checkpoints.files import read_checkpoint, write_checkpoint
from rlpoet.checkpoints.signals import Stop, Stopped
from rlpoet.errors import RlpoetError

LINEAR, COSINE = "linear", "cosine"
MOST_SKIPPED = 3  # updates in a row that are left out before a run gives up


@dataclass(frozen=True)
class Schedule:
    """Budget and rates of a run.

    Attributes:
        minutes, steps: the run ends when the first of them is spent; 0 means no limit of that kind.
        batch_tokens: tokens per batch of pretraining.
        window: tokens per row.
        learning_rate: peak rate of AdamW; Muon's is ``muon_ratio`` times it.
        decay: last part of the budget, over which the rate falls linearly to zero.
        curve: ``linear``, or ``cosine`` from the warm-up to the end of the budget.
    """

    minutes: float = 0.0
    steps: int = 0
    batch_tokens: int = 4096
    window: int = 256
    learning_rate: float = 3e-3
    muon_ratio: float = 7.0
    weight_decay: float = 0.05
    warmup_steps: int = 50
    decay: float = 0.4
    seed: int = 0
    curve: str = LINEAR

    def progress(self, step: int, seconds: float) -> float:
        spent = [step / self.steps] if self.steps else []
        spent += [seconds / (60 * self.minutes)] if self.minutes else []
        return max(spent)

    def rate(self, step: int, seconds: float) -> float:
        """Factor of the peak rate, in [0, 1].

        >>> Schedule(steps=100, warmup_steps=10, curve="cosine").rate(50, 0.0)
        0.5
        """
        progress = min(self.progress(step, seconds), 1.0)
        fall = 0.5 * (1.0 + math.cos(math.pi * progress)) if self.curve == COSINE else (1.0 - progress) / self.decay
        return max(0.0, min(1.0, (step + 1) / self.warmup_steps if self.warmup_steps else 1.0, fall))


@dataclass(frozen=True)
class Batch:
    """Rows of one forward pass: ids and labels, both ``(B, S)``; a label is ``IGNORED`` where there is nothing to learn."""

    epoch: float
    ids: Tensor
    labels: Tensor


@dataclass(frozen=True)
class Patience:
    """When to stop early, and which weights to keep.

    Attributes:
        metric: name of a figure of ``evaluate``; lower is better.
        evaluations: stop after this many evaluations without a new best; 0 never stops, but still keeps the best weights.
        keep: file for the best weights.
    """

    metric: str
    evaluations: int
    keep: Path


def learn(
    model: nn.Module,
    batches: Iterator[Batch],
    optims: Sequence[torch.optim.Optimizer],
    schedule: Schedule,
    *,
    checkpoint: Path,
    report: Callable[[int, dict[str, float]], None],
    evaluate: Callable[[], dict[str, float]],
    every: int,
    late: Iterator[Batch] | None = None,
    late_from: float = 1.0,
    logging: int = 25,
    accumulate: int = 1,
    clip: float = 1.0,
    bf16: bool = True,
    patience: Patience | None = None,
    forward: Callable[..., Any] | None = None,
    nats_of: Callable[[Tensor, Tensor], Tensor] | None = None,
    generator: torch.Generator | None = None,
    stop: Stop | None = None,
) -> dict[str, float]:
    """Train to the end of the budget; save at the start and every ``every`` steps; continue from ``checkpoint`` if it exists.

    The loss of an update is the mean over the labels of all its batches, so accumulation does not change it. An update whose gradient is
    not finite is left out. Whatever is raised, the steps before it are saved.

    Args:
        batches: endless, and the same in each process.
        late: as ``batches``, read instead of them from a share of the budget on.
        late_from: that share, in [0, 1].
        report: called with a step and its numbers.
        evaluate: measures the model in evaluation mode.
        accumulate: batches per update.
        forward: called instead of the model (such as a compiled one).
        nats_of: called instead of both: from ids and labels to the sum of the labels' nats.
        generator: of what ``evaluate`` draws; its state is kept too.
        stop: read between updates; None for a loop that nobody stops.

    Returns:
        ``steps``, ``tokens``, ``seconds``, ``epochs``, with ``patience`` also ``best`` and ``stopped_early``.

    Raises:
        Stopped: asked to stop, and saved.
        RlpoetError: a broken checkpoint, or one of another model; gradients that are not finite ``MOST_SKIPPED`` times in a row.
    """
    device = next(model.parameters()).device
    trained = [p for p in model.parameters() if p.requires_grad]
    peaks = [optim.param_groups[0]["lr"] for optim in optims]
    step = tokens = 0
    before, best, waited, measured = 0.0, math.inf, 0, -1
    turned: int | None = None  # the step at which ``late`` began
    mean: float | None = None
    stop = stop or Stop()
    if checkpoint.exists():
        state = read_checkpoint(checkpoint, device)
        try:
            load_trained(model, state["model"])
            for optim, saved in zip(optims, state["optims"], strict=True):
                optim.load_state_dict(saved)
            step, tokens, before = state["step"], state["tokens"], state["seconds"]
            best, waited = state.get("best", math.inf), state.get("waited", 0)
            mean, measured, turned = state.get("mean"), state.get("measured", step), state.get("turned")
            if generator is not None and "generator" in state:
                generator.set_state(state["generator"].cpu())
            if "rng" in state:
                torch.set_rng_state(state["rng"].cpu())
        except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:  # of another model, or no checkpoint of ours
            raise _foreign(checkpoint, error) from error
    epoch = 0.0
    for _ in range((step if turned is None else turned) * accumulate):
        epoch = next(batches).epoch
    if turned is not None and late is not None:
        batches = late
        for _ in range((step - turned) * accumulate):
            epoch = next(batches).epoch
    run = model if forward is None else forward
    started, logged_at, logged_tokens = time.perf_counter(), time.perf_counter(), tokens
    skipped = 0  # updates in a row
    rng, drawn = torch.get_rng_state(), None if generator is None else generator.get_state()  # as they were between two steps

    def seconds() -> float:
        return before + time.perf_counter() - started

    def save() -> None:
        state = {
            "model": trained_state(model), "optims": [optim.state_dict() for optim in optims], "step": step, "tokens": tokens,
            "seconds": seconds(), "best": best, "waited": waited, "rng": rng, "mean": mean, "measured": measured, "turned": turned,
            **({"generator": drawn} if drawn is not None else {}),
        }  # fmt: skip
        write_checkpoint(checkpoint, state)

    def measure() -> None:
        nonlocal best, waited, measured, rng, drawn
        model.eval()
        figures = evaluate()
        model.train()
        report(step, figures)
        if patience is not None and patience.metric in figures:
            if figures[patience.metric] < best:
                write_checkpoint(patience.keep, {"model": trained_state(model), "step": step})
                best, waited = figures[patience.metric], 0
            else:
                waited += 1
        measured = step
        rng, drawn = torch.get_rng_state(), None if generator is None else generator.get_state()

    def stopped() -> bool:
        return patience is not None and 0 < patience.evaluations <= waited

    if not checkpoint.exists():
        save()
    model.train()
    whole = True  # whether the weights are those of a whole update
    with contextlib.ExitStack() as stack:
        stack.callback(model.eval)
        try:
            stack.enter_context(stop.between_steps())
            if step and step % every == 0 and measured != step:  # the run ended while it measured
                measure()
                save()
            while schedule.progress(step, seconds()) < 1.0 and not stopped():
                if stop.asked:
                    save()
                    raise Stopped
                if turned is None and late is not None and schedule.progress(step, seconds()) >= late_from:
                    batches, turned = late, step
                rows = [next(batches) for _ in range(accumulate)]
                n_labels = max(1, sum(int((batch.labels[:, 1:] != IGNORED).sum()) for batch in rows))
                loss, n_tokens = 0.0, 0
                for batch in rows:
                    ids, labels = batch.ids.to(device), batch.labels.to(device)
                    if nats_of is not None:
                        nats = nats_of(ids, labels)
                    else:
                        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
                            logits = run(input_ids=ids, use_cache=False).logits
                        nats = F.cross_entropy(
                            logits[:, :-1].float().flatten(0, 1), labels[:, 1:].flatten(), ignore_index=IGNORED, reduction="sum"
                        )
                    part = nats / n_labels
                    part.backward()
                    loss += part.item()
                    n_tokens += ids.numel()
                norm = torch.nn.utils.clip_grad_norm_(trained, clip if clip > 0 else math.inf)
                broken = not math.isfinite(norm.item())
                skipped = skipped + 1 if broken else 0
                if skipped >= MOST_SKIPPED:
                    raise RlpoetError(
                        f"step {step + 1}: loss {loss:g}, gradient {norm.item():g}, as in the {MOST_SKIPPED - 1} steps before; expected "
                        "finite numbers. Start a new run with a lower --learning_rate."
                    )
                rate = schedule.rate(step, seconds())
                whole = False
                for optim, peak in zip(optims, peaks, strict=True):
                    for group in optim.param_groups:
                        group["lr"] = rate * peak
                    if not broken:
                        optim.step()
                    optim.zero_grad(set_to_none=True)
                step, epoch, tokens, rng, whole = step + 1, rows[-1].epoch, tokens + n_tokens, torch.get_rng_state(), True
                if broken:
                    report(step, {"train/update_skipped": 1.0})
                elif math.isfinite(loss):
                    mean = loss if mean is None else 0.98 * mean + 0.02 * loss
                if step % logging == 0:
                    now = time.perf_counter()
                    numbers = {
                        **({} if mean is None else {"train/loss": mean}),
                        **({} if broken else {"train/grad_norm": norm.item()}),
                        "train/lr": rate * peaks[-1],
                        "train/epoch": float(epoch),
                        "train/tokens": float(tokens),
                        "train/tokens_per_second": (tokens - logged_tokens) / (now - logged_at),
                        "train/progress": schedule.progress(step, seconds()),
                    }
                    logged_at, logged_tokens = now, tokens
                    report(step, numbers)
                if step % every == 0:
                    measure()
                    save()
                    logged_at, logged_tokens = time.perf_counter(), tokens
            if patience is not None and measured != step:
                measure()
        except Stopped:
            raise
        except KeyboardInterrupt:
            if stop.asked or not whole:  # asked twice, or in the middle of an update: the last checkpoint stands
                raise
            save()
            raise Stopped from None
        except Exception:
            if whole:
                with contextlib.suppress(OSError):  # a full disk: the checkpoint before stands
                    save()
            raise
    save()
    totals = {"steps": float(step), "tokens": float(tokens), "seconds": seconds(), "epochs": float(epoch)}
    if patience is not None:
        totals |= {"stopped_early": float(stopped())}
        if patience.keep.exists():
            load_trained(model, read_checkpoint(patience.keep, device)["model"])
            totals |= {"best": best}
    return totals


def trained_state(model: nn.Module) -> dict[str, Tensor]:
    """The parameters that are trained, by name."""
    return {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}


def load_trained(model: nn.Module, state: dict[str, Tensor]) -> None:
    """Load trained parameters; a whole state dict works too.

    Raises:
        KeyError: one is missing.
    """
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.requires_grad:
                p.copy_(state[name])


def checkpoint_step(path: Path) -> int | None:
    """The step at which a checkpoint was written; None if there is none.

    Raises:
        RlpoetError: the file is no checkpoint.
    """
    if not path.exists():
        return None
    try:
        return int(read_checkpoint(path)["step"])
    except (KeyError, TypeError, ValueError) as error:
        raise _foreign(path, error) from error


def _foreign(path: Path, error: Exception) -> RlpoetError:
    return RlpoetError(f"{path}: broken checkpoint ({error!s:.80}); expected one this command wrote. Delete it to start again.")

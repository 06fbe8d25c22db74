"""Train a tiny causal LM on verse from nothing: one loop, a budget of minutes or steps, resumable.

Matrices are updated by Muon and the rest by AdamW (both torch's own): at a few million parameters Muon needs about
two thirds of AdamW's tokens for the same loss. The learning rate warms up, stays, and falls to zero over the last
part of the budget, whichever of minutes and steps ends first.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerBase

from policies.verse_data import IGNORED, Piece, bos_id, excerpts, pack
from rlpoet.errors import RlpoetError, UnknownName


@dataclass(frozen=True)
class Size:
    """Shape of a Llama: width, layers, query heads, one key head (multi-query attention), feed-forward width."""

    width: int
    layers: int
    heads: int
    feed: int
    groups: int = 1


SIZES = {
    "nano": Size(96, 3, 3, 256),
    "tiny": Size(256, 4, 4, 704),
    "small": Size(384, 8, 6, 1024),
    "gpoet-40m": Size(448, 16, 7, 1216, groups=7),
}


@dataclass(frozen=True)
class Schedule:
    """Budget and rates of a pretraining run.

    Attributes:
        minutes, steps: the run ends with the first that is spent; 0 means no limit of that kind.
        batch_tokens: tokens an update sees.
        window: tokens of a row.
        learning_rate: peak rate of AdamW; Muon's is ``muon_ratio`` times it.
        decay: last part of the budget, over which the rate falls linearly to zero.
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

    def progress(self, step: int, seconds: float) -> float:
        spent = [step / self.steps] if self.steps else []
        spent += [seconds / (60 * self.minutes)] if self.minutes else []
        return max(spent)

    def rate(self, step: int, seconds: float) -> float:
        """Factor of the peak rate, in [0, 1]."""
        left = 1.0 - self.progress(step, seconds)
        return max(0.0, min(1.0, (step + 1) / self.warmup_steps, left / self.decay))


def build_model(size: str, tokenizer: PreTrainedTokenizerBase, *, seed: int) -> LlamaForCausalLM:
    """A fresh Llama with tied embeddings and rotary positions.

    Raises:
        UnknownName: no such size.
    """
    if size not in SIZES:
        raise UnknownName("size", size, SIZES)
    shape = SIZES[size]
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=-(-len(tokenizer) // 64) * 64,  # a multiple of 64 multiplies faster
        hidden_size=shape.width,
        intermediate_size=shape.feed,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.groups,
        head_dim=shape.width // shape.heads,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config)


def optimizers(model: LlamaForCausalLM, schedule: Schedule) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside, AdamW for embeddings and norms."""
    inner = [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name and "lm_head" not in name]
    ids = set(map(id, inner))
    outer = [p for p in model.parameters() if id(p) not in ids]
    rate, decay = schedule.learning_rate, schedule.weight_decay
    return [
        torch.optim.Muon(inner, lr=rate * schedule.muon_ratio, weight_decay=decay, momentum=0.95),
        torch.optim.AdamW(outer, lr=rate, betas=(0.9, 0.95), weight_decay=0.0, fused=True),
    ]


def windows(pieces: list[list[Piece]], tokenizer: PreTrainedTokenizerBase, schedule: Schedule) -> Iterator[tuple[int, Tensor]]:
    """``(epoch, (rows, window))`` batches without end, shuffled anew each epoch."""
    bos, pad = bos_id(tokenizer), int(tokenizer.pad_token_id)
    rows = [row for poem in pieces for row in excerpts(poem, bos, schedule.window)]
    per_batch = max(1, schedule.batch_tokens // schedule.window)
    epoch = 0
    while True:
        packed = pack(rows, window=schedule.window, pad=pad, seed=schedule.seed + epoch)
        if len(packed) < per_batch:
            packed = packed.repeat(-(-per_batch // len(packed)), 1)
        for start in range(0, len(packed) - per_batch + 1, per_batch):
            yield epoch, packed[start : start + per_batch]
        epoch += 1


def bits_per_char(
    model: LlamaForCausalLM, pieces: list[list[Piece]], tokenizer: PreTrainedTokenizerBase, *, window: int = 256, batch: int = 32
) -> float:
    """Held-out cross-entropy in bits per printed character, headers given.

    Marks that are not text (place, tail, END) cost their nats; nothing but the header is free.
    """
    bos, pad = bos_id(tokenizer), int(tokenizer.pad_token_id)
    rows, given, n_chars = [], [], 0
    for poem in pieces:
        row: list[int] = []
        free: list[bool] = []
        for piece in poem:
            ids = [*piece.header, *piece.body]
            if row and len(row) + len(ids) > 2 * window:
                rows.append(row)
                given.append(free)
                row, free = [], []
            if not row:
                row, free = [bos], [True]
            row = row + ids
            free = free + [True] * len(piece.header) + [False] * len(piece.body)
            n_chars += piece.n_chars
        if row:
            rows.append(row)
            given.append(free)
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    device, nats = next(model.parameters()).device, 0.0
    with torch.no_grad():
        for start in range(0, len(order), batch):
            chosen = order[start : start + batch]
            width = max(len(rows[i]) for i in chosen)
            batch_ids = torch.tensor([rows[i] + [pad] * (width - len(rows[i])) for i in chosen], device=device)
            labels = torch.tensor(
                [
                    [IGNORED if f else t for t, f in zip(rows[i], given[i], strict=True)] + [IGNORED] * (width - len(rows[i]))
                    for i in chosen
                ],
                device=device,
            )
            logits = model(input_ids=batch_ids).logits.float()
            nats += F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=IGNORED, reduction="sum").item()
    return nats / math.log(2) / n_chars


def pretrain(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerBase,
    train: list[list[Piece]],
    schedule: Schedule,
    *,
    checkpoint: Path,
    report: Callable[[int, dict[str, float]], None],
    evaluate: Callable[[], dict[str, float]],
    every: int = 250,
    compiled: bool = False,
) -> dict[str, float]:
    """Run to the end of the budget; save every ``every`` steps; go on from ``checkpoint`` where it exists.

    Returns:
        ``steps``, ``tokens``, ``seconds``, ``epochs``. On Ctrl-C the state is saved before the exception goes on.
    """
    device = next(model.parameters()).device
    optims = optimizers(model, schedule)
    peaks = [optim.param_groups[0]["lr"] for optim in optims]
    step = tokens = 0
    before = 0.0
    if checkpoint.exists():
        try:
            state = torch.load(checkpoint, map_location=device, weights_only=True)
            model.load_state_dict(state["model"])
            for optim, saved in zip(optims, state["optims"], strict=True):
                optim.load_state_dict(saved)
            step, tokens, before = state["step"], state["tokens"], state["seconds"]
        except Exception as error:
            raise RlpoetError(
                f"{checkpoint}: broken checkpoint ({error}); expected one this command wrote. Delete it to start again."
            ) from None
    batches = windows(train, tokenizer, schedule)
    for _ in range(step):
        next(batches)
    forward = torch.compile(model, dynamic=False) if compiled else model
    started, said, epoch = time.perf_counter(), time.perf_counter(), 0
    mean: float | None = None

    def save() -> None:
        partial = checkpoint.with_suffix(".partial")
        seconds = before + time.perf_counter() - started
        optim_states = [optim.state_dict() for optim in optims]
        torch.save({"model": model.state_dict(), "optims": optim_states, "step": step, "tokens": tokens, "seconds": seconds}, partial)
        partial.replace(checkpoint)

    model.train()
    with contextlib.ExitStack() as stack:
        stack.callback(model.eval)
        try:
            while schedule.progress(step, before + time.perf_counter() - started) < 1.0:
                epoch, ids = next(batches)
                ids = ids.to(device)
                labels = ids.masked_fill(ids == tokenizer.pad_token_id, IGNORED)
                with torch.autocast(device.type, torch.bfloat16):
                    logits = forward(input_ids=ids, use_cache=False).logits
                loss = F.cross_entropy(logits[:, :-1].float().flatten(0, 1), labels[:, 1:].flatten(), ignore_index=IGNORED)
                loss.backward()
                norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                rate = schedule.rate(step, before + time.perf_counter() - started)
                for optim, peak in zip(optims, peaks, strict=True):
                    optim.param_groups[0]["lr"] = rate * peak
                    optim.step()
                    optim.zero_grad(set_to_none=True)
                step += 1
                tokens += ids.numel()
                mean = loss.item() if mean is None else 0.98 * mean + 0.02 * loss.item()
                if step % 25 == 0:
                    now = time.perf_counter()
                    numbers = {
                        "train/loss": mean,
                        "train/grad_norm": norm.item(),
                        "train/lr": rate * peaks[1],
                        "train/epoch": float(epoch),
                        "train/tokens": float(tokens),
                        "train/tokens_per_second": 25 * ids.numel() / (now - said),
                        "train/progress": schedule.progress(step, before + now - started),
                    }
                    said = now
                    report(step, numbers)
                if step % every == 0:
                    model.eval()
                    report(step, evaluate())
                    model.train()
                    save()
                    said = time.perf_counter()
        except KeyboardInterrupt:
            save()
            raise
    save()
    return {"steps": float(step), "tokens": float(tokens), "seconds": before + time.perf_counter() - started, "epochs": float(epoch)}


def checkpoint_step(path: Path) -> int | None:
    """Step a checkpoint was written at, None where there is none.

    Raises:
        RlpoetError: the file is no checkpoint.
    """
    if not path.exists():
        return None
    try:
        return int(torch.load(path, map_location="cpu", weights_only=True)["step"])
    except Exception as error:  # torch raises a dozen kinds for a damaged file
        raise RlpoetError(
            f"{path}: broken checkpoint ({error!s:.80}); expected one this command wrote. Delete it to start again."
        ) from None

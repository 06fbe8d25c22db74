"""What pays on this machine, found by timing: the precision of matrix products, and how many threads of a process.

bfloat16 is eight times as fast as float32 on a processor with units for it, and seven times as slow on one without, where it is emulated.
No flag of a processor says which it will be for products as small as a tiny model's, so the products themselves are timed: a third of a
second, kept for the runs of a day in the user's cache folder under the processor, the versions and the shapes.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import platform
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import platformdirs
import psutil
import torch

from rlpoet.errors import RlpoetError, UnknownName
from rlpoet.text import write_atomically

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}
AUTO = "auto"
ROWS = 192  # of the products that are timed: a batch of poems drawn together
PAYS = 1.15  # how much faster another way must be to be taken: bfloat16 is less exact, more threads are more to wait for
KEPT_FOR = 86_400.0  # seconds that a timing is believed
TIMED_S = 0.02  # per product, precision and number of threads, at least
# variables by which a user, or a test, takes vector units away from torch and its libraries
LIMITS = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS")


@dataclass(frozen=True)
class Pace:
    """What pays for the products of one model.

    Attributes:
        precision: ``fp32`` or ``bf16``.
        threads: of one process, at most as many as were asked about.
        gflops: billions of operations a second, by precision, with that number of threads.
        measured: whether it was timed just now, not read from the cache.
    """

    precision: Literal["fp32", "bf16"]
    threads: int
    gflops: dict[str, float]
    measured: bool = False

    @property
    def dtype(self) -> torch.dtype:
        return PRECISIONS[self.precision]

    def line(self) -> str:
        """In one line, for a user.

        >>> Pace("fp32", 1, {"fp32": 105.2, "bf16": 14.9}).line()
        'precision fp32: 105 GFLOP/s on 1 thread, where bf16 has 15 (measured earlier)'
        """
        other = "bf16" if self.precision == "fp32" else "fp32"
        threads = f"{self.threads} thread{'s' if self.threads > 1 else ''}"
        rest = f", where {other} has {self.gflops[other]:.0f}" if other in self.gflops else ""
        how = "measured" if self.measured else "measured earlier"
        return f"precision {self.precision}: {self.gflops[self.precision]:.0f} GFLOP/s on {threads}{rest} ({how})"


def shapes_of(model: Any) -> tuple[tuple[int, int], ...]:
    """Inputs and outputs of a layer's widest products and of the head, ``(E, 2 F)``, ``(F, E)``, ``(E, V)``, of a Hugging Face model."""
    config = model.config
    width = int(getattr(config, "hidden_size", 0) or getattr(config, "n_embd", 0) or 256)
    inner = int(getattr(config, "intermediate_size", 0) or getattr(config, "n_inner", 0) or 4 * width)
    return (width, 2 * inner), (inner, width), (width, int(config.vocab_size))


def pace_of(model: Any, *, threads: int | None = None) -> Pace:
    """What pays for a model on the device it is on; on a GPU bfloat16 if it has units for it, with nothing timed.

    Args:
        model: a Hugging Face causal LM.
        threads: most threads to use; None for those torch is set to.
    """
    device = next(model.parameters()).device
    most = threads or torch.get_num_threads()
    if device.type != "cpu":
        quick = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        return Pace("bf16" if quick else "fp32", most, {"bf16": 0.0, "fp32": 0.0})
    return pace(shapes_of(model), most)


def pace(shapes: Sequence[tuple[int, int]], most: int) -> Pace:
    """What pays for products of these shapes on this processor with at most so many threads.

    What was found is kept for a day: a machine may have been busy when it was timed.

    Args:
        shapes: inputs and outputs of each product.
        most: threads.
    """
    path = Path(platformdirs.user_cache_dir("rlpoet")) / "pace.json"
    key = hashlib.sha256(json.dumps([processor(), torch.__version__, [*shapes], most, ROWS]).encode()).hexdigest()[:16]
    kept = _kept(path)
    try:
        values = dict(kept[key])
        if 0 <= time.time() - values.pop("at") < KEPT_FOR:
            return Pace(**values)
    except (KeyError, TypeError, ValueError):  # none kept, or by another version
        pass
    found = _timed(shapes, most)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        values = {name: value for name, value in asdict(found).items() if name != "measured"} | {"at": time.time()}
        write_atomically(path, json.dumps({**kept, key: values}, indent=1))
    except OSError:  # a home that cannot be written: time again next time
        pass
    return found


def precision_of(asked: str, model: Any, *, threads: int | None = None) -> tuple[torch.dtype, Pace | None]:
    """The precision asked for, and what was found out if it was left to the machine.

    Args:
        asked: ``auto``, ``fp32`` or ``bf16``.

    Raises:
        UnknownName: none of them.
    """
    if asked == AUTO:
        found = pace_of(model, threads=threads)
        return found.dtype, found
    if asked not in PRECISIONS:
        raise UnknownName("precision", asked, (AUTO, *PRECISIONS))
    return PRECISIONS[asked], None


def check_device(asked: str) -> None:
    """Refuse a device that this machine does not have, before anything is opened.

    Args:
        asked: ``auto``, ``cpu``, ``cuda``, or ``cuda:1`` and so on.

    Raises:
        RlpoetError: none of them, or not here.

    >>> check_device("gpu")
    Traceback (most recent call last):
    rlpoet.errors.RlpoetError: --device gpu: no device; expected auto, cpu, cuda or cuda:N.
    """
    kind, _, number = asked.partition(":")
    if asked in (AUTO, "cpu"):
        return
    if kind != "cuda" or (":" in asked and not number.isdecimal()):
        raise RlpoetError(f"--device {asked}: no device; expected auto, cpu, cuda or cuda:N.")
    if int(number or 0) >= (there := torch.cuda.device_count()):
        raise RlpoetError(f"--device {asked}: torch sees {there} GPUs here; expected one that it sees. Set --device cpu.")


def gpu() -> str:
    """The device that ``auto`` takes where a model is no better off on the CPU."""
    return "cuda" if torch.cuda.is_available() else "cpu"


@functools.cache
def processor() -> str:
    """What tells one kind of processor from another, with the limits that are set on its vector units."""
    parts = [platform.machine(), torch.backends.cpu.get_cpu_capability(), *(f"{name}={os.environ.get(name, '')}" for name in LIMITS)]
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        known = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        parts += [known.get(name, "") for name in ("model name", "CPU part", "flags", "Features")]
    except OSError:  # no Linux
        parts.append(platform.processor())
    return "|".join(parts)


def free_threads() -> int:
    """As many threads as there are cores that nobody keeps busy, at least 1.

    Two threads beside two other jobs on two cores wait for each other at every product: a step that takes two seconds took a minute.
    """
    busy = sum(psutil.cpu_percent(interval=0.5, percpu=True)) / 100  # now; a load average still counts what ended a minute ago
    return max(1, torch.get_num_threads() - round(busy))


def _kept(path: Path) -> dict[str, Any]:
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return kept if isinstance(kept, dict) else {}


def _timed(shapes: Sequence[tuple[int, int]], most: int) -> Pace:
    before = torch.get_num_threads()
    counts = sorted({1, 2, most // 2, most} & set(range(1, most + 1)))
    try:
        rates = {n: _gflops(shapes, torch.float32, n) for n in counts}
        best = 1
        for n in counts[1:]:
            if rates[n] > PAYS * rates[best]:
                best = n
        gflops = {"fp32": rates[best], "bf16": _gflops(shapes, torch.bfloat16, best)}
    finally:
        torch.set_num_threads(before)
    precision: Literal["fp32", "bf16"] = "bf16" if gflops["bf16"] > PAYS * gflops["fp32"] else "fp32"
    return Pace(precision, best, {name: round(rate, 1) for name, rate in gflops.items()}, measured=True)


@torch.inference_mode()
def _gflops(shapes: Sequence[tuple[int, int]], dtype: torch.dtype, threads: int) -> float:
    torch.set_num_threads(threads)
    seconds = operations = 0.0
    chance = torch.Generator().manual_seed(0)  # of its own: what a run draws may not depend on whether this was timed or read
    for n_in, n_out in shapes:
        n_out = min(n_out, 8192)  # of a vocabulary of 250,000 a part tells enough
        rows, weight = (torch.randn(*shape, generator=chance).to(dtype) for shape in ((ROWS, n_in), (n_out, n_in)))
        best, spent = float("inf"), 0.0
        while spent < TIMED_S or best == float("inf"):
            started = time.perf_counter()
            torch.mm(rows, weight.t())
            taken = time.perf_counter() - started
            best, spent = min(best, taken), spent + taken
        seconds += best
        operations += 2.0 * ROWS * n_in * n_out
    return operations / seconds / 1e9

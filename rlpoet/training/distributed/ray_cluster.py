"""Ray, joined or started for as long as something runs on it."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any

from rlpoet.errors import RlpoetError

LOCAL = "local"  # Ray's name for a cluster of its own on this machine


@contextlib.contextmanager
def ray_cluster(address: str, *, n_cpus: int, flag: str) -> Iterator[Any]:
    """The module ``ray``, with a cluster that ends with the block if it was started here.

    Args:
        address: of a cluster to join, as Ray writes it (``auto``, ``10.0.0.1:6379``); "" starts Ray on this machine.
        n_cpus: processors that a Ray started here may give out.
        flag: what asked for Ray, for the error.

    Raises:
        RlpoetError: Ray is not installed, or does not start.
    """
    try:
        import ray
    except ImportError:
        raise RlpoetError(f"{flag}: Ray is not installed; expected the extra. Install it: pip install 'rlpoet[ray]'.") from None
    if ray.is_initialized():
        yield ray
        return
    # a Ray started here serves this run alone: as nice as Ray's processes are by default, they starve beside other programs
    own = {"num_cpus": n_cpus, "include_dashboard": False, "_system_config": {"worker_niceness": 0}}
    here: dict[str, Any] = {} if address else own
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        ray.init(address or LOCAL, log_to_driver=False, **here)
    except Exception as error:  # of Ray's own making: any kind, a bare Exception for a machine that is too busy
        where = f"join {address}" if address else "start on this machine"
        raise RlpoetError(
            f"{flag}: Ray could not {where} ({str(error).strip()[:160]}); expected it to. Leave {flag.split()[0]} out, or change it."
        ) from error
    for number, handler in handlers.items():  # Ray puts one of its own for SIGTERM, which would end a run without saving it
        if handler is not None and threading.current_thread() is threading.main_thread():
            signal.signal(number, handler)
    try:
        yield ray
    finally:
        ray.shutdown()

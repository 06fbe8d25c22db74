"""Work on a corpus that processes share: part by part, in order, and no further ahead than it is read."""

from __future__ import annotations

import itertools
import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any, TypeVar

from rlpoet.checkpoints.signals import end_with_parent

PART, LEAST_PARTS = 50, 40  # items that a process takes at a time, and the parts from which it is worth its start
AHEAD = 4  # parts that wait, per process

Item = TypeVar("Item")
Result = TypeVar("Result")
_work: list[Callable[[list[Any]], list[Any]]] = []  # what this worker does; it receives it once, when it starts


def in_parts(work: Callable[[list[Item]], list[Result]], items: Iterable[Item], *, processes: int) -> Iterator[list[Result]]:
    """What ``work`` makes of ``PART`` items after ``PART`` items, in their order. A caller that has enough may leave off.

    Args:
        work: a function that a process can be sent (picklable); called with a list of items.
        items: few of them are worked on here.
        processes: that share many.
    """
    source = iter(items)
    parts = iter(lambda: list(itertools.islice(source, PART)), [])
    first = list(itertools.islice(parts, LEAST_PARTS if processes > 1 else 0))
    if len(first) < LEAST_PARTS:
        yield from map(work, itertools.chain(first, parts))
        return
    spawn = multiprocessing.get_context("spawn")  # a fork would inherit torch's locks
    pool = ProcessPoolExecutor(processes, mp_context=spawn, initializer=_receive, initargs=(work,))
    try:
        waiting: deque[Future[list[Result]]] = deque()
        for part in itertools.chain(first, parts):
            waiting.append(pool.submit(_do, part))
            if len(waiting) > AHEAD * processes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _receive(work: Callable[[list[Any]], list[Any]]) -> None:
    end_with_parent()
    _work[:] = [work]


def _do(part: list[Any]) -> list[Any]:
    return _work[0](part)

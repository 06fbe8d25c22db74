"""Answers that a file keeps as they come, so that a run of the benchmark that was stopped goes on where it was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from rlpoet.errors import RlpoetError
from rlpoet.evaluation.bench.config import BenchConfig
from rlpoet.evaluation.bench.prompts import BenchPrompt

PART = ".part.jsonl"  # ending of the file of a run that keeps no answers
FIRST = '{"lang": '  # how a row begins


class KeptAnswers:
    """The answers of a run in a JSON Lines file, a row each: prompt, answer, poem, and what model was asked how.

    Args:
        config: names the file by ``answers``; without it, a file beside ``out`` is kept until the run ends.
        prompts: of the run, in order.
        poem_of: the poem in an answer.

    Raises:
        RlpoetError: the file of ``answers`` holds something else.
    """

    def __init__(self, config: BenchConfig, prompts: Sequence[BenchPrompt], poem_of: Callable[[Any], str]) -> None:
        self.run = _asked_how(config)
        self.prompts, self.poem_of, self.asked_for = prompts, poem_of, config.answers is not None
        self.path = _path(config)
        self.found: list[Any] = []
        if not self.path.is_file():
            return
        *rows, half = self.path.read_text(encoding="utf-8", errors="replace").split("\n")
        self._find(rows)
        if len(self.found) == len(prompts):  # what stands behind them stays
            return
        foreign = len(rows) > len(self.found) or not half.startswith(FIRST[: len(half)])
        if foreign and self.asked_for:
            raise RlpoetError(
                f"{self.path}: answers of another model, or to other prompts or options; expected a new file. Choose --answers."
            )
        with self.path.open("rb+") as stream:  # a run that was killed may leave half a row
            for _ in self.found:
                stream.readline()
            stream.truncate(stream.tell())

    def _find(self, rows: Sequence[str]) -> None:
        for row, prompt in zip(rows, self.prompts, strict=False):
            try:
                item = json.loads(row)
                if item["prompt"] != prompt.text or any(item[key] != value for key, value in self.run.items()):
                    return
                self.found.append(item["answer"])
            except (ValueError, KeyError, TypeError, RecursionError):
                return

    def add(self, answers: Iterator[Any]) -> Iterator[int]:
        """Write each answer as it comes; yields how many there are so far.

        Raises:
            OSError: the file cannot be written.
        """
        with self.path.open("a", encoding="utf-8") as stream:
            for answer in answers:
                prompt = self.prompts[len(self.found)]
                row = {"lang": prompt.lang, "form": prompt.form, "prompt": prompt.text, "answer": answer, "poem": self.poem_of(answer)}
                stream.write(json.dumps({**row, **self.run}, ensure_ascii=False) + "\n")
                stream.flush()
                self.found.append(answer)
                yield len(self.found)


def forget(config: BenchConfig) -> None:
    """Delete the answers of a run that has ended, if nobody asked for them."""
    if config.answers is None:
        _path(config).unlink(missing_ok=True)


def _asked_how(config: BenchConfig) -> dict[str, Any]:
    return {"model": config.name or config.model, "seed": config.seed, "temperature": config.temperature, "max_tokens": config.max_tokens}


def _path(config: BenchConfig) -> Path:
    own = hashlib.sha1(json.dumps(_asked_how(config)).encode()).hexdigest()[:8]  # runs of several models share a leaderboard
    return Path(config.answers or f"{config.out}.{own}{PART}")

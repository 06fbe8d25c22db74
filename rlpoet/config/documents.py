"""YAML and JSON files of people and of runs, read as data: what is damaged, or would grow without bound, is one error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from rlpoet.errors import RlpoetError

MOST_BRACKETS = 2_000  # that open a list or a table
MOST_VALUES = 100_000  # of a document, those that an alias repeats counted each time


class Refused(yaml.YAMLError):
    """A document that is YAML, and yet cannot be meant."""


def read_yaml(text: str) -> Any:
    """The values of a YAML document.

    Raises:
        yaml.YAMLError: it is none; it nests too deep, has a number of thousands of digits, or aliases that multiply it, or that hold
            themselves.
    """
    if endless(text):
        raise Refused("lists in lists without end")
    try:
        value = yaml.safe_load(text)
        n = _size(value, {})
    except RecursionError:
        raise Refused("tables in tables without end") from None
    except ValueError as error:  # a date that is none, a number of thousands of digits
        raise Refused(str(error)[:80]) from None
    if n > MOST_VALUES:
        raise Refused(f"{n:,} values, most of them by aliases")
    return value


def endless(text: str) -> bool:
    """Whether a text may nest too deep for a reader of YAML, which takes time by the square of the depth, or ends the process."""
    return text.count("[") + text.count("{") > MOST_BRACKETS


def read_settings(path: Path) -> dict[str, Any]:
    """The table in a YAML file that a run wrote; empty if the file is.

    Raises:
        RlpoetError: no such file, or no table in it.
    """
    try:
        content = read_yaml(path.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise RlpoetError(f"{path}: {error.strerror}; expected the configuration of a run.") from None
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        problem = " ".join(str(getattr(error, "problem", None) or error).split())
        raise RlpoetError(f"{path}: not YAML ({problem:.80}); expected the file a run wrote.") from None
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise RlpoetError(f"{path}: no table of settings; expected the file a run wrote.")
    return content


def _size(value: Any, known: dict[int, int]) -> int:
    """Values in a value, its own included.

    Args:
        known: of the parts that were counted; 0 for one that is being counted.
    """
    if not isinstance(value, Mapping | list | set | tuple):
        return 1
    if (size := known.get(id(value))) is not None:
        if not size:
            raise Refused("an alias that holds itself")
        return size
    known[id(value)] = 0
    parts: Sequence[Any] = [*value, *value.values()] if isinstance(value, Mapping) else list(value)
    known[id(value)] = 1 + sum(_size(part, known) for part in parts)
    return known[id(value)]

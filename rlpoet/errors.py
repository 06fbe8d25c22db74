"""Errors a user can mend. The command line prints them as one line and exits with code 2."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class RlpoetError(Exception):
    """Bad input, not a bug: ``<where>: <what, with the value>; expected <what>. <How to fix.>``"""


class TableError(RlpoetError):
    """A language table that cannot be trusted. The message starts ``file:line:``."""


class BrokenContractError(RlpoetError, ValueError):
    """A reward or a verse language that does not do what every one promises; the message names the promise and the text that shows it."""


class UnknownName(RlpoetError):
    """A name that is in no table; the message lists the known ones and the nearest."""

    def __init__(self, what: str, name: str, known: Iterable[str], *, fix: str = "") -> None:
        names = sorted(known)
        super().__init__(f"{what}: unknown {name!r}{did_you_mean(name, names)}; expected one of {', '.join(names)}.{fix and ' ' + fix}")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`` (did you mean 'x'?)`` for the closest known name, or nothing.

    >>> did_you_mean("sonet", ["sonnet", "couplet"])
    " (did you mean 'sonnet'?)"
    >>> did_you_mean("zzz", ["sonnet"])
    ''
    """
    lowered = {k.lower(): k for k in known}
    near = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.6)
    return f" (did you mean {lowered[near[0]]!r}?)" if near else ""

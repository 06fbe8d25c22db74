"""The JSON value of one row of a file."""

from __future__ import annotations

import json
from typing import Any

from rlpoet.errors import RlpoetError


def json_value(row: str, at: str, expected: str) -> Any:
    """The value that a row holds.

    Args:
        at: where the row is, ``file:line``; errors begin with it.
        expected: what a row should be, for errors.

    Raises:
        RlpoetError: the row is not JSON, or holds a number or a nesting that Python does not read.
    """
    try:
        return json.loads(row)
    except json.JSONDecodeError as error:
        raise RlpoetError(f"{at}: not JSON ({error.msg}); expected {expected}.") from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, lists in lists in lists
        raise RlpoetError(f"{at}: cannot be read ({error!s:.60}); expected {expected}.") from None

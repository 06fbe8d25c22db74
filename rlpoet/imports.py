"""A quicker first import of the libraries whose import takes seconds."""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def first_import(module: str) -> Iterator[None]:
    """Around the import of a module: the first time, without the garbage collector.

    torch and transformers make some million objects that stay until the end. The collector walks through them again and again while
    they are made, and once more at exit, which is a quarter of the time of a short command. Here it pauses, and what exists after the
    import is left out of later collections (``gc.freeze``).

    Args:
        module: the slowest of what is imported, ``torch`` or ``transformers.modeling_utils``. If it is there already, nothing changes.
    """
    if module in sys.modules:
        yield
        return
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()

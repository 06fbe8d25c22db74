"""What `rlpoet studio` and `rlpoet serve` need before they serve anything."""

from __future__ import annotations

from importlib.util import find_spec

from rlpoet.errors import RlpoetError

NEEDED = ("pydantic", "starlette", "uvicorn")  # of the extra "studio"


def check(port: int) -> None:
    """Refuse to serve without the extra, or at a port that cannot be.

    Raises:
        RlpoetError: one of the two.
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise RlpoetError(f"{', '.join(missing)}: not installed; expected what the studio needs. Run `pip install 'rlpoet[studio]'`.")
    if not 0 <= port < 65536:
        raise RlpoetError(f"--port: {port}; expected 0 to 65535, where 0 takes a free port.")

"""What a server is sent by programs that mean no good, or that go away in the middle, by the protocol itself."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette", reason="needs the extra studio")

from rlpoet.studio.requests import MOST_BYTES
from rlpoet.studio.server import Studio

HEADERS = [(b"host", b"127.0.0.1:8017"), (b"content-type", b"application/json")]
SCOPE = {
    "type": "http", "http_version": "1.1", "method": "POST", "path": "/api/analyse", "raw_path": b"/api/analyse", "root_path": "",
    "scheme": "http", "query_string": b"", "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8017), "headers": HEADERS,
}  # fmt: skip
BLOCK = b"a" * 65_536


def answer(told: Iterator[dict[str, Any]], folder: Path) -> list[dict[str, Any]]:
    """What the server sends to a request that comes in these parts; what it raises comes through."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return next(told)

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(Studio(lambda: None, runs=folder).app(port=8017)(dict(SCOPE), receive, send))  # type: ignore[arg-type,return-value]
    return sent


def test_who_goes_away_within_a_request_leaves_no_traceback(tmp_path):
    told = iter([{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}])
    assert answer(told, tmp_path)[0]["status"] == 204 and next(told, None) is None


def test_of_a_request_without_end_no_more_is_read_than_is_allowed(tmp_path):
    n_read = 0

    def told() -> Iterator[dict[str, Any]]:
        nonlocal n_read
        for _ in itertools.count():
            n_read += len(BLOCK)
            yield {"type": "http.request", "body": BLOCK, "more_body": True}

    assert answer(told(), tmp_path)[0]["status"] == 413 and n_read <= MOST_BYTES + len(BLOCK)

"""A model behind an address: a server that speaks OpenAI's chat completions (vLLM, llama.cpp, Ollama, transformers, a hosted one)."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from rlpoet.errors import RlpoetError
from rlpoet.evaluation.bench.config import BenchConfig
from rlpoet.evaluation.bench.prompts import BenchPrompt

TRIES = 3  # of a request that a busy server refuses
WAIT = 2.0  # seconds before the second try; twice as many before the third
BUSY = frozenset({429, 500, 502, 503, 504})


class ServerModel:
    """Answers of a model on a server.

    Args:
        url: up to and with ``/v1``.
        name: of the model there.
        key: sent as a bearer token.
        temperature, max_tokens, seed: of each request; the seed goes up by one per prompt. A server may leave it out of account.
        parallel: requests at a time.
        timeout: seconds to wait for an answer.
        wait: seconds before a busy server is asked again.
    """

    def __init__(
        self,
        url: str,
        name: str,
        *,
        key: str | None = None,
        temperature: float = 0.7,
        max_tokens: int = 512,
        seed: int = 0,
        parallel: int = 8,
        timeout: float = 120.0,
        wait: float = WAIT,
    ) -> None:
        self.url, self.name, self.key = f"{url.rstrip('/')}/chat/completions", name, key
        self.options = {"model": name, "temperature": temperature, "max_tokens": max_tokens}
        self.seed, self.parallel, self.timeout, self.wait = seed, parallel, timeout, wait

    @classmethod
    def of(cls, config: BenchConfig, key: str | None) -> ServerModel:
        """The one that a verb's options say; the key is None where none is set."""
        return cls(
            config.model, str(config.name), key=key, temperature=config.temperature, max_tokens=config.max_tokens, seed=config.seed,
            parallel=config.parallel, timeout=config.timeout,
        )  # fmt: skip

    def answers(self, asked: Sequence[BenchPrompt], first: int = 0) -> Iterator[Any]:
        """The content of the answer to each prompt, in order.

        Args:
            first: place of the first of them in the run.

        Raises:
            RlpoetError: the server cannot be reached, refuses, or answers something else.
        """
        pool = ThreadPoolExecutor(self.parallel)
        try:
            yield from pool.map(self._answer, range(first, first + len(asked)), [one.text for one in asked])
        finally:
            pool.shutdown(cancel_futures=True)

    def _answer(self, number: int, text: str) -> Any:
        body = {**self.options, "seed": self.seed + number, "messages": [{"role": "user", "content": text}]}
        try:
            request = urllib.request.Request(self.url, data=json.dumps(body).encode(), headers={"Content-Type": "application/json"})
        except ValueError as error:
            raise RlpoetError(f"{self.url}: {error}; expected an address such as http://localhost:8000/v1.") from None
        if self.key:
            request.add_unredirected_header("Authorization", f"Bearer {self.key}")  # for this server, not for one it points to
        for left in reversed(range(TRIES)):
            try:
                with urllib.request.urlopen(request, timeout=self.timeout) as reply:
                    return _content(json.load(reply), self.url)
            except urllib.error.HTTPError as error:
                if error.code not in BUSY or not left:
                    said = " ".join(error.read(2_000).decode(errors="replace").split())
                    raise RlpoetError(
                        f"{self.url}: {error.code} {error.reason} ({said:.200}); expected an answer. Look at --name and OPENAI_API_KEY."
                    ) from None
            except (urllib.error.URLError, OSError, http.client.HTTPException) as error:  # the last: no HTTP, cut off, or no address
                why = getattr(error, "reason", error)
                raise RlpoetError(f"{self.url}: {why}; expected a server there. Start it, or mend the address.") from None
            except (ValueError, RecursionError) as error:  # no JSON, or lists in lists in lists
                raise RlpoetError(f"{self.url}: not JSON ({error!s:.80}); expected chat completions.") from None
            time.sleep(self.wait * 2 ** (TRIES - 1 - left))
        raise AssertionError("the last try returns or raises")


def _content(reply: Any, url: str) -> Any:
    try:
        content = reply["choices"][0]["message"].get("content")
    except (KeyError, IndexError, TypeError, AttributeError):
        content = {}  # no message
    if content is None or isinstance(content, str | list):
        return content
    raise RlpoetError(f"{url}: {json.dumps(reply)!s:.120}; expected choices with a message.")

"""The studio's server: one static page, and small endpoints that answer in JSON.

It loads no torch. What composes is handed in as a function that opens it, and is opened when something is to be composed.
"""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

import anyio
from anyio.to_thread import run_sync
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from policies.generation.author_names import author_names
from rlpoet import __version__
from rlpoet.errors import RlpoetError, UnknownName
from rlpoet.languages import CORE, code_of, codes, find
from rlpoet.prosody.forms import form, forms, unwritable
from rlpoet.studio.dictionary import rhymes_of
from rlpoet.studio.guard import Guard
from rlpoet.studio.pad import analyse, line_in_full, warm
from rlpoet.studio.requests import (
    MOST_BYTES,
    AnalyseAsked,
    Asked,
    CompleteAsked,
    ComposeAsked,
    ExportAsked,
    LineAsked,
    WordsAsked,
    complaint,
)
from rlpoet.studio.runs import run_names, run_shown
from rlpoet.studio.typeset import FORMATS, Manuscript, typeset
from rlpoet.text import visible
from rlpoet.types import Form

STATIC = Path(__file__).parent / "static"
AskedT = TypeVar("AskedT", bound=Asked)
Event = Mapping[str, Any]  # with its ``type``
Put = Callable[[Event], object]


class Composer(Protocol):
    """What writes poems for the page. It tells ``put`` what happens, and ends soon after ``stop`` is set."""

    def compose(self, asked: ComposeAsked, put: Put, stop: threading.Event) -> None:
        """Write poems; events ``status``, ``line`` and ``poem``."""
        ...

    def complete(self, asked: CompleteAsked, put: Put, stop: threading.Event) -> None:
        """Write a line of a given poem; events ``status`` and ``proposal``."""
        ...


def _lengths(one: Form) -> str:
    """The lengths of the lines of a form in words, each once; empty where any length will do."""
    cells = dict.fromkeys(filter(None, one.meters))
    named = [f"{cell[0]} to {cell[-1]}" if len(cell) > 2 else " or ".join(map(str, cell)) for cell in cells]
    return f"{' and '.join(named)} syllables" if named else ""


class Refused(Exception):
    """A request that is answered with an error: its status and one line."""

    def __init__(self, status: int, line: str) -> None:
        super().__init__(line)
        self.status = status


class Studio:
    """The endpoints of one studio.

    Args:
        open_composer: opens what composes; called once, in a thread, when something is to be composed.
        runs: folder of runs to compare.
        lang: language of a new page; with those that are installed it is all that may be asked for, so that no request names a folder.
        policy: the one that composes; None: the rhyming policy of the language.
        composer: what composes, if it is open already.
    """

    def __init__(
        self,
        open_composer: Callable[[], Composer],
        *,
        runs: Path,
        lang: str = "fr",
        policy: str | None = None,
        composer: Composer | None = None,
    ) -> None:
        self.lang, self.runs, self.policy = lang, runs, policy
        self.langs = tuple(dict.fromkeys((*codes(), lang)))
        self._open_composer = open_composer
        self._composer = composer
        self._analysing = anyio.Lock()  # threads of Python share one core: two at once would only slow each other
        self._composing = threading.Lock()
        self._stop = threading.Event()

    def app(self, *, port: int | None = None) -> Starlette:
        """The application; ``port`` is the one it listens at, which requests must name."""
        routes = [
            Route("/", self.page),
            Route("/api/options", self.options),
            Route("/api/analyse", self.analyse, methods=["POST"]),
            Route("/api/line", self.line, methods=["POST"]),
            Route("/api/words", self.words, methods=["POST"]),
            Route("/api/complete", self.complete, methods=["POST"]),
            Route("/api/authors", self.authors),
            Route("/api/compose", self.compose, methods=["POST"]),
            Route("/api/stop", self.stop, methods=["POST"]),
            Route("/api/export", self.export, methods=["POST"]),
            Route("/api/runs", self.run_list),
            Route("/api/runs/{name}", self.run),
            Mount("/static", StaticFiles(directory=STATIC)),
        ]
        handlers: dict[Any, Any] = {Refused: _refusal, RlpoetError: _bad_input, ClientDisconnect: _gone}
        return Starlette(routes=routes, middleware=[Middleware(Guard, port=port)], exception_handlers=handlers)

    # -- the page -------------------------------------------------------------------------------------

    async def page(self, request: Request) -> Response:
        return FileResponse(STATIC / "index.html")

    async def options(self, request: Request) -> Response:
        """Languages, and the forms of one of them."""
        lang = self._known(request.query_params.get("lang", self.lang))
        rows = [
            {
                "name": one.name,
                "scheme": one.scheme,
                "lengths": _lengths(one),
                "about": one.description,
                "lines": one.n_lines,
                "writable": not unwritable(one),
            }
            for one in await run_sync(forms, lang)
        ]
        names = [{"code": code, "name": CORE[code].name if code in CORE else find(code).language.name} for code in self.langs]
        about = {"version": __version__, "lang": lang, "languages": names, "forms": rows}
        return JSONResponse(about, background=BackgroundTask(self._warm, lang))  # tables are read while the page is drawn

    # -- the pad --------------------------------------------------------------------------------------

    async def analyse(self, request: Request) -> Response:
        asked = await self._asked(request, AnalyseAsked)
        return await self._heard(request, lambda: analyse(asked.text, asked.lang, asked.form or None))

    async def line(self, request: Request) -> Response:
        asked = await self._asked(request, LineAsked)
        return await self._heard(request, lambda: line_in_full(asked.line, asked.lang, asked.lengths))

    async def words(self, request: Request) -> Response:
        """Words that rhyme with a word."""
        asked = await self._asked(request, WordsAsked)
        return await self._heard(request, lambda: rhymes_of(asked.word, asked.lang, asked.syllables))

    async def export(self, request: Request) -> Response:
        """A text for another program, with a name for its file."""
        asked = await self._asked(request, ExportAsked)
        poem = Manuscript(asked.text, asked.lang, asked.title, asked.author)
        if asked.format not in FORMATS:
            raise UnknownName("format", asked.format, FORMATS)
        return await self._heard(request, lambda: {"text": typeset(poem, asked.format), "suffix": FORMATS[asked.format][0]})

    # -- composing ------------------------------------------------------------------------------------

    async def authors(self, request: Request) -> Response:
        lang = self._known(request.query_params.get("lang", self.lang))
        return JSONResponse({"authors": await run_sync(self._authors_of, lang)})

    async def compose(self, request: Request) -> Response:
        asked = await self._asked(request, ComposeAsked)
        return self._streamed(lambda composer, put, stop: composer.compose(asked, put, stop))

    async def complete(self, request: Request) -> Response:
        asked = await self._asked(request, CompleteAsked)
        return self._streamed(lambda composer, put, stop: composer.complete(asked, put, stop))

    async def stop(self, request: Request) -> Response:
        """End what is being composed, soon."""
        self._stop.set()
        return JSONResponse({"stopped": True})

    # -- runs -----------------------------------------------------------------------------------------

    async def run_list(self, request: Request) -> Response:
        folder = visible(os.fsencode(self.runs).decode("utf-8", "replace"))
        return JSONResponse({"folder": folder, "runs": await run_sync(run_names, self.runs)})

    async def run(self, request: Request) -> Response:
        name = request.path_params["name"]
        return await self._heard(request, lambda: run_shown(self.runs, name))

    # -- what they share ------------------------------------------------------------------------------

    async def _warm(self, lang: str) -> None:
        """Read the tables of a language, so that the first line typed need not wait for them."""
        async with self._analysing:
            await run_sync(warm, lang)

    def _known(self, lang: str) -> str:
        if lang not in self.langs:
            raise UnknownName("language", lang, self.langs)
        return lang

    async def _asked(self, request: Request, kind: type[AskedT]) -> AskedT:
        """The checked body of a request.

        Raises:
            Refused: it is too large, or not what the page sends.
            UnknownName: no such language or form.
        """
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > MOST_BYTES:
                raise Refused(413, f"request: more than {MOST_BYTES} bytes; expected a shorter text.")
        try:
            asked = kind.model_validate_json(body)
        except ValidationError as error:
            raise Refused(422, complaint(error)) from None
        self._known(asked.lang)
        if name := getattr(asked, "form", ""):
            form(name, asked.lang)
        return asked

    async def _heard(self, request: Request, work: Callable[[], Any]) -> Response:
        """The answer of an analysis, one after the other; none for a page that asks for something newer by now."""
        async with self._analysing:
            if await request.is_disconnected():
                return Response(status_code=204)
            return JSONResponse(await run_sync(work))

    def _authors_of(self, lang: str) -> tuple[str, ...]:
        """Whose manner the policy of a language knows, commonest first; read without opening it."""
        if self.policy is not None:
            return author_names(self.policy)
        try:
            return author_names(f"{code_of(lang)}-tb")
        except UnknownName:  # none was trained to rhyme in this language
            return author_names(code_of(lang))

    def _streamed(self, begin: Callable[[Composer, Put, threading.Event], None]) -> Response:
        """Events as lines of JSON, each as soon as it is there. One composing at a time: a policy is no lighter for two."""
        if not self._composing.acquire(blocking=False):
            raise Refused(409, "the studio is composing already; expected one request at a time. Stop that one first.")
        stop = self._stop = threading.Event()
        loop, events = asyncio.get_running_loop(), asyncio.Queue[Event | None]()

        def put(event: Event | None) -> None:
            loop.call_soon_threadsafe(events.put_nowait, event)

        def work() -> None:
            try:
                if self._composer is None:
                    put({"type": "status", "text": "Opening the policy. The first time takes some seconds."})
                    self._composer = self._open_composer()
                begin(self._composer, put, stop)
                put({"type": "done", "stopped": stop.is_set()})
            except RlpoetError as error:
                put({"type": "error", "text": str(error)})
            except Exception:
                put({"type": "error", "text": "the composing failed; the terminal of the studio says why."})
                raise
            finally:
                self._composing.release()
                put(None)

        async def rows() -> AsyncIterator[str]:
            try:
                while (event := await events.get()) is not None:
                    yield json.dumps(event, ensure_ascii=False) + "\n"
            finally:
                stop.set()  # the page went away

        threading.Thread(target=work, name="studio-composer", daemon=True).start()
        return StreamingResponse(rows(), media_type="application/x-ndjson")


async def _refusal(request: Request, error: Refused) -> Response:
    return JSONResponse({"error": str(error)}, error.status)


async def _bad_input(request: Request, error: RlpoetError) -> Response:
    return JSONResponse({"error": " ".join(str(error).splitlines())}, 400)


async def _gone(request: Request, error: ClientDisconnect) -> Response:
    """Nobody reads this: whoever asked went away before the whole request had come."""
    return Response(status_code=204)

"""What keeps other pages out of the studio, and the studio's page to itself.

A browser lets any web page send requests to 127.0.0.1, and a name that its owner points there (DNS rebinding) lets it read the answers.
So a request must name this machine as its host, and what a script sends must come from the studio's own page.
"""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOSTS = ("127.0.0.1", "localhost", "[::1]")
POLICY = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Guard:
    """Refuses requests from elsewhere, and adds the headers by which the page runs no script and fetches nothing but its own.

    Args:
        port: where the studio listens; a request must name it. None: any port, for tests.
    """

    def __init__(self, app: ASGIApp, *, port: int | None = None) -> None:
        self.app, self.port = app, port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in POLICY.items():
                    headers[name] = value
            await send(message)

        refused = self.refused(scope["method"], Headers(scope=scope))
        if refused:
            await JSONResponse({"error": refused}, 403)(scope, receive, guarded)
        else:
            await self.app(scope, receive, guarded)

    def refused(self, method: str, headers: Headers) -> str:
        """Why a request is not answered, or empty."""
        host = headers.get("host", "")
        name, colon, port = host.rpartition(":") if not host.endswith("]") else (host, "", "")
        if not colon:
            name, port = host, "80"
        if name not in HOSTS or (self.port is not None and port != str(self.port)):
            return f"host {host!r}; expected this machine by the address that `rlpoet studio` printed."
        origin = headers.get("origin")
        if origin is not None and origin != f"http://{host}":
            return f"a request of another page, {origin!r}; expected one of the studio's own page."
        if method not in ("GET", "HEAD", "POST"):
            return f"method {method}; expected GET or POST."
        if method == "POST" and headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return "a body that is not application/json; expected JSON, as the studio's page sends it."
        return ""

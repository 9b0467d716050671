"""Who may come in over HTTP, and what every answer tells browsers to forbid: an ASGI application around all the others.

    request or WebSocket -> [host, origin, token] -> pages, events, frames

- *Token.* Where `http_token_file` is set (beyond loopback it must be), every path but `/livez`, `/readyz` and `/login` wants
  either `Authorization: Bearer TOKEN` or the cookie that `POST /login` sets (form field `token`; the page that has the form is
  `GET /login?next=/live`). The cookie is HttpOnly and SameSite=Strict, and a WebSocket of the page carries it as well. A
  browser that asks for a page without it is sent to `/login`; everybody else is answered 401, a WebSocket 403.
- *Origin.* A request or WebSocket that names an `Origin` must name our own, host and port as in `Host`: so a page of somebody
  else can reach nothing here. Programs name none.
- *Host.* On loopback, `Host` must be a name of loopback or one of `http_hosts`, so that a foreign name that is made to point
  here reaches nothing. Beyond loopback any name does unless `http_hosts` is set.
- *Bodies* above 64 KiB, or of a length that is not told, are refused: frames come by WebSocket, which has its own bound.
- *Answers* carry a Content-Security-Policy: scripts and styles are files of ours, none is inline; and no script may make HTML
  of a string (Trusted Types). Routes need do nothing for all this; a `Cache-Control` or policy of their own is left as it is.

Strict-Transport-Security is not among them: it would hold for other ports of the host, which may have no TLS.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from stream import metrics
from stream.fields import is_loopback
from stream.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from stream.config import Settings

COOKIE = "trivium"
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})
PROBES = frozenset({"/livez", "/readyz"})
LOGIN = "/login"
BODY_BYTES = 64 << 10
_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "worker-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' blob: data:",
    "media-src": "'self' blob:",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
    "require-trusted-types-for": "'script'",
}
CONTENT_SECURITY_POLICY = "; ".join(f"{name} {allowed}" for name, allowed in _POLICY.items())
HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(self), geolocation=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


class Guard:
    """Lets in whom the settings allow, and sends the rest away with one line that says what was expected.

    Attributes
    ----------
    secret : Secret or None
        What opens the pages, where that is needed.
    """

    def __init__(
        self, app: ASGIApp, settings: Settings, secret: Secret | None, clock: Callable[[], float] = time.time
    ) -> None:
        self.secret = secret
        self._app = app
        self._hosts = _hosts(settings)
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or refuse it."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
        elif (refusal := self.refusal(HTTPConnection(scope))) is None:
            await self._app(scope, receive, _hardened(send))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})  # uvicorn answers 403
        else:
            await refusal(scope, receive, _hardened(send))

    def refusal(self, connection: HTTPConnection) -> Response | None:
        """Why somebody may not come in, as the answer to them, counted; None if they may."""
        path, headers = connection.scope["path"], connection.headers
        if path not in PROBES and not self._is_host(headers.get("host", "")):
            return _refused("host", 421, "this Host is not served here: use one of http_hosts, or add it to them")
        if not _is_own_origin(headers):
            return _refused("origin", 403, "this Origin is another: open the page from the address that it connects to")
        if path != LOGIN and "transfer-encoding" in headers:  # the form there counts what it reads
            return _refused("size", 411, "the body's length is not told: send content-length, or no body")
        if _body_bytes(headers) > BODY_BYTES:
            return _refused("size", 413, f"the body is too large, expected at most {BODY_BYTES} bytes")
        if path not in PROBES and path != LOGIN and not self._is_known(connection):
            return self._unknown(connection)
        return None

    def _is_host(self, host: str) -> bool:
        name = host[: host.find("]") + 1] if host.startswith("[") else host.partition(":")[0]
        return self._hosts is None or name.lower() in self._hosts

    def _is_known(self, connection: HTTPConnection) -> bool:
        if self.secret is None:
            return True
        scheme, _, token = connection.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.secret.is_token(token.strip()):
            return True
        return self.secret.is_cookie(connection.cookies.get(COOKIE, ""), self._clock())

    def _unknown(self, connection: HTTPConnection) -> Response:
        if "text/html" in connection.headers.get("accept", ""):
            return RedirectResponse(f"{LOGIN}?next={quote(_asked_for(connection.scope), safe='')}", 303)
        told = "a token is needed: send Authorization: Bearer TOKEN, or log in at /login"
        return _refused("token", 401, told, {"www-authenticate": "Bearer"})


def _hosts(settings: Settings) -> frozenset[str] | None:
    """The names that `Host` may have; None for any."""
    given = frozenset(name.strip().lower() for name in settings.http_hosts.split(",") if name.strip())
    if is_loopback(settings.http):
        return LOOPBACK_HOSTS | given | {settings.http.rpartition(":")[0].lower()}
    return LOOPBACK_HOSTS | given if given else None


def _is_own_origin(headers: Headers) -> bool:
    origin = headers.get("origin")
    try:
        return origin is None or urlsplit(origin).netloc.lower() == headers.get("host", "").lower() != ""
    except ValueError:  # it is no address at all
        return False


def _asked_for(scope: Scope) -> str:
    """The path with its query, as they came: a name may hold what else would part it."""
    path, query = scope.get("raw_path") or quote(scope["path"]).encode(), scope["query_string"]
    return bytes(path + b"?" * bool(query) + query).decode("latin-1")


def _body_bytes(headers: Headers) -> int:
    length = headers.get("content-length", "0")
    return int(length) if length.isdecimal() else 0


def _refused(reason: str, status: int, text: str, headers: dict[str, str] | None = None) -> Response:
    metrics.HTTP_REFUSED.labels(reason).inc()
    return PlainTextResponse(f"{text}\n", status, headers)


def _hardened(send: Send) -> Send:
    async def hardened(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return hardened

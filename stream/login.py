"""`/login`: a form for the token, and the cookie that a browser is given for it.

    GET /login?next=/live -> form -> POST /login -> cookie, and on to /live

Plain HTML without script or style. `next` leads to paths of ours only.
"""

from __future__ import annotations

import time
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote

from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from stream import metrics
from stream.guard import COOKIE, LOGIN
from stream.secret import COOKIE_SECONDS

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from stream.secret import Secret

FORM_BYTES = 4096
PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>Trivium: log in</title></head>
<body><main><h1>Trivium</h1>{told}
<form method="post" action="{action}">
<p><label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus></p>
<p><button>Log in</button></p>
</form></main></body></html>
"""


def routes(secret: Secret | None) -> list[BaseRoute]:
    """Make the page; where no token is needed it leads on at once."""

    async def login(request: Request) -> Response:
        onward = _own_path(request.query_params.get("next", "/"))
        if secret is None:
            return RedirectResponse(onward, 303)
        if request.method != "POST":
            return _form(onward, "", 200)
        if not secret.is_token(await _token(request)):
            metrics.HTTP_REFUSED.labels("token").inc()
            return _form(onward, '<p role="alert">This is not the token.</p>', 403)
        answer = RedirectResponse(onward, 303)
        answer.set_cookie(
            COOKIE,
            secret.cookie(time.time()),
            max_age=COOKIE_SECONDS,
            secure="https" in {request.url.scheme, request.headers.get("origin", "").partition(":")[0]},  # or a proxy's
            httponly=True,
            samesite="strict",
        )
        return answer

    return [Route(LOGIN, login, methods=["GET", "POST"])]


def _form(onward: str, told: str, status: int) -> Response:
    return HTMLResponse(PAGE.format(told=told, action=escape(f"{LOGIN}?next={quote(onward)}")), status)


def _own_path(path: str) -> str:
    """A path here, whatever was asked for: two slashes, either way round, lead elsewhere."""
    return path if path.startswith("/") and path[1:2] not in {"/", "\\"} and path.isprintable() else "/"


async def _token(request: Request) -> str:
    """The form's token; a form that is too long has none."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > FORM_BYTES:
            return ""
    return parse_qs(body.decode("ascii", "replace")).get("token", [""])[0]

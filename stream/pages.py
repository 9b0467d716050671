"""The pages: live sessions, one session, and one's own camera; files that are served as they are.

Beside the path. Knows no session: what the pages show they ask for, from `/sessions`, `/events` and the WebSocket.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from stream.times import to_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from starlette.requests import Request
    from starlette.types import Scope

FOLDER = Path(__file__).parent / "pages"
# The last one takes any name, slashes included: it must be tried after all others below /sessions.
PAGES = {"/": "sessions.html", "/live": "live.html", "/sessions/{session:path}": "session.html"}
FRESH = "no-cache"  # kept, but asked for anew: an answer without a body if it is still the same


def routes() -> list[BaseRoute]:
    """Where the pages and what they need lie."""
    pages = [Route(path, _page(FOLDER / name)) for path, name in PAGES.items()]
    return [Mount("/assets", _Assets(directory=FOLDER / "assets")), Route("/clock", _clock), *pages]


def _page(path: Path) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    async def page(_: Request) -> Response:
        return FileResponse(path, headers={"cache-control": FRESH})

    return page


async def _clock(_: Request) -> Response:
    """The server's two of RFC 5905's four time stamps; the page that asked has the other two."""
    received_ms = to_ms(time.time_ns())
    stamps = {"receive_ms": received_ms, "transmit_ms": to_ms(time.time_ns())}
    return JSONResponse(stamps, headers={"cache-control": "no-store"})


class _Assets(StaticFiles):
    """Files beside the pages; a new version of the service is a new version of them at once."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["cache-control"] = FRESH
        return response

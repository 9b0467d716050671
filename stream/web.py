"""Health and metrics over HTTP: `/livez`, `/readyz`, `/metrics`.

Stands beside the path. Knows why the service is not ready because it is told; asks nobody.
"""

from __future__ import annotations

import socket
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from stream.errors import ConfigError
from stream.metrics import READY, REGISTRY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.requests import Request

ALIVE_SECONDS = 10.0  # the main loop beats several times a second
DRAIN_SECONDS = 1  # for answers under way when the service stops


class Health:
    """Whether the service may be sent work (ready) and whether its main loop still turns (alive).

    It is ready while no reason against it stands; the first stands from the start, and `clear("start")` takes it away.
    It is alive until a main loop that has begun to beat stops doing so.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.reasons: dict[str, str] = {"start": "the service is starting"}
        self._clock = clock
        self._beat_seconds: float | None = None

    @property
    def ready(self) -> bool:
        """Whether it may be sent work."""
        return not self.reasons and self.alive

    @property
    def alive(self) -> bool:
        """Whether its main loop turns."""
        return self.silent_seconds < ALIVE_SECONDS

    @property
    def silent_seconds(self) -> float:
        """Since the last beat; 0 before the first."""
        return 0.0 if self._beat_seconds is None else self._clock() - self._beat_seconds

    def block(self, name: str, reason: str) -> None:
        """Let `reason` stand against being ready until `name` is cleared."""
        self.reasons[name] = reason

    def clear(self, name: str) -> None:
        """Take back a reason, if it stands."""
        self.reasons.pop(name, None)

    def beat(self) -> None:
        """Say, from the main loop, that it turns."""
        self._beat_seconds = self._clock()


def app(health: Health) -> Starlette:
    """Make the pages; anything else is a short 404 or 405."""

    async def livez(_: Request) -> Response:
        return _answer("alive", _silence(health), good=health.alive)

    async def readyz(_: Request) -> Response:
        return _answer("ready", health.reasons | _silence(health), good=health.ready)

    def metrics(request: Request) -> Response:  # not async: Starlette runs it in a thread
        READY.set(health.ready)
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(REGISTRY), media_type=content_type)

    return Starlette(routes=[Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", metrics)])


def _silence(health: Health) -> dict[str, str]:
    if health.alive:
        return {}
    return {
        "loop": f"the main loop has not turned for {health.silent_seconds:.0f} s, expected at most {ALIVE_SECONDS:.0f}"
    }


def _answer(state: str, reasons: dict[str, str], *, good: bool) -> Response:
    return JSONResponse({state: good, "reasons": reasons}, status_code=200 if good else 503)


def listen(http: str) -> socket.socket:
    """Take the address `HOST:PORT` at once, before anything else is started.

    Raises
    ------
    ConfigError
        If it is taken, or is no address of this machine.
    """
    host, _, port = http.rpartition(":")
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    try:
        return socket.create_server((host.strip("[]"), int(port)), family=family)
    except OSError as error:
        why = str(error.strerror).partition(" (while")[0]
        raise ConfigError(f"http: cannot listen on {http} ({why}): stop what listens there, or set another") from None


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: the service itself decides what they stop, and when."""
        yield


async def serve(pages: Starlette, listener: socket.socket) -> None:
    """Answer until cancelled, then close the listener once the answers under way are out."""
    config = uvicorn.Config(
        pages,
        log_config=None,
        log_level="warning",
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    server = _Server(config)
    try:
        await server.serve(sockets=[listener])
    finally:
        if server.started:
            await server.shutdown(sockets=[listener])
        listener.close()

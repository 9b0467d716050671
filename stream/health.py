"""Whether the service is alive and ready, and its metrics: `/livez`, `/readyz`, `/metrics`.

Stands beside the path. Knows why the service is not ready because it is told; asks nobody.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from prometheus_client.exposition import choose_encoder
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from stream.metrics import READY, REGISTRY

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.routing import BaseRoute

ALIVE_SECONDS = 10.0  # the main loop beats several times a second


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


def routes(health: Health) -> list[BaseRoute]:
    """Make the pages of probes and of Prometheus."""

    async def livez(_: Request) -> Response:
        return _answer("alive", _silence(health), good=health.alive)

    async def readyz(_: Request) -> Response:
        return _answer("ready", health.reasons | _silence(health), good=health.ready)

    def metrics(request: Request) -> Response:  # not async: Starlette runs it in a thread
        READY.set(health.ready)
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(REGISTRY), media_type=content_type)

    return [Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", metrics)]


def _silence(health: Health) -> dict[str, str]:
    if health.alive:
        return {}
    return {
        "loop": f"the main loop has not turned for {health.silent_seconds:.0f} s, expected at most {ALIVE_SECONDS:.0f}"
    }


def _answer(state: str, reasons: dict[str, str], *, good: bool) -> Response:
    return JSONResponse({state: good, "reasons": reasons}, status_code=200 if good else 503)

"""Pages as sources: the WebSocket `/sessions/{session}/frames`, of which each message is one CloudEvent.

    page -> [ingress] -> text, audio, video

Stands before the path, as any producer does, in the service's own process. Knows who may talk and when; what one socket
says is `conversation.py`'s.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.responses import PlainTextResponse
from starlette.routing import WebSocketRoute

from stream import clients, metrics
from stream.conversation import Conversation, Limits, Wanted
from stream.frame import MAX_KEY_BYTES, Modality
from stream.seats import Seats
from stream.structured import SUBPROTOCOL, Bounds

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiokafka import AIOKafkaProducer
    from starlette.routing import BaseRoute
    from starlette.websockets import WebSocket

    from stream.config import Settings

PATH = "/sessions/{session:path}/frames"
BATCH_BYTES = 256 * 1024
TRY_AGAIN_LATER = 1013  # a WebSocket's close code of IANA's registry


class Ingress:
    """All pages that talk to this process, and the one producer that they share; `limits` are the settings' if not given."""

    def __init__(self, settings: Settings, limits: Limits | None = None) -> None:
        self._settings = settings
        self._topics = {modality: settings.topic_prefix + modality for modality in Modality}
        self._bounds = Bounds(settings.max_record_bytes, settings.max_pixels)
        self._limits = limits or Limits(settings.source_frames_per_second, settings.source_bytes_per_second)
        self._seats = Seats(settings.max_sources, settings.session_end_ms / 1000)
        self._opened: _Opened | None = None
        self._sockets = 0

    def routes(self) -> list[BaseRoute]:
        """Where pages come in."""
        return [WebSocketRoute(PATH, self._endpoint)]

    @asynccontextmanager
    async def open(self, wanted: Wanted) -> AsyncIterator[None]:
        """Let pages in, until this is left: then they are told to come again, and what they sent goes out."""
        async with clients.producer(self._settings, max_batch_size=BATCH_BYTES) as producer:
            opened = _Opened(producer, wanted, asyncio.Event(), asyncio.Event())
            opened.empty.set()
            self._opened = opened
            try:
                yield
            finally:
                self._opened = None
                opened.stop.set()
                await opened.empty.wait()

    async def _endpoint(self, websocket: WebSocket) -> None:
        session = websocket.path_params["session"]
        fault = _fault(session, websocket.scope["subprotocols"])
        if fault is not None:
            await websocket.send_denial_response(PlainTextResponse(fault, 400))
            return
        await websocket.accept(SUBPROTOCOL)
        opened = self._opened
        if opened is None:
            await websocket.close(TRY_AGAIN_LATER, "the service is starting or stopping")
        elif self._sockets >= self._settings.max_sources:
            await websocket.close(TRY_AGAIN_LATER, f"{self._sockets} pages are talking, as many as max_sources allows")
        elif not self._seats.take(session, time.monotonic()):
            await websocket.close(
                TRY_AGAIN_LATER, f"{self._seats.count} sessions have not ended, as many as max_sources allows"
            )
        else:
            try:
                await self._converse(websocket, session, opened)
            finally:
                self._seats.leave(session, time.monotonic())

    async def _converse(self, websocket: WebSocket, session: str, opened: _Opened) -> None:
        conversation = Conversation(
            websocket, session, opened.producer, self._topics, self._bounds, self._limits, opened.wanted
        )
        self._count(1, opened)
        try:
            await conversation.run(opened.stop)
        finally:
            self._count(-1, opened)

    def _count(self, change: int, opened: _Opened) -> None:
        self._sockets += change
        metrics.SOURCES.set(self._sockets)
        if self._sockets:
            opened.empty.clear()
        else:
            opened.empty.set()


@dataclass(frozen=True, slots=True)
class _Opened:
    """What there is while pages are let in."""

    producer: AIOKafkaProducer
    wanted: Wanted
    stop: asyncio.Event
    empty: asyncio.Event


def _fault(session: str, subprotocols: list[str]) -> str | None:
    """What is wrong with a handshake, for whoever wrote the client."""
    size = len(session.encode())
    if not 1 <= size <= MAX_KEY_BYTES:
        return f"The session's name has {size} bytes; choose one of 1 to {MAX_KEY_BYTES}.\n"
    if SUBPROTOCOL not in subprotocols:
        return f"The subprotocols offered are {subprotocols}; offer {SUBPROTOCOL}.\n"
    return None

"""`GET /sessions`: who is live and what was said last; `GET /sessions/{id}/captions.vtt`: a session's finals so far.

The first is told from memory, anew once a second at most: each page asks as often. Captions are read from Kafka anew, from
where the session began if that is known, else all that is kept; of a name that was used again, the last session is meant.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from math import inf
from typing import TYPE_CHECKING

import orjson
from aiokafka.errors import KafkaError
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from stream.catchup import read_message
from stream.publish import Prediction, SessionRecord
from stream.reading import Reading
from stream.view import Said, cue

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from stream.audience import Audience
    from stream.board import Board

LISTED_SECONDS = 1.0
MOST_CUES = 20_000  # of a session that never ends, the newest


class Listing:
    """The sessions of a board as JSON, kept for a second."""

    def __init__(self) -> None:
        self._json = b""
        self._made_seconds = -inf

    def json(self, board: Board, now_seconds: float) -> bytes:
        """As they are now, or were less than `LISTED_SECONDS` ago."""
        if now_seconds - self._made_seconds >= LISTED_SECONDS:
            self._json = orjson.dumps({"sessions": [row.shown() for row in board.rows()]})
            self._made_seconds = now_seconds
        return self._json


class Captions:
    """The finals of one session, and when it began."""

    def __init__(self) -> None:
        self.finals: deque[Said] = deque(maxlen=MOST_CUES)
        self.start_ms: float | None = None
        self._reading = Reading()

    def note(self, message: Prediction | SessionRecord) -> None:
        """Take a result in the order of its partition; a start begins anew."""
        if not self._reading.is_news(message):
            return
        if isinstance(message, SessionRecord):
            if message.state == "started":
                self.finals.clear()
            self.start_ms = message.start_ms
        elif message.is_final:
            self.finals.append(Said(message.session, message.start_ms, message.end_ms, message.text))

    def text(self) -> bytes:
        """As WebVTT, its times counted from the session's start, or from the first final where that is no longer there."""
        zero_ms = self.start_ms if self.start_ms is not None else self.finals[0].start_ms if self.finals else 0.0
        return "\n".join(["WEBVTT\n", *(f"{cue(final, zero_ms)}\n" for final in self.finals)]).encode()


def routes(audience: Audience, clock: Callable[[], float] = time.monotonic) -> list[BaseRoute]:
    """Make the pages; `clock` counts seconds."""
    turn = asyncio.Semaphore(max(1, audience.settings.events_readers // 2))  # the others are for streams
    listing = Listing()

    async def sessions(_: Request) -> Response:
        return Response(listing.json(audience.board, clock()), media_type="application/json")

    async def captions(request: Request) -> Response:
        session = request.path_params["session"]
        if not audience.ready.is_set():
            return PlainTextResponse("the service is starting: come again\n", 503, {"retry-after": "5"})
        try:
            async with turn:
                found = await read_captions(audience, session, request.is_disconnected)
                text = await asyncio.to_thread(found.text)  # lanes share this loop
        except KafkaError:
            return PlainTextResponse("Kafka does not answer: come again\n", 503, {"retry-after": "5"})
        if found.start_ms is None and not found.finals:
            return PlainTextResponse("nothing is known of this session\n", 404)
        return Response(text, media_type="text/vtt")

    return [Route("/sessions", sessions), Route("/sessions/{session:path}/captions.vtt", captions)]


async def read_captions(audience: Audience, session: str, is_gone: Callable[[], Awaitable[bool]]) -> Captions:
    """Read a session's finals up to now, or until nobody waits for them any more.

    Raises
    ------
    KafkaError
        If Kafka does not give them.
    """
    captions = Captions()
    head = dict(audience.ring.head)
    row = audience.board.get(session)
    if row is not None and row.first_offset is not None:
        offsets = {row.partition: row.first_offset}
    else:
        begins, _ = await audience.readers.bounds(head if row is None else [row.partition])
        offsets = begins
    while behind := {number: offset for number, offset in offsets.items() if offset < head[number]}:
        if await is_gone():
            break
        fetched = await audience.readers.fetch(behind, session)
        for record in fetched.records:
            if (message := read_message(record)) is not None:
                captions.note(message)
        offsets |= fetched.offsets
    return captions

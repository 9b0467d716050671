"""`GET /sessions`: who is live and what was said last; `GET /sessions/{id}/captions.vtt`: a session's finals so far.

The first is told from memory. Captions are read from Kafka anew, from where the session began if that is known, else all that
is kept; of a name that was used again, the last session is meant.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from aiokafka.errors import KafkaError
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from stream.publish import Prediction, SessionRecord
from stream.reading import Reading
from stream.view import cue

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from stream.audience import Audience

MOST_CUES = 20_000  # of a session that never ends, the newest


class Captions:
    """The finals of one session, and when it began."""

    def __init__(self) -> None:
        self.finals: deque[Prediction] = deque(maxlen=MOST_CUES)
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
            self.finals.append(message)

    def text(self) -> str:
        """As WebVTT, its times counted from the session's start, or from the first final where that is no longer there."""
        zero_ms = self.start_ms if self.start_ms is not None else self.finals[0].start_ms if self.finals else 0.0
        return "\n".join(["WEBVTT\n", *(f"{cue(final, zero_ms)}\n" for final in self.finals)])


def routes(audience: Audience) -> list[BaseRoute]:
    """Make the pages."""
    turn = asyncio.Semaphore(max(1, audience.settings.events_readers // 2))  # the others are for streams

    async def sessions(_: Request) -> Response:
        return JSONResponse({"sessions": [row.shown() for row in audience.board.rows()]})

    async def captions(request: Request) -> Response:
        session = request.path_params["session"]
        if not audience.ready.is_set():
            return PlainTextResponse("the service is starting: come again\n", 503, {"retry-after": "5"})
        try:
            async with turn:
                found = await read_captions(audience, session, request.is_disconnected)
        except KafkaError:
            return PlainTextResponse("Kafka does not answer: come again\n", 503, {"retry-after": "5"})
        if found.start_ms is None and not found.finals:
            return PlainTextResponse("nothing is known of this session\n", 404)
        return Response(found.text(), media_type="text/vtt")

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
        piece = await audience.readers.read(behind, session)
        for _, message in piece.events:
            captions.note(message)
        offsets |= piece.offsets
    return captions

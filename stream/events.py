"""`GET /events` and `GET /sessions/{id}/events`: results as Server-Sent Events.

    Last-Event-ID or from -> place -> [EventStream] -> blocks, each when the one before was taken

Plain ASGI rather than a library for Server-Sent Events: those encode every event for every client and keep a task group and a
timer for each, where here all clients share an event's bytes, one look a second keeps all connections alive, and what the
connection takes is what decides the pace.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from stream import metrics
from stream.cursor import Cursor, CursorError
from stream.event import Wanted
from stream.subscription import Subscription

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import BaseRoute
    from starlette.types import Receive, Scope, Send

    from stream.audience import Audience

READY_SECONDS = 30.0
FROM = ("now", "latest", "beginning")


class EventStream(Response):
    """An answer that lasts as long as both sides want it to."""

    media_type = "text/event-stream"

    def __init__(self, audience: Audience, subscription: Subscription) -> None:
        super().__init__(headers={"x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._audience = audience
        self._subscription = subscription

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send block after block."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body"})
            return
        leaving = asyncio.create_task(self._until_left(receive))
        try:
            with self._audience.member(self._subscription):
                async for block in self._subscription.blocks():
                    await send({"type": "http.response.body", "body": block, "more_body": True})
            await send({"type": "http.response.body"})
        finally:
            leaving.cancel()
            metrics.EVENTS_CLOSED.labels(self._subscription.leaves or "stopping").inc()

    async def _until_left(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._subscription.leave("left")


def routes(audience: Audience) -> list[BaseRoute]:
    """Make the streams' pages."""

    async def events(request: Request) -> Response:
        with suppress(TimeoutError):
            await asyncio.wait_for(audience.ready.wait(), READY_SECONDS)
        if audience.is_full:  # after the wait: all who waited come in at once
            metrics.HTTP_REFUSED.labels("clients").inc()
            return _told(503, f"{audience.settings.events_clients} read events already: come again, or elsewhere", "5")
        if audience.is_closed or not audience.ready.is_set():
            return _told(503, "the service starts or stops, or Kafka does not answer: come again", "5")
        try:
            return EventStream(audience, await _subscription(audience, request))
        except CursorError as error:
            return _told(400, str(error))

    return [Route("/events", events), Route("/sessions/{session:path}/events", events)]


async def _subscription(audience: Audience, request: Request) -> Subscription:
    """From where on, of what: by the last id, else as `from` says.

    Raises
    ------
    CursorError
        If that is no place, or `from` none of the words for it.
    """
    wanted = Wanted(request.path_params.get("session"), request.query_params.get("task"))
    last_id = request.headers.get("last-event-id") or request.query_params.get("last-event-id")
    begin = request.query_params.get("from", "now")
    if begin not in FROM:
        raise CursorError(f"from is '{begin[:32]}', expected one of {', '.join(FROM)}")
    if last_id:
        partitions, one = audience.settings.partitions, wanted.session is not None
        cursor = Cursor.parse(last_id, audience.topic, partitions, one=one)
    elif begin == "beginning":
        cursor = await _beginning(audience, wanted)
    else:
        cursor = audience.now()
    _narrow(audience, wanted, cursor)
    latest = audience.latest(wanted.session) if wanted.session and begin == "latest" and not last_id else ()
    return audience.subscribe(wanted, cursor, latest)


async def _beginning(audience: Audience, wanted: Wanted) -> Cursor:
    """Where the topic begins; for one session where it began itself, if that is known: days of others may lie before."""
    row = audience.board.get(wanted.session) if wanted.session else None
    if row is not None and row.first_offset is not None:
        return Cursor(audience.topic, {row.partition: row.first_offset})
    begins, _ = await audience.readers.bounds(audience.ring.head)
    return Cursor(audience.topic, begins)


def _narrow(audience: Audience, wanted: Wanted, cursor: Cursor) -> None:
    """A session is in one partition; once that is known, the others are no part of the subscription.

    One that has ended may begin anew in another, if another producer hashes its name otherwise.
    """
    row = audience.board.get(wanted.session) if wanted.session else None
    if row is not None and not row.is_ended and row.partition in cursor.offsets:
        cursor.narrow(row.partition)


def _told(status: int, text: str, retry_after: str | None = None) -> Response:
    return PlainTextResponse(f"{text}\n", status, None if retry_after is None else {"retry-after": retry_after})

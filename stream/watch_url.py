"""Follows predictions over HTTP, as `watch --url` does: where Kafka is out of reach, the service's pages may not be.

GET /events or /sessions/{id}/events -> [results that are news], over reconnections as if there were none
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from urllib.parse import quote

import httpx
import orjson
from httpx_sse import ServerSentEvent, SSEError, aconnect_sse
from pydantic import ValidationError

from stream.config import Settings
from stream.errors import ConfigError, JobError
from stream.event import GAP
from stream.publish import PREDICTION, SESSION, Prediction, SessionRecord
from stream.reading import Reading

SILENT_SECONDS = 60.0  # the service says something every 15 s
RETRY_SECONDS = 1.0  # until the service says how long
UNKNOWN = 401
REFUSED = frozenset({400, 403, 404, 421})  # coming again would not help
SHAPES: dict[str, type[Prediction | SessionRecord]] = {PREDICTION.decode(): Prediction, SESSION.decode(): SessionRecord}


@asynccontextmanager
async def following_url(
    settings: Settings, url: str, session: str | None, *, from_beginning: bool = False
) -> AsyncIterator[AsyncIterator[Prediction | SessionRecord]]:
    """Results that are news, from the moment of entry on; or all that the topic holds, then those.

    Raises
    ------
    ConfigError
        If the service refuses what is asked, or who asks.
    JobError
        If nothing answers there now; once it has, it is tried again for ever.
    """
    path = "/events" if session is None else f"/sessions/{quote(session, safe='')}/events"
    async with httpx.AsyncClient(timeout=SILENT_SECONDS, headers=_token(settings)) as client:
        stream = _Stream(client, url.rstrip("/") + path)
        await stream.begin("beginning" if from_beginning else "now")
        async with aclosing(_news(stream)) as news:
            yield news


@dataclass(slots=True)
class _Stream:
    """A place to which one can come back."""

    client: httpx.AsyncClient
    url: str
    last_id: str = ""
    retry_seconds: float = RETRY_SECONDS

    async def begin(self, where: str) -> None:
        """Have the service say where this is."""
        try:
            async with aclosing(self._connected({"from": where})) as events:
                await anext(events)
        except (httpx.TransportError, httpx.InvalidURL, SSEError, StopAsyncIteration) as error:
            raise JobError(f"{self.url} is no stream ({error!r}): see that trivium serve runs there.") from None

    async def events(self) -> AsyncGenerator[ServerSentEvent, None]:
        """All events from there on, over as many connections as it takes."""
        while True:
            try:
                async with aclosing(self._connected({})) as events:
                    async for event in events:
                        yield event
            except (httpx.TransportError, SSEError) as error:
                print(f"trivium: {self.url} is away ({error!r}), trying on", file=sys.stderr)
            await asyncio.sleep(self.retry_seconds)

    async def _connected(self, params: dict[str, str]) -> AsyncGenerator[ServerSentEvent, None]:
        resumed = {"last-event-id": self.last_id} if self.last_id else {}
        async with aconnect_sse(self.client, "GET", self.url, params=params, headers=resumed) as source:
            if source.response.status_code in {UNKNOWN, *REFUSED}:
                raise _refused(source.response.status_code, (await source.response.aread()).decode(errors="replace"))
            async for event in source.aiter_sse():
                self.last_id = event.id or self.last_id
                self.retry_seconds = self.retry_seconds if event.retry is None else event.retry / 1000
                yield event


async def _news(stream: _Stream) -> AsyncGenerator[Prediction | SessionRecord, None]:
    reading = Reading()
    async with aclosing(stream.events()) as events:
        async for event in events:
            if event.event == GAP:
                print(f"trivium: a gap: {orjson.dumps(orjson.loads(event.data)['data']).decode()}", file=sys.stderr)
            elif (message := _message(event)) is not None and reading.is_news(message):
                yield message


def _message(event: ServerSentEvent) -> Prediction | SessionRecord | None:
    """What an event says; None of one that says nothing, or something unknown."""
    shape = SHAPES.get(event.event)
    if shape is None or not event.data:
        return None
    try:
        return shape.model_validate(orjson.loads(event.data)["data"])
    except (ValidationError, orjson.JSONDecodeError, KeyError) as error:
        print(f"trivium: passed over {event.id}: {error!r}", file=sys.stderr)
        return None


def _refused(status: int, told: str) -> ConfigError:
    if status == UNKNOWN:
        return ConfigError("--url: the service wants a token: set http_token_file to a file that holds it.")
    return ConfigError(f"--url: the service answers {status}: {told.strip() or 'nothing'}")


def _token(settings: Settings) -> dict[str, str]:
    if settings.http_token_file is None:
        return {}
    return {"authorization": f"Bearer {settings.http_token_file.read_text(encoding='ascii').strip()}"}

"""What watches results over HTTP, on a real broker, without lanes: a test publishes, and reads what subscribers are sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
from aiokafka import AIOKafkaProducer
from httpx_sse import ServerSentEvent, aconnect_sse

from stream import clients, events, server, sessions, topics, web
from stream.audience import Audience
from stream.config import Settings
from stream.frame import Record
from stream.health import Health
from stream.publish import (
    Counts,
    ModalityResult,
    Model,
    Prediction,
    SessionRecord,
    Times,
    prediction_record,
    session_record,
)
from stream.server import PatientProtocol

WAIT_SECONDS = 30
T0_MS = 1_795_514_270_080.0
SEGMENT_MS = 2_000.0
SOURCE = "/trivium/test"
MODEL = Model(name="echo", version="1", digest="sha256:0")


def prediction(session: str, segment: int, text: str, *, revision: int = 1, is_final: bool = False) -> Prediction:
    start_ms = T0_MS + segment * SEGMENT_MS
    nothing = ModalityResult(status="present", counts=Counts(), weight=0, frames=0, late=0, lost=0)
    return Prediction(
        session=session,
        segment=start_ms,
        revision=revision,
        epoch=1,
        is_final=is_final,
        stability=1.0 if is_final else 0.5,
        start_ms=start_ms,
        end_ms=start_ms + 1_000,
        task="speech",
        text=text,
        words=[],
        confidence=0.9,
        modalities={"text": nothing, "audio": nothing, "video": nothing},
        model=MODEL,
        provider="cpu",
        batch=1,
        times=Times(captured_ms=start_ms, ingested_ms=0, aligned_ms=0, inferred_ms=0, published_ms=start_ms),
        inputs=[],
    )


def final(session: str, segment: int, text: str = "") -> Prediction:
    return prediction(session, segment, text or f"{session} {segment}", revision=9, is_final=True)


def started(session: str, start_ms: float = T0_MS) -> SessionRecord:
    return SessionRecord(session=session, state="started", start_ms=start_ms)


def ended(session: str, finals: int, start_ms: float = T0_MS) -> SessionRecord:
    return SessionRecord(
        session=session, state="ended", reason="end", finals=finals, start_ms=start_ms, end_ms=start_ms + 60_000
    )


class Publisher:
    """Publishes as lanes do: session records and finals in transactions, interims outside of them."""

    def __init__(self, settings: Settings, beside: AIOKafkaProducer, lane: AIOKafkaProducer) -> None:
        self._topic = settings.topic_prefix + topics.PREDICTIONS
        self._beside = beside
        self._lane = lane

    async def publish(self, *messages: Prediction | SessionRecord, partition: int = 0) -> None:
        for message in messages:
            record = self._record(message, partition)
            if isinstance(message, Prediction) and not message.is_final:
                await self._send(self._beside, record)
            else:
                async with self._lane.transaction():
                    await self._send(self._lane, record)

    async def give_up(self, message: Prediction, partition: int = 0) -> None:
        """Publish it in a transaction that comes to nothing."""
        await self._lane.begin_transaction()
        await self._send(self._lane, self._record(message, partition))
        await self._lane.abort_transaction()

    def _record(self, message: Prediction | SessionRecord, partition: int) -> Record:
        make: Any = prediction_record if isinstance(message, Prediction) else session_record
        made: Record = make(message, self._topic, partition, SOURCE)
        return made

    async def _send(self, producer: AIOKafkaProducer, record: Record) -> None:
        await producer.send_and_wait(
            record.topic, record.value, record.key, partition=record.partition, headers=list(record.headers)
        )


@asynccontextmanager
async def publishing(settings: Settings) -> AsyncIterator[Publisher]:
    await topics.prepare(settings)
    async with clients.producer(settings) as beside, clients.lane_producer(settings, 0) as lane:
        yield Publisher(settings, beside, lane)


@dataclass(frozen=True)
class Site:
    """One process's pages, as a client reaches them."""

    url: str
    audience: Audience


@asynccontextmanager
async def watched(
    settings: Settings, protocol: type[PatientProtocol] = PatientProtocol, address: str = "127.0.0.1:0"
) -> AsyncIterator[Site]:
    """Serve events and sessions as `trivium serve` does; goodbye is said at the end."""
    audience = Audience(settings)
    pages = web.app(settings, Health(), [events.routes(audience), sessions.routes(audience)])
    await topics.prepare(settings)
    listener = server.listen(address)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    async with asyncio.TaskGroup() as tasks:
        running = [
            tasks.create_task(server.serve(pages, listener, settings, protocol)),
            tasks.create_task(audience.run()),
        ]
        async with asyncio.timeout(WAIT_SECONDS):
            await audience.ready.wait()
        yield Site(url, audience)
        audience.close()
        for task in running:
            task.cancel()


@dataclass(frozen=True)
class Told:
    """One event as a client has it."""

    type: str
    id: str
    data: dict[str, Any]

    @property
    def text(self) -> str:
        return str(self.data.get("text"))

    @property
    def is_final(self) -> bool:
        return bool(self.data.get("is_final"))


def told(event: ServerSentEvent) -> Told:
    cloud_event = orjson.loads(event.data)
    assert cloud_event["type"] == event.event
    return Told(event.event, event.id, cloud_event["data"])


@asynccontextmanager
async def subscribed(url: str, last_id: str = "", **query: str) -> AsyncIterator[AsyncIterator[Told]]:
    """Follow a stream as a client of its own making does; it has begun on entry."""
    headers = {"last-event-id": last_id} if last_id else {}
    async with (
        asyncio.timeout(WAIT_SECONDS),
        httpx.AsyncClient(timeout=WAIT_SECONDS) as client,
        aconnect_sse(client, "GET", url, headers=headers, params=query) as stream,
    ):
        stream.response.raise_for_status()
        coming = stream.aiter_sse()
        first = await anext(coming)
        assert (first.data, bool(first.id)) == ("", True)
        yield (told(event) async for event in coming if event.data)


async def until(coming: AsyncIterator[Told], done: Callable[[list[Told]], bool]) -> list[Told]:
    """All that comes, as soon as it is enough."""
    found: list[Told] = []
    async for event in coming:
        found.append(event)
        if done(found):
            break
    return found

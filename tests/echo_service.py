"""The service with lanes that need no model, on a real broker: what a test sends, and what comes of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from stream import clients, topics
from stream.assembly import intake
from stream.config import Settings
from stream.frame import End, Frame, Record, to_record
from stream.health import Health
from stream.hop import Timing
from stream.lane import Lane, OpenSegment
from stream.progress import Progress
from stream.publish import Prediction, SessionRecord, read_result
from stream.service import host
from stream.times import NS_PER_SECOND
from tests.echo import CONTEXT_NS, HOP_NS, T0_NS, EchoSegment, echo_lane

PARTITIONS = 2
WAIT_SECONDS = 30
# The tests' sources send in bursts, and a busy machine may be slow: no time that passes is a silence.
PATIENT = Timing(deadline_ns=60 * NS_PER_SECOND, idle_ns=60 * NS_PER_SECOND, session_end_ns=60 * NS_PER_SECOND)
Results = list[Prediction | SessionRecord]


def settings_of(broker: str, topic_prefix: str, **more: object) -> Settings:
    given: dict[str, Any] = {"partitions": PARTITIONS, **more}
    return Settings(bootstrap_servers=broker, topic_prefix=topic_prefix, **given)


@asynccontextmanager
async def running(settings: Settings, open_segment: OpenSegment = EchoSegment) -> AsyncIterator[None]:
    """Run the service, then stop it as a signal does."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(serve_echo(settings, open_segment, stop))
        yield
        stop.set()


@asynccontextmanager
async def crashing(settings: Settings) -> AsyncIterator[None]:
    """Run the service, then end it in the middle of whatever it does."""
    service = asyncio.create_task(serve_echo(settings, EchoSegment, asyncio.Event()))
    yield
    service.cancel()
    with suppress(asyncio.CancelledError):
        await service


async def serve_echo(settings: Settings, open_segment: OpenSegment, stop: asyncio.Event) -> None:
    def make_lane(number: int, progress: Progress) -> Lane:
        return echo_lane(progress, number, intake(settings), PATIENT, open_segment)

    await topics.prepare(settings)
    await host(settings, make_lane, CONTEXT_NS, Health(), stop)


class Source:
    """Sends what the tests' live sources would, with capture times from now on."""

    def __init__(self, settings: Settings, producer: AIOKafkaProducer) -> None:
        self._settings = settings
        self._producer = producer
        self._shift_ns = time.time_ns() // HOP_NS * HOP_NS - T0_NS

    async def send(self, *items: Frame | End, partition: int = 0) -> None:
        for item in items:
            topic = self._settings.topic_prefix + item.modality
            await self.send_record(to_record(self.moved(item), topic), partition)

    def moved(self, item: Frame | End) -> Frame | End:
        """It, with its capture time from now on."""
        return replace(item, time_ns=item.time_ns + self._shift_ns)

    async def send_record(self, record: Record, partition: int = 0) -> None:
        await self._producer.send_and_wait(
            record.topic, record.value, record.key, partition=partition, headers=list(record.headers)
        )


@asynccontextmanager
async def source(settings: Settings) -> AsyncIterator[Source]:
    await topics.prepare(settings)
    async with clients.producer(settings) as producer:
        yield Source(settings, producer)


async def read_until(
    settings: Settings, topic: str, done: Callable[[list[Record]], bool], partition: int | None = 0
) -> list[Record]:
    """All records of a partition, or of all, from the beginning, as soon as they are enough."""
    records: list[Record] = []
    name = settings.topic_prefix + topic
    async with (
        asyncio.timeout(WAIT_SECONDS),
        AIOKafkaConsumer(
            name,
            bootstrap_servers=settings.bootstrap_servers,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
        ) as consumer,
    ):
        while not done(records):
            for fetched in (await consumer.getmany(timeout_ms=200)).values():
                records += [
                    Record(one.topic, one.partition, one.offset, one.timestamp, one.key, one.value, one.headers)
                    for one in fetched
                    if partition in {None, one.partition}
                ]
    return records


async def results_until(settings: Settings, done: Callable[[Results], bool], partition: int = 0) -> Results:
    """Predictions and session records of a partition from its beginning, as soon as they are enough."""
    records = await read_until(
        settings, topics.PREDICTIONS, lambda found: done([read_result(one) for one in found]), partition
    )
    return [read_result(one) for one in records]


def finals(results: Iterable[Prediction | SessionRecord]) -> list[str]:
    return [one.text for one in results if isinstance(one, Prediction) and one.is_final]


def ended(results: Iterable[Prediction | SessionRecord]) -> list[SessionRecord]:
    return [one for one in results if isinstance(one, SessionRecord) and one.state == "ended"]


async def committed(settings: Settings) -> dict[tuple[str, int], int]:
    """Offsets of the group by topic, without its prefix, and partition."""
    client = AIOKafkaAdminClient(bootstrap_servers=settings.bootstrap_servers)
    await client.start()
    try:
        offsets = await client.list_consumer_group_offsets(clients.group(settings))
    finally:
        await client.close()
    return {
        (partition.topic.removeprefix(settings.topic_prefix), partition.partition): kept.offset
        for partition, kept in offsets.items()
    }

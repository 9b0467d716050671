"""Kafka readers for whoever goes on from further back than memory holds: few, shared, and asked for a piece at a time.

    offsets -> [Readers] -> records of a piece, or its events; gaps, offsets to go on from

A reader is held while it reads one piece, never while a subscriber takes it: so a slow one keeps nobody else waiting.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaTimeoutError, OffsetOutOfRangeError

from stream import clients, metrics
from stream.config import Settings
from stream.errors import RecordError
from stream.event import Event, event_of
from stream.frame import Record
from stream.publish import Prediction, SessionRecord, read_result

log = logging.getLogger(__name__)

PIECE_RECORDS = 200
POLL_MS = 200
ANSWER_SECONDS = 30.0  # a broker far away may take long, but a reader is not held for ever


@dataclass(frozen=True, slots=True)
class Gap:
    """Records of a partition that are no longer there: `[first_offset, next_offset)`.

    Attributes
    ----------
    reason : str
        `retention`, Kafka has deleted them; or `reset`, the topic ends before them, so it is not the one that was read.
    """

    partition: int
    first_offset: int
    next_offset: int
    reason: str


@dataclass(slots=True)
class Fetched:
    """What was read at once, as it stands in Kafka: records in the order of each partition, and where to go on."""

    records: list[Record] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    offsets: dict[int, int] = field(default_factory=dict)


@dataclass(slots=True)
class Piece:
    """The same for subscribers: events in the order of each partition, with what they say, and where to go on."""

    events: list[tuple[Event, Prediction | SessionRecord]] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    offsets: dict[int, int] = field(default_factory=dict)


class Readers:
    """At most `settings.events_readers` readers of the predictions, connected when they are first needed."""

    def __init__(self, settings: Settings, topic: str) -> None:
        self._settings = settings
        self._topic = topic
        self._turn = asyncio.Semaphore(settings.events_readers)
        self._idle: list[AIOKafkaConsumer] = []

    async def read(self, offsets: Mapping[int, int], session: str | None = None) -> Piece:
        """Read some records from `offsets` on, of all sessions or of one, and make their events.

        Raises
        ------
        KafkaError
            If Kafka does not answer, or will not.
        """
        fetched = await self.fetch(offsets, session)
        read = ((record, read_message(record)) for record in fetched.records)
        events = [(_event(record, message), message) for record, message in read if message is not None]
        return Piece(events, fetched.gaps, fetched.offsets)

    async def fetch(self, offsets: Mapping[int, int], session: str | None = None) -> Fetched:
        """Read some records from `offsets` on, for whoever wants no events of them.

        Raises
        ------
        KafkaError
            If Kafka does not answer, or will not.
        """
        async with self._reader() as reader:
            partitions = {TopicPartition(self._topic, number): offset for number, offset in offsets.items()}
            reader.assign([*partitions])
            for partition, offset in partitions.items():
                reader.seek(partition, offset)
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    records, places = await _fetched(reader, partitions)
            except OffsetOutOfRangeError:
                return await self._gaps(reader, offsets)
            except TimeoutError:
                raise KafkaTimeoutError(f"nothing of {self._topic} came within {ANSWER_SECONDS:.0f} s") from None
        key = None if session is None else session.encode()
        return Fetched([clients.fetched(found) for found in records if key in {None, found.key}], [], places)

    async def bounds(self, numbers: Iterable[int]) -> tuple[dict[int, int], dict[int, int]]:
        """Where partitions begin and end, as far as they are committed."""
        async with self._reader() as reader:
            return await self._bounds(reader, numbers)

    async def close(self) -> None:
        """Leave Kafka."""
        await asyncio.gather(*(reader.stop() for reader in self._idle))
        self._idle.clear()

    async def _gaps(self, reader: AIOKafkaConsumer, offsets: Mapping[int, int]) -> Fetched:
        begins, ends = await self._bounds(reader, offsets)
        gaps = [Gap(number, at, begins[number], "retention") for number, at in offsets.items() if at < begins[number]]
        gaps += [Gap(number, ends[number], at, "reset") for number, at in offsets.items() if at > ends[number]]
        places = {number: min(max(at, begins[number]), ends[number]) for number, at in offsets.items()}
        return Fetched([], gaps, places)

    async def _bounds(self, reader: AIOKafkaConsumer, numbers: Iterable[int]) -> tuple[dict[int, int], dict[int, int]]:
        partitions = [TopicPartition(self._topic, number) for number in numbers]
        begins, ends = await reader.beginning_offsets(partitions), await reader.end_offsets(partitions)
        return (
            {partition.partition: offset for partition, offset in begins.items()},
            {partition.partition: offset for partition, offset in ends.items()},
        )

    @asynccontextmanager
    async def _reader(self) -> AsyncIterator[AIOKafkaConsumer]:
        async with self._turn:
            is_new = not self._idle
            reader = clients.events_reader(self._settings) if is_new else self._idle.pop()
            try:
                with metrics.EVENTS_READERS_BUSY.track_inprogress():
                    if is_new:
                        await reader.start()
                    yield reader
                reader.unsubscribe()
            except BaseException:
                with suppress(asyncio.CancelledError):  # the client's own, where it had hardly started
                    await reader.stop()
                raise
            self._idle.append(reader)


async def _fetched(
    reader: AIOKafkaConsumer, partitions: Mapping[TopicPartition, int]
) -> tuple[list[ConsumerRecord], dict[int, int]]:
    """Records and the places after them, once there are some or a place has moved: over what was given up there are none."""
    while True:
        fetched = await reader.getmany(timeout_ms=POLL_MS, max_records=PIECE_RECORDS)
        places = {partition: await reader.position(partition) for partition in partitions}
        if fetched or places != partitions:
            records = [record for batch in fetched.values() for record in batch]
            return records, {partition.partition: offset for partition, offset in places.items()}


def read_event(found: ConsumerRecord) -> tuple[Event, Prediction | SessionRecord] | None:
    """A record's event and what it says; None of one that is not ours."""
    record = clients.fetched(found)
    message = read_message(record)
    return None if message is None else (_event(record, message), message)


def read_message(record: Record) -> Prediction | SessionRecord | None:
    """What a record says; None of one that is not ours, which is told in the log."""
    try:
        return read_result(record)
    except RecordError as error:
        log.warning("passed over %s-%d@%d: %s", record.topic, record.partition, record.offset, error)
        return None


def _event(record: Record, message: Prediction | SessionRecord) -> Event:
    return event_of(record, message, time.monotonic())

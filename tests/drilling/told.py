"""What is there after a drill: all that a reader of committed records is told, and where the lanes stand.

predictions, progress, late frames, committed offsets -> Told
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from stream import clients, headers, topics
from stream.config import Settings
from stream.frame import Modality, Record
from stream.progress import EPOCH_KEY
from stream.publish import Prediction, SessionRecord, read_result
from stream.times import to_ms

Place = tuple[str, int]  # topic without its prefix, and partition
LateFrame = tuple[str, Modality, float]  # session, modality, capture time in Unix ms
LOOK_SECONDS = 0.2


@dataclass(frozen=True)
class Told:
    """What there is.

    Attributes
    ----------
    results : list
        Each lane's finals and session records in the order of its partition.
    interims : int
        How many there were beside.
    committed, ends : dict
        Offsets of the group, and of the ends of the input partitions.
    remembered : set
        Lane and session of which there still is progress.
    late : set
        Frames that came after a final.
    read_ms : float
        When all this had been read, Unix ms.
    """

    results: Sequence[tuple[int, Prediction | SessionRecord]]
    interims: int
    committed: Mapping[Place, int]
    ends: Mapping[Place, int]
    remembered: frozenset[tuple[int, str]]
    late: frozenset[LateFrame]
    read_ms: float

    def finals(self) -> list[tuple[int, Prediction]]:
        """Finals with their lanes."""
        return [(lane, one) for lane, one in self.results if isinstance(one, Prediction)]

    def at_rest(self) -> bool:
        """Whether everything that was read is committed, and no session is remembered any more."""
        return not self.remembered and all(self.committed.get(place, 0) == end for place, end in self.ends.items())


async def read_to_rest(settings: Settings, sessions: Counter[str], timeout_seconds: float) -> Told:
    """Wait until all these sessions have ended, each so often, and the lanes are at rest; after the timeout, as it is."""
    end = time.monotonic() + timeout_seconds
    results = await _results(settings, sessions, end)
    while True:
        found = [(record.partition, read_result(clients.fetched(record))) for record in results]
        told = Told(
            [(lane, one) for lane, one in found if isinstance(one, SessionRecord) or one.is_final],
            sum(isinstance(one, Prediction) and not one.is_final for _, one in found),
            await _committed(settings),
            await _ends(settings),
            await _remembered(settings),
            frozenset(),
            time.time() * 1000,
        )
        if told.at_rest() or time.monotonic() > end:
            return replace(told, late=await _late(settings))
        await asyncio.sleep(LOOK_SECONDS)


async def read_inputs(settings: Settings, lane: int) -> list[Record]:
    """All records of a lane in step: the oldest Kafka timestamp first, of equals text before audio before video."""
    partitions = [TopicPartition(settings.topic_prefix + name, lane) for name in Modality]
    async with _reader(settings, partitions) as reader:
        found = [clients.fetched(record) for record in await _all(reader, partitions)]
    places = {settings.topic_prefix + name: place for place, name in enumerate(Modality)}
    return sorted(found, key=lambda record: (record.timestamp_ms, places[record.topic], record.offset))


async def _results(settings: Settings, sessions: Counter[str], end: float) -> list[ConsumerRecord]:
    partitions = _partitions(settings, topics.PREDICTIONS)
    wanted, ended = Counter(sessions), Counter[str]()
    records: list[ConsumerRecord] = []
    async with _reader(settings, partitions) as reader:
        while ended < wanted and time.monotonic() < end:
            for batch in (await reader.getmany(timeout_ms=200)).values():
                records += batch
                ended.update(_ended(batch))
        return records + await _all(reader, partitions)


def _ended(batch: Sequence[ConsumerRecord]) -> list[str]:
    found = [read_result(clients.fetched(record)) for record in batch]
    return [one.session for one in found if isinstance(one, SessionRecord) and one.state == "ended"]


async def _all(reader: AIOKafkaConsumer, partitions: Sequence[TopicPartition]) -> list[ConsumerRecord]:
    """What is left to read up to the end, with no transaction open."""
    ends = await reader.end_offsets(partitions)
    records: list[ConsumerRecord] = []
    while any([await reader.position(one) < ends[one] for one in partitions]):
        for batch in (await reader.getmany(timeout_ms=200)).values():
            records += batch
    return records


async def _remembered(settings: Settings) -> frozenset[tuple[int, str]]:
    partitions = _partitions(settings, topics.PROGRESS)
    async with _reader(settings, partitions) as reader:
        records = await _all(reader, partitions)
    newest = {(record.partition, record.key): record.value for record in records}
    return frozenset(
        (lane, key.decode()) for (lane, key), value in newest.items() if value is not None and key != EPOCH_KEY
    )


async def _late(settings: Settings) -> frozenset[LateFrame]:
    partitions = _partitions(settings, topics.LATE)
    async with _reader(settings, partitions) as reader:
        records = [clients.fetched(record) for record in await _all(reader, partitions)]
    return frozenset(_late_frame(record, settings.topic_prefix) for record in records)


def _late_frame(record: Record, topic_prefix: str) -> LateFrame:
    found = headers.by_name(record.headers)
    modality = Modality(headers.required(found, "trivium_topic").decode().removeprefix(topic_prefix))
    return (record.key or b"").decode(), modality, to_ms(headers.captured_ns(found))


async def _ends(settings: Settings) -> dict[Place, int]:
    partitions = [one for name in Modality for one in _partitions(settings, name)]
    async with _reader(settings, partitions) as reader:
        ends = await reader.end_offsets(partitions)
    return {(one.topic.removeprefix(settings.topic_prefix), one.partition): offset for one, offset in ends.items()}


async def _committed(settings: Settings) -> dict[Place, int]:
    client = AIOKafkaAdminClient(**settings.client_options())
    await client.start()
    try:
        offsets = await client.list_consumer_group_offsets(clients.group(settings))
    finally:
        await client.close()
    return {
        (one.topic.removeprefix(settings.topic_prefix), one.partition): kept.offset for one, kept in offsets.items()
    }


def _partitions(settings: Settings, topic: str) -> list[TopicPartition]:
    return [TopicPartition(settings.topic_prefix + topic, number) for number in range(settings.partitions)]


def _reader(settings: Settings, partitions: Sequence[TopicPartition]) -> AIOKafkaConsumer:
    reader = AIOKafkaConsumer(
        **settings.client_options(),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    reader.assign(partitions)
    return reader

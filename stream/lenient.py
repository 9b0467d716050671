r"""Reads what the Kafka client refuses to: records with a header whose name is not UTF-8.

    client fails -> [LenientReader] -> fetched records

The client raises in the middle of a batch, again and again, and gives nobody what stands behind it: one such record of any
producer would stop the service for good. So the partitions are fetched once past it from here, by the client's own parts;
the odd bytes of a name are written out (`\xff`), which makes it a header that nobody knows. The stream then goes on by the client.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.consumer.fetcher import READ_COMMITTED, PartitionRecords
from aiokafka.errors import for_code
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords

from stream import clients
from stream.config import Settings

PARTITION_BYTES = 128 * 1024  # of one answer, little since it is read slowly; a batch that is larger comes whole
ANSWER_BYTES = 8 << 20

_LENGTH_AT, _MAGIC_AT, _BATCH_AT = 8, 16, 12  # of a batch: offset, length, leader epoch, magic, ...


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a partition held from a position on, up to the next."""

    records: list[ConsumerRecord]
    position: int


class LenientReader:
    """Asks the process's one consumer, and where that fails a client of its own, connected when it is first needed."""

    def __init__(self, settings: Settings, consumer: AIOKafkaConsumer) -> None:
        self._settings = settings
        self._consumer = consumer
        self._client: AIOKafkaClient | None = None

    async def __aenter__(self) -> Self:
        """Connect to nobody yet."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Leave the broker, if it was ever asked."""
        if self._client is not None:
            await self._client.close()

    async def getmany(
        self, wanted: Callable[[], dict[TopicPartition, int]]
    ) -> Mapping[TopicPartition, Sequence[ConsumerRecord]]:
        """What was fetched; `wanted` gives the partitions that are being read, and where from."""
        try:
            fetched: dict[TopicPartition, list[ConsumerRecord]] = await self._consumer.getmany(
                timeout_ms=clients.FETCH_WAIT_MS
            )
        except UnicodeDecodeError:
            return await self._past(wanted)
        return fetched

    async def _past(
        self, wanted: Callable[[], dict[TopicPartition, int]]
    ) -> dict[TopicPartition, list[ConsumerRecord]]:
        """What stands where the consumer failed. What it took of other partitions is lost with it, so all begin anew."""
        positions = wanted()
        for partition, position in positions.items():
            self._consumer.seek(partition, position)
        await asyncio.sleep(0)  # it fails without waiting, and others must have their turn
        found = await self.fetch(positions) if positions else {}
        as_before = positions.items() & wanted().items()  # lanes may have come and gone meanwhile
        found = {partition: found[partition] for partition, _ in as_before if partition in found}
        for partition, fetched in found.items():
            self._consumer.seek(partition, fetched.position)
        return {partition: fetched.records for partition, fetched in found.items()}

    async def fetch(self, positions: Mapping[TopicPartition, int]) -> dict[TopicPartition, Fetched]:
        """Committed records from each position on, as many as one answer holds; nothing of a partition that has none.

        Raises
        ------
        KafkaError
            If the broker cannot be asked.
        """
        client = await self._connected({partition.topic for partition in positions})
        by_leader: dict[int, dict[str, list[tuple[int, int, int]]]] = {}
        for partition, position in positions.items():
            leader = client.cluster.leader_for_partition(partition)
            if leader is not None and leader >= 0:  # else the client asks again, and then so do we
                wanted = by_leader.setdefault(leader, {}).setdefault(partition.topic, [])
                wanted.append((partition.partition, position, PARTITION_BYTES))
        found: dict[TopicPartition, Fetched] = {}
        for leader, topics in by_leader.items():
            answer = await client.send(leader, FetchRequest(0, 0, ANSWER_BYTES, READ_COMMITTED, list(topics.items())))
            found |= _read(answer, positions)
        return found

    async def _connected(self, topics: set[str]) -> AIOKafkaClient:
        if self._client is None:
            self._client = AIOKafkaClient(**self._settings.client_options())
            await self._client.bootstrap()
        await self._client.set_topics(topics)
        return self._client


def _read(answer: Any, positions: Mapping[TopicPartition, int]) -> dict[TopicPartition, Fetched]:
    found = {}
    for topic, partitions in answer.topics:
        for number, code, _, *rest in partitions:
            partition = TopicPartition(topic, number)
            if code:
                raise for_code(code)(partition)
            # Behind the high watermark stand the last stable offset, sometimes others, transactions that were aborted, the data.
            aborted = rest[2] if answer.API_VERSION >= 11 else rest[-2]
            batches, position = _Batches(rest[-1] or b""), positions[partition]
            records = PartitionRecords(partition, batches, aborted, position, None, None, True, READ_COMMITTED)
            found[partition] = Fetched(list(records), records.next_fetch_offset)
    return found


class _Batches:
    """The batches of one answer, whole ones; what the client's `MemoryRecords` is."""

    def __init__(self, data: bytes) -> None:
        self._rest = memoryview(data)

    def has_next(self) -> bool:
        return len(self._rest) > _MAGIC_AT and len(self._rest) >= self._size()

    def next_batch(self) -> Any:
        size = self._size()
        batch, self._rest = self._rest[:size], self._rest[size:]
        # Older formats have no headers.
        return _Batch(batch) if batch[_MAGIC_AT] >= 2 else MemoryRecords(bytes(batch)).next_batch()

    def _size(self) -> int:
        (length,) = struct.unpack_from(">i", self._rest, _LENGTH_AT)
        return _BATCH_AT + int(length)


class _Batch(_DefaultRecordBatchPy):  # type: ignore[misc]  # the client ships no types
    def _maybe_uncompress(self) -> None:
        super()._maybe_uncompress()
        self._buffer: bytearray = _Bytes(self._buffer)


class _Bytes(bytearray):
    """Bytes of which anything decodes; of a batch only headers' names are decoded."""

    def __getitem__(self, place: Any) -> Any:
        found = super().__getitem__(place)
        return _Bytes(found) if isinstance(found, bytearray) else found

    def decode(self, encoding: str = "utf-8", _errors: str = "strict") -> str:
        return super().decode(encoding, "backslashreplace")

"""Taking a lane over: what its last owner left, read once nobody else can write it any more.

    progress, committed offsets, ends of the partitions -> Left

The order matters: only when the lane's transactional producer has started, and so fenced the former owner and ended what
it left pending, is anything read here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition

from stream import clients, topics
from stream.config import Settings
from stream.frame import Modality
from stream.progress import Offsets, Progress, restored


@dataclass(frozen=True, slots=True)
class Left:
    """Offsets of the lane's partitions.

    Attributes
    ----------
    positions : dict
        Where to read on.
    committed : dict
        Those that the group has; a topic of which nothing was ever committed is missing.
    history : dict
        Ends at the takeover: what lies below was there before us.
    """

    positions: Offsets
    committed: Offsets
    history: Offsets


async def read_progress(settings: Settings, number: int, context_ns: int) -> Progress:
    """The lane's progress, whole.

    Raises
    ------
    BrokerError
        If the topic holds what Trivium did not write.
    """
    partition = TopicPartition(settings.topic_prefix + topics.PROGRESS, number)
    newest: dict[bytes | None, bytes | None] = {}  # by key: of a long topic no more is kept
    async with clients.partition_reader(settings, partition) as reader:
        end = (await reader.end_offsets([partition]))[partition]
        while await reader.position(partition) < end:
            fetched = await reader.getmany(timeout_ms=clients.FETCH_WAIT_MS)
            newest |= {record.key: record.value for record in fetched.get(partition, ())}
    return restored(newest.items(), context_ns)


async def read_offsets(consumer: AIOKafkaConsumer, partitions: Mapping[Modality, TopicPartition]) -> Left:
    """Where the lane's partitions stand; without a committed offset they begin at their beginning."""
    found = {name: await consumer.committed(partition) for name, partition in partitions.items()}
    committed = {name: offset for name, offset in found.items() if offset is not None}
    beginnings = await consumer.beginning_offsets(list(partitions.values()))
    ends = await consumer.end_offsets(list(partitions.values()))
    return Left(
        positions={name: max(beginnings[one], committed.get(name, 0)) for name, one in partitions.items()},
        committed=committed,
        history={name: ends[one] for name, one in partitions.items()},
    )

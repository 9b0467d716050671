"""A lane's way in: what is fetched is queued within bounds, however long the lane is at what it has taken."""

from __future__ import annotations

import time
from itertools import islice

from aiokafka import ConsumerRecord, TopicPartition

from stream.frame import Modality
from stream.inlet import QUEUE_BYTES, Inlet

NONE_AHEAD = frozenset[Modality]()
PARTITIONS = {name: TopicPartition(name, 0) for name in Modality}
AUDIO = PARTITIONS[Modality.AUDIO]


class Consumer:
    """One that has fetched as much as it is asked for, of sound, and nothing of the rest."""

    def __init__(self) -> None:
        self.paused: set[TopicPartition] = set()
        self.at = dict.fromkeys(PARTITIONS.values(), 0)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.at[partition] = offset

    def pause(self, *partitions: TopicPartition) -> None:
        self.paused |= set(partitions)

    def resume(self, *partitions: TopicPartition) -> None:
        self.paused -= set(partitions)

    def last_poll_timestamp(self, _: TopicPartition) -> int:
        return time.time_ns() // 1_000_000

    def last_stable_offset(self, partition: TopicPartition) -> int:
        return self.at[partition]

    async def position(self, partition: TopicPartition) -> int:
        return self.at[partition]

    def fetch(self, count: int, size_bytes: int) -> dict[TopicPartition, list[ConsumerRecord]]:
        first = self.at[AUDIO]
        self.at[AUDIO] += count
        return {AUDIO: [record(offset, size_bytes) for offset in range(first, first + count)]}


def record(offset: int, size_bytes: int) -> ConsumerRecord:
    return ConsumerRecord("audio", 0, offset, 1_772_366_400_000, 0, b"s", bytes(size_bytes), None, 1, size_bytes, ())


def never() -> None:
    """When a lane is to be woken that has nothing to do but to read."""


def opened(consumer: Consumer) -> Inlet:
    inlet = Inlet(consumer, PARTITIONS)
    consumer.pause(*PARTITIONS.values())
    inlet.open(dict.fromkeys(Modality, 0))
    return inlet


async def test_a_partition_is_paused_as_soon_as_enough_of_it_is_queued() -> None:
    consumer = Consumer()
    inlet = opened(consumer)
    await inlet.feed(consumer.fetch(2, QUEUE_BYTES // 4))
    assert not consumer.paused
    await inlet.feed(consumer.fetch(2, QUEUE_BYTES // 4))
    assert consumer.paused == {AUDIO}


async def test_it_goes_on_when_half_of_it_is_taken() -> None:
    consumer = Consumer()
    inlet = opened(consumer)
    await inlet.feed(consumer.fetch(5, QUEUE_BYTES // 4))
    for taken in range(5):
        inlet.hold(NONE_AHEAD)
        assert consumer.paused == ({AUDIO} if taken < 4 else set())
        assert next(inlet.arrivals(never), None) is not None


async def test_what_the_lane_has_enough_of_stays_paused_until_it_has_not() -> None:
    consumer = Consumer()
    inlet = opened(consumer)
    inlet.hold(frozenset({Modality.AUDIO}))
    assert consumer.paused == {AUDIO}
    inlet.hold(NONE_AHEAD)
    assert not consumer.paused


async def test_a_lane_is_idle_when_it_has_taken_a_run_to_its_end() -> None:
    consumer = Consumer()
    inlet = opened(consumer)
    await inlet.feed(consumer.fetch(2, 0))
    run = inlet.arrivals(never)
    assert [record.offset for _, record, _ in islice(run, 2)] == [0, 1]
    assert not inlet.hurry().idle  # there may be more
    assert next(run, None) is None
    assert inlet.hurry().idle


async def test_a_lane_that_is_to_be_woken_before_the_next_record_is_not_idle() -> None:
    consumer = Consumer()
    inlet = opened(consumer)
    await inlet.feed(consumer.fetch(1, 0))
    assert not list(inlet.arrivals(lambda: 1))
    assert inlet.now_ns() == 1
    assert not inlet.hurry().idle

"""The three partitions of one lane: from the process's one consumer, through the lane's clock, to the lane in step.

    fetched records -> [LaneClock] -> arrivals

What the consumer has fetched is taken whole and at once, since records left with it hold up all its fetches. A partition is
paused where the aligner is ahead in it, or enough of it is queued here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from stream import clients, metrics
from stream.clock import LaneClock
from stream.frame import Modality, Record
from stream.overload import Hurry
from stream.times import NS_PER_MS, NS_PER_SECOND

QUEUE_BYTES = 2 << 20  # of one partition; a fetch may bring as much again
LOOK_SECONDS = 0.1  # being caught up wears off, so a lane looks up at least this often
_SINCE_NS = (
    time.time_ns() - time.monotonic_ns()
)  # the wall clock is read only once, for all lanes: they share their overload


class Inlet:
    """The way in of one lane.

    Attributes
    ----------
    stirred : asyncio.Event
        Set when there may be something to do.
    """

    def __init__(self, consumer: AIOKafkaConsumer, partitions: Mapping[Modality, TopicPartition]) -> None:
        self.stirred = asyncio.Event()
        self._consumer = consumer
        self._partitions = partitions
        self._clock = LaneClock()
        self._open = False
        self._paused: set[Modality] = set()
        self._answered_ms: dict[Modality, int] = {}
        self._next: dict[Modality, int] = {}  # offset of the next fetch
        self._idle = True

    def open(self, positions: Mapping[Modality, int]) -> None:
        """Read on from `positions`; until now the partitions were paused."""
        for modality, partition in self._partitions.items():
            self._consumer.seek(partition, positions[modality])
            self._clock.seek(modality, positions[modality], self._machine_ns())
            self._next[modality] = positions[modality]
        self._consumer.resume(*self._partitions.values())
        self._paused.clear()
        self._answered_ms.clear()
        self._open = True

    def close(self) -> None:
        """Read no more; what is queued will be read again by whoever is next."""
        self._open = False

    def wanted(self) -> dict[TopicPartition, int]:
        """Which partitions are being read, and from where they are to be fetched next."""
        reading = self._partitions.keys() - self._paused if self._open else ()
        return {self._partitions[modality]: self._next[modality] for modality in reading}

    async def feed(self, fetched: Mapping[TopicPartition, Sequence[ConsumerRecord]]) -> None:
        """Take what the consumer has fetched, and note which partitions it has had an answer for."""
        if not self._open:
            return
        for modality, partition in self._partitions.items():
            answered_ms = self._consumer.last_poll_timestamp(partition)
            records = fetched.get(partition, ())
            if records or answered_ms != self._answered_ms.get(modality):
                self._answered_ms[modality] = answered_ms
                await self._fetched(modality, partition, records)

    async def _fetched(self, modality: Modality, partition: TopicPartition, records: Sequence[ConsumerRecord]) -> None:
        # A position that is known is given at once: nothing is fetched between the records and it.
        position = self._next[modality] = await self._consumer.position(partition)
        stable_offset = self._consumer.last_stable_offset(partition)
        if stable_offset is None:
            stable_offset = self._consumer.highwater(partition)
        age_ns = max(0, time.time_ns() - self._answered_ms[modality] * NS_PER_MS)
        answered_ns = self._machine_ns() - age_ns
        self._clock.fetched(modality, map(clients.fetched, records), position, stable_offset, answered_ns)
        if self._clock.queued(modality) > QUEUE_BYTES:
            self._pause(modality)  # at once: the lane may be long at what it has taken
        self._measure_lag(modality, stable_offset)
        self.stirred.set()

    def unanswered_seconds(self) -> float | None:
        """Since a fetch was last answered; None while there is none to wait for."""
        if not self._answered_ms or len(self._paused) == len(self._partitions):
            return None
        return max(0.0, time.time() - max(self._answered_ms.values()) / 1000)

    def arrivals(self, wake_ns: Callable[[], int | None]) -> Iterator[tuple[Modality, Record, int]]:
        """The records whose turn it is, as `LaneClock.arrivals` has them, in a run that is to be taken at once.

        What the lane is then told to `hurry` depends on whether it took the run to its end.
        """
        machine_ns = self._machine_ns()
        self._idle = False
        yield from self._clock.arrivals(machine_ns, wake_ns)
        due_ns = wake_ns()
        self._idle = due_ns is None or self._clock.now_ns(machine_ns) < due_ns

    def now_ns(self) -> int:
        """The lane's time."""
        return self._clock.now_ns(self._machine_ns())

    def hurry(self) -> Hurry:
        """What the lane is to know of the machine, after it has taken what it wanted."""
        return Hurry(self._machine_ns(), self._idle)

    def behind(self) -> frozenset[Modality]:
        """The partitions that are not caught up."""
        return self._clock.behind(self._machine_ns())

    def hold(self, ahead: frozenset[Modality]) -> None:
        """Pause what the aligner has enough of, and what is queued enough; resume the rest."""
        self._clock.hold(ahead)
        for modality, partition in self._partitions.items():
            queued_bytes = self._clock.queued(modality)
            if modality in ahead or queued_bytes > QUEUE_BYTES:
                self._pause(modality)
            elif modality in self._paused and queued_bytes <= QUEUE_BYTES // 2:
                self._consumer.resume(partition)
                self._paused.discard(modality)

    async def wait(self, wake_ns: int | None, due: float | None) -> None:
        """Until there may be something to do: records, the lane's wake-up, `due` on the monotonic clock, or a moment."""
        seconds = LOOK_SECONDS
        if wake_ns is not None and not self.behind():  # else the lane's time stands still until something is read
            seconds = min(seconds, (wake_ns - self.now_ns()) / NS_PER_SECOND)
        if due is not None:
            seconds = min(seconds, due - time.monotonic())
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0, seconds)):
                await self.stirred.wait()
        self.stirred.clear()

    def _pause(self, modality: Modality) -> None:
        if modality not in self._paused:
            self._consumer.pause(self._partitions[modality])
            self._paused.add(modality)

    def _machine_ns(self) -> int:
        """Nanoseconds since the epoch that only ever grow, whatever is done to the wall clock."""
        return _SINCE_NS + time.monotonic_ns()

    def _measure_lag(self, modality: Modality, stable_offset: int) -> None:
        partition = self._partitions[modality]
        unread = max(0, stable_offset - self._clock.positions()[modality])
        metrics.CONSUMER_LAG_RECORDS.labels(partition.topic, partition.partition).set(unread)
        produced_ms = self._clock.produced_ms(modality)
        lag_ns = self._machine_ns() - produced_ms * NS_PER_MS if unread and produced_ms is not None else 0
        metrics.CONSUMER_LAG_SECONDS.labels(partition.topic, partition.partition).set(max(0, lag_ns) / NS_PER_SECOND)

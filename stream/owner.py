"""The Kafka side of one lane: takes it over, feeds it in step, publishes in order, commits.

    assigned -> take over -> [take -> advance -> publish -> commit]... -> released

Delivery is at-least-once: finals, session records and dead letters are acknowledged, then progress, then offsets. Interims go
out at once by another producer, and nobody waits for them. What a lane computes is not known here.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError

from stream import clients, metrics, topics
from stream.config import Settings
from stream.deadletter import DeadLetter
from stream.frame import Modality
from stream.inlet import Inlet
from stream.lane import Lane
from stream.outlet import Outlet
from stream.progress import EPOCH_KEY, Offsets, Progress, epoch_value, restored
from stream.results import Result

log = logging.getLogger(__name__)

TAKE_RECORDS = 64  # at a time; then the lane advances and looks which partitions are ahead


class Owner:
    """One lane while this process has it; it survives a rebalance that brings the lane back.

    Parameters
    ----------
    consumer : AIOKafkaConsumer
        The process's one consumer: only the lane's own partitions are paused, sought and committed.
    interims : AIOKafkaProducer
        The process's one producer of interims.
    make_lane : callable
        From the lane's number and its progress.
    context_ns : int
        Left context of the encoders.
    """

    def __init__(
        self,
        number: int,
        settings: Settings,
        consumer: AIOKafkaConsumer,
        interims: AIOKafkaProducer,
        make_lane: Callable[[int, Progress], Lane],
        context_ns: int,
    ) -> None:
        self.number = number
        self.lane: Lane | None = None
        self._settings = settings
        self._consumer = consumer
        self._make_lane = make_lane
        self._context_ns = context_ns
        self._partitions = {name: TopicPartition(settings.topic_prefix + name, number) for name in Modality}
        self.inlet = Inlet(consumer, self._partitions)
        self._interims = Outlet(settings, number, interims)
        self._released = False
        self._gathered: list[Result | DeadLetter] = []
        self._history: Offsets = {}  # end offsets at the takeover: what lies below was there before us
        self._committed: Offsets = {}
        self._commit_due = 0.0  # on the monotonic clock

    def run(self) -> Coroutine[None, None, None]:
        """Own the lane from its assignment, with its partitions paused, until `release`, be it before the first step."""
        self._released = False
        return self._run()

    async def _run(self) -> None:
        async with clients.producer(self._settings) as producer:
            outlet = Outlet(self._settings, self.number, producer)
            lane = await self._take_over(outlet)
            while not self._released:
                await self._step(lane, outlet)
            self.inlet.close()
            await self._commit(lane, outlet)

    def release(self) -> None:
        """Let `run` commit what is final and return; what is open stays open."""
        self._released = True
        self.inlet.stirred.set()

    def drop(self) -> None:
        """The lane has another owner: forget what is known of it."""
        if self.lane is not None:
            self.lane.close()
            self.lane = None
        metrics.forget_lane(self.number, (partition.topic for partition in self._partitions.values()))

    # Take over

    async def _take_over(self, outlet: Outlet) -> Lane:
        """Read what the last owner left; a lane that nobody else has owned since goes on as it was."""
        progress = await self._read_progress()
        if self.lane is None or self.lane.progress.epoch != progress.epoch:
            self.lane = await self._begin(progress, outlet)
        self.inlet.open(self.lane.progress.positions)
        return self.lane

    async def _begin(self, progress: Progress, outlet: Outlet) -> Lane:
        if self.lane is not None:
            self.lane.close()
            self.inlet = Inlet(self._consumer, self._partitions)  # its clock is at the old lane's time
        progress.epoch += 1
        await outlet.remember([(EPOCH_KEY, epoch_value(progress.epoch))])
        self._gathered.clear()
        self._committed = await self._read_committed()
        partitions = list(self._partitions.values())
        beginnings = await self._consumer.beginning_offsets(partitions)
        ends = await self._consumer.end_offsets(partitions)
        self._history = {name: ends[partition] for name, partition in self._partitions.items()}
        progress.positions = {
            name: max(beginnings[partition], self._committed.get(name, 0))
            for name, partition in self._partitions.items()
        }
        log.info("lane taken over", extra={"lane": self.number, "epoch": progress.epoch})
        return self._make_lane(self.number, progress)

    async def _read_progress(self) -> Progress:
        partition = TopicPartition(self._settings.topic_prefix + topics.PROGRESS, self.number)
        newest: dict[bytes | None, bytes | None] = {}  # by key: of a long topic no more is kept
        async with clients.partition_reader(self._settings, partition) as reader:
            end = (await reader.end_offsets([partition]))[partition]
            while await reader.position(partition) < end:
                fetched = await reader.getmany(timeout_ms=clients.FETCH_WAIT_MS)
                newest |= {record.key: record.value for record in fetched.get(partition, ())}
        return restored(newest.items(), self._context_ns)

    async def _read_committed(self) -> Offsets:
        found = {name: await self._consumer.committed(partition) for name, partition in self._partitions.items()}
        return {name: offset for name, offset in found.items() if offset is not None}

    # Step

    async def _step(self, lane: Lane, outlet: Outlet) -> None:
        """Take what is there, advance, publish, and wait for more."""
        taken = self._take(lane)
        now_ns, behind = self.inlet.now_ns(), self.inlet.behind()
        woken = (wake_ns := lane.wake_ns()) is not None and wake_ns <= now_ns
        for result in await lane.advance(now_ns, behind):
            if isinstance(result, Result) and result.is_interim:
                await self._interims.show(result)
            else:
                self._gathered.append(result)
        self.inlet.hold(lane.aligner.ahead(behind))
        if time.monotonic() >= self._commit_due:
            await self._commit(lane, outlet)
        if woken or taken == TAKE_RECORDS:
            await asyncio.sleep(0)  # there may be more to take; but others have their turn
        else:
            await self.inlet.wait(lane.wake_ns(), self._commit_due if self._gathered else None)

    def _take(self, lane: Lane) -> int:
        """Records in step, until none is there or the lane has something to do before the next."""
        for taken in range(TAKE_RECORDS):
            arrival = self.inlet.take(lane.wake_ns())
            if arrival is None:
                return taken
            history = arrival.record.offset < self._history[arrival.modality]
            lane.take(arrival.record, arrival.now_ns, history=history)
        return TAKE_RECORDS

    async def _commit(self, lane: Lane, outlet: Outlet) -> None:
        """Send what has gathered, then progress, then offsets, each acknowledged before the next."""
        gathered, self._gathered = self._gathered, []
        saved = [*lane.progress.unsaved(), *((key, None) for key in lane.progress.outlived(self._committed))]
        offsets = lane.progress.offsets(lane.aligner.oldest_offsets())
        if not gathered and not saved and offsets == self._committed:
            return
        await outlet.publish(gathered)
        await outlet.remember(saved)
        await self._commit_offsets(offsets)
        self._commit_due = time.monotonic() + self._settings.commit_interval_ms / 1000

    async def _commit_offsets(self, offsets: Offsets) -> None:
        try:
            await self._consumer.commit({self._partitions[name]: offset for name, offset in offsets.items()})
        except (CommitFailedError, IllegalStateError) as error:
            # The group is being rebalanced: whoever gets the lane reads on from the offsets committed before.
            log.warning("offsets not committed", extra={"lane": self.number, "error": str(error)})
        else:
            self._committed = offsets

"""The Kafka side of one lane: takes it over, feeds it in step, publishes in order, commits.

    assigned -> take over -> [take -> advance -> commit]... -> released
                    ^------------ fenced --------'

What is final goes out with the progress and the offsets that belong to it (`delivery.py`), while the lane goes on. Interims go
out at once by another producer, and nobody waits for them. What a lane computes is not known here.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from itertools import islice

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from stream import metrics
from stream.config import Settings
from stream.deadletter import DeadLetter
from stream.delivery import Batch, Delivery, FencedError, delivering
from stream.frame import Modality
from stream.inlet import Inlet
from stream.lane import Lane, Output
from stream.late import LateFrame
from stream.outlet import Outlet
from stream.progress import EPOCH_KEY, Offsets, Progress, epoch_value
from stream.results import Result
from stream.takeover import read_offsets, read_progress

log = logging.getLogger(__name__)

TAKE_RECORDS = 64  # at a time; then the lane advances and looks which partitions are ahead
QUIET_COMMIT_SECONDS = 1.0  # between commits that publish nothing
MOST_GATHERED = 1_000  # results and letters; so many, or letters so large, are committed at once, and waited for
MOST_LETTER_BYTES = 16 << 20
RETAKE_SECONDS = 3.0  # after being fenced: by then the group has told us if the lane is no longer ours


class Owner:
    """One lane while this process has it; it survives a rebalance that brings the lane back.

    Parameters
    ----------
    consumer : AIOKafkaConsumer
        The process's one consumer: only the lane's own partitions are paused, sought and committed.
    beside : AIOKafkaProducer
        The process's one producer of what is in no transaction: interims and dead letters.
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
        beside: AIOKafkaProducer,
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
        self._beside = Outlet(settings, number, beside)
        self._released = asyncio.Event()
        self._gathered: list[Result] = []
        self._letters: list[DeadLetter | LateFrame] = []
        self._history: Offsets = {}
        self._committed: Offsets = {}
        self._committing: asyncio.Task[None] | None = None
        self._committed_at = 0.0  # on the monotonic clock
        self._quiet_due = 0.0

    def run(self) -> Coroutine[None, None, None]:
        """Own the lane from its assignment, with its partitions paused, until `release`, be it before the first step."""
        self._released.clear()
        return self._run()

    async def _run(self) -> None:
        while not self._released.is_set():
            try:
                async with delivering(self._settings, self.number, self._consumer) as delivery:
                    await self._own(delivery)
            except FencedError:
                await self._lose()

    async def _own(self, delivery: Delivery) -> None:
        try:
            lane = await self._take_over(delivery)
            while not self._released.is_set():
                await self._step(lane, delivery)
            self.inlet.close()
            await self._finish_commit()
            await self._commit(self._batch(lane), delivery)
        finally:
            await self._abandon_commit()

    def release(self) -> None:
        """Let `run` commit what is final and return; what is open stays open."""
        self._released.set()
        self.inlet.stirred.set()

    def drop(self) -> None:
        """The lane has another owner: forget what is known of it."""
        self._forget()
        metrics.forget_lane(self.number, (partition.topic for partition in self._partitions.values()))

    def _forget(self) -> None:
        if self.lane is not None:
            self.lane.close()
            self.lane = None
        self._gathered, self._letters = [], []

    async def _lose(self) -> None:
        """Another has, or had, the lane: forget it, and take it over anew unless the group says that it is not ours."""
        log.warning("the lane was fenced: what was not committed is forgotten", extra={"lane": self.number})
        self._forget()
        self.inlet.close()
        ours = self._consumer.assignment() & set(self._partitions.values())
        self._consumer.pause(*ours)
        with suppress(TimeoutError):
            async with asyncio.timeout(RETAKE_SECONDS):
                await self._released.wait()

    # Take over

    async def _take_over(self, delivery: Delivery) -> Lane:
        """Read what the last owner left; a lane that nobody else has owned since goes on as it was."""
        progress = await read_progress(self._settings, self.number, self._context_ns)
        if self.lane is None or self.lane.progress.epoch != progress.epoch:
            self.lane = await self._begin(progress, delivery)
        self.inlet.open(self.lane.progress.positions)
        return self.lane

    async def _begin(self, progress: Progress, delivery: Delivery) -> Lane:
        self._forget()
        self.inlet = Inlet(self._consumer, self._partitions)  # the old one's clock is at the old lane's time
        progress.epoch += 1
        await delivery.commit(Batch((), [(EPOCH_KEY, epoch_value(progress.epoch))], {}))
        left = await read_offsets(self._consumer, self._partitions)
        progress.positions = left.positions
        self._committed, self._history = left.committed, left.history
        log.info("lane taken over", extra={"lane": self.number, "epoch": progress.epoch})
        return self._make_lane(self.number, progress)

    # Step

    async def _step(self, lane: Lane, delivery: Delivery) -> None:
        """Take what is there, advance, publish, and wait for more."""
        taken = self._take(lane)
        now_ns, behind = self.inlet.now_ns(), self.inlet.behind()
        woken = (wake_ns := lane.wake_ns()) is not None and wake_ns <= now_ns
        for output in await lane.advance(now_ns, behind, self.inlet.hurry()):
            self._put(output)
        self.inlet.hold(lane.aligner.ahead(behind))
        await self._commit_what_is_due(lane, delivery)
        if woken or taken == TAKE_RECORDS or lane.aligner.stirred:
            await asyncio.sleep(0)  # there may be more to take or to do, but others have their turn
        else:
            due = self._published_due() if self._committing is None and self._waits() else None
            await self.inlet.wait(lane.wake_ns(), due)

    def _take(self, lane: Lane) -> int:
        """Records in step, until none is there or the lane has something to do before the next."""
        taken = 0
        for modality, record, now_ns in islice(self.inlet.arrivals(lane.wake_ns), TAKE_RECORDS):
            lane.take(record, now_ns, history=record.offset < self._history[modality])
            taken += 1
        return taken

    def _put(self, output: Output) -> None:
        if not isinstance(output, Result):
            self._letters.append(output)
        elif output.is_interim:
            self._beside.show(output)
        else:
            self._gathered.append(output)

    # Commit

    def _waits(self) -> bool:
        """Whether there is something that readers wait for."""
        return bool(self._gathered or self._letters)

    def _crowded(self) -> bool:
        """Whether no more is to gather beside a commit."""
        held_bytes = sum(len(letter.record.value or b"") + letter.record.headers_bytes for letter in self._letters)
        return len(self._gathered) + len(self._letters) > MOST_GATHERED or held_bytes > MOST_LETTER_BYTES

    def _published_due(self) -> float:
        return self._committed_at + self._settings.commit_interval_ms / 1000

    async def _commit_what_is_due(self, lane: Lane, delivery: Delivery) -> None:
        """Commit beside the lane's work, one batch at a time."""
        if self._committing is not None:
            if not (self._committing.done() or self._crowded()):
                return
            await self._finish_commit()
        now = time.monotonic()
        if now < (self._published_due() if self._waits() else self._quiet_due) and not self._crowded():
            return
        self._quiet_due = now + QUIET_COMMIT_SECONDS
        if (batch := self._batch(lane)) is not None:
            self._committing = asyncio.create_task(self._commit(batch, delivery))
            self._committing.add_done_callback(lambda _: self.inlet.stirred.set())

    def _batch(self, lane: Lane) -> Batch | None:
        """What is to be committed by now; None if nothing is."""
        saved = [*lane.progress.unsaved(), *((key, None) for key in lane.progress.outlived(self._committed))]
        offsets = lane.progress.offsets(lane.aligner.oldest_offsets())
        if not (self._waits() or saved) and offsets == self._committed:
            return None
        results, self._gathered = self._gathered, []
        return Batch(results, saved, {self._partitions[name]: offset for name, offset in offsets.items()})

    async def _commit(self, batch: Batch | None, delivery: Delivery) -> None:
        """Letters are acknowledged before the offsets of what they are about are committed."""
        if batch is None:
            return
        letters, self._letters = self._letters, []
        await self._beside.publish(letters)
        if await delivery.commit(batch):
            self._committed = {name: batch.offsets[partition] for name, partition in self._partitions.items()}
        self._committed_at = time.monotonic()

    async def _finish_commit(self) -> None:
        """Wait for the commit under way, and raise what it raised."""
        committing, self._committing = self._committing, None
        if committing is not None:
            await committing

    async def _abandon_commit(self) -> None:
        """The lane has failed or was cancelled: so is its commit."""
        if self._committing is not None:
            self._committing.cancel()
            await asyncio.gather(self._committing, return_exceptions=True)
            self._committing = None

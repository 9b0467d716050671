"""What the service does with records up to the hop, and no further: `Inlet`, `Lane`, `Aligner`, a task a lane.

    one consumer -> [Inlet -> Lane -> a segment that decodes nothing]

For the benchmarks of ingest and alignment; `service.py` and `owner.py` do the same, and decode, and commit.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import islice

from aiokafka import AIOKafkaConsumer, TopicPartition

from stream import clients
from stream.align import Aligner
from stream.assembly import intake
from stream.caption import Caption
from stream.config import Settings
from stream.deadletter import DeadLetter
from stream.errors import RecordError
from stream.frame import Frame, Modality
from stream.hop import Hop, Timing
from stream.inlet import Inlet
from stream.lane import Lane, OpenSegment
from stream.late import LateFrame
from stream.owner import TAKE_RECORDS
from stream.progress import Progress
from stream.publish import Model, SessionRecord
from stream.results import Maker, Result
from stream.service import leave_garbage
from stream.skew import Skew
from stream.times import NS_PER_MS, NS_PER_SECOND

SEGMENT_NS = 3 * NS_PER_SECOND
CONTEXT_NS = 320 * NS_PER_MS


class Unread:
    """In a segment's place: it takes hops, reads nothing in them, and moves the frontier as a speaker's pauses would."""

    hops = 0  # of all sessions

    def __init__(self, frontier_ns: int, _: int, skew: Skew) -> None:
        self.frontier_ns = frontier_ns
        self.skew = skew
        self.corrupt: list[tuple[Frame, RecordError]] = []
        self._end_ns = frontier_ns

    async def hop(self, hop: Hop) -> list[Caption]:
        """Count it."""
        Unread.hops += 1
        self._end_ns = hop.end_ns
        if hop.end_ns - 2 * SEGMENT_NS >= self.frontier_ns:
            self.frontier_ns = hop.end_ns - SEGMENT_NS
        return []

    async def close(self) -> list[Caption]:
        """Nothing is open any more."""
        self.frontier_ns = self._end_ns
        return []


@dataclass(frozen=True)
class Reading:
    """A consumer whose partitions are paused, and the way in of each lane."""

    settings: Settings
    consumer: AIOKafkaConsumer
    inlets: Sequence[Inlet]

    async def until_ended(self, sessions: Sequence[int], open_segment: OpenSegment, *, history: bool) -> None:
        """Read from the beginning until so many sessions of each lane have ended."""
        for inlet in self.inlets:
            inlet.open(dict.fromkeys(Modality, 0))
        feeding = asyncio.create_task(self._feed())
        async with asyncio.TaskGroup() as tasks:
            for number, (inlet, count) in enumerate(zip(self.inlets, sessions, strict=True)):
                tasks.create_task(_own(inlet, _lane(number, self.settings, open_segment), count, history=history))
        feeding.cancel()

    async def _feed(self) -> None:
        """What `service.py` does."""
        while True:
            fetched = await self.consumer.getmany(timeout_ms=clients.FETCH_WAIT_MS)
            for inlet in self.inlets:
                await inlet.feed(fetched)


@asynccontextmanager
async def reading(settings: Settings) -> AsyncIterator[Reading]:
    """Everything connected, nothing read; what there is by now is never garbage, as in the service."""
    leave_garbage()
    consumer = clients.input_consumer(settings)
    lanes = [
        {name: TopicPartition(settings.topic_prefix + name, number) for name in Modality}
        for number in range(settings.partitions)
    ]
    consumer.assign([partition for lane in lanes for partition in lane.values()])
    async with consumer:
        consumer.pause(*consumer.assignment())
        yield Reading(settings, consumer, [Inlet(consumer, lane) for lane in lanes])


async def _own(inlet: Inlet, lane: Lane, sessions: int, *, history: bool) -> None:
    """What `owner.py` does, but that nothing is committed."""
    while sessions:
        taken = 0
        for _, record, now_ns in islice(inlet.arrivals(lane.wake_ns), TAKE_RECORDS):
            lane.take(record, now_ns, history=history)
            taken += 1
        now_ns, behind = inlet.now_ns(), inlet.behind()
        woken = (wake_ns := lane.wake_ns()) is not None and wake_ns <= now_ns
        for output in await lane.advance(now_ns, behind):
            sessions -= _is_end(output)
        inlet.hold(lane.aligner.ahead(behind))
        if woken or taken == TAKE_RECORDS:
            await asyncio.sleep(0)
        else:
            await inlet.wait(lane.wake_ns(), None)


def _lane(number: int, settings: Settings, open_segment: OpenSegment) -> Lane:
    """A lane as `assembly.py` makes it, but for its segments."""
    aligner = Aligner(Timing(), settings.session_buffer_bytes, settings.lane_buffer_bytes)
    maker = Maker("none", Model(name="none", version="0", digest="sha256:"), "cpu")
    return Lane(number, intake(settings), aligner, open_segment, maker, Progress(), CONTEXT_NS)


def _is_end(output: Result | DeadLetter | LateFrame) -> bool:
    if isinstance(output, DeadLetter):
        raise output.error
    if isinstance(output, LateFrame):
        return False  # the count of frames in hops will tell
    return isinstance(output.message, SessionRecord) and output.message.state == "ended"

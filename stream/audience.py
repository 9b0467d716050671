"""Everybody who watches: the one reader of `predictions` of this process, and the subscriptions that it feeds.

    predictions, all partitions, committed only -> [Audience] -> ring, board -> subscriptions, stirred a few at a time

Beside the path: no lane waits for anything here. The reader belongs to no group, so each process has all results, its own and
those of others, and any replica can serve any subscriber.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from stream import clients, metrics, topics
from stream.board import Board
from stream.catchup import Readers, read_event
from stream.config import Settings
from stream.cursor import Cursor
from stream.event import Event, Kind, Wanted
from stream.reading import Reading
from stream.ring import Ring
from stream.subscription import Subscription

log = logging.getLogger(__name__)

POLL_MS = 200
READ_RECORDS = 100  # at once: reading more would hold up the event loop for more than some 10 ms
PRIMED_RECORDS = (
    500  # of each partition, read again at the start, so that those who come over from elsewhere find memory
)
RECORD_BYTES = 4096  # about what an event takes
LOOK_SECONDS = 1.0
SLICE = 64  # subscriptions that are stirred before others have a turn


class Audience:
    """Recent events, the sessions they are of, and who is to be told.

    Attributes
    ----------
    count : int
        How many are told by now.
    ready : asyncio.Event
        Set once memory holds what was said last: until then nobody can be told what "now" is. Set at the end, too, so that
        nobody waits for it.
    is_closed : bool
        Whether nobody is told anything any more.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.topic = settings.topic_prefix + topics.PREDICTIONS
        self.ready = asyncio.Event()
        self.is_closed = False
        self.ring = Ring(self.topic, settings.events_buffer_bytes)
        self.board = Board()
        self.readers = Readers(settings, self.topic)
        self.source = f"/trivium/{clients.group(settings)}/events"
        self._members: dict[str | None, set[Subscription]] = {}
        self.count = 0
        self._reading = Reading()

    @property
    def is_full(self) -> bool:
        """Whether nobody more is let in."""
        return self.count >= self.settings.events_clients

    async def run(self) -> None:
        """Read and tell, for ever; the topics must be there.

        Raises
        ------
        KafkaError
            If Kafka refuses what is read here.
        """
        try:
            async with clients.events_reader(self.settings) as consumer, asyncio.TaskGroup() as tasks:
                tasks.create_task(self._look())
                while True:
                    with suppress(OffsetOutOfRangeError):
                        await self._read_on(consumer)
                    log.warning("%s is not the topic that it was: reading it anew, and closing all streams", self.topic)
                    self._forget()
        finally:
            await self.readers.close()

    def subscribe(self, wanted: Wanted, cursor: Cursor, latest: Iterable[Event] = ()) -> Subscription:
        """Make a subscription from a place on; it is told of news while it is a member."""
        return Subscription(wanted, cursor, self.ring, self.readers, self.source, latest)

    def now(self) -> Cursor:
        """Where whatever comes next begins."""
        return Cursor(self.topic, dict(self.ring.head))

    def latest(self, session: str) -> list[Event]:
        """What is known of a session as it stands: its start or end, its last final, its open interim."""
        row = self.board.get(session)
        return [] if row is None else [row.latest[kind] for kind in _STANDING if kind in row.latest]

    @contextmanager
    def member(self, subscription: Subscription) -> Iterator[None]:
        """Tell it of news until the end of the block; one that was made before all was forgotten, or ends, leaves at once."""
        if self.is_closed or not subscription.is_of(self.ring):
            subscription.leave("stopping" if self.is_closed else "failed")
        name = subscription.wanted.session
        self._members.setdefault(name, set()).add(subscription)
        self.count += 1
        metrics.EVENTS_CLIENTS.set(self.count)
        try:
            yield
        finally:
            self._members[name].discard(subscription)
            if not self._members[name]:
                del self._members[name]
            self.count -= 1
            metrics.EVENTS_CLIENTS.set(self.count)

    def close(self) -> None:
        """Say goodbye to everybody: the service stops."""
        self.is_closed = True
        self.ready.set()
        for subscription in self._everybody():
            subscription.leave("stopping")

    async def _read_on(self, consumer: AIOKafkaConsumer) -> None:
        ends = await self._begin(consumer)
        while True:
            await self._read(consumer)
            if all(self.ring.head[number] >= end for number, end in ends.items()):
                self.ready.set()

    def _forget(self) -> None:
        """Begin with nothing; whoever comes again with a place in what is gone is told of the gap."""
        for subscription in self._everybody():
            subscription.leave("failed")
        self.ready.clear()
        self.ring, self.board, self._reading = Ring(self.topic, self.settings.events_buffer_bytes), Board(), Reading()

    async def _begin(self, consumer: AIOKafkaConsumer) -> dict[int, int]:
        """Begin a little before the end of every partition, and say where the ends are."""
        partitions = [TopicPartition(self.topic, number) for number in range(self.settings.partitions)]
        consumer.assign(partitions)
        begins, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
        primed = min(PRIMED_RECORDS, self.settings.events_buffer_bytes // RECORD_BYTES // len(partitions))
        offsets = {partition: max(begins[partition], ends[partition] - primed) for partition in partitions}
        for partition, offset in offsets.items():
            consumer.seek(partition, offset)
        self.ring.open({partition.partition: offset for partition, offset in offsets.items()})
        return {partition.partition: offset for partition, offset in ends.items()}

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        fetched = await consumer.getmany(timeout_ms=POLL_MS, max_records=READ_RECORDS)
        told: set[str] = set()
        for found in (found for batch in fetched.values() for found in batch):
            read = read_event(found)
            if read is not None and self._reading.is_news(read[1]):
                self.ring.append(read[0])
                self.board.note(*read)
                told.add(read[0].session)
        for partition in consumer.assignment():
            self.ring.move(partition.partition, await consumer.position(partition))
        metrics.EVENTS_BUFFER_BYTES.set(self.ring.kept_bytes)
        await self._stir(told)

    async def _stir(self, sessions: Iterable[str]) -> None:
        """Tell whom it concerns, a few at a time: a thousand readers must not keep the lanes waiting."""
        names = [None, *sessions] if sessions else []
        concerned = iter([one for name in names for one in self._members.get(name, ())])
        while few := [*islice(concerned, SLICE)]:
            for subscription in few:
                subscription.stirred.set()
            await asyncio.sleep(0)

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            for subscription in self._everybody():
                subscription.keep_up()
                if subscription.is_due():
                    subscription.stirred.set()

    def _everybody(self) -> list[Subscription]:
        return [subscription for members in self._members.values() for subscription in members]


_STANDING = (Kind.SESSION, Kind.FINAL, Kind.INTERIM)

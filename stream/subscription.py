"""One subscriber: from its place on, event by event, by catch-up readers while it is far back, else from memory.

    cursor -> [Readers, then Ring] -> blocks of bytes for its connection

Nothing is queued for it: a block is made when the one before has been taken, so a slow subscriber holds one block and a place
in the ring. What it was too slow for is left out only if it is an interim that is said better by then. A live one that
falls behind what the ring holds is told so and closed; it may come again, with its last id, and loses nothing.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import TYPE_CHECKING

from aiokafka.errors import KafkaError

from stream import metrics
from stream.catchup import Gap
from stream.event import CLOSED, GAP, Event, Kind, Wanted, notice, without_superseded
from stream.reading import Reading

if TYPE_CHECKING:
    from stream.catchup import Readers
    from stream.cursor import Cursor
    from stream.ring import Kept, Ring

log = logging.getLogger(__name__)

WINDOW_BYTES = 128 << 10  # looked at for one block: of interims that were overtaken only the newest is sent
BLOCK_BYTES = 32 << 10  # about as much as is handed over at once
BEAT_SECONDS = 15.0  # silence on a connection, at most: proxies cut off what is silent for a minute
RETRY_MS = (1_000, 3_000)  # drawn, so that those who were cut off together do not come again together
_SENT = {kind: metrics.EVENTS_SENT.labels(kind) for kind in Kind}


class Subscription:
    """What one connection is sent.

    Attributes
    ----------
    stirred : asyncio.Event
        Set by whoever has news for it.
    leaves : str or None
        Why it ends, once it does.
    """

    def __init__(
        self, wanted: Wanted, cursor: Cursor, ring: Ring, readers: Readers, source: str, latest: Iterable[Event] = ()
    ) -> None:
        self.wanted = wanted
        self.stirred = asyncio.Event()
        self.leaves: str | None = None
        self._cursor = cursor
        self._ring = ring
        self._readers = readers
        self._source = source
        self._latest = latest
        self._number = ring.number_at(cursor)
        self._is_live = False
        self._sent_seconds = time.monotonic()
        self._sent_id = ""

    async def blocks(self) -> AsyncIterator[bytes]:
        """Make block after block, until it leaves; the first says where it stands before anything is said, the last why it ends."""
        yield self._opening()
        try:
            async for block in self._until_it_leaves():
                yield block
        except KafkaError as error:
            log.warning("a subscriber cannot catch up: %r", error)
            self.leave("failed")
        if self.leaves != "left":
            yield self._notice(CLOSED, {"reason": self.leaves})

    async def _until_it_leaves(self) -> AsyncIterator[bytes]:
        async for block in self._missed_ahead():
            yield block
        while self.leaves is None:
            if self._is_up():
                self._is_live = True
                await self.stirred.wait()
                self.stirred.clear()
                if beat := self._beat():
                    yield beat
            elif self._ring.has_all_from(self._cursor):
                if block := self._recent():
                    yield block
                if not self._is_up():
                    await asyncio.sleep(0)  # far behind, with a fast connection: others get their turn between blocks
            elif self._is_live:
                self.leave("behind")
            else:
                async for block in self._caught_up():
                    yield block

    def leave(self, reason: str) -> None:
        """End it; the first reason stands."""
        self.leaves = self.leaves or reason
        self.stirred.set()

    def is_of(self, ring: Ring) -> bool:
        """Whether that is what it is told from."""
        return self._ring is ring

    def is_due(self) -> bool:
        """Whether it has been silent for so long that it has to say something."""
        return time.monotonic() - self._sent_seconds >= BEAT_SECONDS

    def keep_up(self) -> None:
        """Go on, while there is nothing for it, with all that is not: what it waits for cannot be behind that."""
        if self._is_live and not self.stirred.is_set() and next(self._pending(), None) is None:
            self._pass_all()

    def _is_up(self) -> bool:
        """Whether it has looked at all there is."""
        return self._number == self._ring.next and (self._is_live or self._ring.has_all_from(self._cursor))

    def _pending(self) -> Iterator[Kept]:
        for kept in self._ring.since(self._number, self.wanted.session):
            event = kept.event
            if self.wanted.has(event) and not self._cursor.is_past(event.partition, event.offset):
                yield kept

    def _narrow(self, events: list[Event]) -> None:
        """Keep of a session's subscription the partition that its events are in, once there is one and no other."""
        if self.wanted.session is not None and len(self._cursor.offsets) > 1:
            partitions = {event.partition for event in events}
            if len(partitions) == 1:
                self._cursor.narrow(partitions.pop())

    def _pass_all(self) -> None:
        self._number = self._ring.next
        self._cursor.move(self._ring.head)

    def _recent(self) -> bytes:
        """Take what has come since, as much as one block holds."""
        pending, is_all = self._window()
        events = without_superseded(kept.event for kept in pending.values())
        metrics.EVENTS_COALESCED.inc(len(pending) - len(events))
        if not events:  # so nothing was pending
            self._pass_all()
            return b""
        self._narrow(events)
        if self._is_live:
            metrics.EVENTS_DELIVERY_SECONDS.observe(time.monotonic() - events[0].read_seconds)
        is_shared = self._is_before(pending[id(events[0])])
        parts: list[bytes] = []
        size_bytes = 0
        for event in events:
            kept = pending[id(event)]
            parts += self._parts(event, kept.id(self._ring.topic) if is_shared else self._id_after(event))
            self._number = kept.number + 1
            size_bytes += len(event.body)
            if size_bytes >= BLOCK_BYTES:
                is_all = False
                break
        if is_all:
            self._pass_all()
        elif is_shared:
            self._cursor.move(dict(enumerate(kept.after)))
        return self._sent(parts)

    def _window(self) -> tuple[dict[int, Kept], bool]:
        """What has come since, a few blocks of it at most, and whether that is all: who is far behind holds up nobody."""
        found: dict[int, Kept] = {}
        size_bytes = 0
        for kept in self._pending():
            if size_bytes >= WINDOW_BYTES:
                return found, False
            found[id(kept.event)] = kept
            size_bytes += len(kept.event.body)
        return found, True

    def _is_before(self, kept: Kept) -> bool:
        """Whether everybody who reads all partitions has the same place after this event, this one too."""
        offsets = self._cursor.offsets
        return len(offsets) == len(kept.after) and all(at <= kept.after[number] for number, at in offsets.items())

    async def _caught_up(self) -> AsyncIterator[bytes]:
        """Read from Kafka until the ring has all that is still to come."""
        reading, low = Reading(), self._ring.low
        while self.leaves is None and (behind := {p: o for p, o in self._cursor.offsets.items() if o < low[p]}):
            piece = await self._readers.read(behind, self.wanted.session)
            for gap in piece.gaps:
                yield self._gap(gap)
            news = [event for event, message in piece.events if reading.is_news(message) and self.wanted.has(event)]
            self._narrow(news)
            parts: list[bytes] = []
            for event in without_superseded(news):
                parts += self._parts(event, self._id_after(event))
                if sum(map(len, parts)) >= BLOCK_BYTES:
                    yield self._sent(parts)
                    parts = []
            if parts:
                yield self._sent(parts)
            self._cursor.move(piece.offsets)
            if self.is_due() and (beat := self._beat()):
                yield beat
        self._number = self._ring.number_at(self._cursor)

    async def _missed_ahead(self) -> AsyncIterator[bytes]:
        """Look whether what is ahead of this process is ahead of Kafka too: then the topic is another than it was."""
        head = self._ring.head
        ahead = {number: offset for number, offset in self._cursor.offsets.items() if offset > head[number]}
        if not ahead:
            return
        _, ends = await self._readers.bounds(ahead)
        for number, offset in ahead.items():
            if offset > ends[number]:
                self._cursor.offsets[number] = ends[number]
                yield self._gap(Gap(number, ends[number], offset, "reset"))

    def _opening(self) -> bytes:
        parts = [b"retry: %d\n" % random.randint(*RETRY_MS), b"id: %b\n\n" % self._id().encode()]  # noqa: S311
        for event in self._latest:
            parts += (event.body, b"\n")
        return b"".join(parts)

    def _beat(self) -> bytes:
        """Say that the connection lives, and where it stands by now, if nothing else was said for long."""
        if not self.is_due():
            return b""
        self._sent_seconds = time.monotonic()
        return b": \n\n" if self._sent_id == str(self._cursor) else b"id: %b\n\n" % self._id().encode()

    def _gap(self, gap: Gap) -> bytes:
        self._cursor.offsets[gap.partition] = gap.next_offset if gap.reason == "retention" else gap.first_offset
        _SENT[Kind.GAP].inc()
        data = {
            "topic": self._ring.topic,
            "partition": gap.partition,
            "first_offset": gap.first_offset,
            "next_offset": gap.next_offset,
            "reason": gap.reason,
        }
        return b"id: %b\n" % self._id().encode() + self._notice(GAP, data)

    def _notice(self, event_type: str, data: dict[str, object]) -> bytes:
        now_ns = time.time_ns()
        return notice(event_type, self._source, f"{now_ns}-{random.getrandbits(64):016x}", now_ns, data) + b"\n"

    def _parts(self, event: Event, place: bytes) -> tuple[bytes, ...]:
        _SENT[event.kind].inc()
        return b"id: ", place, b"\n", event.body, b"\n"

    def _id_after(self, event: Event) -> bytes:
        self._cursor.offsets[event.partition] = event.offset + 1
        return str(self._cursor).encode()

    def _id(self) -> str:
        self._sent_id = str(self._cursor)
        return self._sent_id

    def _sent(self, parts: list[bytes]) -> bytes:
        self._sent_seconds = time.monotonic()
        return b"".join(parts)

"""Recent events of all partitions, in the order in which this process read them, bounded in bytes.

    live reader -> [Ring] -> subscriptions, each at its own place

Nobody has a queue of their own: a subscriber is a number in here. Where a reader of all partitions stands after an event is the
same for everybody who reads on from before it, so the `id:` of a subscription to everything is written once an event, however
many partitions and readers there are.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from stream.cursor import Cursor, place
from stream.event import Event

OVERHEAD_BYTES = 700  # of an event beside its body: objects, its row of offsets, indexes


@dataclass(slots=True)
class Kept:
    """An event and its number.

    Attributes
    ----------
    after : tuple of int
        Of each partition, from 0 on: the offset of the next record once this event and all before it have been had.
    """

    number: int
    event: Event
    after: tuple[int, ...]
    _id: bytes = b""

    def id(self, topic: str) -> bytes:
        """Write that place, when the first one wants it."""
        self._id = self._id or place(topic, dict(enumerate(self.after))).encode()
        return self._id


class Ring:
    """The newest events.

    Attributes
    ----------
    low : dict of int to int
        Of each partition, the offset from which on everything is here that is news.
    head : dict of int to int
        Of each partition, the offset of the next record to be read.
    first, next : int
        Numbers of the oldest event that is kept, and of the next to come.
    """

    def __init__(self, topic: str, limit_bytes: int) -> None:
        self.topic = topic
        self.low: dict[int, int] = {}
        self.head: dict[int, int] = {}
        self.first = 0
        self.next = 0
        self.kept_bytes = 0
        self._limit_bytes = limit_bytes
        self._kept: dict[int, Kept] = {}
        self._numbers: dict[str, deque[int]] = {}  # by session

    def open(self, offsets: Mapping[int, int]) -> None:
        """Begin at `offsets`: of every partition, from 0 on."""
        self.low, self.head = dict(sorted(offsets.items())), dict(sorted(offsets.items()))

    def move(self, partition: int, offset: int) -> None:
        """Say that a partition has been read up to `offset`, be it that nothing of it was news."""
        self.head[partition] = max(self.head[partition], offset)

    def append(self, event: Event) -> None:
        """Keep an event; the oldest make room for it."""
        self.move(event.partition, event.offset + 1)
        self._kept[self.next] = Kept(self.next, event, tuple(self.head.values()))
        self._numbers.setdefault(event.session, deque()).append(self.next)
        self.next += 1
        self.kept_bytes += len(event.body) + OVERHEAD_BYTES
        while self.kept_bytes > self._limit_bytes:
            self._drop_oldest()

    def has_all_from(self, cursor: Cursor) -> bool:
        """Whether nothing that is still to come at a place has been dropped already."""
        return all(offset >= self.low[partition] for partition, offset in cursor.offsets.items())

    def number_at(self, cursor: Cursor) -> int:
        """Where a subscriber at that place has to begin: of the events before, it has had all that are of its partitions."""
        return bisect_left(range(self.next), True, self.first, key=lambda number: self._moves(number, cursor))

    def since(self, number: int, session: str | None = None) -> Iterator[Kept]:
        """All events from a number on, or those of one session."""
        if session is None:
            for one in range(max(number, self.first), self.next):
                yield self._kept[one]
            return
        numbers: list[int] = []
        for one in reversed(self._numbers.get(session, ())):
            if one < number:
                break
            numbers.append(one)
        for one in reversed(numbers):
            yield self._kept[one]

    def _moves(self, number: int, cursor: Cursor) -> bool:
        after = self._kept[number].after
        return any(after[partition] > offset for partition, offset in cursor.offsets.items())

    def _drop_oldest(self) -> None:
        event = self._kept.pop(self.first).event
        self.low[event.partition] = event.offset + 1
        self.first += 1
        self.kept_bytes -= len(event.body) + OVERHEAD_BYTES
        numbers = self._numbers[event.session]
        numbers.popleft()
        if not numbers:
            del self._numbers[event.session]

"""LaneClock: which record is next, which partitions are behind, and what time it is for a lane.

    [record queues] -> Frame -> Hop

Unread is not silent: the lane's time stands still while something is unread, and moves with Kafka's timestamps while a
backlog is read in step. Pure: the machine's time is passed in, as nanoseconds since the epoch that only ever grow (a
monotonic clock set to the wall clock once).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from stream.frame import Modality, Record
from stream.headers import size_bytes
from stream.times import NS_PER_MS, NS_PER_SECOND

FRESH_NS = NS_PER_SECOND  # how long the answer to a fetch says that a partition is caught up
OVERHEAD_BYTES = 1024  # what the objects of a record and of its headers weigh beside their contents


class Arrival(NamedTuple):
    """One record taken in step, and when it arrives on the lane's clock."""

    modality: Modality
    record: Record
    now_ns: int


@dataclass(slots=True)
class _Partition:
    """What was fetched of one partition and what was taken; there is nothing unread below `taken`."""

    queue: deque[Record] = field(default_factory=deque)
    sizes: deque[int] = field(default_factory=deque)  # of what is in the queue, in bytes
    queued_bytes: int = 0
    head_ms: int = 0  # when the record that is next was produced, if there is one
    taken: int = 0
    position: int = 0  # of the next fetch
    stable_offset: int = 0
    answered_ns: int | None = None  # the machine's time of the last answer
    held: bool = False

    def is_caught_up(self, machine_ns: int) -> bool:
        if self.answered_ns is None or self.held or self.taken < self.stable_offset or self.queue:
            return False
        return machine_ns <= self.answered_ns + FRESH_NS

    def put(self, records: Iterable[Record]) -> None:
        """Queue what was fetched."""
        queue, sizes = self.queue, self.sizes
        before = len(queue)
        queue.extend(records)
        for record in islice(queue, before, None):
            taken_bytes = _size_bytes(record)
            sizes.append(taken_bytes)
            self.queued_bytes += taken_bytes
        if queue:
            self.head_ms = queue[0].timestamp_ms

    def pop(self) -> Record:
        """The record that is next; there must be one."""
        queue = self.queue
        record = queue.popleft()
        self.queued_bytes -= self.sizes.popleft()
        if queue:
            self.head_ms, self.taken = queue[0].timestamp_ms, record.offset + 1
        else:
            self.taken = self.position
        return record


class LaneClock:
    """The clock and the fetched, not yet taken, records of one lane's partitions.

    Lane time is 0 until the first record is read in step, or all partitions are caught up with nothing read.
    """

    def __init__(self) -> None:
        self._partitions = {modality: _Partition() for modality in Modality}
        self._now_ns = 0
        self._machine_ns = 0  # when lane time was last moved

    def seek(self, modality: Modality, offset: int, machine_ns: int) -> None:
        """Say that reading goes on from `offset`: what was queued is dropped, and the partition is behind."""
        self._move(machine_ns)
        self._partitions[modality] = _Partition(taken=offset, position=offset)

    def fetched(
        self, modality: Modality, records: Iterable[Record], position: int, stable_offset: int, machine_ns: int
    ) -> None:
        """Say that a fetch was answered at `machine_ns`, maybe with nothing.

        `position` is the offset that the next fetch will ask for, `stable_offset` the partition's last stable offset
        in this answer.
        """
        self._move(machine_ns)
        partition = self._partitions[modality]
        partition.put(records)
        partition.position, partition.stable_offset = position, stable_offset
        partition.answered_ns = machine_ns
        if not partition.queue:
            partition.taken = position
        self._begin(machine_ns)

    def hold(self, modalities: frozenset[Modality]) -> None:
        """Say which partitions are paused (`Aligner.ahead`): nothing is taken from them, and they are behind."""
        for modality, partition in self._partitions.items():
            partition.held = modality in modalities

    def take(self, machine_ns: int, wake_ns: int | None = None) -> Arrival | None:
        """The record whose turn it is; None if there is none, or if one behind has nothing fetched and is waited for.

        None too if `wake_ns` comes before the record does: it is then that time, and the record is still unread.
        """
        self._move(machine_ns)
        modality = self._next(machine_ns)
        if modality is None:
            return None
        partition = self._partitions[modality]
        arrival_ns, head_ms = self._now_ns, partition.head_ms
        if self._is_in_step(head_ms):
            arrival_ns = max(arrival_ns, min(head_ms * NS_PER_MS, machine_ns))
        if wake_ns is not None and wake_ns <= arrival_ns:
            self._now_ns = max(self._now_ns, wake_ns)
            return None
        self._now_ns = arrival_ns
        return Arrival(modality, partition.pop(), arrival_ns)

    def now_ns(self, machine_ns: int) -> int:
        """Lane time; never backwards, never beyond the machine's."""
        self._move(machine_ns)
        return self._now_ns

    def behind(self, machine_ns: int) -> frozenset[Modality]:
        """Partitions that are not caught up."""
        partitions = self._partitions.items()
        return frozenset(modality for modality, partition in partitions if not partition.is_caught_up(machine_ns))

    def positions(self) -> dict[Modality, int]:
        """Per partition the offset of the next record to be taken: every record below has been taken."""
        return {modality: partition.taken for modality, partition in self._partitions.items()}

    def queued(self, modality: Modality) -> int:
        """Bytes of the records fetched and not yet taken, with their overhead: a record without a value is not free."""
        return self._partitions[modality].queued_bytes

    def _next(self, machine_ns: int) -> Modality | None:
        """The modality of the oldest record; of two as old text comes first, then audio."""
        oldest: Modality | None = None
        oldest_ms = 0
        for modality, partition in self._partitions.items():
            if partition.held:
                continue
            if not partition.queue:
                if not partition.is_caught_up(machine_ns):
                    return None
            elif oldest is None or partition.head_ms < oldest_ms:
                oldest, oldest_ms = modality, partition.head_ms
        return oldest

    def _is_in_step(self, head_ms: int) -> bool:
        """Whether no partition may still hold an older record than the oldest of those that are not held.

        Of these `_next` has seen that nobody who is behind has nothing queued; those held are always behind.
        """
        for partition in self._partitions.values():
            if partition.held and (not partition.queue or partition.head_ms < head_ms):
                return False
        return True

    def _move(self, machine_ns: int) -> None:
        """Move with the machine for as long as all partitions were caught up; nothing has changed since the last move."""
        if machine_ns <= self._machine_ns:
            return
        since_ns, self._machine_ns = self._machine_ns, machine_ns
        if self._now_ns and not self._is_behind(since_ns):
            fresh_ns = min((partition.answered_ns or 0) + FRESH_NS for partition in self._partitions.values())
            self._now_ns += max(0, min(machine_ns, fresh_ns) - since_ns)

    def _is_behind(self, machine_ns: int) -> bool:
        """Whether any partition is."""
        for partition in self._partitions.values():  # noqa: SIM110 - on the path of every record
            if not partition.is_caught_up(machine_ns):
                return True
        return False

    def _begin(self, machine_ns: int) -> None:
        """With nothing to read at first, it is what time the machine says."""
        if not self._now_ns and not self._is_behind(machine_ns):
            self._now_ns = max(machine_ns, self._machine_ns)


def _size_bytes(record: Record) -> int:
    return OVERHEAD_BYTES + len(record.key or b"") + len(record.value or b"") + size_bytes(record.headers)

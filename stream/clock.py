"""LaneClock: which record is next, which partitions are behind, and what time it is for a lane.

    [record queues] -> Frame -> Hop

Unread is not silent: the lane's time stands still while something is unread, and moves with Kafka's timestamps while a
backlog is read in step. Pure: the machine's time is passed in, as nanoseconds since the epoch that only ever grow (a
monotonic clock set to the wall clock once).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from heapq import heapify, heapreplace
from math import inf

from stream.frame import Modality, Record
from stream.times import NS_PER_MS, NS_PER_SECOND

FRESH_NS = NS_PER_SECOND  # how long the answer to a fetch says that a partition is caught up
OVERHEAD_BYTES = 1024  # what the objects of a record and of its headers weigh beside their contents


@dataclass(slots=True)
class _Partition:
    """What was fetched of one partition and not taken yet."""

    modality: Modality
    position: int = 0  # of the next fetch
    produced_ms: int | None = None  # when the newest record taken was
    queue: deque[Record] = field(default_factory=deque)
    sizes: deque[int] = field(default_factory=deque)  # of what is in the queue, in bytes
    queued_bytes: int = 0
    stable_offset: int = 0
    answered_ns: int | None = None  # the machine's time of the last answer
    held: bool = False

    @property
    def taken(self) -> int:
        """Nothing is unread below this offset."""
        return self.queue[0].offset if self.queue else self.position

    def is_caught_up(self, machine_ns: int) -> bool:
        if self.answered_ns is None or self.held or self.queue or self.position < self.stable_offset:
            return False
        return machine_ns <= self.answered_ns + FRESH_NS

    def put(self, records: Iterable[Record]) -> None:
        """Queue what was fetched."""
        fetched = list(records)
        sizes = [_size_bytes(record) for record in fetched]
        self.queue += fetched
        self.sizes += sizes
        self.queued_bytes += sum(sizes)

    def pop(self) -> Record:
        """The record that is next; there must be one."""
        record = self.queue.popleft()
        self.queued_bytes -= self.sizes.popleft()
        self.produced_ms = record.timestamp_ms
        return record


class LaneClock:
    """The clock and the fetched, not yet taken, records of one lane's partitions.

    Lane time is 0 until the first record is read in step, or all partitions are caught up with nothing read.
    """

    def __init__(self) -> None:
        self._partitions = {modality: _Partition(modality) for modality in Modality}
        self._now_ns = 0
        self._machine_ns = 0  # when lane time was last moved

    def seek(self, modality: Modality, offset: int, machine_ns: int) -> None:
        """Say that reading goes on from `offset`: what was queued is dropped, and the partition is behind."""
        self._move(machine_ns)
        self._partitions[modality] = _Partition(modality, offset, self._partitions[modality].produced_ms)

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
        self._begin(machine_ns)

    def hold(self, modalities: frozenset[Modality]) -> None:
        """Say which partitions are paused (`Aligner.ahead`): nothing is taken from them, and they are behind."""
        for modality, partition in self._partitions.items():
            partition.held = modality in modalities

    def arrivals(self, machine_ns: int, wake_ns: Callable[[], int | None]) -> Iterator[tuple[Modality, Record, int]]:
        """A run of records, each when its turn comes, with its modality and its arrival on the lane's clock.

        The run ends where there is none, or one behind has nothing fetched and is waited for; or where `wake_ns`, asked
        anew before each record, comes before the record does: it is then that time, and the record is still unread.

        Within a run the machine's time stands still, as though all of it were taken at its beginning: who is caught up
        is judged by that moment, no record arrives after it, and the time that the taking takes passes on the lane's
        clock when it is next asked. So a run is to be short beside `FRESH_NS`, and nothing is said to the clock in it.
        """
        self._move(machine_ns)
        step_ms = self._step_ms()
        heads = self._heads(machine_ns)
        while heads:
            head_ms, place, partition = heads[0]
            arrival_ns, head_ns = self._now_ns, head_ms * NS_PER_MS
            if arrival_ns < head_ns and head_ms <= step_ms:
                arrival_ns = head_ns if head_ns < machine_ns else max(arrival_ns, machine_ns)
            due_ns = wake_ns()
            if due_ns is not None and due_ns <= arrival_ns:
                self._now_ns = max(self._now_ns, due_ns)
                return
            self._now_ns = arrival_ns
            yield partition.modality, partition.pop(), arrival_ns
            if partition.queue:
                heapreplace(heads, (partition.queue[0].timestamp_ms, place, partition))
            else:
                heads = self._heads(machine_ns)

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

    def produced_ms(self, modality: Modality) -> int | None:
        """When the newest record taken was produced, also before a seek; None before the first."""
        return self._partitions[modality].produced_ms

    def queued(self, modality: Modality) -> int:
        """Bytes of the records fetched and not yet taken, with their overhead: a record without a value is not free."""
        return self._partitions[modality].queued_bytes

    def _heads(self, machine_ns: int) -> list[tuple[int, int, _Partition]]:
        """Who is next, as a heap by the age of their oldest records; of two as old text comes first, then audio.

        Empty too if one that is behind has nothing fetched: it may hold an older record than all others.
        """
        heads = []
        for place, partition in enumerate(self._partitions.values()):
            if partition.held:
                continue
            if partition.queue:
                heads.append((partition.queue[0].timestamp_ms, place, partition))
            elif not partition.is_caught_up(machine_ns):
                return []
        heapify(heads)
        return heads

    def _step_ms(self) -> float:
        """Up to which timestamp a record is in step: no partition may still hold an older one.

        Of those that are not held none may, since one behind that has nothing fetched is waited for.
        """
        held = (partition.queue for partition in self._partitions.values() if partition.held)
        return min((queue[0].timestamp_ms if queue else -inf for queue in held), default=inf)

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
        return not all(partition.is_caught_up(machine_ns) for partition in self._partitions.values())

    def _begin(self, machine_ns: int) -> None:
        """With nothing to read at first, it is what time the machine says."""
        if not self._now_ns and not self._is_behind(machine_ns):
            self._now_ns = max(machine_ns, self._machine_ns)


def _size_bytes(record: Record) -> int:
    return OVERHEAD_BYTES + len(record.key or b"") + len(record.value or b"") + record.headers_bytes

"""LaneClock: which record is next, which partitions are behind, and what time it is for a lane.

    [record queues] -> Frame -> Hop

Unread is not silent: the lane's time stands still while something is unread, and moves with Kafka's timestamps while a
backlog is read in step. Pure: the machine's time is passed in, as nanoseconds since the epoch that only ever grow (a
monotonic clock set to the wall clock once).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from stream.frame import Modality, Record


@dataclass(frozen=True, slots=True)
class Arrival:
    """One record taken in step, and when it arrives on the lane's clock."""

    modality: Modality
    record: Record
    now_ns: int


class LaneClock:
    """The clock and the fetched, not yet taken, records of one lane's partitions."""

    def seek(self, modality: Modality, offset: int, machine_ns: int) -> None:
        """Say that reading goes on from `offset`: what was queued is dropped, and the partition is behind."""
        raise NotImplementedError

    def fetched(
        self, modality: Modality, records: Iterable[Record], position: int, stable_offset: int, machine_ns: int
    ) -> None:
        """Say that a fetch was answered at `machine_ns`, maybe with nothing.

        `position` is the offset that the next fetch will ask for, `stable_offset` the partition's last stable offset
        in this answer.
        """
        raise NotImplementedError

    def hold(self, modalities: frozenset[Modality]) -> None:
        """Say which partitions are paused (`Aligner.ahead`): nothing is taken from them, and they are behind."""
        raise NotImplementedError

    def take(self, machine_ns: int) -> Arrival | None:
        """The record whose turn it is; None if there is none, or if one behind has nothing fetched and is waited for."""
        raise NotImplementedError

    def now_ns(self, machine_ns: int) -> int:
        """Lane time; never backwards, never beyond the machine's."""
        raise NotImplementedError

    def behind(self, machine_ns: int) -> frozenset[Modality]:
        """Partitions that are not caught up."""
        raise NotImplementedError

    def positions(self) -> dict[Modality, int]:
        """Per partition the offset of the next record to be taken: every record below has been taken."""
        raise NotImplementedError

    def queued(self, modality: Modality) -> int:
        """Bytes fetched and not yet taken."""
        raise NotImplementedError

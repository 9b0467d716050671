"""Aligner: frames of many sessions in any order -> hops in order, once, each at the right moment.

    Frame -> [Hop] -> features

Pure and synchronous: time is passed in (the lane's clock), and `wake_ns` says when to call again. Knows neither Kafka
nor what is inside a frame. One aligner serves one lane.
"""

from __future__ import annotations

from collections import Counter

from stream.frame import Bound, End, Frame, Modality
from stream.hop import Checkpoint, Event, Outcome, Timing


class Aligner:
    """The alignment of one lane's sessions.

    The caller polls after each batch of records, before any record whose arrival is at or past `wake_ns()` (so that
    deadlines fall where they would have fallen live), and when `wake_ns()` comes.
    """

    def __init__(self, timing: Timing, session_buffer_bytes: int, lane_buffer_bytes: int) -> None:
        raise NotImplementedError

    @property
    def buffered_bytes(self) -> int:
        """Bytes of the frames held, with their overhead."""
        raise NotImplementedError

    @property
    def sessions(self) -> frozenset[str]:
        """Names of the sessions that have begun and not ended."""
        raise NotImplementedError

    def add(self, item: Frame | Bound | End, now_ns: int, *, history: bool = False) -> Outcome | None:
        """Take one record that arrives at `now_ns`; the outcome, when it is known at once.

        Every outcome, also those returned here, is counted once in `drain_outcomes`. `history` says that the record
        lay in the topic when the lane was taken over, so that a full buffer sheds nothing.
        """
        raise NotImplementedError

    def poll(self, now_ns: int, behind: frozenset[Modality] = frozenset()) -> list[Event]:
        """Everything that is due, in order within each session; `behind` names the partitions not caught up."""
        raise NotImplementedError

    def wake_ns(self) -> int | None:
        """When to poll next if no record comes, on the lane's clock."""
        raise NotImplementedError

    def settle(self, session: str, frontier_ns: int, keep_from_ns: int) -> None:
        """Move the frontier, and forget what ends before `keep_from_ns`."""
        raise NotImplementedError

    def checkpoint(self, session: str) -> Checkpoint:
        """What a successor must know of this session, the cuts excepted."""
        raise NotImplementedError

    def restore(self, session: str, checkpoint: Checkpoint) -> None:
        """Take over a session where its former owner's last final left it."""
        raise NotImplementedError

    def ahead(self, behind: frozenset[Modality]) -> frozenset[Modality]:
        """Partitions to pause because buffers fill: never one that the oldest open hop waits for."""
        raise NotImplementedError

    def oldest_offsets(self) -> dict[Modality, int]:
        """Per modality the lowest offset of a frame still needed, held texts excepted; absent where there is none."""
        raise NotImplementedError

    def drain_outcomes(self) -> Counter[tuple[Modality, Outcome]]:
        """Outcomes since the last call."""
        raise NotImplementedError

    def drain_lost(self) -> Counter[Modality]:
        """Frames lost (gaps of ce_sequence) since the last call."""
        raise NotImplementedError

    def drain_overflowed(self) -> list[Frame]:
        """Frames to dead-letter as overflow since the last call, those refused by `add` included."""
        raise NotImplementedError

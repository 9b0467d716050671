"""Held: the frames that a session keeps, by their bytes and by their offsets.

    [Timeline, ...] -> bytes, offsets

Kept are frames that hops are still to be made of, those of hops that a late frame may bring again, and left context.
"""

from __future__ import annotations

from collections.abc import Iterable

from stream.frame import Frame, Modality
from stream.hop import Outcome, Tally
from stream.timeline import Placed
from stream.wait import Wait
from stream.watermark import FOREVER_NS


class Held:
    """What one session holds.

    Attributes
    ----------
    bytes : int
        Of all frames, with their overhead.
    """

    def __init__(self, wait: Wait, tally: Tally) -> None:
        self.bytes = 0
        self._wait = wait
        self._lines = wait.lines
        self._tally = tally

    @property
    def fresh_bytes(self) -> int:
        """Of frames that are in no hop yet."""
        text, audio, video = self._lines.values()
        return text.fresh_bytes + audio.fresh_bytes + video.fresh_bytes

    def fresh(self) -> int:
        """How many frames have no outcome yet."""
        return sum(len(line.fresh()) for line in self._lines.values())

    def oldest_ns(self, done_ns: int) -> int:
        """Arrival of the oldest frame that is in no hop yet; hops have gone out up to `done_ns`."""
        oldest = [line.oldest_from(done_ns) for line in self._lines.values()]
        return min((placed.arrived_ns for placed in oldest if placed is not None), default=FOREVER_NS)

    def recount(self) -> None:
        """Add up the bytes, after timelines have let go of frames."""
        self.bytes = sum(line.bytes for line in self._lines.values())

    def forget(self, before_ns: int) -> None:
        """Let go of what ends by then: nobody needs it any more."""
        for line in self._lines.values():
            self._count_late(line.forget(before_ns))
        self.recount()

    def trim(self, before_ns: int) -> None:
        """Let go of it to make room, although a successor would read it again."""
        for line in self._lines.values():
            self._count_late(line.trim(before_ns))
        self.recount()

    def give_up(self) -> None:
        """The session is over: what is in no hop by now came after its hop, and cannot bring it again."""
        for line in self._lines.values():
            self._count_late(line.fresh())

    def shed_until(self, most_bytes: int) -> None:
        """Let go of pictures that are in no hop yet, then of any such frames, the newest first."""
        video = self._lines[Modality.VIDEO]
        while self.bytes > most_bytes and (frame := video.shed_newest()) is not None:
            self._tally.count(frame, Outcome.SHED)
            self.recount()
        while self.bytes > most_bytes:
            largest = max(self._lines.values(), key=lambda line: line.fresh_bytes)
            placed = video.drop_newest() or largest.drop_newest()  # of pictures only places are left
            if placed is None:
                return
            self.recount()
            if placed.outcome is None:
                self._tally.count_overflow(placed.frame)

    def oldest_offsets(self, but: Frame | None) -> dict[Modality, int]:
        """Per modality the lowest offset of a frame still needed, one excepted."""
        found = {modality: line.lowest_offset(but) for modality, line in self._lines.items()}
        return {modality: offset for modality, offset in found.items() if offset is not None}

    def count_after(self, frame: Frame, end_ns: int, arrived_ns: int, *, replayed: bool = False) -> Outcome:
        """Count a frame that no final has waited for: read again after a recovery, or late."""
        if replayed:
            return self._tally.count(frame, Outcome.REPLAYED)
        return self._tally.count_late(frame, self._wait.late_ns(end_ns, arrived_ns))

    def _count_late(self, gone: Iterable[Placed]) -> None:
        for placed in gone:
            if placed.outcome is None:
                end_ns = placed.frame.time_ns if placed.end_ns is None else placed.end_ns
                self.count_after(placed.frame, end_ns, placed.arrived_ns)

"""Timeline: the frames of one modality of one session in the order of capture.

    Frame -> [Timeline] -> Hop

Knows nothing of the other modalities.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace
from itertools import chain

from stream.frame import Frame, Modality
from stream.hop import Outcome, Timing
from stream.watermark import FOREVER_NS, NEVER_NS, Watermark

OVERHEAD_BYTES = 2048  # what the objects of a frame and of its headers weigh beside their contents
_VIDEO_TICKS = 2  # how long a picture holds at most while the next is unknown
_TEXT, _AUDIO, _VIDEO = Modality


@dataclass(slots=True)
class Placed:
    """A frame on its timeline."""

    frame: Frame
    end_ns: int | None  # None while unknown
    arrived_ns: int
    bytes: int
    outcome: Outcome | None = None  # None while it is in no hop; of what was shed only the place is left
    late: bool = False  # came after its hop


class Timeline(Watermark):
    """Frames between the left context of the frontier and now, oldest first."""

    def __init__(self, modality: Modality, timing: Timing) -> None:
        super().__init__(timing.hop_ns)
        self.modality = modality
        self.reach_ns = NEVER_NS  # how far its frames reach, a text only to its start
        self.first_ns = FOREVER_NS  # start of the oldest frame ever placed
        self.newest_ns = NEVER_NS  # and of the newest
        self.bytes = 0
        self.fresh_bytes = 0  # of frames in no hop yet
        self._starts: list[int] = []
        self._placed: list[Placed] = []
        self._reorder_ns = timing.reorder_ns
        self._believed_ns = FOREVER_NS if modality is _TEXT else timing.max_jump_ns  # of how long a frame says it is
        self._hold_ns = FOREVER_NS if modality is _TEXT else _VIDEO_TICKS * timing.tick_ns
        self._longest_ns = 0  # no frame is or was longer than this
        self._before: int | None = None  # sequence of the newest frame forgotten
        self._trimmed: list[tuple[int, int]] = []  # end and offset of frames that went before their time

    def __len__(self) -> int:
        return len(self._placed)

    def measure(self, frame: Frame) -> tuple[int, int]:
        """Where the frame would lie in the list, and the end that it would have there."""
        position = self._position(frame)
        following_ns = self._starts[position] if position < len(self._starts) else None
        return position, self._end_ns(frame.time_ns, self._known_end_ns(frame), following_ns)

    def is_duplicate(self, frame: Frame, position: int) -> bool:
        """Whether a frame of that capture time and `ce_sequence` lies there already, or the very same record."""
        starts, first = self._starts, position
        while first and starts[first - 1] == frame.time_ns:
            first -= 1
        return first < len(starts) and any(
            _is_same(placed.frame, frame) for placed in self._placed[first : bisect_right(starts, frame.time_ns, first)]
        )

    def bounding_end_ns(self, placed: Placed) -> int:
        """How far a frame says that time has come: to its end, or to its start while the end is unknown or a text's.

        A text is there from its start on, however long it is to be shown: the next may begin before its end.
        """
        return placed.frame.time_ns if placed.end_ns is None or self.modality is _TEXT else placed.end_ns

    def place(self, frame: Frame, position: int, now_ns: int) -> Placed:
        """Put the frame where `measure` said, and let it move the bound."""
        placed = Placed(frame, self._known_end_ns(frame), now_ns, frame.size_bytes + OVERHEAD_BYTES)
        self._starts.insert(position, frame.time_ns)
        self._placed.insert(position, placed)
        self.bytes += placed.bytes
        self.fresh_bytes += placed.bytes
        self._note_reach(placed)
        self.move_bound(self.bounding_end_ns(placed) - self._reorder_ns, now_ns)
        return placed

    def overlapping(self, start_ns: int, end_ns: int) -> list[Placed]:
        """Frames that begin in `[start_ns, end_ns)` or reach into it."""
        starts, placed = self._starts, self._placed
        first = bisect_left(starts, start_ns)
        before = range(self._first_reaching(start_ns, first), first)
        reaching = [placed[index] for index in before if self._end_at(index) > start_ns]
        return reaching + placed[first : bisect_left(starts, end_ns, first)]

    def lost(self, start_ns: int, end_ns: int) -> int:
        """Frames missing by `ce_sequence` before the frames that begin in `[start_ns, end_ns)`."""
        first = bisect_left(self._starts, start_ns)
        before = self._placed[first - 1].frame.sequence if first else self._before
        lost = 0
        for index in range(first, bisect_left(self._starts, end_ns)):
            sequence = self._placed[index].frame.sequence
            if sequence is not None and before is not None:
                lost += max(0, sequence - before - 1)
            before = sequence
        return lost

    def oldest_from(self, start_ns: int) -> Placed | None:
        """The first frame that begins at `start_ns` or later."""
        index = bisect_left(self._starts, start_ns)
        return self._placed[index] if index < len(self._placed) else None

    def held_at(self, at_ns: int) -> Frame | None:
        """The newest frame that begins by then."""
        index = bisect_right(self._starts, at_ns)
        return self._placed[index - 1].frame if index else None

    def forget(self, before_ns: int) -> list[Placed]:
        """Drop the oldest frames, up to the first that reaches beyond `before_ns`; gives what was dropped."""
        if self._trimmed:
            self._trimmed = [(end_ns, offset) for end_ns, offset in self._trimmed if end_ns > before_ns]
        return self._drop_oldest(before_ns)

    def trim(self, before_ns: int) -> list[Placed]:
        """Drop them too, but remember that they are still needed if the lane must read again."""
        gone = self._drop_oldest(before_ns)
        self._trimmed += [(before_ns if one.end_ns is None else one.end_ns, one.frame.offset) for one in gone]
        return gone

    def lowest_offset(self, but: Frame | None) -> int | None:
        """Of all frames that are still needed, one excepted."""
        held = (one.frame.offset for one in self._placed if one.frame is not but)
        return min(chain(held, (offset for _, offset in self._trimmed)), default=None)

    def lasting_bound_ns(self, but: Frame | None) -> int:
        """Its bound up to the first frame that a successor reads again, one excepted: that frame and others tell the rest."""
        if self._trimmed:
            return NEVER_NS
        return min([self.bound_ns, *(one.frame.time_ns for one in self._placed[:2] if one.frame is not but)])

    def shed_newest(self) -> Frame | None:
        """Let go of the newest payload that is in no hop yet, but keep its place."""
        for placed in reversed(self._placed):
            if placed.outcome is None:
                self._count_out([placed])
                frame = placed.frame
                placed.frame = replace(frame, payload=b"", headers=(), headers_bytes=0)
                placed.bytes, placed.outcome = OVERHEAD_BYTES, Outcome.SHED
                self.bytes += OVERHEAD_BYTES
                return frame
            if placed.outcome is not Outcome.SHED:
                break
        return None

    def drop_newest(self) -> Placed | None:
        """Take out the newest frame, or the place of one shed, if it is in no hop yet."""
        if not self._placed or self._placed[-1].outcome not in {None, Outcome.SHED}:
            return None
        self._starts.pop()
        placed = self._placed.pop()
        self._count_out([placed])
        return placed

    def mark(self, placed: Placed, outcome: Outcome) -> None:
        """The frame's outcome is known: it no longer counts as fresh."""
        placed.outcome = outcome
        self.fresh_bytes -= placed.bytes

    def fresh(self) -> list[Placed]:
        """Frames that have no outcome yet."""
        return [placed for placed in self._placed if placed.outcome is None]

    def _note_reach(self, placed: Placed) -> None:
        # Comparisons rather than `max` and `min`: on the path of every frame.
        start_ns, end_ns = placed.frame.time_ns, placed.end_ns
        if end_ns is None:
            end_ns = start_ns + self._hold_ns
        if end_ns <= start_ns or self.modality is _TEXT:
            end_ns = start_ns + 1
        if start_ns > self.newest_ns:
            self.newest_ns = start_ns
        if start_ns < self.first_ns:
            self.first_ns = start_ns
        if end_ns > self.reach_ns:
            self.reach_ns = end_ns
        if end_ns - start_ns > self._longest_ns:
            self._longest_ns = end_ns - start_ns

    def _drop_oldest(self, before_ns: int) -> list[Placed]:
        count = 0
        while count < len(self._placed) and self._starts[count] < before_ns and self._end_at(count) <= before_ns:
            count += 1
        gone = self._placed[:count]
        if gone:
            self._before = gone[-1].frame.sequence
            self._count_out(gone)
            del self._starts[:count], self._placed[:count]
        return gone

    def _count_out(self, gone: list[Placed]) -> None:
        for placed in gone:
            self.bytes -= placed.bytes
            if placed.outcome is None:
                self.fresh_bytes -= placed.bytes

    def _position(self, frame: Frame) -> int:
        starts, start_ns = self._starts, frame.time_ns
        if not starts or start_ns > starts[-1]:
            return len(starts)
        position = bisect_right(starts, start_ns)
        while (
            position and starts[position - 1] == start_ns and _order(self._placed[position - 1].frame) > _order(frame)
        ):
            position -= 1
        return position

    def _first_reaching(self, start_ns: int, first: int) -> int:
        if self.modality is _TEXT:
            return max(0, first - 1)  # a text ends where the next begins
        return bisect_left(self._starts, start_ns - self._longest_ns, 0, first)

    def _end_at(self, index: int) -> int:
        following_ns = self._starts[index + 1] if index + 1 < len(self._starts) else None
        return self._end_ns(self._starts[index], self._placed[index].end_ns, following_ns)

    def _known_end_ns(self, frame: Frame) -> int | None:
        """Where it says that it ends; a picture of a day would make a day of hops, so no frame is further than a jump."""
        duration_ns = frame.duration_ns
        if duration_ns is None:
            return None
        return frame.time_ns + (duration_ns if duration_ns < self._believed_ns else self._believed_ns)

    def _end_ns(self, start_ns: int, known_ns: int | None, following_ns: int | None) -> int:
        """A known end stands, but a text ends with the next; an unknown one comes with the next frame or in two ticks."""
        if known_ns is not None and self.modality is not _TEXT:
            return known_ns if known_ns > start_ns else start_ns + 1
        end_ns = start_ns + self._hold_ns if known_ns is None else known_ns
        return end_ns if following_ns is None else min(end_ns, following_ns)


def _is_same(one: Frame, other: Frame) -> bool:
    if one.sequence is not None and one.sequence == other.sequence:
        return True
    return one.offset >= 0 and one.offset == other.offset


def _order(frame: Frame) -> tuple[int, int]:
    return (-1 if frame.sequence is None else frame.sequence, frame.offset)

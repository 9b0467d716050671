"""Strays: records whose capture time is far off their session's timeline.

    Frame -> [Strays] -> the same session, or one that begins anew

A single one is a wrong stamp; several that agree are a clock that was set.
"""

from __future__ import annotations

from collections.abc import Iterator

from stream.frame import Bound, Frame
from stream.wait import Wait
from stream.watermark import NEVER_NS

AGREEING = 3  # records one after another, of any modality, that prove a new clock


class Strays:
    """The newest records of one session that were off, as long as none was right since."""

    def __init__(self, max_jump_ns: int) -> None:
        self._max_jump_ns = max_jump_ns
        self._items: list[Frame | Bound] = []

    def is_off(self, item: Frame | Bound, wait: Wait, start_ns: int, now_ns: int) -> bool:
        """Whether the item is further than the jump allowed from where its session is, or would be by now.

        A modality goes back from its own newest frame, but ahead from the session's: it may have been quiet.
        """
        line = wait.lines[item.modality]
        latest_ns = wait.newest_end_ns + max(0, now_ns - wait.newest_arrived_ns)
        earliest_ns = start_ns if line.newest_ns == NEVER_NS else line.newest_ns
        if item.time_ns > latest_ns + self._max_jump_ns:  # heartbeats may have led a clock that drifts so far
            latest_ns = max(one.bound_ns for one in wait.lines.values())
        return not earliest_ns - self._max_jump_ns <= item.time_ns <= latest_ns + self._max_jump_ns

    def add(self, item: Frame | Bound) -> list[Frame | Bound]:
        """Keep one more; those that it disagrees with are given up and returned."""
        given_up: list[Frame | Bound] = []
        if self._items and abs(item.time_ns - self._items[-1].time_ns) > self._max_jump_ns:
            given_up = self.clear()
        self._items.append(item)
        return given_up

    def agree(self) -> bool:
        """Whether they prove a new clock."""
        return len(self._items) >= AGREEING

    def clear(self) -> list[Frame | Bound]:
        """Give all of them up."""
        items, self._items = self._items, []
        return items

    def __iter__(self) -> Iterator[Frame | Bound]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

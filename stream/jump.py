"""Strays: records whose capture time is far off their session's timeline.

    Frame -> [Strays] -> the same session, or one that begins anew

A single one is a wrong stamp; several that agree are a clock that was set.
"""

from __future__ import annotations

from stream.frame import Bound, Frame
from stream.held import Held
from stream.hop import Outcome, Tally
from stream.wait import Wait
from stream.watermark import FOREVER_NS, NEVER_NS

AGREEING = 3  # records one after another, of any modality, that prove a new clock


class Strays:
    """The newest records of one session that were off, as long as none was right since.

    Attributes
    ----------
    items : list
        They; at nearly any time there are none.
    """

    def __init__(self, wait: Wait, held: Held, tally: Tally, max_jump_ns: int) -> None:
        self.items: list[Frame | Bound] = []
        self._wait = wait
        self._held = held
        self._tally = tally
        self._max_jump_ns = max_jump_ns

    def take(self, item: Frame | Bound, start_ns: int, now_ns: int, *, replayed: bool) -> bool:
        """Whether the item is off, and so has been dealt with; one that is not gives up those that were.

        What a former owner had read by the last final is of an earlier session of this name, or was a stray before.
        """
        if start_ns == FOREVER_NS or not self._is_off(item, start_ns, now_ns):
            self.give_up(now_ns)
            return False
        if not replayed:
            if self.items and abs(item.time_ns - self.items[-1].time_ns) > self._max_jump_ns:
                self.give_up(now_ns)  # they disagree
            self.items.append(item)
        elif isinstance(item, Frame):
            self._tally.count(item, Outcome.REPLAYED)
        return True

    def agree(self) -> bool:
        """Whether they prove a new clock."""
        return len(self.items) >= AGREEING

    def clear(self) -> list[Frame | Bound]:
        """Hand all of them over."""
        items, self.items = self.items, []
        return items

    def give_up(self, now_ns: int) -> None:
        """They were wrong stamps: their frames are late."""
        for item in self.clear() if self.items else ():
            if isinstance(item, Frame):
                self._held.count_after(item, item.time_ns + (item.duration_ns or 0), now_ns)

    def _is_off(self, item: Frame | Bound, start_ns: int, now_ns: int) -> bool:
        """Whether the item is further than the jump allowed from where its session is, or would be by now.

        A modality goes back from its own newest frame, but ahead from the session's: it may have been quiet.
        """
        line = self._wait.lines[item.modality]
        latest_ns = self._wait.newest_end_ns + max(0, now_ns - self._wait.newest_arrived_ns)
        earliest_ns = start_ns if line.newest_ns == NEVER_NS else line.newest_ns
        if item.time_ns > latest_ns + self._max_jump_ns:  # heartbeats may have led a clock that drifts so far
            latest_ns = max(one.bound_ns for one in self._wait.lines.values())
        return not earliest_ns - self._max_jump_ns <= item.time_ns <= latest_ns + self._max_jump_ns

"""Schedule: which hop of a session is next, when it is due, and when the session sleeps and ends.

    [Wait] -> due -> Hop

Decides and never makes anything: `emit.py` makes the hops.
"""

from __future__ import annotations

from collections.abc import Iterator

from stream.frame import Modality
from stream.hop import EndReason, HopReason, Timing
from stream.wait import Wait
from stream.watermark import FOREVER_NS, NEVER_NS

FEWEST_HOPS = 4  # of a session before it is the turn of others;
TURNS = 32  # more, if more are due than in so many turns: so what is due does not grow without bound


class Schedule:
    """The hops of one session in order.

    Attributes
    ----------
    asleep : bool
        Whether nothing is waited for, and no hop that holds frames is left.
    done_ns, next_end_ns : int
        Ends of the last hop that went out and of the next; FOREVER_NS while no frame has said where that is.
    follows : bool
        Whether the next hop follows the last; else it is the one that holds the next frame.
    forced : bool
        Whether the next hop is to go out now, as at its deadline.
    held_up : bool
        Whether something was put off because a partition is behind.
    turn_over : bool
        Whether something was put off because other sessions have their turn.
    """

    def __init__(self, wait: Wait, timing: Timing) -> None:
        self.asleep = self.follows = False
        self.done_ns = NEVER_NS
        self.next_end_ns = FOREVER_NS
        self.forced = False
        self.held_up = False
        self.turn_over = False
        self._held_up_until_ns = NEVER_NS  # of the next hop, as found in this turn
        self._wait = wait
        self._timing = timing

    # What happened

    def placed(self, start_ns: int, end_ns: int) -> bool:
        """A frame has come: if no hop was next, the one that holds it may be; whether it is."""
        self.asleep = False
        if self.follows or end_ns <= self.done_ns:
            return False
        first_ns = max(start_ns, self.done_ns)
        end_ns = first_ns - first_ns % self._timing.hop_ns + self._timing.hop_ns
        if end_ns >= self.next_end_ns:
            return False
        self.next_end_ns = end_ns
        return True

    def emitted(self, end_ns: int) -> None:
        """The next hop went out."""
        self.done_ns, self.follows = end_ns, True
        self.next_end_ns = end_ns + self._timing.hop_ns
        self.forced = False

    def slept(self) -> None:
        """The session has fallen asleep: what comes next may come much later."""
        self.asleep, self.follows, self.next_end_ns = True, False, FOREVER_NS

    # What is next

    def next_ns(self) -> int | None:
        """Start of the next hop, if it is known by now."""
        return None if self.next_end_ns == FOREVER_NS else self.next_end_ns - self._timing.hop_ns

    def holds_frames(self) -> bool:
        """Whether a hop that holds frames is left."""
        next_ns = self.next_ns()
        return next_ns is not None and self._wait.reach_ns > next_ns

    def turn(self, at_ns: int, behind: frozenset[Modality], *, in_turns: bool) -> Iterator[tuple[int, HopReason]]:
        """Start and reason of each hop that is due, as they go out: all, or `in_turns` some and `turn_over` if more are due."""
        self.turn_over = False
        self._held_up_until_ns = NEVER_NS
        left = self._turn_hops() if in_turns else FOREVER_NS
        while (start_ns := self.next_ns()) is not None and (reason := self.due(start_ns, at_ns, behind)):
            if not left:
                self.turn_over = True
                return
            left -= 1
            yield start_ns, reason

    def _turn_hops(self) -> int:
        """How many hops go out before it is the turn of other sessions."""
        next_ns = self.next_ns()
        if next_ns is None:
            return FEWEST_HOPS
        reach_ns = max(self._wait.reach_ns, *(line.bound_ns for line in self._wait.lines.values()))
        return max(FEWEST_HOPS, (reach_ns - next_ns) // self._timing.hop_ns // TURNS)

    def due(self, start_ns: int, at_ns: int, behind: frozenset[Modality]) -> HopReason | None:
        """Why the hop is to go out at that moment; None: not yet."""
        if self.forced:
            return HopReason.DEADLINE
        end_ns = start_ns + self._timing.hop_ns
        reason = self._reason(start_ns, end_ns, at_ns)
        if reason is None or not behind or not self._wait.unread(end_ns, behind):
            return reason
        self._held_up_until_ns = self._wait.held_up_until_ns(start_ns, end_ns)
        if at_ns >= self._held_up_until_ns:
            return reason
        self.held_up = True
        return None

    def sleeps(self, at_ns: int, behind: frozenset[Modality]) -> bool:
        """Whether the session falls asleep at that moment."""
        if self.asleep or self._wait.members(at_ns) or self.holds_frames():
            return False
        return self._is_read(self._wait.heard_ns, at_ns, behind)

    def ends(self, at_ns: int, behind: frozenset[Modality]) -> EndReason | None:
        """Why the session ends at that moment; None: it does not."""
        if self.holds_frames():
            return None
        ended_ns = self._wait.ended_ns()
        if at_ns >= ended_ns and self._is_read(self._wait.last_end_ns, at_ns, behind):
            return EndReason.END
        return EndReason.TIMEOUT if self.asleep and at_ns >= self._wait.timeout_ns() else None

    def wake_ns(self, at_ns: int) -> int:
        """The first moment after `at_ns` at which something may be due although nothing has come."""
        return min((moment_ns for moment_ns in self._moments_ns() if moment_ns > at_ns), default=FOREVER_NS)

    def ahead(self, behind: frozenset[Modality]) -> frozenset[Modality]:
        """Who has settled the next hop, while it waits for somebody whose partition is behind."""
        start_ns = self.next_ns()
        if start_ns is None:
            return frozenset()
        end_ns = start_ns + self._timing.hop_ns
        lines = self._wait.lines.values()
        if not self._wait.unread(end_ns, behind):
            return frozenset()
        return frozenset(line.modality for line in lines if line.fresh_bytes and line.settled(end_ns))

    def _reason(self, start_ns: int, end_ns: int, at_ns: int) -> HopReason | None:
        wait = self._wait
        members = wait.members(at_ns)
        if members:
            settled = all(line.settled(end_ns) for line in members)
        elif wait.reach_ns <= start_ns:
            return None
        elif wait.over() and not wait.passed(end_ns):
            return HopReason.END
        else:
            settled = wait.passed(end_ns)
        if settled:
            return HopReason.SETTLED
        return HopReason.DEADLINE if at_ns >= wait.deadline_ns(end_ns) else None

    def _is_read(self, heard_ns: int, at_ns: int, behind: frozenset[Modality]) -> bool:
        """Whether all that arrived no later than a record has been read: in step, time past it says so."""
        if not behind or at_ns > heard_ns:
            return True
        self.held_up = True
        return False

    def _moments_ns(self) -> Iterator[int]:
        wait = self._wait
        yield from wait.changes_ns()
        start_ns = self.next_ns()
        if start_ns is not None:
            end_ns = start_ns + self._timing.hop_ns
            yield wait.deadline_ns(end_ns)
            yield self._held_up_until_ns
        if self.asleep:
            yield wait.timeout_ns()
        if (ended_ns := wait.ended_ns()) < FOREVER_NS:
            yield ended_ns
        if self.held_up:
            yield wait.last_end_ns + 1
            yield wait.heard_ns + 1

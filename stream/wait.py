"""The wait: which modalities the hops of one session wait for, and until when.

    [Timeline, ...] -> due or not -> Hop

All of it is a function of what was heard when, on the lane's clock, and of the moment asked about.
"""

from __future__ import annotations

from collections.abc import Iterator

from stream.frame import Modality
from stream.hop import Checkpoint, Outcome, Timing
from stream.timeline import Timeline
from stream.watermark import FOREVER_NS, NEVER_NS

_TEXT, _AUDIO, _VIDEO = Modality


class Wait:
    """Who is waited for in one session.

    Attributes
    ----------
    began_ns : int
        Arrival of the session's first frame: for `deadline_ns` from then on audio and video are both waited for.
    newest_end_ns, newest_arrived_ns : int
        End and arrival of the session's newest frame, from which the arrival of what follows is reckoned.
    last_end_ns : int
        Arrival of the last end record.
    """

    def __init__(self, timing: Timing) -> None:
        self.lines = {modality: Timeline(modality, timing) for modality in Modality}
        self.began_ns = NEVER_NS
        self.newest_end_ns = NEVER_NS
        self.newest_arrived_ns = NEVER_NS
        self.last_end_ns = NEVER_NS
        self._spoken = (self.lines[_AUDIO], self.lines[_VIDEO])
        self._timing = timing
        self._known_ns: dict[Modality, int] = {}  # bounds that a former owner knew, until they count
        self._behind_ns = 0  # the lane's clock less the session's timeline, as it left them

    @property
    def recalls(self) -> bool:
        """Whether there are bounds that a former owner knew and that do not count yet."""
        return bool(self._known_ns)

    @property
    def heard_ns(self) -> int:
        """Arrival of the session's last record."""
        return max(NEVER_NS if line.heard_ns is None else line.heard_ns for line in self.lines.values())

    @property
    def reach_ns(self) -> int:
        """How far frames reach: a hop that begins before holds some, or comes before one that does."""
        return max(line.reach_ns for line in self.lines.values())

    def hear(self, line: Timeline, now_ns: int) -> None:
        """A record of it has come."""
        if line.heard_ns is None or now_ns > line.heard_ns:
            line.heard_ns = now_ns

    def note_newest(self, end_ns: int, now_ns: int) -> None:
        """A frame has come that ends, as far as is known, at `end_ns`."""
        if end_ns > self.newest_end_ns or self.newest_arrived_ns == NEVER_NS:
            self.newest_end_ns, self.newest_arrived_ns = end_ns, now_ns

    def late_ns(self, end_ns: int, arrived_ns: int) -> int:
        """How late a frame that ends there came, against one that had kept up with the session's newest."""
        behind_ns = self.newest_end_ns - end_ns
        return behind_ns if self.newest_arrived_ns == NEVER_NS else arrived_ns - self.newest_arrived_ns + behind_ns

    def checkpoint(self, start_ns: int, frontier_ns: int, keep_from_ns: int) -> Checkpoint:
        """What `restore` takes, and where the session stands, the cuts excepted."""
        lines = self.lines.items()
        held = self.lines[_TEXT].held_at(frontier_ns)
        bounds_ns = {name: max(line.lasting_bound_ns(held), self._known_ns.get(name, NEVER_NS)) for name, line in lines}
        return Checkpoint(
            start_ns=start_ns,
            frontier_ns=frontier_ns,
            keep_from_ns=keep_from_ns,
            newest_ns=self.newest_end_ns,
            held_text=held,
            heard_ns={modality: line.heard_ns for modality, line in lines if line.heard_ns is not None},
            ended=frozenset(modality for modality, line in lines if line.ended),
            spoken=frozenset(modality for modality, line in lines if line.first_ns < frontier_ns),
            bounds_ns={name: bound_ns for name, bound_ns in bounds_ns.items() if bound_ns > NEVER_NS},
            newest_arrived_ns=None if self.newest_arrived_ns == NEVER_NS else self.newest_arrived_ns,
        )

    def restore(self, known: Checkpoint) -> None:
        """Take over what was heard of the session before."""
        for modality, line in self.lines.items():
            line.heard_ns = known.heard_ns.get(modality)
            line.ended = modality in known.ended
            if modality in known.spoken:
                line.first_ns = known.start_ns
        self.newest_end_ns = known.newest_ns
        self.newest_arrived_ns = self.last_end_ns = self.heard_ns
        if known.newest_arrived_ns is not None:
            self.newest_arrived_ns = known.newest_arrived_ns
        self._known_ns = dict(known.bounds_ns)
        self._behind_ns = self.newest_arrived_ns - self.newest_end_ns
        if known.held_text is not None:
            line = self.lines[_TEXT]
            line.mark(line.place(known.held_text, 0, self.heard_ns), Outcome.REPLAYED)

    def recall(self, at_ns: int) -> None:
        """Let the bounds that a former owner knew count as far as the session had come by then.

        It knew them at the end of what is read again: sooner they would let hops go before all their frames are read.
        """
        if not self._known_ns:
            return
        come_ns = at_ns - self._behind_ns
        for modality, bound_ns in self._known_ns.items():
            self.lines[modality].move_bound(min(bound_ns, come_ns), at_ns)
        self._known_ns = {modality: bound_ns for modality, bound_ns in self._known_ns.items() if bound_ns > come_ns}

    def members(self, at_ns: int) -> list[Timeline]:
        """Those waited for; text, live, never is."""
        at_first = at_ns < self.began_ns + self._timing.deadline_ns
        return [line for line in self._spoken if not line.ended and (at_first or at_ns < self._leaves_ns(line))]

    def over(self) -> bool:
        """Whether nothing more is to come that hops wait for: of those seen all have ended, text only if it is alone."""
        seen = [line for line in self._spoken if line.seen]
        return all(line.ended for line in seen) if seen else self.lines[_TEXT].ended

    def passed(self, end_ns: int) -> bool:
        """Whether anybody's bound has reached `end_ns`."""
        return any(line.bound_ns >= end_ns for line in self.lines.values())

    def deadline_ns(self, end_ns: int) -> int:
        """When the hop that ends there is emitted at the latest, unless an unread partition holds it up."""
        settled_ns = [at_ns for line in self.lines.values() if (at_ns := line.settled_at(end_ns)) is not None]
        expected_ns = self.newest_arrived_ns + end_ns - self.newest_end_ns
        return min(settled_ns, default=expected_ns) + self._timing.deadline_ns

    def unread(self, end_ns: int, behind: frozenset[Modality]) -> list[Timeline]:
        """Those whose partition is behind and may yet hold something before `end_ns`."""
        return [line for modality in behind if not (line := self.lines[modality]).settled(end_ns)]

    def held_up_until_ns(self, start_ns: int, end_ns: int) -> int:
        """How long an unread partition may hold up a hop: a deadline beyond the arrival of the hop's newest frame."""
        arrived_ns = self.newest_arrival_ns(start_ns, end_ns)
        return self.deadline_ns(end_ns) if arrived_ns is None else arrived_ns + self._timing.deadline_ns

    def newest_arrival_ns(self, start_ns: int, end_ns: int) -> int | None:
        """When the newest frame of a hop arrived; None if it holds none."""
        lines = self.lines.values()
        return max([placed.arrived_ns for line in lines for placed in line.overlapping(start_ns, end_ns)], default=None)

    def changes_ns(self) -> Iterator[int]:
        """When somebody leaves the wait if nothing is heard; some of it may be past."""
        yield self.began_ns + self._timing.deadline_ns
        for line in self._spoken:
            if not line.ended:
                yield self._leaves_ns(line)

    def timeout_ns(self) -> int:
        """When a sleeping session has been quiet for too long."""
        heard_ns = self.heard_ns
        return FOREVER_NS if heard_ns == NEVER_NS else heard_ns + self._timing.session_end_ns

    def ended_ns(self) -> int:
        """When the session is over by its end records; FOREVER_NS while it is not.

        Audio or video that was never seen may yet come, if the other is quicker to end than it is to begin.
        """
        lines = self.lines.values()
        if not all(line.ended for line in lines if line.seen) or self.last_end_ns == NEVER_NS:
            return FOREVER_NS
        both = all(line.seen for line in self._spoken)
        return self.last_end_ns if both else self.last_end_ns + self._timing.deadline_ns

    def _leaves_ns(self, line: Timeline) -> int:
        return NEVER_NS if line.heard_ns is None else line.heard_ns + self._timing.idle_ns

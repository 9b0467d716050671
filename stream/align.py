"""Aligner: frames of many sessions in any order -> hops in order, once, each at the right moment.

    Frame -> [Hop] -> features

Pure and synchronous: time is passed in (the lane's clock), and `wake_ns` says when to call again. Knows neither Kafka
nor what is inside a frame. One aligner serves one lane.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from heapq import heappop, heappush

from stream.frame import Bound, End, Frame, Modality
from stream.hop import Checkpoint, EndReason, Event, Outcome, Tally, Timing
from stream.room import Room
from stream.session import Session
from stream.watermark import FOREVER_NS

_NOBODY: frozenset[Modality] = frozenset()


class Aligner:
    """The alignment of one lane's sessions.

    The caller polls after each batch of records, before any record whose arrival is at or past `wake_ns()` (so that
    deadlines fall where they would have fallen live), and when `wake_ns()` comes.
    """

    def __init__(self, timing: Timing, session_buffer_bytes: int, lane_buffer_bytes: int) -> None:
        self._timing = timing
        self._tally = Tally()
        self._sessions: dict[str, Session] = {}
        self._room = Room(session_buffer_bytes, lane_buffer_bytes, self._sessions)
        self._past: dict[str, dict[Modality, int]] = {}  # per session's name: what lies below is of one that had ended
        self._past_to: Counter[Modality] = Counter()  # the highest of them
        self._stirred: dict[str, Session] = {}  # something came for them since the last poll
        self._held_up: dict[str, Session] = {}  # put off because a partition is behind
        self._wakes: list[tuple[int, str]] = []  # a heap; an entry counts while it is its session's
        self._events: list[Event] = []  # due before the next poll
        self._behind = _NOBODY

    @property
    def buffered_bytes(self) -> int:
        """Bytes of the frames held, with their overhead."""
        return self._room.bytes

    @property
    def stirred(self) -> bool:
        """Whether something may be due by now: after a poll, hops that are left for the next."""
        return bool(self._stirred)

    @property
    def open_frames(self) -> int:
        """Frames that have no outcome yet."""
        sessions = self._sessions.values()
        return sum(session.open_frames for session in sessions)

    @property
    def sessions(self) -> frozenset[str]:
        """Names of the sessions that have begun and not ended."""
        return frozenset(self._sessions)

    def add(self, item: Frame | Bound | End, now_ns: int, *, history: bool = False) -> Outcome | None:
        """Take one record that arrives at `now_ns`; the outcome of a frame that no later hop waits for.

        Every outcome, also those returned here, is counted once in `drain_outcomes`. `history` says that the record
        lay in the topic when the lane was taken over, so that a full buffer sheds nothing; a name for which there is no
        seat is refused all the same.
        """
        if self._past and self._is_past(item):
            return self._tally.count(item, Outcome.REPLAYED) if isinstance(item, Frame) else None
        session = self._sessions.get(item.session)
        if session is None:
            if not isinstance(item, Frame):
                return None
            if not self._room.has_a_seat():
                return self._tally.count_overflow(item)
            session = self._sessions[item.session] = Session(item.session, self._timing, self._tally)
        wake_ns, outcome = session.wake_ns, None
        if isinstance(item, Frame):
            outcome = self._take(session, item, now_ns, history)
        elif isinstance(item, Bound):
            session.take_bound(item, now_ns)
        else:
            session.take_end(item, now_ns)
        if session.stirred:
            self._stirred[item.session] = session
        if session.wake_ns < wake_ns:
            heappush(self._wakes, (session.wake_ns, session.name))
        if session.strays.items and session.strays.agree():
            self._restart(session, now_ns, history)
        return outcome

    def poll(self, now_ns: int, behind: frozenset[Modality] = _NOBODY, *, in_turns: bool = False) -> list[Event]:
        """Everything that is due, in order within each session; `behind` names the partitions not caught up.

        With `in_turns` a session of which many hops are due at once gives the first, and the next with the next poll.
        """
        if behind != self._behind:
            self._behind = behind
            self._stirred.update(self._held_up)
        events, self._events = self._events, []
        stirred, self._stirred = self._stirred, {}
        while self._wakes and self._wakes[0][0] <= now_ns:
            wake_ns, name = heappop(self._wakes)
            session = self._sessions.get(name)
            if session is not None and session.wake_ns == wake_ns:
                self._advance(session, wake_ns, events, in_turns=in_turns)
        for session in stirred.values():
            if not session.over and session.name not in self._stirred:  # else it has just had its turn
                self._advance(session, now_ns, events, in_turns=in_turns)
        return events

    def wake_ns(self) -> int | None:
        """When to poll next if no record comes, on the lane's clock."""
        while self._wakes:
            wake_ns, name = self._wakes[0]
            session = self._sessions.get(name)
            if session is not None and session.wake_ns == wake_ns:
                return wake_ns
            heappop(self._wakes)
        return None

    def settle(self, session: str, frontier_ns: int, keep_from_ns: int) -> None:
        """Move the frontier, and forget what ends by `keep_from_ns`."""
        settled = self._sessions.get(session)
        if settled is not None:
            before_bytes = settled.held.bytes
            settled.settle(frontier_ns, keep_from_ns)
            self._room.bytes -= before_bytes - settled.held.bytes

    def checkpoint(self, session: str) -> Checkpoint:
        """What a successor must know of this session, the cuts excepted."""
        return self._sessions[session].checkpoint()

    def restore(self, session: str, checkpoint: Checkpoint) -> None:
        """Take over a session where its former owner's last final left it."""
        if past := checkpoint.cuts if checkpoint.over else checkpoint.since:
            self._past[session] = past
            self._past_to |= Counter(past)
        if checkpoint.over:
            return
        restored = self._sessions[session] = Session(session, self._timing, self._tally)
        restored.restore(checkpoint)
        self._room.bytes += restored.held.bytes
        heappush(self._wakes, (restored.wake_ns, session))

    def has_read(self, positions: Mapping[Modality, int]) -> None:
        """The lane is at these offsets; once past all those cuts, nothing comes again of a session that had ended."""
        if self._past and all(positions.get(modality, 0) >= cut for modality, cut in self._past_to.items()):
            self._past.clear()

    def ahead(self, behind: frozenset[Modality]) -> frozenset[Modality]:
        """Partitions to pause because buffers fill: never one that the oldest open hop waits for."""
        return self._room.ahead(behind)

    def oldest_offsets(self) -> dict[Modality, int]:
        """Per modality the lowest offset of a frame still needed, held texts excepted; absent where there is none."""
        oldest: dict[Modality, int] = {}
        for session in self._sessions.values():
            for modality, offset in session.oldest_offsets().items():
                oldest[modality] = min(offset, oldest.get(modality, offset))
        return oldest

    def oldest_offsets_of(self, session: str) -> dict[Modality, int]:
        """The same of one session; none if it is over."""
        return self._sessions[session].oldest_offsets() if session in self._sessions else {}

    def drain_outcomes(self) -> Counter[tuple[Modality, Outcome]]:
        """Outcomes since the last call."""
        outcomes, self._tally.outcomes = self._tally.outcomes, Counter()
        return outcomes

    def drain_lost(self) -> Counter[Modality]:
        """Frames lost (gaps of ce_sequence) since the last call."""
        lost, self._tally.lost = self._tally.lost, Counter()
        return lost

    def drain_overflowed(self) -> list[Frame]:
        """Frames to dead-letter as overflow since the last call."""
        overflowed, self._tally.overflowed = self._tally.overflowed, []
        return overflowed

    def drain_late(self) -> list[tuple[Frame, int]]:
        """Frames counted late since the last call, each with how late it came, in ns."""
        late, self._tally.late = self._tally.late, []
        return late

    def _is_past(self, item: Frame | Bound | End) -> bool:
        cuts = self._past.get(item.session)
        return cuts is not None and item.offset < cuts.get(item.modality, 0)

    def _take(self, session: Session, frame: Frame, now_ns: int, history: bool) -> Outcome | None:  # noqa: FBT001
        before_bytes = session.held.bytes
        outcome = session.take(frame, now_ns)
        self._room.bytes += session.held.bytes - before_bytes
        if self._room.is_full(session):
            for pressed in self._room.make(session, history):
                pressed.wake_ns = min(pressed.wake_ns, now_ns)
                self._stirred[pressed.name] = pressed
                heappush(self._wakes, (pressed.wake_ns, pressed.name))
        return outcome

    def _restart(self, session: Session, now_ns: int, history: bool) -> None:  # noqa: FBT001
        """A clock was set: the session ends, and what agreed on the new time begins it anew."""
        items = session.strays.clear()
        session.close(EndReason.CLOCK, now_ns, self._events)
        self._forget(session)
        for item in items:
            self.add(item, now_ns, history=history)

    def _advance(self, session: Session, at_ns: int, events: list[Event], *, in_turns: bool) -> None:
        before_bytes = session.held.bytes
        events += session.advance(at_ns, self._behind, in_turns=in_turns)
        self._room.bytes -= before_bytes - session.held.bytes
        if session.over:
            self._forget(session)
            return
        if session.stirred:
            self._stirred[session.name] = session
        if session.wake_ns < FOREVER_NS:
            heappush(self._wakes, (session.wake_ns, session.name))
        if session.schedule.held_up:
            self._held_up[session.name] = session
        else:
            self._held_up.pop(session.name, None)

    def _forget(self, session: Session) -> None:
        self._room.bytes -= session.held.bytes
        del self._sessions[session.name]
        self._stirred.pop(session.name, None)
        self._held_up.pop(session.name, None)

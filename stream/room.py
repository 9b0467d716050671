"""Room: the bytes that the sessions of one lane may hold, and what happens when they are full.

    [Session, ...] -> what to pause, what to let go

First partitions that are ahead pause; then frames that are in hops already are forgotten; then, in history, hops go out
early; live, pictures are shed and what is still too much overflows. The lane never stops. Nor does it begin more than
MOST_SESSIONS at a time, since anybody can think of names.
"""

from __future__ import annotations

from collections.abc import Mapping

from stream.frame import Modality
from stream.session import Session

MOST_SESSIONS = 1_024  # of a lane at once, each of some 250 kB beside its frames; a machine computes fewer
_NOBODY: frozenset[Modality] = frozenset()


class Room:
    """Bounds in bytes, of one lane and of each of its sessions."""

    def __init__(self, session_buffer_bytes: int, lane_buffer_bytes: int, sessions: Mapping[str, Session]) -> None:
        self.bytes = 0  # held by all sessions
        self._session_bytes = session_buffer_bytes
        self._lane_bytes = lane_buffer_bytes
        self._sessions = sessions

    def share_bytes(self) -> int:
        """What one session may hold once the lane is full: before that, what others leave is there for whoever needs it."""
        return min(self._session_bytes, self._lane_bytes // max(1, len(self._sessions)))

    def has_a_seat(self) -> bool:
        """Whether one more session may begin."""
        return len(self._sessions) < MOST_SESSIONS

    def is_full(self, session: Session) -> bool:
        """Whether a session or the lane holds more than it may."""
        return session.held.bytes > self._session_bytes or self.bytes > self._lane_bytes

    def make(self, session: Session, history: bool) -> list[Session]:  # noqa: FBT001
        """See that the bounds hold after a frame of `session` was placed; gives the sessions to be polled at once."""
        over = [session] if session.held.bytes > self._session_bytes else []
        for one in over:
            self._relieve(one, self._session_bytes, history)
        if self.bytes > self._lane_bytes:
            share_bytes = self.share_bytes()
            over = [one for one in self._sessions.values() if one.held.bytes > share_bytes]
            for one in sorted(over, key=lambda one: one.held.bytes, reverse=True):
                if self.bytes > self._lane_bytes:
                    self._relieve(one, share_bytes, history)
        return [one for one in over if one.most_bytes is not None]

    def ahead(self, behind: frozenset[Modality]) -> frozenset[Modality]:
        """Partitions to pause: what the oldest open hop has enough of, while it waits for one that is unread."""
        fresh = {name: session.held.fresh_bytes for name, session in self._sessions.items()}
        if sum(fresh.values()) <= self._lane_bytes // 2 and max(fresh.values(), default=0) <= self._session_bytes // 2:
            return _NOBODY
        full = [session for session in self._sessions.values() if fresh[session.name]]
        oldest = min(full, key=lambda session: session.held.oldest_ns(session.schedule.done_ns))
        return oldest.schedule.ahead(behind)

    def _relieve(self, session: Session, share_bytes: int, history: bool) -> None:  # noqa: FBT001
        before_bytes = session.held.bytes
        session.trim(share_bytes)
        if session.held.bytes > share_bytes:
            if history:
                session.most_bytes = share_bytes
            else:
                session.held.shed_until(share_bytes)
        self.bytes -= before_bytes - session.held.bytes

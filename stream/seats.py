"""Which sessions pages talk in, or did so lately: bounded, so that nobody makes the lanes hold names without end. Pure.

A session that nobody talks in any more is still open in its lane for `session_end_ms`, and so it keeps its seat for as long.
"""

from __future__ import annotations

SEATS_A_SOURCE = 4  # a page that is loaded again begins a session anew, and the one before is still open


class Seats:
    """Seats for `SEATS_A_SOURCE` sessions a source; who has one may come back to it at any time.

    Parameters
    ----------
    sources : int
        Most pages that may talk at once.
    kept_seconds : float
        How long a seat is kept for a session in which nobody talks.
    """

    def __init__(self, sources: int, kept_seconds: float) -> None:
        self.count = sources * SEATS_A_SOURCE
        self._kept_seconds = kept_seconds
        self._talking: dict[str, int] = {}
        self._until: dict[str, float] = {}  # by session in which nobody talks, the longest silent first

    def take(self, session: str, now_seconds: float) -> bool:
        """Whether a page may talk in the session; if so, it has to `leave` it."""
        self._forget(now_seconds)
        is_seated = session in self._talking or session in self._until
        if not is_seated and len(self._talking) + len(self._until) >= self.count:
            return False
        self._until.pop(session, None)
        self._talking[session] = self._talking.get(session, 0) + 1
        return True

    def leave(self, session: str, now_seconds: float) -> None:
        """A page talks in it no more; perhaps others do."""
        self._talking[session] -= 1
        if not self._talking[session]:
            del self._talking[session]
            self._until[session] = now_seconds + self._kept_seconds

    def _forget(self, now_seconds: float) -> None:
        while self._until and self._until[first := next(iter(self._until))] <= now_seconds:
            del self._until[first]

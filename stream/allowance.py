"""How much a socket may send in a second, as a bucket that fills with time. Pure: time is passed in."""

from __future__ import annotations

BURST_SECONDS = 2.0  # what may come at once after a pause, as when a page takes up a connection again


class Allowance:
    """So much a second; what was not used is kept for `BURST_SECONDS`."""

    def __init__(self, per_second: float, now_seconds: float) -> None:
        self._per_second = per_second
        self._left = per_second * BURST_SECONDS
        self._at_seconds = now_seconds

    def take(self, amount: float, now_seconds: float) -> bool:
        """Whether so much is allowed now; if not, nothing is taken."""
        filled = self._left + (now_seconds - self._at_seconds) * self._per_second
        self._left, self._at_seconds = min(filled, self._per_second * BURST_SECONDS), now_seconds
        if amount > self._left:
            return False
        self._left -= amount
        return True

"""Watermark: how far one modality of one session is known to have come.

    Frame, Bound, End -> [Watermark] -> is a hop settled, and since when

A bound says that no earlier frame is expected any more: MediaPipe's timestamp bound. Knows no frames.
"""

from __future__ import annotations

from collections import deque

NEVER_NS = -(1 << 63)
FOREVER_NS = 1 << 63


class Watermark:
    """The bound of one modality.

    Attributes
    ----------
    bound_ns : int
        No frame that begins earlier is expected any more.
    heard_ns : int or None
        Arrival of its last record.
    ended : bool
        Whether nothing more is to come at all.
    """

    def __init__(self, hop_ns: int) -> None:
        self.bound_ns = NEVER_NS
        self.heard_ns: int | None = None
        self.ended = False
        self._hop_ns = hop_ns
        self._crossed_ns = NEVER_NS
        self._crossings: deque[tuple[int, int]] = deque()  # hop boundaries that the bound passed, and when

    @property
    def seen(self) -> bool:
        """Whether any record of it ever came."""
        return self.heard_ns is not None

    def settled(self, end_ns: int) -> bool:
        """Whether nothing more is expected before `end_ns`."""
        return self.bound_ns >= end_ns or self.ended

    def settled_at(self, end_ns: int) -> int | None:
        """When its bound reached `end_ns`, a hop boundary."""
        return next((at_ns for boundary_ns, at_ns in self._crossings if boundary_ns >= end_ns), None)

    def move_bound(self, bound_ns: int, now_ns: int) -> None:
        """Nothing before `bound_ns` is expected any more; a bound never moves backwards."""
        if bound_ns <= self.bound_ns:
            return
        self.bound_ns = bound_ns
        boundary_ns = bound_ns - bound_ns % self._hop_ns
        if boundary_ns > self._crossed_ns:
            self._crossed_ns = boundary_ns
            self._crossings.append((boundary_ns, now_ns))

    def forget_crossings(self, before_ns: int) -> None:
        """Keep only what `settled_at` may still be asked about boundaries from `before_ns` on."""
        crossings = self._crossings
        while crossings and crossings[0][0] < before_ns:
            crossings.popleft()

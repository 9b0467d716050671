"""Sound and picture out of step: what is known of it when a segment begins, and what is then done about it.

    lags, hop by hop -> Skew -> pictures as they are, shifted by whole ticks, or left out

The sign is ITU-R BT.1359's: positive where the sound is ahead of the picture. Pure: `motion.py` measures the lags,
`segment.py` fixes the skew when a segment begins, `blocks.py` does the shifting. What is done follows from the Skew alone,
so that a final can be computed once more from its inputs and its Skew.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from stream.motion import VIDEO, Track, signals
from stream.times import NS_PER_MS

if TYPE_CHECKING:
    from stream.raster import HopInput

AHEAD_NS, BEHIND_NS = 90_000_000, -185_000_000  # of the sound: ITU-R BT.1359-1's thresholds of acceptability
LONGEST_NS = 500_000_000  # of a shift either way
RECENT = 16  # hops whose lags are looked at together: 5 s
ENOUGH = 8  # lags among them, or nothing is concluded
AGREE_NS = 40_000_000  # lags that are no further from their median are one
MOST = 0.75  # of the lags
STAY_NS = 15_000_000  # what is known moves only for more than this, so that nothing flaps
SHARE = 1 / 32  # of a new median in the running mean of those that agree with it


@dataclass(frozen=True, slots=True)
class Skew:
    """How far the sound is ahead of the picture, as far as it is known."""

    measured_ns: int | None = None
    steady: bool = True

    @property
    def acceptable(self) -> bool:
        """Whether nobody minds, or nobody knows."""
        return self.measured_ns is None or not beyond(self.measured_ns)

    @property
    def usable(self) -> bool:
        """Whether pictures may be looked at beside the sound: out of step, they would mislead."""
        return self.steady or self.acceptable

    def shift_ticks(self, tick_ns: int) -> int:
        """How many ticks later each tick's picture is found."""
        if self.measured_ns is None or self.acceptable or not self.steady:
            return 0
        longest = longest_ticks(tick_ns)
        return max(-longest, min(longest, round(self.measured_ns / tick_ns)))


UNKNOWN = Skew()


def beyond(lag_ns: float) -> bool:
    """Whether it is worse than BT.1359 calls acceptable."""
    return not BEHIND_NS <= lag_ns <= AHEAD_NS


def longest_ticks(tick_ns: int) -> int:
    """The longest shift."""
    return LONGEST_NS // tick_ns


def reach_ns(left_ticks: int, tick_ns: int) -> int:
    """How far before a tick the frames lie that its features may depend on: left context, the longest shift further."""
    return (left_ticks + longest_ticks(tick_ns)) * tick_ns


class Meter:
    """Follows one session's skew.

    Parameters
    ----------
    known : Skew
        What an earlier owner knew at the frontier; it holds until this one has measured as long as anybody must.

    Attributes
    ----------
    skew : Skew
        What is known by now; it moves only on evidence, and stays when evidence ceases.
    """

    def __init__(self, tick_ns: int, hop_ns: int, known: Skew = UNKNOWN) -> None:
        self._track = Track(tick_ns, hop_ns)
        self._lags: deque[int | None] = deque(maxlen=RECENT)
        self._mean_ns: float | None = None  # of the medians, while they agree
        self.skew = known

    def add(self, start_ns: int, placed: HopInput) -> None:
        """Take a hop, first or revised. One without pictures changes nothing."""
        if placed.mask[:, VIDEO].any():
            self._track.put(start_ns, signals(placed))
            self.conclude(self._track.lag_ns())

    def conclude(self, lag_ns: int | None) -> None:
        """Take what was measured after one more hop; None where it cannot be told."""
        self._lags.append(lag_ns)
        lags = [lag for lag in self._lags if lag is not None]
        if len(lags) < ENOUGH:
            return
        middle_ns = median(lags)
        if all(abs(lag - middle_ns) <= AGREE_NS for lag in lags):
            self._agreed(middle_ns)
        elif sum(map(beyond, lags)) >= MOST * len(lags):
            self._mean_ns, self.skew = None, Skew(_whole_ms(middle_ns), steady=False)

    def _agreed(self, middle_ns: float) -> None:
        """A mean of what agrees is more exact than the newest; what is known follows it in steps."""
        if self._mean_ns is None or abs(middle_ns - self._mean_ns) > AGREE_NS:
            self._mean_ns = middle_ns
        self._mean_ns += SHARE * (middle_ns - self._mean_ns)
        known_ns = self.skew.measured_ns
        if known_ns is None or not self.skew.steady or abs(self._mean_ns - known_ns) > STAY_NS:
            self.skew = Skew(_whole_ms(self._mean_ns))


def _whole_ms(lag_ns: float) -> int:
    """More is not known, and JSON gives it back exactly."""
    return round(lag_ns / NS_PER_MS) * NS_PER_MS

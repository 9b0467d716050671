"""Mouth motion against the energy of the sound: at which lag the two go together.

    HopInput -> two numbers a tick -> cross-correlation -> lag, if one stands out

Pure: knows no session, no clock and not what is done about a lag. The mouth's number is how far it is open, as a fixed
template reads it off the crop; of both numbers only their swing within a syllable or two counts, since what changes more
slowly (who speaks when, light, a crop that wanders) goes together at many lags. The template was fitted by `models/motion.py`,
on clips that are in step: so the lag at which they peak is 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stream.frame import Modality
from stream.raster import MODALITIES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stream.raster import HopInput

AUDIO, VIDEO = MODALITIES.index(Modality.AUDIO), MODALITIES.index(Modality.VIDEO)
WINDOW_NS = 20_000_000_000  # of the session's time that is looked at
REACH_NS = 520_000_000  # lags up to this are tried
SWING_NS = 120_000_000  # standard deviation of the mean around a tick that is taken off
MIN_PAIRS = 200  # ticks at which both are there: 8 s
MIN_PEAK = 0.3  # of the correlation
MAX_REST = 0.6  # of the peak: what other lags may reach beside it
BESIDE = 2  # ticks on either side of the peak that belong to it
FLOOR = 1e-6  # of the mean square: what is quieter is silence
ROWS, COLUMNS = 5, 7  # cells of a crop
TEMPLATE = np.array(
    [
        [0.039, -0.195, 0.077, 0.226, 0.029, 0.147, -0.363],
        [0.112, -0.166, -0.221, 0.167, 0.318, 0.050, 0.248],
        [0.180, -0.235, 0.130, 0.094, -0.127, -0.019, 0.164],
        [0.208, -0.278, 0.065, -0.035, -0.021, -0.049, 0.173],
        [0.129, 0.025, -0.234, 0.066, 0.118, -0.097, 0.225],
    ],
    dtype=np.float32,
)  # [ROWS, COLUMNS]: lighter here means wider open


@dataclass(frozen=True, slots=True)
class Signals:
    """A run of ticks; numbers mean nothing where they are not there."""

    mouth: NDArray[np.float32]  # [ticks], or [ticks, cells] before the template is laid on
    seen: NDArray[np.bool_]  # [ticks]
    sound: NDArray[np.float32]  # [ticks]
    heard: NDArray[np.bool_]  # [ticks]


def signals(placed: HopInput) -> Signals:
    """A hop's two numbers a tick."""
    heard, seen = placed.mask[:, AUDIO] > 0, placed.mask[:, VIDEO] > 0
    return Signals(cells(placed.crops) @ TEMPLATE.ravel(), seen, loudness(placed.samples, len(heard)), heard)


def cells(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Brightness of each crop's cells as parts of the crop's own, [ticks, ROWS * COLUMNS]."""
    ticks, height, width = crops.shape
    tall, wide = height // ROWS, width // COLUMNS
    if not tall or not wide:
        return np.zeros((ticks, ROWS * COLUMNS), dtype=np.float32)
    parts = crops[:, : tall * ROWS, : wide * COLUMNS].reshape(ticks, ROWS, tall, COLUMNS, wide)
    bright = parts.mean(axis=(2, 4), dtype=np.float32).reshape(ticks, -1)
    return np.asarray(bright / np.maximum(bright.mean(axis=1, keepdims=True), 1), dtype=np.float32)


def loudness(samples: NDArray[np.float32], ticks: int) -> NDArray[np.float32]:
    """Logarithm of the mean square of each tick's samples, [ticks]."""
    squares = (samples.reshape(ticks, -1) ** 2).mean(axis=1)
    return np.asarray(np.log10(squares + FLOOR), dtype=np.float32)


def swing(values: NDArray[np.float32], there: NDArray[np.bool_], tick_ns: int) -> NDArray[np.float32]:
    """Values less the mean around them, over the ticks that are there; 0 at the others. Along the first axis."""
    reach = 4 * SWING_NS // tick_ns
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * tick_ns / SWING_NS) ** 2)
    flat = np.where(there[:, None], values.reshape(len(values), -1), 0)
    inside = slice(reach, reach + len(values))
    weight = np.maximum(np.convolve(there, kernel)[inside], 1e-6)[:, None]
    around = np.stack([np.convolve(column, kernel)[inside] for column in flat.T], axis=1) / weight
    return np.where(there[:, None], flat - around, 0).reshape(values.shape).astype(np.float32)


def correlation(both: Signals, reach: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Correlation of the mouth with the sound so many ticks before it, for lags -reach to reach; and over how many ticks.

    Pearson's, at each lag over the ticks at which both are there.
    """
    mouth = np.stack([both.seen, both.mouth * both.seen, both.mouth**2 * both.seen]).astype(np.float64)
    sound = np.stack([both.heard, both.sound * both.heard, both.sound**2 * both.heard]).astype(np.float64)
    shifted = np.lib.stride_tricks.sliding_window_view(np.pad(sound, ((0, 0), (reach, reach))), mouth.shape[1], axis=1)
    sums = np.einsum("it,jlt->ijl", mouth, shifted[:, ::-1], optimize=True)
    pairs = np.maximum(sums[0, 0], 1)
    together = sums[1, 1] - sums[1, 0] * sums[0, 1] / pairs
    mouth_square, sound_square = (sums[2, 0] - sums[1, 0] ** 2 / pairs, sums[0, 2] - sums[0, 1] ** 2 / pairs)
    return together / np.sqrt(np.maximum(mouth_square * sound_square, 1e-12)), sums[0, 0]


def peak(curve: NDArray[np.float64]) -> float | None:
    """Where a curve over the lags peaks, in ticks from its middle; None unless the peak stands out of the rest."""
    top, middle = int(curve.argmax()), len(curve) // 2
    rest = curve[np.abs(np.arange(len(curve)) - top) > BESIDE]
    if top in (0, len(curve) - 1) or curve[top] < MIN_PEAK or rest.max() > MAX_REST * curve[top]:
        return None
    left, right = curve[top - 1], curve[top + 1]
    return float(
        top - middle + 0.5 * (left - right) / (left - 2 * curve[top] + right)
    )  # of a parabola through the three


class Track:
    """The newest WINDOW_NS of one session."""

    def __init__(self, tick_ns: int, hop_ns: int) -> None:
        self._tick_ns, self._hop_ns = tick_ns, hop_ns
        self._hops: dict[int, Signals] = {}

    def put(self, start_ns: int, found: Signals) -> None:
        """Take a hop, new or anew; what lies further back than the window is forgotten."""
        self._hops[start_ns] = found
        oldest_ns = max(self._hops) + self._hop_ns - WINDOW_NS
        self._hops = {at_ns: hop for at_ns, hop in self._hops.items() if at_ns >= oldest_ns}

    def lag_ns(self) -> int | None:
        """How much later the pictures are than the sound; None if that cannot be told."""
        if len(self._hops) * self._hop_ns < MIN_PAIRS * self._tick_ns:
            return None
        curve, pairs = correlation(self._joined(), REACH_NS // self._tick_ns)
        ticks = peak(curve) if pairs.min() >= MIN_PAIRS else None
        return None if ticks is None else round(ticks * self._tick_ns)

    def _joined(self) -> Signals:
        """The hops one after another, swing alone; hops left out are ticks at which nothing is there."""
        first_ns, last_ns = min(self._hops), max(self._hops)
        a_hop = self._hop_ns // self._tick_ns
        blank, absent = np.zeros(a_hop, dtype=np.float32), np.zeros(a_hop, dtype=np.bool_)
        nothing = Signals(blank, absent, blank, absent)
        hops = [self._hops.get(at_ns, nothing) for at_ns in range(first_ns, last_ns + 1, self._hop_ns)]
        mouth, seen, sound, heard = (
            np.concatenate([getattr(hop, name) for hop in hops]) for name in ("mouth", "seen", "sound", "heard")
        )
        return Signals(swing(mouth, seen, self._tick_ns), seen, swing(sound, heard, self._tick_ns), heard)

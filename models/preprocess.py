"""Preprocessing before and after the encoders: normalise, transform, standardise.

The transforms' constants are derived here and exported into the graphs, so training and serving cannot differ.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

RATE_HZ = 16_000
TICK_MS = 40
TICK_SAMPLES = RATE_HZ * TICK_MS // 1000  # 640 samples a tick
HOP_TICKS = 8
MEL_HZ = 100
MEL_STEP_SAMPLES = RATE_HZ // MEL_HZ  # 160 samples between spectra: four spectra a tick
MEL_WINDOW_SAMPLES = RATE_HZ * 25 // 1000  # 400 samples a spectrum
MEL_BANDS = 40
MEL_LOW_HZ = 60.0
MEL_HIGH_HZ = 7_600.0
MEL_FLOOR = 1e-5  # energy added before the logarithm, about that of 16-bit rounding noise
CROP_HEIGHT_PX = 40
CROP_WIDTH_PX = 56


def fourier_basis() -> NDArray[np.float32]:
    """Windowed cosines and sines of the discrete Fourier transform, shape [2 * bins, MEL_WINDOW_SAMPLES].

    Hann window; the first half of the rows gives the real parts, the second the imaginary ones.
    """
    bins = MEL_WINDOW_SAMPLES // 2 + 1
    window = np.hanning(MEL_WINDOW_SAMPLES + 1)[:-1]
    angle = 2 * np.pi * np.arange(bins)[:, None] * np.arange(MEL_WINDOW_SAMPLES)[None] / MEL_WINDOW_SAMPLES
    return np.asarray(np.concatenate([np.cos(angle), -np.sin(angle)]) * window, dtype=np.float32)


def mel_filters() -> NDArray[np.float32]:
    """Triangular filters on the mel scale, shape [MEL_BANDS, bins], each of unit sum.

    O'Shaughnessy's mel scale, 2595 log10(1 + f / 700).
    """
    bins_hz = np.linspace(0, RATE_HZ / 2, MEL_WINDOW_SAMPLES // 2 + 1)
    edges_mel = np.linspace(_mel(MEL_LOW_HZ), _mel(MEL_HIGH_HZ), MEL_BANDS + 2)
    edges_hz = 700 * (10 ** (edges_mel / 2595) - 1)
    low, middle, high = edges_hz[:-2, None], edges_hz[1:-1, None], edges_hz[2:, None]
    rising = (bins_hz - low) / (middle - low)
    falling = (high - bins_hz) / (high - middle)
    triangles = np.maximum(0, np.minimum(rising, falling))
    return np.asarray(triangles / np.maximum(triangles.sum(axis=1, keepdims=True), 1e-9), dtype=np.float32)


def _mel(frequency_hz: float) -> float:
    return float(2595 * np.log10(1 + frequency_hz / 700))


class Standardiser:
    """Zero mean and unit variance, column by column.

    Fitted over batches, so the whole matrix need not fit in memory (Chan, Golub and LeVeque, 1979).

    Attributes
    ----------
    mean_, scale_ : float64 arrays [columns]
        A column that never varies has scale 1, so it becomes zero.
    """

    def __init__(self) -> None:
        self.count_ = 0
        self.mean_: NDArray[np.float64] = np.zeros(0)
        self._squares: NDArray[np.float64] = np.zeros(0)

    def fit(self, batches: Iterable[NDArray[np.floating]]) -> Self:
        """Learn from batches of rows, each [rows, columns]; what was learnt before is forgotten.

        Raises
        ------
        ValueError
            There is no row at all.
        """
        self.count_ = 0
        for batch in batches:
            self._add(np.asarray(batch, dtype=np.float64))
        if not self.count_:
            raise ValueError("There is no row to standardise by; give at least one.")
        return self

    def _add(self, batch: NDArray[np.float64]) -> None:
        rows = len(batch)
        if not rows:
            return
        mean = batch.mean(axis=0)
        if not self.count_:
            self.mean_, self._squares = np.zeros_like(mean), np.zeros_like(mean)
        total = self.count_ + rows
        difference = mean - self.mean_
        self._squares = self._squares + ((batch - mean) ** 2).sum(axis=0) + difference**2 * (self.count_ * rows / total)
        self.mean_ = self.mean_ + difference * (rows / total)
        self.count_ = total

    @property
    def scale_(self) -> NDArray[np.float64]:
        """Standard deviation of each column, 1 where it is zero."""
        deviation = np.sqrt(self._squares / max(self.count_, 1))
        return np.where(deviation > 1e-9, deviation, 1.0)

    def transform(self, rows: NDArray[np.floating]) -> NDArray[np.float64]:
        """Standardised rows, [rows, columns]."""
        return np.asarray((rows - self.mean_) / self.scale_, dtype=np.float64)

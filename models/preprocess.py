"""Preprocessing before and after the encoders: transform, normalise, select, standardise.

    transform      sound to log mel energies: the constants of the graph's first layers are derived here
    normalise      word vectors to one length
    select         the columns of the features that vary and tell the word
    standardise    what is selected to zero mean and unit variance

All of it is exported as constants of the graphs, selection as the columns that are taken, so training and serving
cannot differ.
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


class Normaliser:
    """Each row to one Euclidean length, so that only its direction tells.

    A row shorter than 1e-9 has no direction and becomes zero. There is nothing to learn: a row's length is its own.
    """

    def __init__(self, length: float = 1.0) -> None:
        self.length = length

    def fit(self, rows: NDArray[np.floating]) -> Self:  # noqa: ARG002
        """Do nothing, like every step that learns nothing."""
        return self

    def transform(self, rows: NDArray[np.floating]) -> NDArray[np.float64]:
        """Rows [rows, columns] of that length."""
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        return np.asarray(rows * np.where(lengths > 1e-9, self.length / np.maximum(lengths, 1e-9), 0), dtype=np.float64)


class FeatureSelector:
    """The columns that vary, and that each by itself tell of the label; all others go.

    The mutual information of a column with the label is estimated by nearest neighbours (Ross, 2014; scikit-learn) on
    rows drawn by a seed, so the time it takes does not grow with the rows. A column that tells only beside another is
    not seen to tell, so `min_information_nats` should remove noise and no more: of columns that have nothing to do with
    the label half come to 0, one in ten to 0.014 and one in a hundred to 0.023 nats, at 4,000 rows of 52 labels.

    Parameters
    ----------
    min_variance : float
        Columns of this variance or less go; one that is the same in all rows always does.
    min_information_nats : float
        Nats; columns that tell less go.
    most : int or None
        At most so many are kept, those that tell most.
    rows : int
        How many rows the information is measured on.

    Attributes
    ----------
    selected_ : int64 [columns kept], ascending
    information_ : float64 [columns], nats, zero for a column that does not vary
    """

    def __init__(
        self,
        min_variance: float = 1e-12,
        min_information_nats: float = 0.02,
        most: int | None = None,
        rows: int = 4_000,
        seed: int = 0,
    ) -> None:
        self.min_variance = min_variance
        self.min_information_nats = min_information_nats
        self.most = most
        self.rows = rows
        self.seed = seed

    def fit(self, rows: NDArray[np.floating], labels: NDArray[np.int64]) -> Self:
        """Choose by rows [rows, columns] and their labels [rows]; the same rows give the same choice.

        Raises
        ------
        ValueError
            Rows and labels do not fit each other, or no column is left.
        """
        if rows.ndim != 2 or labels.shape != rows.shape[:1] or not len(rows):
            raise ValueError(f"Rows {rows.shape} have labels {labels.shape}; expected one label a row, and a row.")
        varies = (np.ptp(rows, axis=0) > 0) & (rows.var(axis=0, dtype=np.float64) > self.min_variance)
        self.information_ = np.zeros(rows.shape[1])
        self.information_[varies] = self._information(rows[:, varies], labels)
        tells = np.flatnonzero(varies & (self.information_ >= self.min_information_nats))
        if not len(tells):
            raise ValueError(
                f"Of {rows.shape[1]} columns {varies.sum()} vary and none tells {self.min_information_nats} nats "
                f"of the label, the best {self.information_.max(initial=0):.4f}; give other rows or ask for less."
            )
        strongest = tells[np.argsort(-self.information_[tells], kind="stable")[: self.most]]
        self.selected_ = np.asarray(np.sort(strongest), dtype=np.int64)
        return self

    def _information(self, rows: NDArray[np.floating], labels: NDArray[np.int64]) -> NDArray[np.float64]:
        from sklearn.feature_selection import mutual_info_classif  # the service imports this file, and never needs it

        if not rows.shape[1]:
            return np.zeros(0)
        drawn = np.sort(np.random.default_rng(self.seed).permutation(len(rows))[: self.rows])
        return np.asarray(mutual_info_classif(rows[drawn], labels[drawn], random_state=self.seed), dtype=np.float64)

    def transform(self, rows: NDArray[np.floating]) -> NDArray[np.floating]:
        """The columns that were chosen, [rows, columns kept]."""
        return rows[:, self.selected_]

"""How sure an error rate is: bootstrap over clips, and over the noise seeds within each clip.

    edits [seeds, clips], words [clips] -> rate with its 95 % interval

Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13 (percentile intervals). A replicate draws clips
with replacement, and for each drawn clip seeds with replacement. All cells of a table are weighed by the same draws, so
the difference of two cells is a paired one, and that of a cell with itself is exactly zero. numpy only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

REPLICATES = 2000
COVERED = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """A rate, or a difference of two, and the interval that holds it at 95 %."""

    value: float
    low: float
    high: float


class Bootstrap:
    """Draws for tables of so many seeds and clips.

    Parameters
    ----------
    words : array of int [clips]
        Words of each clip's reference.
    seeds : int
        How many noise seeds each clip was measured with.

    Raises
    ------
    ValueError
        If there is no clip, no seed, or a clip without words.
    """

    def __init__(self, words: NDArray[np.int64], seeds: int, replicates: int = REPLICATES, seed: int = 0) -> None:
        if seeds < 1 or not len(words) or np.min(words) < 1:
            raise ValueError(f"{len(words)} clips and {seeds} seeds: give a clip and a seed at least, each with words.")
        self.seeds = seeds
        self.words = np.asarray(words, dtype=np.float64)
        random = np.random.default_rng(seed)
        clips = random.multinomial(len(words), np.full(len(words), 1 / len(words)), size=replicates)
        drawn = random.multinomial(clips * seeds, np.full(seeds, 1 / seeds))  # [replicates, clips, seeds]
        self._weights = drawn.transpose(0, 2, 1).reshape(replicates, -1).astype(np.float64)
        self._totals = seeds * (clips @ self.words)

    def rate(self, edits: NDArray[np.int64]) -> Estimate:
        """Errors over words; `edits` is [seeds, clips], or [1, clips] where no seed changes anything."""
        return self._estimate(self._counts(edits))

    def difference(self, edits: NDArray[np.int64], against: NDArray[np.int64]) -> Estimate:
        """How much more one cell errs than another on the same clips and seeds (paired)."""
        return self._estimate(self._counts(edits) - self._counts(against))

    def _counts(self, edits: NDArray[np.int64]) -> NDArray[np.float64]:
        expected = (self.seeds, len(self.words))
        if edits.ndim != 2 or edits.shape[1] != expected[1] or edits.shape[0] not in {1, self.seeds}:
            raise ValueError(f"edits are {edits.shape}, expected {expected} or {(1, expected[1])}.")
        return np.broadcast_to(edits, expected).astype(np.float64)

    def _estimate(self, counts: NDArray[np.float64]) -> Estimate:
        edge = (1 - COVERED) / 2
        low, high = np.quantile(self._weights @ counts.ravel() / self._totals, [edge, 1 - edge])
        return Estimate(float(counts.sum() / (self.seeds * self.words.sum())), float(low), float(high))

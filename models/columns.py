"""The columns of one modality in the joint matrix: which are used, and how they are standardised.

Blocks are scaled beside columns, as in multiblock component analysis (Westerhuis, Kourti and MacGregor, 1998): or the
SVD would cut off what a modality of few columns says, whatever it says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.preprocess import Standardiser

LEAST_DEVIATION = 1e-6  # of a column that varies at all


@dataclass(frozen=True)
class Block:
    """A modality's columns over the training ticks.

    Attributes
    ----------
    selected : int64 [D'_m], ascending columns of the joint features
    mean, scale : float64 [D'_m], over the ticks where the modality is present
    rows : float64 [N, D'_m], standardised, 0 where the modality is absent
    present : bool [N]
    """

    selected: NDArray[np.int64]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    rows: NDArray[np.float64]
    present: NDArray[np.bool_]

    @property
    def seen(self) -> NDArray[np.float64]:
        """The rows where the modality is present."""
        return self.rows[self.present]

    def divided(self, factor: float) -> Block:
        """All columns smaller by a factor, which becomes part of their scale."""
        return replace(self, scale=self.scale * factor, rows=self.rows / factor)


def block(features: NDArray[np.floating], present: NDArray[np.bool_], columns: NDArray[np.int64]) -> Block:
    """Of the joint features [N, D] those columns that vary where the modality is present, standardised."""
    seen = features[present]
    used = columns[seen[:, columns].std(axis=0, dtype=np.float64) > LEAST_DEVIATION] if len(seen) else columns[:0]
    rows = np.zeros((len(features), len(used)))
    if not len(used):
        return Block(used, np.zeros(0), np.zeros(0), rows, present)
    standardiser = Standardiser().fit([seen[:, used]])
    rows[present] = standardiser.transform(seen[:, used])
    return Block(used, standardiser.mean_, standardiser.scale_, rows, present)


def balanced(blocks: Sequence[Block], energies: Sequence[float]) -> list[Block]:
    """Blocks divided so that each one's energy, which is given, becomes the mean of all; what has none stays."""
    mean = np.mean([energy for energy in energies if energy > 0])
    factors = [float(np.sqrt(energy / mean)) if energy > 0 else 1.0 for energy in energies]
    return [own.divided(factor) for own, factor in zip(blocks, factors, strict=True)]

"""Singular value decomposition batch by batch, for a feature matrix that does not fit in memory.

    held <- SVD of [held; batch],  held = S V^T

The rows met so far are stood for by the rows S V^T of their own decomposition, which have the same Gram matrix. So a
batch adds to them as it would to all rows, and whole batches need not be kept (Brand, 2002; Ross et al., 2008, here
without a mean, since standardised columns have none). A running Gram matrix would be as exact on paper, but squares the
condition number: singular values below 1e-8 of the first would be rounding noise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np
from scipy.linalg import svd

from models.projection import ROUNDING, OrthonormalBasis

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray


class IncrementalSVD(OrthonormalBasis):
    """The basis of all batches' rows; any cut into batches gives the same.

    Exact while the rows' rank is at most `held`, so with `held` None for every matrix. With less, the weakest
    directions are dropped after each batch: memory falls to held x columns, and `explained_energy_ratio_` becomes a
    lower bound of what the components hold in truth.

    Parameters
    ----------
    rank, energy
        As of every basis.
    held : int or None
        How many directions are carried from batch to batch, at least `rank`; None for as many as there are columns.

    Attributes
    ----------
    rows_ : int
        Rows met so far. While they are fewer than `rank`, so are the components.

    Raises
    ------
    ValueError
        The rank or the energy cannot be had, or less is to be held than kept.
    """

    def __init__(self, rank: int | None = None, energy: float = 0.95, held: int | None = None) -> None:
        super().__init__(rank, energy)
        if held is not None and held < (rank or 1):
            raise ValueError(f"{held} directions are to be held for a rank of {rank or 'at least 1'}; hold no fewer.")
        self.held = held
        self.rows_ = 0
        self._total = 0.0
        self._held: NDArray[np.float64] = np.zeros((0, 0))

    def fit(self, batches: Iterable[NDArray[np.floating]]) -> Self:
        """Decompose all batches, each [rows, columns]; what was met before is forgotten.

        Raises
        ------
        ValueError
            There are fewer rows than the rank asked for, or what is held does not reach the energy asked for.
        """
        self.rows_, self._total, self._held = 0, 0.0, np.zeros((0, 0))
        for batch in batches:
            self.partial_fit(batch)
        if self.rows_ < (self.rank or 1):
            raise ValueError(f"There are {self.rows_} rows for a rank of {self.rank or 'at least 1'}; give no fewer.")
        if self.rank is None and self._total and self.explained_energy_ratio_ < self.energy - ROUNDING:
            raise ValueError(
                f"{self.held} held directions keep {self.explained_energy_ratio_:.6f} of the energy, "
                f"{self.energy} was asked for; hold more."
            )
        return self

    def partial_fit(self, batch: NDArray[np.floating]) -> Self:
        """Add a batch [rows, columns]; the components are those of all rows met so far.

        Raises
        ------
        ValueError
            The rank is beyond the columns, or the batch has not as many as those before.
        """
        rows = np.asarray(batch, dtype=np.float64)
        held = self._held if self.rows_ else rows[:0]
        if (self.rank or 1) > rows.shape[1]:
            raise ValueError(f"A rank of {self.rank} was asked for of {rows.shape[1]} columns; give less.")
        if rows.shape[1] != held.shape[1]:
            raise ValueError(f"A batch has {rows.shape[1]} columns, those before had {held.shape[1]}; give as many.")
        if not len(rows):
            return self
        _, values, right = svd(np.concatenate([held, rows]), full_matrices=False)
        values, right = values[: self.held], right[: self.held]
        self.rows_ += len(rows)
        self._total += float((rows**2).sum())
        self._held = values[:, None] * right
        return self._keep(values, right, self._total)

"""Truncated singular value decomposition: the joint feature matrix onto its strongest directions.

    C = U S V^T,  projected = C V_k

Eckart and Young (1936): no matrix of rank k is nearer to C. scipy does the decomposition; signs are fixed as
Bro, Acar and Kolda (2008) ask, here by each component's largest entry, so that the same data give the same basis.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np
from scipy.linalg import svd

if TYPE_CHECKING:
    from numpy.typing import NDArray


class TruncatedSVD:
    """Fit on a standardised matrix, keep the first `rank` right singular vectors.

    Parameters
    ----------
    rank : int or None
        How many components are kept; None to choose by `energy`.
    energy : float
        With `rank` None: the least share of the squared singular values that is kept, in (0, 1].

    Attributes
    ----------
    components_ : float64 [rank, columns], orthonormal rows
    singular_values_ : float64 [columns or fewer], all of them, descending
    rank_ : int
    explained_energy_ratio_ : float
        Share of the squared singular values that the kept components hold.

    Raises
    ------
    ValueError
        The rank or the energy cannot be had.
    """

    def __init__(self, rank: int | None = None, energy: float = 0.95) -> None:
        if rank is not None and rank < 1:
            raise ValueError(f"A rank of {rank} was asked for; give 1 or more.")
        if not 0 < energy <= 1:
            raise ValueError(f"An energy share of {energy} was asked for; give more than 0, at most 1.")
        self.rank = rank
        self.energy = energy

    def fit(self, rows: NDArray[np.floating]) -> Self:
        """Decompose a matrix [rows, columns]."""
        if self.rank is not None and self.rank > min(rows.shape):
            raise ValueError(f"A rank of {self.rank} was asked for of a matrix {rows.shape}; give less or more rows.")
        _, values, right = svd(np.asarray(rows, dtype=np.float64), full_matrices=False)
        energy = np.cumsum(values**2) / max(float((values**2).sum()), np.finfo(float).tiny)
        self.rank_ = self.rank or min(int(np.searchsorted(energy, self.energy - 1e-12)) + 1, len(values))
        self.singular_values_ = values
        self.components_ = _with_fixed_sign(right[: self.rank_])
        self.explained_energy_ratio_ = float(energy[self.rank_ - 1])
        return self

    def transform(self, rows: NDArray[np.floating]) -> NDArray[np.float64]:
        """Rows on the basis, [rows, rank]."""
        return np.asarray(rows @ self.components_.T, dtype=np.float64)

    def inverse_transform(self, projected: NDArray[np.floating]) -> NDArray[np.float64]:
        """The nearest rows of that rank, [rows, columns]."""
        return np.asarray(projected @ self.components_, dtype=np.float64)


def _with_fixed_sign(components: NDArray[np.float64]) -> NDArray[np.float64]:
    strongest = components[np.arange(len(components)), np.abs(components).argmax(axis=1)]
    return np.asarray(components * np.where(strongest < 0, -1.0, 1.0)[:, None], dtype=np.float64)

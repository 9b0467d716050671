"""Truncated singular value decomposition: the joint feature matrix onto its strongest directions.

    C = U S V^T,  projected = C V_k

Eckart and Young (1936): no matrix of rank k is nearer to C. scipy does the decomposition; signs are fixed as
Bro, Acar and Kolda (2008) ask, here by each component's largest entry, so that the same data give the same basis.
"""

from __future__ import annotations

from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import svd
from scipy.sparse import issparse, sparray
from scipy.sparse.linalg import svds

Rows: TypeAlias = NDArray[np.floating] | sparray


class TruncatedSVD:
    """Fit on a standardised matrix, keep the first `rank` right singular vectors.

    A sparse matrix is never made dense unless its whole rank is asked for, when the answer is as large as that.

    Parameters
    ----------
    rank : int or None
        How many components are kept; None to choose by `energy`.
    energy : float
        With `rank` None: the least share of the squared singular values that is kept, in (0, 1].

    Attributes
    ----------
    components_ : float64 [rank, columns], orthonormal rows
    singular_values_ : float64, descending
        All of them, [columns or fewer]; of a sparse matrix those that were computed, `rank` or more.
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

    def fit(self, rows: Rows) -> Self:
        """Decompose a matrix [rows, columns], dense or sparse."""
        if self.rank is not None and self.rank > min(rows.shape):
            raise ValueError(f"A rank of {self.rank} was asked for of a matrix {rows.shape}; give less or more rows.")
        values, right, total = self._sparse(rows) if issparse(rows) else _dense(rows)
        return self._keep(values, right, total)

    def _keep(self, values: NDArray[np.float64], right: NDArray[np.float64], total: float) -> Self:
        """Take the leading of these components; `total` is the energy of all there are."""
        shares = np.cumsum(values**2) / max(total, np.finfo(float).tiny)
        self.rank_ = self.rank or _least_rank(shares, self.energy)
        self.singular_values_ = values
        self.components_ = _with_fixed_sign(right[: self.rank_])
        self.explained_energy_ratio_ = float(min(shares[self.rank_ - 1], 1.0))
        return self

    def _sparse(self, rows: sparray) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
        """Leading singular values and right vectors; as many as hold the energy where no rank is given."""
        total = float((rows.data**2).sum())
        rank = self.rank or 16
        while True:
            values, right = _leading(rows, rank)
            if self.rank or rank >= min(rows.shape) or (values**2).sum() >= (self.energy - 1e-12) * total:
                return values, right, total
            rank *= 2

    def transform(self, rows: Rows) -> NDArray[np.float64]:
        """Rows on the basis, [rows, rank]."""
        return np.asarray(rows @ self.components_.T, dtype=np.float64)

    def inverse_transform(self, projected: NDArray[np.floating]) -> NDArray[np.float64]:
        """The nearest rows of that rank, [rows, columns]."""
        return np.asarray(projected @ self.components_, dtype=np.float64)

    def row_vectors(self, rows: Rows, power: float = 0.5) -> NDArray[np.float64]:
        """U_k S_k^power of the matrix that was fitted, [rows, rank]: of word counts, a vector a word.

        Directions whose singular value is zero but for rounding are zero.
        """
        values = self.singular_values_[: self.rank_]
        heard = values > np.finfo(float).eps * max(rows.shape) * values[0]
        return self.transform(rows) * np.where(heard, np.where(heard, values, 1.0) ** (power - 1), 0.0)


def _dense(rows: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    _, values, right = svd(np.asarray(rows, dtype=np.float64), full_matrices=False)
    return values, right, float((values**2).sum())


def _leading(rows: sparray, rank: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Singular values and right vectors of a sparse matrix, strongest first; a fixed start gives the same ones again."""
    if rank >= min(rows.shape) or not rows.nnz:
        values, right, _ = _dense(rows.toarray())
        return values, right
    start = np.random.default_rng(0).standard_normal(min(rows.shape))
    _, values, right = svds(rows.astype(np.float64), k=rank, v0=start, rng=0)
    order = np.argsort(values)[::-1]
    return values[order], right[order]


def _least_rank(shares: NDArray[np.float64], energy: float) -> int:
    return min(int(np.searchsorted(shares, energy - 1e-12)) + 1, len(shares))


def _with_fixed_sign(components: NDArray[np.float64]) -> NDArray[np.float64]:
    strongest = components[np.arange(len(components)), np.abs(components).argmax(axis=1)]
    return np.asarray(components * np.where(strongest < 0, -1.0, 1.0)[:, None], dtype=np.float64)

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
from scipy.sparse import csr_array, issparse, sparray
from scipy.sparse.linalg import norm, svds

Rows: TypeAlias = NDArray[np.floating] | sparray

FIRST_RANK = 16  # computed first of a sparse matrix whose rank is to be found
ROUNDING = 1e-12  # of the energy: a share this near to the one asked for is the one


class OrthonormalBasis:
    """What every decomposition gives: orthonormal directions, the strongest first, and rows put on them and back.

    Parameters
    ----------
    rank : int or None
        How many components are kept; None to choose by `energy`.
    energy : float
        With `rank` None: the least share of the squared singular values that is kept, in (0, 1].

    Attributes
    ----------
    components_ : float64 [rank, columns], orthonormal rows
    singular_values_ : float64 [rank or more], descending
        Of a dense matrix all of them; otherwise those that were computed.
    rank_ : int
    explained_energy_ratio_ : float
        Share of the squared singular values that the kept components hold.

    Raises
    ------
    ValueError
        The rank or the energy cannot be had.
    """

    components_: NDArray[np.float64]
    singular_values_: NDArray[np.float64]
    rank_: int
    explained_energy_ratio_: float

    def __init__(self, rank: int | None = None, energy: float = 0.95) -> None:
        if rank is not None and rank < 1:
            raise ValueError(f"A rank of {rank} was asked for; give 1 or more.")
        if not 0 < energy <= 1:
            raise ValueError(f"An energy share of {energy} was asked for; give more than 0, at most 1.")
        self.rank = rank
        self.energy = energy

    def transform(self, rows: Rows) -> NDArray[np.float64]:
        """Rows on the basis, [rows, rank]."""
        return np.asarray(rows @ self.components_.T, dtype=np.float64)

    def inverse_transform(self, projected: NDArray[np.floating]) -> NDArray[np.float64]:
        """The nearest rows of that rank, [rows, columns]."""
        return np.asarray(projected @ self.components_, dtype=np.float64)

    def _keep(self, values: NDArray[np.float64], right: NDArray[np.float64], total: float) -> Self:
        """Keep the strongest of the components found; `total` is the squared singular values' sum, found or not."""
        shares = np.minimum(np.cumsum(values**2) / max(total, np.finfo(float).tiny), 1.0)
        enough = int(np.searchsorted(shares, self.energy - ROUNDING)) + 1
        self.rank_ = min(self.rank or enough, len(values))
        self.singular_values_ = values
        self.components_ = _with_fixed_sign(right[: self.rank_])
        self.explained_energy_ratio_ = float(shares[self.rank_ - 1])
        return self


class TruncatedSVD(OrthonormalBasis):
    """Fit on a matrix held in memory, dense or sparse; keep the first `rank` right singular vectors.

    A sparse matrix is made dense only where all of its components are asked for: they fill as much memory themselves.
    """

    def fit(self, rows: Rows) -> Self:
        """Decompose a matrix [rows, columns]."""
        if self.rank is not None and self.rank > min(rows.shape):
            raise ValueError(f"A rank of {self.rank} was asked for of a matrix {rows.shape}; give less or more rows.")
        if issparse(rows):
            return self._fit_sparse(csr_array(rows, dtype=np.float64))
        _, values, right = svd(np.asarray(rows, dtype=np.float64), full_matrices=False)
        return self._keep(values, right, float((values**2).sum()))

    def _fit_sparse(self, rows: csr_array) -> Self:
        """Compute as many components as were asked for, or ever twice as many until they hold the energy."""
        total = float(norm(rows)) ** 2
        rank = self.rank or FIRST_RANK
        values, right = _leading(rows, rank)
        least = (self.energy - ROUNDING) * total
        while self.rank is None and rank < min(rows.shape) and (values**2).sum() < least:
            rank *= 2
            values, right = _leading(rows, rank)
        return self._keep(values, right, total)

    def row_vectors(self, rows: Rows, power: float = 0.5) -> NDArray[np.float64]:
        """U_k S_k^power of the matrix that was fitted, [rows, rank]; of word counts, a vector a word.

        A direction of less than 1e-10 of the first singular value is rounding and becomes zero, whatever the power.
        """
        values = self.singular_values_[: self.rank_]
        some = values > 1e-10 * values[0]
        return self.transform(rows) * np.where(some, np.where(some, values, 1.0) ** (power - 1), 0.0)


def _leading(rows: csr_array, rank: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Singular values and right singular vectors, strongest first; from a fixed start, so they come out the same."""
    if rank >= min(rows.shape) or not rows.count_nonzero():
        _, values, right = svd(rows.toarray(), full_matrices=False)
        return values, right
    start = np.random.default_rng(0).standard_normal(min(rows.shape))
    _, values, right = svds(rows, k=rank, v0=start, rng=0)
    order = np.argsort(values)[::-1]
    return values[order], right[order]


def _with_fixed_sign(components: NDArray[np.float64]) -> NDArray[np.float64]:
    strongest = components[np.arange(len(components)), np.abs(components).argmax(axis=1)]
    return np.asarray(components * np.where(strongest < 0, -1.0, 1.0)[:, None], dtype=np.float64)

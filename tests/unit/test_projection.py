import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from models.projection import TruncatedSVD

Matrix = NDArray[np.float64]
MATRICES = arrays(np.float64, st.tuples(st.integers(5, 25), st.integers(2, 5)), elements=st.floats(-100, 100))


def random_matrix(rows: int = 60, columns: int = 8, seed: int = 0) -> Matrix:
    """Columns of rather different strength, so that no two singular values are alike."""
    generator = np.random.default_rng(seed)
    return np.asarray(generator.standard_normal((rows, columns)) @ np.diag(np.geomspace(10, 0.1, columns)))


def random_basis(columns: int, rank: int, seed: int) -> Matrix:
    """Orthonormal rows drawn at random."""
    return np.asarray(np.linalg.qr(np.random.default_rng(seed).standard_normal((columns, columns)))[0][:rank])


def loss(rows: Matrix, components: Matrix) -> float:
    """What the rows lose when they are put on a basis and back."""
    return float(((rows - rows @ components.T @ components) ** 2).sum())


@given(MATRICES, st.integers(0, 1000))
@settings(max_examples=50)
def test_no_other_basis_of_the_rank_is_nearer_to_the_matrix(rows: Matrix, seed: int) -> None:
    rank = 1 + seed % rows.shape[1]
    fitted = TruncatedSVD(rank).fit(rows)
    rotated = random_basis(rows.shape[1], rank, seed)
    slightly = np.linalg.qr((fitted.components_ + 0.01 * rotated).T)[0].T
    for other in (rotated, slightly):
        assert loss(rows, fitted.components_) <= loss(rows, other) + 1e-9 * (rows**2).sum()


@given(MATRICES)
@settings(max_examples=50)
def test_what_is_lost_is_the_energy_of_the_singular_values_left_out(rows: Matrix) -> None:
    for rank in range(1, rows.shape[1] + 1):
        fitted = TruncatedSVD(rank).fit(rows)
        left_out = (fitted.singular_values_[rank:] ** 2).sum()
        assert loss(rows, fitted.components_) == pytest.approx(left_out, abs=1e-8 * max((rows**2).sum(), 1))


@given(MATRICES)
@settings(max_examples=50)
def test_components_are_orthonormal_and_singular_values_descend(rows: Matrix) -> None:
    fitted = TruncatedSVD(rows.shape[1]).fit(rows)
    assert np.allclose(fitted.components_ @ fitted.components_.T, np.eye(rows.shape[1]), atol=1e-9)
    assert (np.diff(fitted.singular_values_) <= 1e-9).all()


def test_the_projected_columns_are_orthogonal_and_as_strong_as_the_singular_values() -> None:
    rows = random_matrix()
    fitted = TruncatedSVD(4).fit(rows)
    projected = fitted.transform(rows)
    assert np.allclose(projected.T @ projected, np.diag(fitted.singular_values_[:4] ** 2), atol=1e-8)


def test_the_whole_rank_gives_the_rows_back_and_a_part_the_nearest() -> None:
    rows = random_matrix()
    whole, part = TruncatedSVD(8).fit(rows), TruncatedSVD(3).fit(rows)
    assert np.allclose(whole.inverse_transform(whole.transform(rows)), rows)
    nearest = part.inverse_transform(part.transform(rows))
    assert np.linalg.matrix_rank(nearest) == 3
    assert np.allclose(part.transform(nearest), part.transform(rows))


def test_the_strongest_entry_of_each_component_is_positive_whatever_the_order_of_rows() -> None:
    rows = random_matrix()
    one = TruncatedSVD(8).fit(rows).components_
    other = TruncatedSVD(8).fit(rows[::-1]).components_
    negated = TruncatedSVD(8).fit(-rows).components_
    assert (one[np.arange(8), np.abs(one).argmax(axis=1)] > 0).all()
    assert np.allclose(one, other)
    assert np.allclose(one, negated)


@pytest.mark.parametrize("energy", [0.5, 0.9, 0.99, 0.9999, 1.0])
def test_the_rank_is_the_least_that_holds_the_energy(energy: float) -> None:
    rows = random_matrix()
    fitted = TruncatedSVD(energy=energy).fit(rows)
    shares = np.cumsum(fitted.singular_values_**2) / (fitted.singular_values_**2).sum()
    assert shares[fitted.rank_ - 1] >= energy - 1e-12
    assert fitted.rank_ == 1 or shares[fitted.rank_ - 2] < energy
    assert fitted.explained_energy_ratio_ == pytest.approx(shares[fitted.rank_ - 1])
    assert fitted.components_.shape == (fitted.rank_, 8)


@given(MATRICES)
@settings(max_examples=50)
def test_the_energy_alone_finds_a_rank_for_any_matrix(rows: Matrix) -> None:
    assert 1 <= TruncatedSVD(energy=0.95).fit(rows).rank_ <= rows.shape[1]
    assert 1 <= TruncatedSVD(energy=1.0).fit(np.zeros_like(rows)).rank_ <= rows.shape[1]


def test_a_rank_or_an_energy_that_cannot_be_had_is_refused_with_what_was_asked() -> None:
    with pytest.raises(ValueError, match="rank of 0"):
        TruncatedSVD(0)
    for energy in (0.0, 1.5, -1.0):
        with pytest.raises(ValueError, match="energy share"):
            TruncatedSVD(energy=energy)
    with pytest.raises(ValueError, match="rank of 9"):
        TruncatedSVD(9).fit(random_matrix())
    with pytest.raises(ValueError, match="rank of 5"):
        TruncatedSVD(5).fit(random_matrix(rows=4))

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array, random_array

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


@given(st.integers(0, 1000))
@settings(max_examples=30)
def test_turning_the_columns_turns_the_components_and_nothing_else(seed: int) -> None:
    rows, turn = random_matrix(), random_basis(8, 8, seed)
    one, turned = TruncatedSVD(5).fit(rows), TruncatedSVD(5).fit(rows @ turn)
    assert np.allclose(turned.singular_values_, one.singular_values_)
    cosines = (turned.components_ * (one.components_ @ turn)).sum(axis=1)
    assert np.allclose(np.abs(cosines), 1)


@given(st.permutations(range(8)))
@settings(max_examples=30)
def test_columns_in_another_order_give_components_in_that_order(order: list[int]) -> None:
    rows = random_matrix()
    assert np.allclose(
        TruncatedSVD(8).fit(rows[:, order]).components_, TruncatedSVD(8).fit(rows).components_[:, order], atol=1e-9
    )


def sparse_matrix(rows: int, columns: int, seed: int) -> csr_array:
    """A third of the places filled, as of word counts."""
    return csr_array(random_array((rows, columns), density=0.34, rng=seed) + csr_array(np.eye(rows, columns)))


@given(st.integers(3, 40), st.integers(3, 12), st.integers(0, 1000))
@settings(max_examples=50)
def test_a_sparse_matrix_has_the_decomposition_of_the_same_dense_one(rows: int, columns: int, seed: int) -> None:
    sparse = sparse_matrix(rows, columns, seed)
    for rank in {1, min(rows, columns) - 1, min(rows, columns)}:
        one, other = TruncatedSVD(rank).fit(sparse), TruncatedSVD(rank).fit(sparse.toarray())
        assert np.allclose(one.singular_values_[:rank], other.singular_values_[:rank], atol=1e-8)
        assert one.explained_energy_ratio_ == pytest.approx(other.explained_energy_ratio_)
        assert loss(sparse.toarray(), one.components_) == pytest.approx(
            loss(sparse.toarray(), other.components_), abs=1e-8
        )
        assert np.allclose(one.components_ @ one.components_.T, np.eye(rank), atol=1e-9)


@pytest.mark.parametrize("energy", [0.3, 0.6, 0.9, 1.0])
def test_the_rank_of_a_sparse_matrix_is_found_by_its_energy(energy: float) -> None:
    sparse = sparse_matrix(120, 60, seed=1)
    one, other = TruncatedSVD(energy=energy).fit(sparse), TruncatedSVD(energy=energy).fit(sparse.toarray())
    assert one.rank_ == other.rank_
    assert np.allclose(one.components_, other.components_, atol=1e-6)


def test_a_sparse_matrix_gives_the_same_bits_again() -> None:
    sparse = sparse_matrix(200, 80, seed=2)
    one, other = TruncatedSVD(10).fit(sparse), TruncatedSVD(10).fit(sparse)
    assert np.array_equal(one.components_, other.components_)
    assert np.array_equal(one.transform(sparse), other.transform(sparse))


def test_places_of_a_sparse_matrix_that_are_named_twice_are_added_up() -> None:
    twice = coo_array(([1.0, 1.0, 5.0, 3.0], ([0, 0, 1, 2], [0, 0, 1, 2])), shape=(3, 3))
    fitted = TruncatedSVD(2).fit(twice)
    assert np.allclose(fitted.singular_values_, [5, 3])
    assert fitted.explained_energy_ratio_ == pytest.approx(34 / 38)


def test_a_sparse_matrix_of_nothing_or_of_less_than_the_rank_asked_for_is_decomposed_all_the_same() -> None:
    nothing = TruncatedSVD(2).fit(csr_array((5, 4)))
    assert (nothing.singular_values_ == 0).all()
    assert np.allclose(nothing.components_ @ nothing.components_.T, np.eye(2))
    one = csr_array(np.outer(np.arange(9.0), np.arange(6.0)))
    fitted = TruncatedSVD(3).fit(one)
    assert np.allclose(fitted.singular_values_[1:], 0, atol=1e-6)
    assert np.allclose(fitted.components_ @ fitted.components_.T, np.eye(3), atol=1e-9)
    assert fitted.explained_energy_ratio_ == pytest.approx(1)


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_row_vectors_are_the_left_vectors_weighted_by_a_power_of_the_singular_values(power: float) -> None:
    rows = random_matrix()
    fitted = TruncatedSVD(5).fit(rows)
    vectors = fitted.row_vectors(rows, power)
    assert np.allclose(vectors.T @ vectors, np.diag(fitted.singular_values_[:5] ** (2 * power)), atol=1e-9)
    sparse = csr_array(rows)
    assert np.allclose(TruncatedSVD(5).fit(sparse).row_vectors(sparse, power), vectors, atol=1e-7)


def test_row_vectors_of_half_power_give_back_a_matrix_of_inner_products() -> None:
    some = random_matrix(rows=10, columns=4)
    products = some @ some.T
    vectors = TruncatedSVD(4).fit(products).row_vectors(products, 0.5)
    assert np.allclose(vectors @ vectors.T, products)


def test_a_direction_without_strength_is_zero_whatever_the_power() -> None:
    rows = np.outer(np.arange(1.0, 7.0), [1.0, 2.0, 3.0])
    vectors = TruncatedSVD(3).fit(rows).row_vectors(rows, 0.0)
    assert np.linalg.norm(vectors[:, 0]) == pytest.approx(1)
    assert (vectors[:, 1:] == 0).all()
    assert (TruncatedSVD(2).fit(np.zeros((4, 3))).row_vectors(np.zeros((4, 3)), 0.0) == 0).all()


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

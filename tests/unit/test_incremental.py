import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from models.incremental import IncrementalSVD
from models.projection import TruncatedSVD

Matrix = NDArray[np.float64]
MATRICES = arrays(np.float64, st.tuples(st.integers(5, 25), st.integers(2, 5)), elements=st.floats(-100, 100))
CUTS = st.lists(st.integers(0, 25), max_size=5)


def in_batches(rows: Matrix, cuts: list[int]) -> list[Matrix]:
    """Rows cut anywhere, batches without a row among them."""
    return np.split(rows, sorted(min(cut, len(rows)) for cut in cuts))


def of_strengths(strengths: list[float], rows: int = 40, columns: int = 8, seed: int = 0) -> Matrix:
    """A matrix of these singular values."""
    generator = np.random.default_rng(seed)
    left = np.linalg.qr(generator.standard_normal((rows, len(strengths))))[0]
    right = np.linalg.qr(generator.standard_normal((columns, len(strengths))))[0]
    return np.asarray(left @ np.diag(strengths) @ right.T)


def energy_on(rows: Matrix, components: Matrix) -> float:
    """Share of the rows' squares that a basis holds."""
    return float(((rows @ components.T) ** 2).sum() / (rows**2).sum())


@given(MATRICES, CUTS)
@settings(max_examples=50)
def test_any_cut_into_batches_gives_the_singular_values_of_the_whole(rows: Matrix, cuts: list[int]) -> None:
    whole = TruncatedSVD(1).fit(rows)
    by_batch = IncrementalSVD(1).fit(in_batches(rows, cuts))
    assert by_batch.rows_ == len(rows)
    assert np.allclose(by_batch.singular_values_, whole.singular_values_, atol=1e-10 * max(np.abs(rows).max(), 1))
    assert by_batch.explained_energy_ratio_ == pytest.approx(whole.explained_energy_ratio_)


@given(st.integers(0, 1000), CUTS, st.integers(1, 6))
@settings(max_examples=50)
def test_the_components_are_those_of_the_whole_matrix(seed: int, cuts: list[int], rank: int) -> None:
    rows = of_strengths([50, 30, 20, 10, 5, 2], rows=25, seed=seed)
    whole, by_batch = TruncatedSVD(rank).fit(rows), IncrementalSVD(rank).fit(in_batches(rows, cuts))
    assert np.allclose(by_batch.components_, whole.components_, atol=1e-9)
    assert np.allclose(by_batch.transform(rows), whole.transform(rows), atol=1e-8)


@given(st.integers(0, 1000), CUTS)
@settings(max_examples=50)
def test_holding_as_many_directions_as_the_matrix_has_loses_nothing(seed: int, cuts: list[int]) -> None:
    rows = of_strengths([9, 4, 1], rows=25, seed=seed)
    by_batch = IncrementalSVD(3, held=3).fit(in_batches(rows, cuts))
    assert np.allclose(by_batch.singular_values_, [9, 4, 1], atol=1e-9)
    assert np.allclose(by_batch.components_, TruncatedSVD(3).fit(rows).components_, atol=1e-9)
    assert by_batch.explained_energy_ratio_ == pytest.approx(1)


@given(MATRICES, CUTS, st.integers(1, 4))
@settings(max_examples=50)
def test_holding_less_never_says_that_it_holds_more_than_it_does(rows: Matrix, cuts: list[int], held: int) -> None:
    assume(np.abs(rows).max() > 1e-3)
    held = min(held, rows.shape[1])
    found = IncrementalSVD(held, held=held).fit(in_batches(rows, cuts))
    best = TruncatedSVD(held).fit(rows)
    truth = energy_on(rows, found.components_)
    assert found.explained_energy_ratio_ <= truth + 1e-9
    assert truth <= best.explained_energy_ratio_ + 1e-9
    assert (found.singular_values_ <= best.singular_values_[: len(found.singular_values_)] + 1e-8).all()


def test_a_weak_rest_hardly_moves_what_is_held() -> None:
    rows = of_strengths([50, 40, 30, 0.3, 0.2, 0.1])
    found = IncrementalSVD(3, held=3).fit(np.split(rows, 8))
    best = TruncatedSVD(3).fit(rows)
    assert energy_on(rows, found.components_) == pytest.approx(best.explained_energy_ratio_, abs=1e-6)


def test_a_singular_value_below_the_root_of_the_rounding_error_is_still_found() -> None:
    rows = of_strengths([1.0, 1e-3, 1e-10])
    found = IncrementalSVD(3).fit(np.split(rows, 4))
    assert np.allclose(found.singular_values_[:3], [1.0, 1e-3, 1e-10], rtol=1e-3)


@given(MATRICES, st.permutations(range(4)))
@settings(max_examples=30)
def test_the_order_of_batches_is_of_no_account(rows: Matrix, order: list[int]) -> None:
    batches = np.array_split(rows, 4)
    one, other = IncrementalSVD(1).fit(batches), IncrementalSVD(1).fit(batches[place] for place in order)
    assert np.allclose(one.singular_values_, other.singular_values_, atol=1e-10 * max(np.abs(rows).max(), 1))


def test_after_each_batch_the_basis_is_that_of_the_rows_met_so_far() -> None:
    rows = of_strengths([8, 7, 6, 5, 4, 3, 2, 1])
    found = IncrementalSVD(4)
    for end in range(5, 41, 5):
        found.partial_fit(rows[end - 5 : end])
        assert np.allclose(found.components_, TruncatedSVD(4).fit(rows[:end]).components_, atol=1e-9)


def test_what_is_carried_does_not_grow_with_the_rows() -> None:
    generator = np.random.default_rng(0)
    found = IncrementalSVD(2, held=4)
    for _ in range(50):
        found.partial_fit(generator.standard_normal((20, 10)))
        assert found._held.shape == (4, 10)
    assert found.rows_ == 1000


def test_while_there_are_fewer_rows_than_the_rank_there_are_as_many_components() -> None:
    rows = of_strengths([3, 2, 1])
    found = IncrementalSVD(3).partial_fit(rows[:2])
    assert found.components_.shape == (2, 8)
    assert found.partial_fit(rows[2:]).components_.shape == (3, 8)


@pytest.mark.parametrize("energy", [0.5, 0.9, 0.99, 1.0])
def test_the_rank_is_the_least_that_holds_the_energy_of_all_batches(energy: float) -> None:
    rows = of_strengths([8, 5, 3, 2, 1, 0.5])
    found, whole = IncrementalSVD(energy=energy).fit(np.split(rows, 4)), TruncatedSVD(energy=energy).fit(rows)
    assert found.rank_ == whole.rank_
    assert found.explained_energy_ratio_ == pytest.approx(whole.explained_energy_ratio_)


def test_fitting_again_forgets_what_was_fitted_before() -> None:
    found = IncrementalSVD(1).fit([of_strengths([100.0], seed=1)])
    assert np.allclose(found.fit([of_strengths([3.0], columns=5)]).singular_values_[0], 3)
    assert found.rows_ == 40


def test_what_cannot_be_had_is_refused_with_what_was_asked() -> None:
    rows = of_strengths([3, 2, 1])
    with pytest.raises(ValueError, match="2 directions are to be held for a rank of 3"):
        IncrementalSVD(3, held=2)
    with pytest.raises(ValueError, match="0 directions"):
        IncrementalSVD(held=0)
    with pytest.raises(ValueError, match="rank of 9 was asked for of 8 columns"):
        IncrementalSVD(9).partial_fit(rows)
    with pytest.raises(ValueError, match="2 rows for a rank of 3"):
        IncrementalSVD(3).fit([rows[:1], rows[1:2]])
    with pytest.raises(ValueError, match="0 rows for a rank of at least 1"):
        IncrementalSVD().fit([])
    with pytest.raises(ValueError, match="has 7 columns, those before had 8"):
        IncrementalSVD(1).fit([rows, rows[:, :7]])
    with pytest.raises(ValueError, match=r"1 held directions keep 0\.\d+ of the energy, 0\.99 was asked for"):
        IncrementalSVD(energy=0.99, held=1).fit([rows])

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from models.preprocess import (
    MEL_BANDS,
    MEL_HIGH_HZ,
    MEL_LOW_HZ,
    MEL_STEP_SAMPLES,
    MEL_WINDOW_SAMPLES,
    RATE_HZ,
    TICK_SAMPLES,
    FeatureSelector,
    Normaliser,
    Standardiser,
    fourier_basis,
    mel_filters,
)

BINS = MEL_WINDOW_SAMPLES // 2 + 1
BINS_HZ = np.linspace(0, RATE_HZ / 2, BINS)
ROWS = arrays(np.float64, st.tuples(st.integers(2, 30), st.just(3)), elements=st.floats(-1e3, 1e3))


def test_a_tick_holds_whole_samples_and_whole_spectra() -> None:
    assert TICK_SAMPLES == 640
    assert TICK_SAMPLES % MEL_STEP_SAMPLES == 0


def test_the_basis_is_the_fourier_transform_of_a_hann_window() -> None:
    sound = np.random.default_rng(0).standard_normal(MEL_WINDOW_SAMPLES)
    expected = np.fft.rfft(sound * (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(MEL_WINDOW_SAMPLES) / MEL_WINDOW_SAMPLES)))
    real, imaginary = np.split(fourier_basis() @ sound, 2)
    assert np.allclose(real, expected.real, atol=1e-3)
    assert np.allclose(imaginary, expected.imag, atol=1e-3)


def test_each_mel_filter_is_a_triangle_of_unit_sum_within_the_band() -> None:
    filters = mel_filters()
    assert filters.shape == (MEL_BANDS, BINS)
    assert filters.min() == 0
    assert np.allclose(filters.sum(axis=1), 1, atol=1e-5)
    heard = np.flatnonzero(filters.any(axis=0))
    assert BINS_HZ[heard[0]] >= MEL_LOW_HZ
    assert BINS_HZ[heard[-1]] <= MEL_HIGH_HZ
    for row in filters:
        rising = np.diff(row[np.flatnonzero(row)])
        assert (np.diff(np.sign(rising)) <= 0).all()  # up, then down


def test_mel_filters_lie_in_order_and_grow_wider() -> None:
    filters = mel_filters().astype(np.float64)
    centres_hz = filters @ BINS_HZ
    assert (np.diff(centres_hz) > 0).all()
    widths = (filters > 0).sum(axis=1)
    assert widths[-5:].min() > widths[:5].max()


@pytest.mark.parametrize("tone_hz", [200, 1_000, 4_000])
def test_a_tone_is_loudest_in_the_band_of_its_frequency(tone_hz: int) -> None:
    sound = np.sin(2 * np.pi * tone_hz * np.arange(MEL_WINDOW_SAMPLES) / RATE_HZ)
    real, imaginary = np.split(fourier_basis() @ sound, 2)
    loudest = int((mel_filters() @ (real**2 + imaginary**2)).argmax())
    lies = BINS_HZ[np.flatnonzero(mel_filters()[loudest])]
    assert lies[0] <= tone_hz <= lies[-1]


@given(ROWS)
def test_standardised_columns_have_zero_mean_and_unit_variance(rows: NDArray[np.float64]) -> None:
    standard = Standardiser().fit([rows]).transform(rows)
    varying = rows.std(axis=0) > 1e-3
    assert np.allclose(standard.mean(axis=0), 0, atol=1e-6)
    assert np.allclose(standard.std(axis=0)[varying], 1, atol=1e-6)


@given(ROWS, st.lists(st.integers(0, 30), max_size=4))
def test_batches_give_what_all_rows_at_once_give(rows: NDArray[np.float64], cuts: list[int]) -> None:
    batches = np.split(rows, sorted(min(cut, len(rows)) for cut in cuts))
    at_once, by_batch = Standardiser().fit([rows]), Standardiser().fit(batches)
    assert by_batch.count_ == len(rows)
    assert np.allclose(by_batch.mean_, at_once.mean_, atol=1e-9)
    assert np.allclose(by_batch.mean_, rows.mean(axis=0), atol=1e-9)
    assert np.allclose(by_batch.scale_, at_once.scale_, atol=1e-6)


def test_a_small_spread_about_a_large_mean_is_not_lost() -> None:
    rows = 1e6 + np.random.default_rng(0).standard_normal((1000, 2))
    fitted = Standardiser().fit(np.split(rows, 10))
    assert np.allclose(fitted.scale_, rows.std(axis=0), rtol=1e-6)


def test_a_column_that_never_varies_becomes_zero() -> None:
    rows = np.full((5, 2), 7.0)
    assert (Standardiser().fit([rows]).transform(rows) == 0).all()


def test_fitting_again_forgets_what_was_fitted_before() -> None:
    fitted = Standardiser().fit([np.full((9, 2), 100.0)])
    assert fitted.fit([np.array([[1.0, 3.0], [3.0, 5.0]])]).mean_.tolist() == [2, 4]
    assert fitted.count_ == 2


@pytest.mark.parametrize("batches", [[], [np.zeros((0, 3))]])
def test_without_any_row_there_is_nothing_to_standardise_by(batches: list[NDArray[np.float64]]) -> None:
    with pytest.raises(ValueError, match="no row"):
        Standardiser().fit(batches)


@given(ROWS, st.floats(0.1, 100))
def test_normalised_rows_have_one_length_and_keep_their_direction(rows: NDArray[np.float64], length: float) -> None:
    normal = Normaliser(length).fit(rows).transform(rows)
    lengths = np.linalg.norm(rows, axis=1)
    some = lengths > 1e-6
    assert np.allclose(np.linalg.norm(normal[some], axis=1), length)
    assert np.allclose(normal[some] * lengths[some, None], rows[some] * length)
    assert np.allclose(Normaliser(length).transform(normal)[some], normal[some])


def test_a_row_of_zeros_or_of_rounding_errors_has_no_direction() -> None:
    assert (Normaliser(5.0).transform(np.array([[0.0, 0.0], [1e-17, -1e-17]])) == 0).all()


def told_apart(rows: int = 1_200, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Columns: the label, the label in noise, noise, a constant, a constant but for rounding; four labels."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 4, rows)
    noise = generator.standard_normal((rows, 3))
    columns = [labels + 0.01 * noise[:, 0], labels + noise[:, 1], noise[:, 2], np.full(rows, 7.1), 0.1 + 1e-17 * labels]
    return np.column_stack(columns), labels


def test_columns_that_tell_the_label_stay_and_noise_and_constants_go() -> None:
    rows, labels = told_apart()
    fitted = FeatureSelector(min_information_nats=0.1).fit(rows, labels)
    assert fitted.selected_.tolist() == [0, 1]
    assert fitted.selected_.dtype == np.int64
    assert np.array_equal(fitted.transform(rows), rows[:, :2])


def test_a_column_that_is_the_label_tells_all_of_it_and_one_in_noise_as_much_as_the_channel_lets_through() -> None:
    rows, labels = told_apart(4_000)
    found = FeatureSelector().fit(rows, labels).information_
    shares = np.bincount(labels) / len(labels)
    assert found[0] == pytest.approx(-(shares * np.log(shares)).sum(), abs=0.02)
    assert found[1] == pytest.approx(channel_nats(), abs=0.05)
    assert found[2] < 0.05
    assert found[3:].tolist() == [0, 0]


def channel_nats() -> float:
    """Information of one of four equal levels, a standard deviation apart, on level + noise: by integration."""
    at = np.linspace(-8, 11, 4_000)
    each = np.exp(-((at - np.arange(4)[:, None]) ** 2) / 2) / np.sqrt(2 * np.pi)
    mixed = each.mean(axis=0)
    return float((each * np.log(np.maximum(each, 1e-300) / mixed)).mean(axis=0).sum() * (at[1] - at[0]))


def test_a_column_tells_the_same_in_any_unit_and_at_any_place() -> None:
    rows, labels = told_apart()
    plain = FeatureSelector(min_information_nats=0).fit(rows[:, :3], labels).information_
    other = (
        FeatureSelector(min_information_nats=0).fit(rows[:, [2, 0, 1]] * [1000.0, 0.01, 3.0] - 5, labels).information_
    )
    assert np.allclose(other, plain[[2, 0, 1]], atol=1e-3)


def test_constants_go_even_when_nothing_is_asked_for() -> None:
    rows, labels = told_apart()
    assert FeatureSelector(min_variance=0, min_information_nats=0).fit(rows[:, :4], labels).selected_.tolist() == [
        0,
        1,
        2,
    ]


def test_a_column_of_little_variance_goes_whatever_it_tells() -> None:
    rows, labels = told_apart()
    scaled = rows[:, :2] * [1e-3, 1.0]
    assert FeatureSelector(min_variance=1e-4).fit(scaled, labels).selected_.tolist() == [1]


def test_of_a_number_that_is_kept_those_stay_that_tell_most_in_their_own_order() -> None:
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 4, 1_200)
    rows = labels[:, None] + generator.standard_normal((1_200, 4)) * [3.0, 0.2, 1.0, 0.5]
    assert FeatureSelector(most=2).fit(rows, labels).selected_.tolist() == [1, 3]
    assert FeatureSelector(most=3).fit(rows, labels).selected_.tolist() == [1, 2, 3]
    assert FeatureSelector(most=9).fit(rows, labels).selected_.tolist() == [0, 1, 2, 3]


def test_the_same_rows_give_the_same_choice_and_no_more_are_measured_than_asked_for() -> None:
    rows, labels = told_apart()
    one, again = (FeatureSelector(rows=300, seed=1).fit(rows, labels) for _ in range(2))
    assert np.array_equal(one.information_, again.information_)
    assert np.array_equal(one.selected_, again.selected_)
    other = FeatureSelector(rows=300, seed=2).fit(rows, labels)
    assert not np.array_equal(one.information_, other.information_)


def test_when_no_column_is_left_it_says_what_was_found_and_what_to_do() -> None:
    rows, labels = told_apart()
    with pytest.raises(
        ValueError, match=r"Of 2 columns 1 vary and none tells 1\.0 nats.*give other rows or ask for less"
    ):
        FeatureSelector(min_information_nats=1.0).fit(rows[:, 2:4], labels)
    with pytest.raises(ValueError, match=r"Of 1 columns 0 vary"):
        FeatureSelector().fit(rows[:, 3:4], labels)


def test_rows_that_do_not_fit_their_labels_are_refused() -> None:
    rows, labels = told_apart()
    for wrong_rows, wrong_labels in ((rows[1:], labels), (rows[:, 0], labels), (rows[:0], labels[:0])):
        with pytest.raises(ValueError, match="expected one label a row"):
            FeatureSelector().fit(wrong_rows, wrong_labels)

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

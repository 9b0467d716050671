"""What is concluded from lags, and what is done about it."""

from collections.abc import Iterable, Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.motion import AUDIO, TEMPLATE, VIDEO
from stream.raster import HopInput
from stream.skew import ENOUGH, RECENT, UNKNOWN, Meter, Skew, longest_ticks

MS = 1_000_000
TICK_NS, HOP_NS = 40 * MS, 320 * MS


def meter(lags_ms: Iterable[float | None], known: Skew = UNKNOWN) -> Meter:
    found = Meter(TICK_NS, HOP_NS, known)
    for lag_ms in lags_ms:
        found.conclude(None if lag_ms is None else round(lag_ms * MS))
    return found


@pytest.mark.parametrize(
    ("measured_ms", "ticks"),
    [(0, 0), (90, 0), (91, 2), (120, 3), (160, 4), (-185, 0), (-186, -5), (-320, -8), (519, 12), (-519, -12)],
)
def test_pictures_are_shifted_by_whole_ticks_beyond_what_bt_1359_calls_acceptable(measured_ms: int, ticks: int) -> None:
    assert Skew(measured_ms * MS).shift_ticks(TICK_NS) == ticks
    assert Skew(measured_ms * MS).usable


def test_what_is_not_known_is_not_corrected() -> None:
    assert UNKNOWN.shift_ticks(TICK_NS) == 0
    assert UNKNOWN.usable


def test_pictures_that_are_out_of_step_and_not_steadily_so_are_not_used() -> None:
    unsteady = Skew(200 * MS, steady=False)
    assert not unsteady.usable
    assert unsteady.shift_ticks(TICK_NS) == 0
    assert Skew(50 * MS, steady=False).usable


@given(st.integers(-520, 520))
def test_no_shift_is_longer_than_half_a_second(measured_ms: int) -> None:
    assert abs(Skew(measured_ms * MS).shift_ticks(TICK_NS)) <= longest_ticks(TICK_NS) == 12


def test_few_lags_conclude_nothing() -> None:
    assert meter([200] * (ENOUGH - 1) + [None] * RECENT).skew == UNKNOWN


def test_lags_that_agree_are_known_as_their_median() -> None:
    assert meter([150, 160, 170] * 3).skew == Skew(160 * MS)


def test_one_lag_that_is_off_concludes_nothing_new() -> None:
    assert meter([10] * ENOUGH + [300]).skew == Skew(10 * MS)


def test_lags_that_jump_about_beyond_what_is_acceptable_are_not_steady() -> None:
    skew = meter([200, 400] * ENOUGH).skew
    assert not skew.steady
    assert not skew.usable


def test_lags_that_jump_about_within_what_is_acceptable_change_nothing() -> None:
    assert meter([-100, 60] * ENOUGH).skew == UNKNOWN


def test_what_became_steady_again_is_used_again() -> None:
    assert meter([200, 400] * ENOUGH + [160] * RECENT).skew == Skew(160 * MS)


def test_what_is_known_stays_when_nothing_can_be_measured_any_more() -> None:
    assert meter([160] * ENOUGH + [None] * 100).skew == Skew(160 * MS)


def test_a_successor_goes_by_what_its_predecessor_knew_until_there_is_evidence() -> None:
    known = Skew(160 * MS)
    assert meter([0] * (ENOUGH - 1), known).skew == known
    assert meter([0] * ENOUGH, known).skew == Skew(0)


@given(st.lists(st.integers(-14, 14), min_size=50, max_size=200))
def test_what_is_known_does_not_flap_where_lags_tremble_around_a_threshold(tremble_ms: list[int]) -> None:
    found, known = Meter(TICK_NS, HOP_NS), []
    for lag_ms in tremble_ms:
        found.conclude((90 + lag_ms) * MS)
        known.append(found.skew)
    assert len(set(known)) <= 3  # unknown, the first median, at most one step from there


@given(st.lists(st.none() | st.integers(-520, 520), max_size=60))
def test_whatever_is_measured_what_is_known_is_in_whole_milliseconds_and_among_it(lags_ms: list[int | None]) -> None:
    measured_ns = meter(lags_ms).skew.measured_ns
    if measured_ns is not None:
        assert measured_ns % MS == 0
        assert min(lag for lag in lags_ms if lag is not None) * MS <= measured_ns


def talking(late_ticks: int, hops: int = 70) -> Iterator[HopInput]:
    """Sound whose loudness is drawn anew each tick, and mouths that open as wide, so many ticks later."""
    levels = np.random.default_rng(0).uniform(-1, 1, hops * 8)
    mouths = np.kron(TEMPLATE / np.abs(TEMPLATE).max(), np.ones((8, 8)))
    for first in range(0, len(levels), 8):
        ticks = range(first, first + 8)
        samples = np.repeat(10 ** levels[first : first + 8] / 100, 640).astype(np.float32)
        crops = [128 + 60 * levels[max(tick - late_ticks, 0) % len(levels)] * mouths for tick in ticks]
        mask = np.zeros((8, 3), dtype=np.float32)
        mask[:, AUDIO] = mask[:, VIDEO] = 1
        yield HopInput(samples, np.rint(crops).astype(np.uint8), np.zeros((8, 32), dtype=np.int64), mask)


@pytest.mark.parametrize("ticks", [-8, -2, 0, 3, 8])
def test_a_session_s_skew_is_found_from_its_crops_and_samples(ticks: int) -> None:
    found = Meter(TICK_NS, HOP_NS)
    for number, placed in enumerate(talking(ticks)):
        found.add(number * HOP_NS, placed)
    assert found.skew.measured_ns is not None
    assert abs(found.skew.measured_ns - ticks * TICK_NS) <= 8 * MS


def test_hops_without_pictures_are_no_evidence_for_or_against() -> None:
    found = Meter(TICK_NS, HOP_NS, Skew(160 * MS))
    for number, placed in enumerate(talking(0)):
        placed.mask[:, VIDEO] = 0
        found.add(number * HOP_NS, placed)
    assert found.skew == Skew(160 * MS)

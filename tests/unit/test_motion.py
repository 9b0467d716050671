"""Mouth against sound: a lag is found where there is one, and only there."""

import numpy as np
import pytest
from numpy.typing import NDArray

from stream import motion
from stream.motion import Signals, Track, cells, correlation, loudness, peak, signals, swing
from stream.raster import HopInput

MS = 1_000_000
TICK_NS, HOP_NS, HOP_TICKS = 40 * MS, 320 * MS, 8
TICKS = 560


def speech(seed: int = 0, ticks: int = TICKS) -> NDArray[np.float32]:
    """Something that swings as syllables do: a few ticks long, of any height."""
    drawn = np.random.default_rng(seed).standard_normal(ticks + 2)
    return np.convolve(drawn, [0.25, 0.5, 0.25], "valid").astype(np.float32)


def track(mouth: NDArray[np.float32], sound: NDArray[np.float32], seen: NDArray[np.bool_] | None = None) -> Track:
    found = Track(TICK_NS, HOP_NS)
    here = np.ones(len(mouth), dtype=np.bool_)
    for first in range(0, len(mouth), HOP_TICKS):
        part = slice(first, first + HOP_TICKS)
        shown = here if seen is None else seen
        found.put(first * TICK_NS, Signals(mouth[part], shown[part], sound[part], here[part]))
    return found


@pytest.mark.parametrize("ticks", [-12, -5, -1, 0, 1, 4, 12])
def test_pictures_that_are_later_than_the_sound_have_a_positive_lag(ticks: int) -> None:
    sound = speech()
    lag_ns = track(np.roll(sound, ticks), sound).lag_ns()
    assert lag_ns is not None
    assert abs(lag_ns - ticks * TICK_NS) < 5 * MS


def test_a_lag_of_half_a_tick_is_found_between_the_ticks() -> None:
    fine = np.repeat(speech(), 2)
    smooth = np.convolve(fine, [0.25, 0.5, 0.25], "same").astype(np.float32)
    lag_ns = track(smooth[:-2:2], smooth[1::2][: TICKS - 1]).lag_ns()
    assert lag_ns is not None
    assert abs(abs(lag_ns) - TICK_NS / 2) < TICK_NS / 4


def test_a_mouth_that_says_something_else_has_no_lag() -> None:
    assert track(speech(1), speech(2)).lag_ns() is None


def test_a_mouth_that_stands_still_has_no_lag() -> None:
    assert track(np.ones(TICKS, dtype=np.float32), speech()).lag_ns() is None


def test_silence_has_no_lag() -> None:
    assert track(speech(), np.full(TICKS, -6, dtype=np.float32)).lag_ns() is None


def test_a_few_seconds_are_too_little() -> None:
    sound = speech(ticks=HOP_TICKS * 20)
    assert track(sound, sound).lag_ns() is None


def test_ticks_without_a_mouth_play_no_part() -> None:
    sound = speech()
    seen = np.arange(TICKS) % 16 < 12
    mouth = np.where(seen, np.roll(sound, 3), 100).astype(np.float32)
    lag_ns = track(mouth, sound, seen).lag_ns()
    assert lag_ns is not None
    assert abs(lag_ns - 3 * TICK_NS) < 8 * MS


def test_what_changes_slowly_plays_no_part() -> None:
    sound = speech()
    slow = np.sin(np.arange(TICKS) / 40).astype(np.float32) * 5
    lag_ns = track(np.roll(sound, 4) + slow, sound + slow).lag_ns()
    assert lag_ns is not None
    assert abs(lag_ns - 4 * TICK_NS) < 10 * MS


def test_a_revised_hop_replaces_what_it_was() -> None:
    sound = speech()
    found, right = track(speech(1), sound), track(sound, sound)
    for start_ns, hop in right._hops.items():
        found.put(start_ns, hop)
    assert found.lag_ns() == right.lag_ns()


def test_what_is_kept_is_bounded_however_long_a_session_is() -> None:
    assert len(track(speech(ticks=4_000), speech(ticks=4_000))._hops) <= motion.WINDOW_NS // HOP_NS


def test_hops_that_are_left_out_are_ticks_at_which_nothing_is_there() -> None:
    sound = speech()
    found = track(np.roll(sound, 2), sound)
    for number in range(10, 60, 10):
        del found._hops[max(found._hops) - number * HOP_NS]
    lag_ns = found.lag_ns()
    assert lag_ns is not None
    assert abs(lag_ns - 2 * TICK_NS) < 8 * MS


def test_the_correlation_is_pearsons_at_each_lag() -> None:
    mouth, sound = speech(1, 64), speech(2, 64)
    seen = np.arange(64) % 5 > 0
    curve, pairs = correlation(Signals(mouth, seen, sound, np.ones(64, dtype=np.bool_)), 3)
    for place, lag in enumerate(range(-3, 4)):
        ticks = [t for t in range(64) if seen[t] and 0 <= t - lag < 64]
        assert pairs[place] == len(ticks)
        expected = np.corrcoef(mouth[ticks], sound[[t - lag for t in ticks]])[0, 1]
        assert curve[place] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    "curve",
    [
        [0.9, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1],  # at the edge: it may peak beyond
        [0.1, 0.2, 0.1, 0.0, 0.0, 0.0, 0.0],  # low
        [0.1, 0.8, 0.1, 0.1, 0.1, 0.7, 0.1],  # not alone
    ],
)
def test_a_peak_that_does_not_stand_out_is_none(curve: list[float]) -> None:
    assert peak(np.array(curve)) is None


def test_cells_tell_the_same_whatever_the_light() -> None:
    crop = np.random.default_rng(0).integers(40, 120, (1, 40, 56)).astype(np.uint8)
    assert np.allclose(cells(crop), cells(crop * 2), atol=1e-5)


def test_crops_smaller_than_the_template_tell_nothing() -> None:
    assert not cells(np.ones((8, 1, 1), dtype=np.uint8)).any()


def test_swing_has_no_mean_and_is_nothing_where_nothing_is() -> None:
    there = np.arange(100) % 10 > 2
    found = swing(speech(ticks=100) + 7, there, TICK_NS)
    assert not found[~there].any()
    assert abs(found[there].mean()) < 0.1


def test_a_hop_gives_two_numbers_a_tick_and_whether_they_are_there() -> None:
    mask = np.zeros((8, 3), dtype=np.float32)
    mask[2:, 1], mask[:5, 2] = 1, 1
    placed = HopInput(np.ones(8 * 640, np.float32), np.ones((8, 40, 56), np.uint8), np.zeros((8, 32), np.int64), mask)
    found = signals(placed)
    assert found.heard.tolist() == [tick >= 2 for tick in range(8)]
    assert found.seen.tolist() == [tick < 5 for tick in range(8)]
    assert found.sound == pytest.approx(loudness(np.ones(8 * 640, np.float32), 8))
    assert found.mouth.shape == (8,)

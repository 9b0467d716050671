"""Noise: as loud as asked over the spoken span, and the same for the same seed."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.tasks import speech
from stream.errors import ConfigError
from stream.noise import SEEDS, Noise, _utterances, mixed, noise_for, random_for, spoken_span

RATE_HZ = 16_000


def spoken(before_s: float, speech_s: float, after_s: float, level: float = 8000) -> NDArray[np.int16]:
    """A hum that comes and goes as syllables do, in a quiet room."""
    times_s = np.arange(round((before_s + speech_s + after_s) * RATE_HZ)) / RATE_HZ
    during = (times_s >= before_s) & (times_s < before_s + speech_s)
    hum = np.sin(2 * np.pi * 220 * times_s) * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * times_s)) * level * during
    return np.asarray(hum + np.random.default_rng(0).normal(0, 20, len(times_s)), np.int16)


def ratio_db(samples: NDArray[np.int16], noise: NDArray[np.float64], both: NDArray[np.int16], span: slice) -> float:
    """Least squares finds how much of each is in the mix."""
    parts = np.stack([samples.astype(float), noise], axis=1)
    shares = np.linalg.lstsq(parts, both.astype(float), rcond=None)[0]
    powers = ((parts * shares)[span] ** 2).mean(axis=0)
    return float(10 * np.log10(powers[0] / powers[1]))


@given(snr_db=st.floats(-10, 30), before_s=st.floats(0.3, 1.0), after_s=st.floats(0.3, 1.0))
def test_the_ratio_over_the_spoken_span_is_what_was_asked(snr_db: float, before_s: float, after_s: float) -> None:
    samples = spoken(before_s, 1.0, after_s)
    noise = random_for(1, "noise").standard_normal(len(samples))
    both = mixed(samples, noise, snr_db)
    assert ratio_db(samples, noise, both, spoken_span(samples)) == pytest.approx(snr_db, abs=0.1)


@given(before_s=st.floats(0.4, 1.5), speech_s=st.floats(0.5, 2.0), after_s=st.floats(0.4, 1.5))
def test_the_spoken_span_is_where_somebody_speaks(before_s: float, speech_s: float, after_s: float) -> None:
    span = spoken_span(spoken(before_s, speech_s, after_s))
    assert span.start / RATE_HZ == pytest.approx(before_s, abs=0.15)
    assert span.stop / RATE_HZ == pytest.approx(before_s + speech_s, abs=0.15)


def test_a_mix_that_would_clip_is_made_quieter_and_keeps_its_ratio() -> None:
    samples = spoken(0.5, 1.0, 0.5, level=30_000)
    noise = random_for(1, "noise").standard_normal(len(samples))
    both = mixed(samples, noise, -10)
    assert np.abs(both.astype(int)).max() == 32_767
    assert ratio_db(samples, noise, both, spoken_span(samples)) == pytest.approx(-10, abs=0.1)


def test_silence_has_no_ratio_and_the_error_says_so() -> None:
    silence = np.zeros(RATE_HZ, np.int16)
    with pytest.raises(ConfigError, match="leave --snr-db out"):
        mixed(silence, np.ones(RATE_HZ), 0)


@pytest.mark.parametrize("kind", Noise)
def test_noise_follows_from_the_seed_and_the_clips_name(kind: Noise) -> None:
    noise = noise_for(kind, RATE_HZ, 5, "bbaf2n")
    assert np.array_equal(noise, noise_for(kind, RATE_HZ, 5, "bbaf2n"))
    assert not np.array_equal(noise, noise_for(kind, RATE_HZ, 6, "bbaf2n"))
    assert not np.array_equal(noise, noise_for(kind, RATE_HZ, 5, "bbaf3s"))


@pytest.mark.parametrize("kind", Noise)
def test_longer_noise_begins_with_the_shorter(kind: Noise) -> None:
    assert np.array_equal(noise_for(kind, 3 * RATE_HZ, 0, "a")[:RATE_HZ], noise_for(kind, RATE_HZ, 0, "a"))


def test_no_voice_of_a_babble_says_a_clip_that_is_kept_for_test_or_validation(grid: Path) -> None:
    kept = {*speech.held_out("test"), *speech.held_out("validation")}
    assert {*_utterances()} == {*speech.training_names(grid)}
    assert not {*_utterances()} & kept


def test_voices_are_synthetic_where_no_clips_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TRIVIUM_GRID", str(tmp_path))
    assert {*_utterances.__wrapped__()} == {f"synthetic-{seed}" for seed in SEEDS}


def test_babble_has_no_silence_in_it() -> None:
    babble = noise_for(Noise.BABBLE, 4 * RATE_HZ, 0, "a").reshape(-1, RATE_HZ // 4)
    power = (babble**2).mean(axis=1)
    assert power.min() > power.mean() / 10

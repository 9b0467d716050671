"""Noise over a clip at a chosen signal-to-noise ratio: white, or babble of six voices.

Beside the path: `scene.py` asks for it. The same seed and clip give the same noise; a longer stretch of it begins with
the shorter one.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import cache, lru_cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stream import clip
from stream.errors import ConfigError

VOICES = 6
SEEDS = range(20_000, 20_024)  # of the synthetic speakers to choose the voices from: no clip or training uses these
BLOCK_SAMPLES = 320  # 20 ms
SMOOTH_BLOCKS = 9
PEAK = 32_767


class Noise(StrEnum):
    """What is laid over a clip."""

    BABBLE = "babble"
    WHITE = "white"


def random_for(seed: int, *names: str) -> np.random.Generator:
    """A generator of its own for each use: draws for one clip do not move another's."""
    digest = hashlib.sha256("\0".join((str(seed), *names)).encode()).digest()
    return np.random.default_rng(np.frombuffer(digest, np.uint32))


def spoken_span(samples: NDArray[np.int16]) -> slice:
    """From the first to the last moment that is loud, of a clip that is speech between silences.

    Loudness is the energy of the first difference, which rumble does not move, over 180 ms; the bar lies half-way, in
    decibels, between the 10th and the 95th percentile. Against GRID's word times this moves the speech's power by
    0.2 dB in the median.
    """
    edges = np.diff(samples.astype(np.float64), prepend=0.0)
    blocks = edges[: len(edges) // BLOCK_SAMPLES * BLOCK_SAMPLES].reshape(-1, BLOCK_SAMPLES)
    if len(blocks) < SMOOTH_BLOCKS:
        return slice(0, len(samples))
    energy = np.convolve((blocks**2).mean(axis=1), np.full(SMOOTH_BLOCKS, 1 / SMOOTH_BLOCKS), "same")
    level_db = 10 * np.log10(energy + 1e-3)
    loud = np.flatnonzero(level_db >= (np.percentile(level_db, 10) + np.percentile(level_db, 95)) / 2)
    return slice(int(loud[0]) * BLOCK_SAMPLES, (int(loud[-1]) + 1) * BLOCK_SAMPLES)


def mixed(
    samples: NDArray[np.int16], noise: NDArray[np.float64], snr_db: float, span: slice | None = None
) -> NDArray[np.int16]:
    """Lay noise over samples so that over the spoken span the ratio is as asked; quieter as a whole if it would clip.

    Raises
    ------
    ConfigError
        If there is nothing to measure the ratio against.
    """
    span = spoken_span(samples) if span is None else span
    speech = samples.astype(np.float64)
    speech_power, noise_power = np.mean(speech[span] ** 2), np.mean(noise[span] ** 2)
    if not speech_power > 0:
        raise ConfigError("A signal-to-noise ratio was asked for a clip without sound: leave --snr-db out.")
    both = speech + noise * np.sqrt(speech_power / noise_power / 10 ** (snr_db / 10))
    return np.asarray(np.rint(both * min(1.0, PEAK / np.abs(both).max())), np.int16)


def noise_for(kind: Noise, length: int, seed: int, name: str) -> NDArray[np.float64]:
    """Noise for the clip called `name`, at no particular level."""
    if kind is Noise.WHITE:
        return random_for(seed, name, kind).standard_normal(length)
    voices = [random_for(seed, name, kind, str(number)) for number in range(VOICES)]
    return np.asarray(np.sum([_voice(length, random, name) for random in voices], axis=0))


def _voice(length: int, random: np.random.Generator, name: str) -> NDArray[np.float64]:
    """One voice: utterances one after another, all equally loud, begun in the middle of one."""
    names = [other for other in _utterances() if Path(other).stem != name]
    parts = [_loud(names[random.integers(len(names))])]
    parts[0] = parts[0][random.integers(len(parts[0])) :]
    while sum(map(len, parts)) < length:
        parts.append(_loud(names[random.integers(len(names))]))
    return np.concatenate(parts)[:length]


@lru_cache(maxsize=256)
def _loud(name: str) -> NDArray[np.float64]:
    samples = _utterances()[name]()
    spoken = samples[spoken_span(samples)].astype(np.float64)
    return np.asarray(spoken / np.sqrt(np.mean(spoken**2)))


@cache
def _utterances() -> Mapping[str, Callable[[], NDArray[np.int16]]]:
    """What voices say: the training clips where they are, else the synthetic speaker's sentences."""
    from models.tasks import speech

    grid = grid_folder()
    recorded = {name: partial(clip.samples, grid / f"{name}.mp4") for name in speech.training_names(grid)}
    return recorded or {f"synthetic-{seed}": partial(_synthetic, seed) for seed in SEEDS}


def grid_folder() -> Path:
    """Where the GRID clips are, if they are: `TRIVIUM_GRID`, or `shared/data/grid` beside the project."""
    return Path(os.environ.get("TRIVIUM_GRID") or Path(__file__).parents[2] / "shared" / "data" / "grid")


def _synthetic(seed: int) -> NDArray[np.int16]:
    from models import synthetic

    return synthetic.speak(seed).samples

"""Utterances cut, joined, made faster or slower, and the silence after one: sound, pictures and words stay in step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.preprocess import TICK_MS, TICK_SAMPLES
from models.tasks.speech import Utterance

if TYPE_CHECKING:
    from collections.abc import Sequence

QUIET_TICKS = 5  # the quietest stretch of a clip that silence is made of


def part(said: Utterance, first: int, last: int) -> Utterance:
    """The ticks `[first, last)`; a word counts to where its middle lies."""
    first = max(first, 0)
    offset_s = first * TICK_MS / 1000
    length_s = (last - first) * TICK_MS / 1000
    words = tuple(
        (word, start - offset_s, end - offset_s)
        for word, start, end in said.words
        if 0 < (start + end) / 2 - offset_s < length_s
    )
    samples = said.samples[first * TICK_SAMPLES : last * TICK_SAMPLES]
    return Utterance(said.name, samples, said.crops[first:last], said.seen[first:last], words)


def paced(said: Utterance, factor: float) -> Utterance:
    """The same said `factor` times as fast; its pitch follows (speed perturbation, Ko et al., 2015)."""
    ticks = max(1, round(said.ticks / factor))
    at = np.arange(ticks * TICK_SAMPLES) * factor
    samples = np.interp(at, np.arange(len(said.samples)), said.samples).astype(np.int16)
    shown = np.minimum((np.arange(ticks) * factor).round().astype(int), said.ticks - 1)
    words = tuple((word, start / factor, end / factor) for word, start, end in said.words)
    return Utterance(said.name, samples, said.crops[shown], said.seen[shown], words)


def swapped(said: Utterance, other: Utterance, place: int) -> Utterance:
    """The utterance with its word `place` as the other says its own there; both have that many words."""
    first, last = _ticks(said, place)
    return joined([part(said, 0, first), part(other, *_ticks(other, place)), part(said, last, said.ticks)])


def joined(parts: Sequence[Utterance]) -> Utterance:
    """One after another."""
    words, start_s = [], 0.0
    for said in parts:
        words += [(word, start + start_s, end + start_s) for word, start, end in said.words]
        start_s += said.ticks * TICK_MS / 1000
    return Utterance(
        parts[0].name,
        np.concatenate([said.samples for said in parts]),
        np.concatenate([said.crops for said in parts]),
        np.concatenate([said.seen for said in parts]),
        tuple(words),
    )


def _ticks(said: Utterance, place: int) -> tuple[int, int]:
    """Where a word begins and ends."""
    _, start_s, end_s = said.words[place]
    first = min(max(round(start_s * 1000 / TICK_MS), 0), said.ticks - 1)
    return first, min(max(round(end_s * 1000 / TICK_MS), first + 1), said.ticks)


def silence(said: Utterance, ticks: int) -> Utterance:
    """A gap after a clip: its quietest 200 ms over and over, and its last picture."""
    energy = (said.samples.astype(np.float64) ** 2).reshape(said.ticks, TICK_SAMPLES).sum(axis=1)
    quietest = int(np.convolve(energy, np.ones(QUIET_TICKS), "valid").argmin()) * TICK_SAMPLES
    samples = np.resize(said.samples[quietest : quietest + QUIET_TICKS * TICK_SAMPLES], ticks * TICK_SAMPLES)
    return Utterance(said.name, samples, np.repeat(said.crops[-1:], ticks, 0), np.repeat(said.seen[-1:], ticks), ())

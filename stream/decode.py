"""Logits to words: what was said in a segment, when, and how surely.

    logits -> [Word, ...]

For the decoding kind `frames`: a class a tick, class 0 no word. Pure functions on arrays; knows no sessions and no time.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SWITCH_COST = 2.0  # nats for changing from one class to another between two ticks


@dataclass(frozen=True, slots=True)
class Spoken:
    """A word on the ticks `[first, last)` of its segment."""

    word: str
    first: int
    last: int
    confidence: float  # mean probability over its ticks, 0 to 1


def posteriors(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Log probabilities of logits [ticks, classes]."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)), dtype=np.float64)


def best_path(log_probabilities: NDArray[np.float64]) -> NDArray[np.int64]:
    """The likeliest class at each tick where every change costs SWITCH_COST, shape [ticks] (Viterbi, 1967)."""
    ticks, classes = log_probabilities.shape
    score = log_probabilities[0].copy()
    stays = np.empty((ticks, classes), dtype=np.bool_)
    best = [0] * ticks
    for tick in range(1, ticks):
        best[tick] = int(score.argmax())
        switched = score[best[tick]] - SWITCH_COST
        np.greater_equal(score, switched, out=stays[tick])
        np.maximum(score, switched, out=score)
        score += log_probabilities[tick]
    path = np.empty(ticks, dtype=np.int64)
    path[-1] = score.argmax()
    for tick in range(ticks - 1, 0, -1):
        path[tick - 1] = path[tick] if stays[tick, path[tick]] else best[tick]
    return path


def spoken(logits: NDArray[np.float32], vocabulary: Sequence[str]) -> list[Spoken]:
    """The words of a segment in order; `logits` is [ticks, classes], empty for no ticks."""
    if not len(logits):
        return []
    log_probabilities = posteriors(logits)
    path = best_path(log_probabilities)
    edges = [0, *(np.flatnonzero(np.diff(path)) + 1).tolist(), len(path)]
    words = []
    for first, last in pairwise(edges):
        kind = int(path[first])
        if kind:
            confidence = float(np.exp(log_probabilities[first:last, kind]).mean())
            words.append(Spoken(vocabulary[kind], first, last, confidence))
    return words

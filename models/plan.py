"""How long and how fast each part of a network is trained."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    """One stage: so many epochs at a rate that warms up over the first and falls along half a cosine.

    The half cosine is SGDR's without its restarts (Loshchilov and Hutter, 2017).
    """

    epochs: int
    peak_rate: float = 2e-3
    refits: tuple[int, ...] = ()  # after these epochs the SVD basis is fitted anew

    def rate(self, at: float) -> float:
        """Learning rate `at` epochs into the stage, parts of an epoch included."""
        warm = min(at, 1.0)
        return self.peak_rate * max(warm * 0.5 * (1 + math.cos(math.pi * min(at / self.epochs, 1))), 1e-3)


@dataclass(frozen=True)
class Plan:
    """All stages: text, sound and pictures each by itself, then the head on what the fixed encoders give."""

    text: Stage = Stage(40, 5e-3)
    audio: Stage = Stage(150, refits=(1, 2, 4, 8, 16, 30, 50, 75, 100, 125))
    video: Stage = Stage(64, refits=(1, 2, 4, 8, 14, 22, 32, 42, 52))
    head: Stage = Stage(30)
    passes: int = 10  # drawings of the training set whose features are kept for the head
    ranks: tuple[int, ...] = (16, 32, 48, 64, 168, 336)  # beside the shipped one, for the rank curve
    seed: int = 20_261_124

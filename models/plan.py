"""How long and how fast each part of a network is trained."""

from __future__ import annotations

import math
from dataclasses import dataclass

LEAST_SHARE = 1e-3  # of the peak


@dataclass(frozen=True)
class Stage:
    """One stage: the rate warms up over the first epoch and falls along half a cosine (Loshchilov and Hutter, 2017)."""

    epochs: int
    peak_rate: float = 2e-3
    refits: tuple[int, ...] = ()  # after these epochs the SVD basis is fitted anew

    def rate(self, at: float) -> float:
        """Learning rate `at` epochs into the stage, parts of an epoch included."""
        fallen = 0.5 * (1 + math.cos(math.pi * min(at / self.epochs, 1)))
        return self.peak_rate * max(min(at, 1.0) * fallen, LEAST_SHARE)


@dataclass(frozen=True)
class Plan:
    """All stages: text, sound and pictures each by itself, then the head on what the fixed encoders give."""

    text: Stage = Stage(40, 5e-3)
    audio: Stage = Stage(210, refits=(1, 2, 4, 8, 16, 30, 50, 75, 100, 125, 145, 165, 188))
    video: Stage = Stage(94, refits=(1, 2, 4, 8, 14, 22, 32, 42, 52, 66, 80))
    head: Stage = Stage(24, 1e-3)
    compared: Stage = Stage(4, 1e-3)  # all that is compared, the shipped kind and rank once more among them
    passes: int = 8  # drawings of the training set whose features are kept for the head
    ranks: tuple[int, ...] = (16, 32, 328)  # beside the shipped one, for the rank curve
    seed: int = 20_261_124

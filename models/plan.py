"""How long and how fast each part of a network is trained."""

from __future__ import annotations

import math
from dataclasses import dataclass

RESTART = 0.6


@dataclass(frozen=True)
class Stage:
    """One stage: epochs in cycles, in each of which the rate warms up over the first and falls along half a cosine.

    Each cycle begins at RESTART of the peak before (SGDR, Loshchilov and Hutter, 2017).
    """

    cycles: tuple[int, ...]
    peak_rate: float = 2e-3
    refits: tuple[int, ...] = ()  # after these epochs the SVD basis is fitted anew

    @property
    def epochs(self) -> int:
        """Of all cycles."""
        return sum(self.cycles)

    def rate(self, at: float) -> float:
        """Learning rate `at` epochs into the stage, parts of an epoch included."""
        peak, last = self.peak_rate, self.cycles[-1]
        for length in self.cycles[:-1]:
            if at < length:
                return peak * _cycle(at, length)
            at -= length
            peak *= RESTART
        return peak * _cycle(at, last)


def _cycle(at: float, length: int) -> float:
    return max(min(at, 1.0) * 0.5 * (1 + math.cos(math.pi * min(at / length, 1))), 1e-3)


@dataclass(frozen=True)
class Plan:
    """All stages: text, sound and pictures each by itself, then the head on what the fixed encoders give."""

    text: Stage = Stage((40,), 5e-3)
    audio: Stage = Stage((150, 60), refits=(1, 2, 4, 8, 16, 30, 50, 75, 100, 125, 150, 160, 175, 190))
    video: Stage = Stage((64,), refits=(1, 2, 4, 8, 14, 22, 32, 42, 52))
    head: Stage = Stage((24,), 1e-3)
    compared: Stage = Stage(
        (8,), 1e-3
    )  # the heads of all that is compared, the shipped kind and rank once more among them
    passes: int = 8  # drawings of the training set whose features are kept for the head
    ranks: tuple[int, ...] = (16, 32, 328)  # beside the shipped one, for the rank curve
    seed: int = 20_261_124

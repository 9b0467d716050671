"""How long and how fast a network is trained."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """Epochs and learning rates of both stages.

    The rate warms up over an epoch and falls along half a cosine, and so again in every cycle from 0.6 of the peak before
    (SGDR, Loshchilov and Hutter, 2017).
    """

    joint_cycles: tuple[int, ...] = (36, 16, 20)  # epochs of everything together
    video_epochs: int = 52  # then the pictures' encoder stands still: it has converged, sound in noise has not
    head_epochs: int = 8  # epochs of the head alone, on the last basis
    joint_rate: float = 2e-3
    head_rate: float = 1e-3
    refits: tuple[int, ...] = (1, 3, 6, 10, 15, 20, 26, 32, 36, 44, 60)  # after these epochs the basis is fitted anew
    seed: int = 20_261_124

    @property
    def joint_epochs(self) -> int:
        """Epochs of the first stage."""
        return sum(self.joint_cycles)

    @property
    def epochs(self) -> int:
        """Epochs of both stages."""
        return self.joint_epochs + self.head_epochs

    def rate(self, at: float) -> float:
        """Learning rate `at` epochs into the training, parts of an epoch included."""
        peak = self.joint_rate
        for length in self.joint_cycles:
            if at < length:
                return peak * _cycle(at, length)
            at -= length
            peak *= 0.6
        return self.head_rate * _cycle(at, self.head_epochs)


def _cycle(at: float, length: int) -> float:
    warm = min(at, 1.0)
    return max(warm * 0.5 * (1 + math.cos(math.pi * min(at / length, 1))), 1e-3)

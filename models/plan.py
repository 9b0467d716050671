"""How long and how fast a network is trained."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """How long and how fast."""

    joint_epochs: int = 40
    head_epochs: int = 12
    joint_rate: float = 2e-3
    head_rate: float = 1e-3
    refits: tuple[int, ...] = (1, 3, 6, 10, 15, 20, 26, 32)  # after these epochs the basis is fitted anew
    seed: int = 20_261_124

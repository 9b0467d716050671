"""The kinds of fusion, each a graph from features, masks and lengths to logits, projected features and shares.

    concatenation   C = [text | audio | video] decomposed as one: projected = part_t + part_a + part_v -> head
    average         each modality decomposed by itself and turned into common coordinates:
                    projected = w_t part_t + w_a part_a + w_v part_v, w from availability x reliability -> head
    voting          each modality decomposed by itself, a head each; their probabilities are averaged
    gated           each modality decomposed by itself; learned gates weigh what they say -> head

What a part is stands in `models.parts`. Noise and modality dropout during training stand for the uncertainty of the
real world.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from models.gated import Gated
from models.heads import FramesHead
from models.parts import Fusion, energy_shares
from models.voting import Voting

if TYPE_CHECKING:
    from models.encoders import Dimensions

__all__ = [
    "KINDS",
    "Concatenation",
    "Fusion",
    "Gated",
    "Summed",
    "Voting",
    "WeightedAverage",
    "build",
    "drop_modalities",
]


class Summed(Fusion):
    """A head over the sum of what the modalities contribute."""

    def __init__(self, dims: Dimensions) -> None:
        super().__init__(dims)
        self.head = FramesHead(dims)

    def forward(
        self, text: Tensor, audio: Tensor, video: Tensor, mask: Tensor, lengths: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """As every fusion's; `projected` is [batch, ticks, k]."""
        parts = self.contributions(text, audio, video, mask)
        projected = parts.sum(dim=0)
        logits = self.head(torch.cat([self.noisy(projected), mask], dim=2), lengths)
        return logits, projected, energy_shares(parts, lengths)


class Concatenation(Summed):
    """The joint features on one basis: the SVD sees how the modalities go together.

    `components` has orthonormal rows over the columns of all modalities at once.
    """

    decomposed = "joint"


class WeightedAverage(Summed):
    """What the modalities that are present say in common coordinates, averaged by how far each is to be relied on.

    `components` has orthonormal rows over each modality's own columns, turned to the reference's by Procrustes.
    """

    decomposed = "aligned"

    def contributions(self, text: Tensor, audio: Tensor, video: Tensor, mask: Tensor) -> Tensor:
        """The parts by their weights, [3, batch, ticks, k]; `projected` is their sum."""
        weights = self.reliance(mask).permute(2, 0, 1).unsqueeze(3)  # [3, batch, ticks, 1]
        return weights * self.parts(text, audio, video, mask)


KINDS: dict[str, type[Fusion]] = {
    "concatenation": Concatenation,
    "average": WeightedAverage,
    "voting": Voting,
    "gated": Gated,
}


def build(kind: str, dims: Dimensions) -> Fusion:
    """A fusion by its name, not fitted yet.

    Raises
    ------
    ValueError
        There is no such kind.
    """
    if kind not in KINDS:
        raise ValueError(f"There is no fusion '{kind}'; give one of {', '.join(KINDS)}.")
    return KINDS[kind](dims)


def drop_modalities(mask: Tensor, probabilities: tuple[float, float, float], generator: torch.Generator) -> Tensor:
    """Silence whole modalities of some rows, never audio and video of one row together.

    `mask` is [batch, ticks, 3]; probabilities are for text, audio, video.
    """
    drawn = torch.rand(len(mask), 3, generator=generator)
    keep = drawn >= torch.tensor(probabilities)
    both = ~keep[:, 1] & ~keep[:, 2]
    keep[both, 2] = True
    return mask * keep[:, None].to(mask.dtype)

"""Fusion: the features of all modalities side by side, standardised, on the SVD's basis.

    features [text | audio | video] -> standardise -> projected (D -> k) -> head -> logits

Noise and modality dropout during training stand for the uncertainty of the real world.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.encoders import Dimensions
    from models.heads import FramesHead

PROJECTED_NOISE = 0.2  # standard deviations of the projected features added in training


class Fusion(nn.Module):
    """Joint features onto the basis that `fit` was given, then the head.

    The basis is a constant: the head is trained on what it projects, the components are not trained further.
    """

    mean: Tensor
    scale: Tensor
    components: Tensor

    def __init__(self, dims: Dimensions, head: FramesHead) -> None:
        super().__init__()
        self.dims = dims
        self.head = head
        generator = torch.Generator().manual_seed(0)
        square = torch.randn(dims.features, dims.features, generator=generator)
        self.register_buffer("mean", torch.zeros(dims.features))
        self.register_buffer("scale", torch.ones(dims.features))
        self.register_buffer("components", torch.linalg.qr(square).Q[: dims.rank].contiguous())

    def set_basis(self, mean: NDArray[np.float64], scale: NDArray[np.float64], components: NDArray[np.float64]) -> None:
        """Replace standardisation [D] and components [k, D] by fitted ones."""
        for name, value in (("mean", mean), ("scale", scale), ("components", components)):
            getattr(self, name).copy_(torch.from_numpy(np.asarray(value, dtype=np.float32)))

    def joint(self, text: Tensor, audio: Tensor, video: Tensor, mask: Tensor) -> Tensor:
        """Standardised joint features [batch, ticks, D], zero where a modality is absent.

        `mask` is [batch, ticks, 3] in the order text, audio, video.
        """
        features = torch.cat([text, audio, video], dim=2)
        present = torch.cat(
            [
                mask[:, :, :1].expand(-1, -1, self.dims.text),
                mask[:, :, 1:2].expand(-1, -1, self.dims.audio),
                mask[:, :, 2:].expand(-1, -1, self.dims.video),
            ],
            dim=2,
        )
        return (features - self.mean) / self.scale * present

    def forward(
        self, text: Tensor, audio: Tensor, video: Tensor, mask: Tensor, lengths: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Features [batch, ticks, ...], lengths [batch] -> logits, projected, shares.

        `shares` [batch, 3] is each modality's part of the projected features' energy over the segment.
        """
        joint = self.joint(text, audio, video, mask)
        projected = joint @ self.components.T  # [batch, ticks, k]
        noisy = projected + PROJECTED_NOISE * torch.randn_like(projected) if self.training else projected
        logits = self.head(torch.cat([noisy, mask], dim=2), lengths)
        return logits, projected, self._shares(joint, lengths)

    def _shares(self, joint: Tensor, lengths: Tensor) -> Tensor:
        within = (torch.arange(joint.shape[1], device=joint.device)[None] < lengths[:, None]).unsqueeze(2)
        parts = torch.split(joint * within, [self.dims.text, self.dims.audio, self.dims.video], dim=2)
        bases = torch.split(self.components, [self.dims.text, self.dims.audio, self.dims.video], dim=1)
        energies = torch.stack(
            [((part @ basis.T) ** 2).sum(dim=(1, 2)) for part, basis in zip(parts, bases, strict=True)], dim=1
        )
        return energies / (energies.sum(dim=1, keepdim=True) + 1e-9)


def drop_modalities(mask: Tensor, probabilities: tuple[float, float, float], generator: torch.Generator) -> Tensor:
    """Silence whole modalities of some rows, never audio and video of one row together.

    `mask` is [batch, ticks, 3]; probabilities are for text, audio, video.
    """
    drawn = torch.rand(len(mask), 3, generator=generator)
    keep = drawn >= torch.tensor(probabilities)
    both = ~keep[:, 1] & ~keep[:, 2]
    keep[both, 2] = True
    return mask * keep[:, None].to(mask.dtype)

"""Gated fusion: how much each modality counts is learned, and decided anew at every tick.

    h_m = tanh(W_m part_m),  gates = softmax over the present of G [parts | mask],  fused = sum of gate_m h_m

After the gated multimodal unit (Arevalo et al., 2017), with as many modalities as are present.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from models.heads import FramesHead
from models.parts import MODALITIES, Fusion, energy_shares

if TYPE_CHECKING:
    from models.encoders import Dimensions


class Gated(Fusion):
    """What the low-rank fusions are to be held against: the same parts, but joined by something learned."""

    def __init__(self, dims: Dimensions) -> None:
        super().__init__(dims)
        self.says = nn.ModuleList(nn.Linear(dims.rank, dims.rank) for _ in range(MODALITIES))
        self.gate = nn.Linear(MODALITIES * dims.rank + MODALITIES, MODALITIES)
        self.head = FramesHead(dims)

    def forward(
        self, text: Tensor, audio: Tensor, video: Tensor, mask: Tensor, lengths: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """As every fusion's; `projected` is [batch, ticks, 3 k], `shares` are of the gated parts' energy."""
        parts = self.parts(text, audio, video, mask)
        projected = torch.cat(list(parts), dim=2)
        heard = self.noisy(projected)
        gates = self.gates(heard, mask)
        said = torch.stack([says(part) for says, part in zip(self.says, heard.chunk(MODALITIES, dim=2), strict=True)])
        weights = gates.permute(2, 0, 1).unsqueeze(3)  # [3, batch, ticks, 1]
        fused = (weights * torch.tanh(said)).sum(dim=0)
        logits = self.head(torch.cat([fused, mask], dim=2), lengths)
        return logits, projected, energy_shares(weights * parts, lengths)

    def gates(self, projected: Tensor, mask: Tensor) -> Tensor:
        """Gates [batch, ticks, 3] of sum 1 over what is present; 0 where a modality is absent."""
        scores = self.gate(torch.cat([projected, mask], dim=2)).masked_fill(mask == 0, -1e4)
        return torch.softmax(scores, dim=2) * mask

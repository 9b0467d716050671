"""Voting: every modality says by itself what it makes of the segment; the votes are averaged tick by tick."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from models.heads import FramesHead
from models.parts import MODALITIES, Fusion, weight_shares

if TYPE_CHECKING:
    from models.encoders import Dimensions

SILENCE = 0.99  # probability of no word where no modality is present; the words share the rest


class Voting(Fusion):
    """The log of the weighted mean of the modalities' word probabilities, as logits.

    The weights are availability x reliability, so where one modality is present alone its own posterior comes out. Each
    head is told only where its own modality is present.
    """

    nothing: Tensor

    def __init__(self, dims: Dimensions) -> None:
        super().__init__(dims)
        self.heads = nn.ModuleList(FramesHead(dims, masks=1, streams=1) for _ in range(MODALITIES))
        prior = torch.full((dims.classes,), (1 - SILENCE) / max(dims.classes - 1, 1))
        prior[0] = SILENCE
        self.register_buffer("nothing", prior.log(), persistent=False)

    def forward(
        self, text: Tensor, audio: Tensor, video: Tensor, mask: Tensor, lengths: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """As every fusion's; `projected` is [batch, ticks, 3 k], `shares` are of the weights."""
        parts = self.parts(text, audio, video, mask)
        weights = self.reliance(mask)
        votes = self.votes(parts, mask, lengths)
        absent = weights.permute(2, 0, 1).unsqueeze(3) <= 0  # [3, batch, ticks, 1]
        weighted = votes + weights.permute(2, 0, 1).unsqueeze(3).clamp(min=1e-9).log()
        mean = torch.logsumexp(weighted.masked_fill(absent, -1e4), dim=0)  # so far down that it adds exactly 0
        logits = torch.where(absent.all(dim=0), self.nothing, mean)
        return logits, torch.cat(list(parts), dim=2), weight_shares(weights, lengths)

    def votes(self, parts: Tensor, mask: Tensor, lengths: Tensor) -> Tensor:
        """Log probabilities of the words by each modality alone, [3, batch, ticks, classes]."""
        said = [
            head(torch.cat([self.noisy(parts[place]), mask[:, :, place : place + 1]], dim=2), lengths)
            for place, head in enumerate(self.heads)
        ]
        return torch.log_softmax(torch.stack(said), dim=3)

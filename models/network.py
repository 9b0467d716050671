"""The whole network of a task: three encoders, fusion, head."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from models.encoders import LEFT_TICKS, RIGHT_TICKS, AudioEncoder, Dimensions, TextEncoder, VideoEncoder
from models.fusion import Fusion
from models.heads import FramesHead
from models.preprocess import TICK_SAMPLES

if TYPE_CHECKING:
    from collections.abc import Mapping


class Network(nn.Module):
    """From raw inputs of whole streams to logits.

    While training, two linear classifiers look at the features of sound and of pictures alone, so that each encoder
    learns to tell words by itself and not only what the other lacks.
    """

    def __init__(self, dims: Dimensions) -> None:
        super().__init__()
        self.dims = dims
        self.text = TextEncoder(dims)
        self.audio = AudioEncoder(dims)
        self.video = VideoEncoder(dims).to(memory_format=torch.channels_last)
        self.fusion = Fusion(dims, FramesHead(dims))
        self.heard = nn.Linear(dims.audio, dims.classes)
        self.seen = nn.Linear(dims.video, dims.classes)

    def features(self, batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Text, audio and video features [batch, ticks, ...] of whole streams; nothing was captured around them.

        `batch` holds samples [batch, ticks * 640], crops [batch, ticks, height, width], tokens [batch, ticks, words].
        """
        samples = nn.functional.pad(batch["samples"], (LEFT_TICKS * TICK_SAMPLES, RIGHT_TICKS * TICK_SAMPLES))
        crops = nn.functional.pad(batch["crops"], (0, 0, 0, 0, LEFT_TICKS, RIGHT_TICKS))
        with torch.autocast("cpu", torch.bfloat16, enabled=self.training):  # pictures are most of the work
            video = self.video(crops).float()
        return self.text(batch["tokens"]), self.audio(samples), video

    def forward(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Logits [batch, ticks, classes]."""
        logits: Tensor = self.fusion(*self.features(batch), batch["mask"], batch["lengths"])[0]
        return logits

"""The whole network of a task: three encoders, fusion, head."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from models.encoders import LEFT_TICKS, RIGHT_TICKS, AudioEncoder, Dimensions, TextEncoder, VideoEncoder
from models.fusion import build
from models.preprocess import TICK_SAMPLES

if TYPE_CHECKING:
    from collections.abc import Mapping


class Network(nn.Module):
    """From raw inputs of whole streams to logits.

    While training, two linear classifiers look at the features of sound and of pictures, so that each encoder learns
    to tell words by itself.

    Parameters
    ----------
    kind : str
        Of the fusion, one of `models.fusion.KINDS`.
    """

    def __init__(self, dims: Dimensions, kind: str = "concatenation") -> None:
        super().__init__()
        self.dims = dims
        self.text = TextEncoder(dims)
        self.audio = AudioEncoder(dims)
        self.video = VideoEncoder(dims).to(memory_format=torch.channels_last)
        self.fusion = build(kind, dims)
        self.heard = nn.Linear(dims.audio, dims.classes)
        self.seen = nn.Linear(dims.video, dims.classes)

    def encoded(self, modality: str, batch: Mapping[str, Tensor]) -> Tensor:
        """Features [batch, ticks, ...] of one modality over whole streams; nothing was captured around them.

        `batch` holds samples [batch, ticks * 640], crops [batch, ticks, height, width], tokens [batch, ticks, words].
        """
        if modality == "text":
            features: Tensor = self.text(batch["tokens"])
        elif modality == "audio":
            samples = (LEFT_TICKS * TICK_SAMPLES, RIGHT_TICKS * TICK_SAMPLES)
            spectra = self.audio.spectra(nn.functional.pad(batch["samples"], samples))
            with self._swift():
                features = self.audio.told(spectra).float()
        else:
            crops = nn.functional.pad(batch["crops"], (0, 0, 0, 0, LEFT_TICKS, RIGHT_TICKS))
            with self._swift():
                features = self.video(crops).float()
        return features

    def _swift(self) -> torch.autocast:
        """Training multiplies in bfloat16: convolutions are most of its work."""
        return torch.autocast("cpu", torch.bfloat16, enabled=self.training)

    def features(self, batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Text, audio and video features; zero for a modality that the batch's mask shows nowhere."""
        sizes = (self.dims.text, self.dims.audio, self.dims.video)
        text, audio, video = (
            self.encoded(modality, batch)
            if batch["mask"][:, :, place].any()
            else torch.zeros(*batch["mask"].shape[:2], sizes[place])
            for place, modality in enumerate(("text", "audio", "video"))
        )
        return text, audio, video

    def forward(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Logits [batch, ticks, classes]."""
        logits: Tensor = self.fusion(*self.features(batch), batch["mask"], batch["lengths"])[0]
        return logits

"""One encoder a modality: raw input to features per tick, with declared finite context.

Every convolution over time is unpadded: context comes in with the input, zeros where nothing was captured, so a window
of a stream and the whole stream give the same features.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.preprocess import (
    CROP_HEIGHT_PX,
    CROP_WIDTH_PX,
    MEL_BANDS,
    MEL_FLOOR,
    MEL_STEP_SAMPLES,
    fourier_basis,
    mel_filters,
)

LEFT_TICKS = 3  # what an encoder of sound or pictures needs before a tick
RIGHT_TICKS = 3  # and after it: 120 ms
DROPOUT = 0.3  # of what the pictures' layers hand on: 750 clips of one mouth are soon known by heart


@dataclass(frozen=True)
class Dimensions:
    """Sizes of a model, in the order of the data's path."""

    tokens: int  # known words, 0 included
    classes: int  # words that can be said, 0 is no word
    text: int = 8
    audio: int = 192
    video: int = 128
    rank: int = 82  # a quarter of the features
    hidden: int = 128
    streams: int = 2  # of the head

    @property
    def features(self) -> int:
        """Columns of the joint matrix."""
        return self.text + self.audio + self.video


class TextEncoder(nn.Module):
    """Token ids of the text that holds at each tick, as a set: their order does not matter."""

    def __init__(self, dims: Dimensions) -> None:
        super().__init__()
        self.embedding = nn.Embedding(dims.tokens, dims.text, padding_idx=0)
        self.mix = nn.Linear(dims.text, dims.text)

    def forward(self, tokens: Tensor) -> Tensor:
        """[batch, ticks, words] int64 -> [batch, ticks, features]."""
        held = self.embedding(tokens).sum(dim=2)
        return held + self.mix(torch.relu(held))


class LogMel(nn.Module):
    """Log mel energies, roughly standardised, four spectra a tick."""

    basis: Tensor
    filters: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("basis", torch.from_numpy(fourier_basis())[:, None])
        self.register_buffer("filters", torch.from_numpy(mel_filters())[:, :, None])

    def forward(self, samples: Tensor) -> Tensor:
        """[batch, samples] in [-1, 1) -> [batch, MEL_BANDS, spectra], about zero mean and unit variance."""
        parts = functional.conv1d(samples[:, None], self.basis, stride=MEL_STEP_SAMPLES)
        real, imaginary = parts.chunk(2, dim=1)
        energy = functional.conv1d(real * real + imaginary * imaginary, self.filters)
        return (torch.log(energy + MEL_FLOOR) + 5) / 4


class Residual(nn.Module):
    """A step over time that keeps its input: one tick of context on either side."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(channels, channels, 3, bias=False)
        self.norm = nn.BatchNorm1d(channels)

    def forward(self, inputs: Tensor) -> Tensor:
        """[batch, channels, ticks + 2] -> [batch, channels, ticks]."""
        return inputs[:, :, 1:-1] + torch.relu(self.norm(self.conv(inputs)))


class AudioEncoder(nn.Module):
    """Log mel spectra through strided convolutions; three ticks of context on either side."""

    def __init__(self, dims: Dimensions) -> None:
        super().__init__()
        width = dims.audio
        self.spectra = LogMel()
        self.front = nn.Sequential(
            nn.Conv1d(MEL_BANDS, width, 5, bias=False),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.Conv1d(width, width, 3, bias=False),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.Conv1d(width, width, 4, stride=4, bias=False),  # from spectra to ticks
            nn.BatchNorm1d(width),
            nn.ReLU(),
        )
        self.steps = nn.Sequential(Residual(width), Residual(width))
        self.norm = nn.LayerNorm(width, elementwise_affine=False)

    def forward(self, samples: Tensor) -> Tensor:
        """[batch, (3 + ticks + 3) * 640] -> [batch, ticks, features]."""
        return self.told(self.spectra(samples))

    def told(self, spectra: Tensor) -> Tensor:
        """[batch, MEL_BANDS, spectra] -> [batch, ticks, features]."""
        return self.norm(self.steps(self.front(spectra)).transpose(1, 2))


class VideoEncoder(nn.Module):
    """Three pictures at a time through 2-D convolutions; three ticks of context on either side."""

    def __init__(self, dims: Dimensions) -> None:
        super().__init__()
        self.front = nn.Sequential(
            nn.Conv2d(3, 24, 5, stride=2, padding=2, bias=False),
            nn.BatchNorm2d(24),
            nn.ReLU(),
            nn.Conv2d(24, 48, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(48),
            nn.ReLU(),
            nn.Conv2d(48, 64, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(64),
            nn.ReLU(),
        )
        pixels = (CROP_HEIGHT_PX // 8) * (CROP_WIDTH_PX // 8)
        self.flat = nn.Sequential(
            nn.Dropout(DROPOUT),
            nn.Linear(64 * pixels, dims.video, bias=False),
            nn.BatchNorm1d(dims.video),
            nn.ReLU(),
            nn.Dropout(DROPOUT),
        )
        self.steps = nn.Sequential(Residual(dims.video), Residual(dims.video))
        self.norm = nn.LayerNorm(dims.video, elementwise_affine=False)

    def forward(self, crops: Tensor) -> Tensor:
        """[batch, 3 + ticks + 3, height, width] uint8 -> [batch, ticks, features]."""
        batch = crops.shape[0]
        pictures = standardised(crops.float())
        triples = torch.stack([pictures[:, :-2], pictures[:, 1:-1], pictures[:, 2:]], dim=2)
        looked = self._shown(triples.flatten(0, 1)) if self.training else self._looked(triples.flatten(0, 1))
        steps = looked.unflatten(0, (batch, -1)).transpose(1, 2)
        return self.norm(self.steps(steps).transpose(1, 2))

    def _looked(self, triples: Tensor) -> Tensor:
        """[pictures, 3, height, width] -> [pictures, features]."""
        return self.flat(self.front(triples).flatten(1))  # the front gives [pictures, 64, height / 8, width / 8]

    def _shown(self, triples: Tensor) -> Tensor:
        """The same, with one blank for all that are: a third of what is trained on, and no part of what pictures are like."""
        shown = triples.flatten(1).any(dim=1)
        looked = self._looked(torch.cat([torch.zeros_like(triples[:1]), triples[shown]]))
        return looked[shown.cumsum(dim=0) * shown]


def standardised(pictures: Tensor) -> Tensor:
    """Each picture with zero mean and unit variance, so that light does not matter; a blank one becomes zero."""
    centred = pictures - pictures.mean(dim=(2, 3), keepdim=True)
    deviation = torch.sqrt((centred * centred).mean(dim=(2, 3), keepdim=True))
    return centred / (deviation + 2.0)

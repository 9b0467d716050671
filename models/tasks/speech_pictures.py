"""What befalls the pictures in training: a mouth nearer, turned, shifted, mirrored, blurred, or partly covered.

One drawing holds for all pictures of a row, as a camera's place and a hand before a mouth do for a while.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

MIRRORED = 0.5  # of the rows
TURN_DEGREES = 10.0  # at most, either way
ZOOM = 0.18  # at most, nearer or farther
SHIFT = 0.09  # of half the crop's width or height, either way
BLURRED = 0.25  # of the rows look as from far away
COVERED = 0.35  # of the rows have something before a part of the mouth for a while
COVER_PX = (8, 24)  # its height and width
COVER_TICKS = (5, 40)
EARLY = 0.3  # of the rows are a tick early or late


def befallen(crops: Tensor, chance: torch.Generator) -> Tensor:
    """[batch, ticks, height, width] uint8 -> the same."""
    pictures = functional.grid_sample(
        crops.float(), _views(len(crops), crops.shape[2:], chance), padding_mode="border", align_corners=False
    )
    for row in range(len(pictures)):
        if _drawn(chance) < BLURRED:
            pictures[row] = _from_afar(pictures[row], 1.5 + 1.5 * _drawn(chance))
        if _drawn(chance) < COVERED:
            _cover(pictures[row], chance)
        if _drawn(chance) < EARLY:
            pictures[row] = pictures[row].roll(1 if _drawn(chance) < 0.5 else -1, dims=0)
    return pictures.round().clamp(0, 255).to(torch.uint8)


def _views(rows: int, size: torch.Size, chance: torch.Generator) -> Tensor:
    """Where each pixel of a row's pictures is taken from, [rows, height, width, 2] in -1 to 1."""
    drawn = 2 * torch.rand(rows, 4, generator=chance) - 1
    angle, zoom = torch.deg2rad(TURN_DEGREES * drawn[:, 0]), torch.exp(ZOOM * drawn[:, 1])
    mirror = torch.where(torch.rand(rows, generator=chance) < MIRRORED, -1.0, 1.0)
    aspect = size[0] / size[1]
    cosine, sine = zoom * torch.cos(angle), zoom * torch.sin(angle)
    across = torch.stack([mirror * cosine, -aspect * sine, SHIFT * drawn[:, 2]], dim=1)
    down = torch.stack([mirror * sine / aspect, cosine, SHIFT * drawn[:, 3]], dim=1)
    return functional.affine_grid(torch.stack([across, down], dim=1), [rows, 1, *size], align_corners=False)


def _from_afar(pictures: Tensor, factor: float) -> Tensor:
    """Pictures [ticks, height, width] as coarse as if `factor` times as far away."""
    size = pictures.shape[1:]
    small = [max(4, math.floor(side / factor)) for side in size]
    coarse = functional.interpolate(pictures[:, None], small, mode="bilinear", antialias=True)
    return functional.interpolate(coarse, tuple(size), mode="bilinear")[:, 0]


def _cover(pictures: Tensor, chance: torch.Generator) -> None:
    """Something plain before a part of the mouth, in place."""
    ticks, height, width = pictures.shape
    first = _whole(0, ticks, chance)
    last = first + _whole(*COVER_TICKS, chance)
    tall, wide = _whole(*COVER_PX, chance), _whole(*COVER_PX, chance)
    top, left = _whole(0, height - tall, chance), _whole(0, width - wide, chance)
    pictures[first:last, top : top + tall, left : left + wide] = 255 * _drawn(chance)


def _drawn(chance: torch.Generator) -> float:
    return float(torch.rand((), generator=chance))


def _whole(low: int, high: int, chance: torch.Generator) -> int:
    return int(torch.randint(low, max(high, low + 1), (), generator=chance))

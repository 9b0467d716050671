"""Small fusions on bases that were fitted to random features, and what their bundles say `projected` is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models import basis
from models.basis import Decomposition
from models.encoders import Dimensions
from models.fusion import Fusion, build
from models.parts import CONSTANTS
from models.preprocess import FeatureSelector

torch.set_num_threads(1)
WIDTHS = (3, 5, 4)
SMALL = Dimensions(tokens=9, classes=7, text=3, audio=5, video=4, rank=4, hidden=5)
KINDS = ("concatenation", "average", "voting", "gated")

Array = NDArray[np.float32]
Inputs = tuple[Tensor, Tensor, Tensor, Tensor]


@dataclass(frozen=True)
class Rows:
    """Training ticks: features [N, 12], mask [N, 3], labels [N]."""

    features: Array
    mask: Array
    labels: NDArray[np.int64]


def rows(count: int = 300, seed: int = 0) -> Rows:
    """Features that go together and tell of the labels: sound most, text least; one column of sound never varies."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, SMALL.classes, count)
    says = generator.standard_normal((SMALL.classes, sum(WIDTHS))) * np.repeat([0.1, 2.0, 0.8], WIDTHS)
    features = 5 + says[labels] + generator.standard_normal((count, sum(WIDTHS)))
    features[:, 4] = 1
    mask = generator.random((count, 3)) > 0.3
    return Rows(features.astype(np.float32), mask.astype(np.float32), labels)


def fitted(
    kind: str,
    rank: int = SMALL.rank,
    columns: Sequence[int] | None = None,
    seed: int = 0,
    selector: FeatureSelector | None = None,
) -> tuple[Fusion, Decomposition]:
    """A fusion ready to infer, and what it was fitted to."""
    torch.manual_seed(seed)
    fusion = build(kind, replace(SMALL, rank=rank)).eval().requires_grad_(requires_grad=False)
    known = rows(seed=seed)
    return fusion, basis.fit(fusion, known.features, known.mask, known.labels, columns, selector)


def inputs(batch: int, ticks: int, seed: int = 0) -> Inputs:
    """Random text, audio, video and mask."""
    generator = torch.Generator().manual_seed(seed)
    text, audio, video = (5 + torch.randn(batch, ticks, size, generator=generator) for size in WIDTHS)
    return text, audio, video, (torch.rand(batch, ticks, 3, generator=generator) > 0.4).float()


def constants(fusion: Fusion) -> dict[str, NDArray[Any]]:
    """What a bundle's svd.npz holds."""
    return {name: fusion.get_buffer(name).numpy() for name in CONSTANTS}


def recomputed(
    kind: str, svd: Mapping[str, NDArray[Any]], features: Sequence[Array], mask: Array
) -> NDArray[np.float64]:
    """`projected` of features and mask [batch, ticks, ...] by the formula of `Bundle.svd`, with numpy alone."""
    joint = np.concatenate(features, axis=2)[:, :, svd["selected"]]
    owners = np.repeat([0, 1, 2], [part.shape[2] for part in features])[svd["selected"]]
    standard = (joint - svd["mean"]) / svd["scale"] * mask[:, :, owners]
    parts = [standard[:, :, owners == place] @ svd["components"][:, owners == place].T for place in range(3)]
    if kind in {"voting", "gated"}:
        return np.concatenate(parts, axis=2)
    if kind == "concatenation":
        return np.asarray(sum(parts))
    weights = mask * svd["weights"]
    shares = weights / np.maximum(weights.sum(axis=2, keepdims=True), 1e-9)
    return np.asarray(sum(shares[:, :, place : place + 1] * part for place, part in enumerate(parts)))

"""Fits the constants of a fusion on training features: which columns, standardisation, SVD, reliability.

    joint      one SVD of all modalities' columns side by side, an absent modality at its mean
    separate   an SVD a modality, of the ticks where it is present
    aligned    the same, each then turned into the coordinates of the most reliable modality by orthogonal Procrustes
               (Schoenemann, 1966) on the ticks where both are present

Reliability is measured of every modality, whether or not the kind uses it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import orthogonal_procrustes
from torch import Tensor

from models.columns import Block, balanced, block
from models.fusion import Concatenation, Fusion
from models.parts import MODALITIES, Constants
from models.preprocess import FeatureSelector
from models.projection import TruncatedSVD
from models.reliability import reliability

log = logging.getLogger(__name__)

Matrix = NDArray[np.floating]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Decomposition:
    """What was fitted, and how much of the training features it holds.

    Attributes
    ----------
    constants : Constants
    explained_energy_ratio : float
        Share of the standardised columns' energy that the components hold.
    singular_values : float64, descending; of all modalities' decompositions together, if they are separate
    """

    constants: Constants
    explained_energy_ratio: float
    singular_values: NDArray[np.float64]

    @property
    def report(self) -> dict[str, Any]:
        """What a bundle's manifest says of it."""
        return {
            "explained_energy_ratio": self.explained_energy_ratio,
            "singular_values": self.singular_values.tolist(),
        }


def fit(
    fusion: Fusion,
    features: Matrix,
    mask: Matrix,
    labels: Integers,
    columns: Sequence[int] | None = None,
    selector: FeatureSelector | None = None,
) -> Decomposition:
    """Put a fusion on the basis of features [N, D], mask [N, 3], labels [N].

    With `columns` no others are used: those of one modality make a network of that modality alone. Columns that never
    vary while their modality is present go, and with a `selector` those of sound and pictures that it leaves out; what
    is on screen tells of a sentence, not of a tick, and cannot be chosen so. A rank beyond the columns is filled up with
    components of zero.

    Raises
    ------
    ValueError
        The shapes do not fit, or no column is left.
    """
    _check(fusion, features, mask, labels)
    wanted = _wanted(fusion.widths, columns)
    if selector is not None:
        wanted[1:] = [_told(selector, features, mask[:, place] > 0, labels, wanted[place]) for place in (1, 2)]
    blocks, rank = _blocks(features, mask, wanted), fusion.dims.rank
    weights = [reliability(own.seen, labels[own.present]) if len(own.selected) else 0.0 for own in blocks]
    if fusion.decomposed == "joint":
        found = _joint(blocks, rank, weights)
    else:
        found = _separate(blocks, rank, weights, aligned=fusion.decomposed == "aligned")
    fusion.set_constants(found.constants)
    size = len(features), len(found.constants.selected)
    log.info("basis on %d rows of %d columns: rank %d holds %.4f", *size, rank, found.explained_energy_ratio)
    return found


def refit(
    fusion: Concatenation, features: Matrix, mask: Matrix, labels: Integers, columns: Sequence[int] | None = None
) -> Decomposition:
    """As `fit`, and let the head see on the new basis what it saw on the old one, as nearly as least squares can."""
    before = projected(fusion, features, mask)
    found = fit(fusion, features, mask, labels, columns)
    after = projected(fusion, features, mask)
    turn, *_ = np.linalg.lstsq(np.column_stack([after, np.ones(len(after))]), before, rcond=None)
    _turn_head(fusion, torch.from_numpy(turn).float())
    return found


@torch.no_grad()
def projected(fusion: Concatenation, features: Matrix, mask: Matrix) -> NDArray[np.float64]:
    """Rows [N, D] on the fusion's present basis, [N, k]."""
    rows, present = (torch.from_numpy(np.asarray(values, dtype=np.float32))[None] for values in (features, mask))
    text, audio, video = rows.split(fusion.widths, dim=2)
    return fusion.parts(text, audio, video, present).sum(dim=0)[0].double().numpy()


def _check(fusion: Fusion, features: Matrix, mask: Matrix, labels: Integers) -> None:
    rows = len(features)
    found, expected = (features.shape, mask.shape, labels.shape), ((rows, fusion.dims.features), (rows, 3), (rows,))
    if found != expected or not rows:
        raise ValueError(f"Features, mask and labels have the shapes {found}, expected {expected} and at least a row.")


def _wanted(widths: Sequence[int], columns: Sequence[int] | None) -> list[NDArray[np.int64]]:
    """The columns that may be used, modality by modality."""
    owners = np.repeat(np.arange(MODALITIES), widths)
    wanted = np.arange(len(owners)) if columns is None else np.unique(np.asarray(columns, dtype=np.int64))
    return [wanted[owners[wanted] == place] for place in range(MODALITIES)]


def _told(
    selector: FeatureSelector,
    features: Matrix,
    present: NDArray[np.bool_],
    labels: Integers,
    columns: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Those columns of one modality that the selector keeps."""
    if not len(columns) or not present.any():
        return columns
    return columns[selector.fit(features[present][:, columns], labels[present]).selected_]


def _blocks(features: Matrix, mask: Matrix, wanted: Sequence[NDArray[np.int64]]) -> list[Block]:
    found = [block(features, mask[:, place] > 0, columns) for place, columns in enumerate(wanted)]
    if not sum(len(own.selected) for own in found):
        raise ValueError("No column of the features varies while its modality is present; give other rows or columns.")
    return found


def _constants(blocks: Sequence[Block], components: Matrix, weights: Sequence[float]) -> Constants:
    selected = np.concatenate([own.selected for own in blocks])
    mean, scale = (np.concatenate([getattr(own, name) for own in blocks]) for name in ("mean", "scale"))
    return Constants(selected, mean, scale, components, np.array(weights))


def _joint(blocks: Sequence[Block], rank: int, weights: Sequence[float]) -> Decomposition:
    """One SVD of all blocks side by side, each with the same energy over the training ticks."""
    even = balanced(blocks, [float(own.present.sum()) * len(own.selected) for own in blocks])
    components, svd = _components(np.concatenate([own.rows for own in even], axis=1), rank)
    return Decomposition(_constants(even, components, weights), svd.explained_energy_ratio_, svd.singular_values_)


def _separate(blocks: Sequence[Block], rank: int, weights: Sequence[float], *, aligned: bool) -> Decomposition:
    """An SVD a block, each with the same energy a tick."""
    even = balanced(blocks, [float(len(own.selected)) for own in blocks])
    components, values, kept = [], [], 0.0
    for own in even:
        if len(own.selected):
            own_components, svd = _components(own.seen, rank)
            values.append(svd.singular_values_)
            kept += float((svd.singular_values_[: svd.rank_] ** 2).sum())
        else:
            own_components = np.zeros((rank, 0))
        components.append(own_components)
    if aligned:
        components = _aligned(even, components, reference=int(np.argmax(weights)))
    singular = np.sort(np.concatenate(values))[::-1]
    return Decomposition(
        _constants(even, np.concatenate(components, axis=1), weights), kept / float((singular**2).sum()), singular
    )


def _components(rows: NDArray[np.float64], rank: int) -> tuple[NDArray[np.float64], TruncatedSVD]:
    """Components [rank, columns]; zero beyond what the rows can have."""
    svd = TruncatedSVD(rank=min(rank, *rows.shape)).fit(rows)
    components = np.zeros((rank, rows.shape[1]))
    components[: svd.rank_] = svd.components_
    return components, svd


def _aligned(
    blocks: Sequence[Block], components: Sequence[NDArray[np.float64]], reference: int
) -> list[NDArray[np.float64]]:
    """Components whose representations are turned as near to the reference's as a rotation can bring them."""
    wanted = blocks[reference].rows @ components[reference].T
    turned = []
    for own, basis in zip(blocks, components, strict=True):
        both = own.present & blocks[reference].present
        rotation, _ = orthogonal_procrustes((own.rows @ basis.T)[both], wanted[both])  # [k, k]
        turned.append(rotation.T @ basis)
    return turned


@torch.no_grad()
def _turn_head(fusion: Concatenation, turn: Tensor) -> None:
    """`turn` is [k + 1, k], from the new basis to the old one, the last row a constant."""
    rank = fusion.dims.rank
    for layer in fusion.head.first_layers():
        weight, bias = layer.get_parameter("weight_ih_l0"), layer.get_parameter("bias_ih_l0")
        old = weight[:, :rank].clone()
        weight[:, :rank] = old @ turn[:rank].T
        bias.add_(old @ turn[rank])

"""Fits the constants of a fusion on training features: which columns, standardisation, SVD, reliability.

concatenation: one SVD of all modalities' standardised columns side by side, an absent modality at its mean
the others:    an SVD a modality, of the ticks where it is present; for the average each is then turned into the
               coordinates of the most reliable modality by orthogonal Procrustes (Schoenemann, 1966)
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.fusion import Concatenation, Fusion
from models.parts import Basis
from models.preprocess import Standardiser
from models.projection import TruncatedSVD

log = logging.getLogger(__name__)

Matrix = NDArray[np.floating]
Integers = NDArray[np.integer]


@dataclass(frozen=True)
class Decomposition:
    """What was fitted, and how much of the training features it holds.

    Attributes
    ----------
    basis : Basis
    explained_energy_ratio : float
        Share of the standardised columns' energy that the components hold.
    singular_values : float64, descending
    """

    basis: Basis
    explained_energy_ratio: float
    singular_values: NDArray[np.float64]

    @property
    def report(self) -> dict[str, Any]:
        """What a bundle's manifest says of it."""
        return {
            "explained_energy_ratio": self.explained_energy_ratio,
            "singular_values": self.singular_values.tolist(),
        }


def gathered(batches: Iterable[tuple[Tensor, Tensor, Tensor]], rows: int) -> tuple[Matrix, Matrix, Integers]:
    """Features [N, D], mask [N, 3] and labels [N] of as many batches as give `rows` ticks, or of all there are."""
    taken: list[tuple[Tensor, Tensor, Tensor]] = []
    count = 0
    for batch in batches:
        taken.append(batch)
        count += len(batch[0])
        if count >= rows:
            break
    features, mask, labels = (torch.cat(values).numpy() for values in zip(*taken, strict=True))
    return features, mask, labels


def fit(
    fusion: Fusion, features: Matrix, mask: Matrix, labels: Integers, columns: Sequence[int] | None = None
) -> Decomposition:
    """Put a fusion on the basis of features [N, D], mask [N, 3], labels [N].

    With `columns` no others are used: those of one modality make a network of that modality alone. Columns that never
    vary while their modality is present go.

    Raises
    ------
    ValueError
        The shapes do not fit, or no column is left.
    """
    _check(fusion, features, mask, labels)
    found = _decompose(fusion, features, mask, columns)
    fusion.set_basis(found.basis)
    kept = len(found.basis.selected)
    log.info(
        "%d rows, %d columns: rank %d holds %.4f", len(features), kept, fusion.dims.rank, found.explained_energy_ratio
    )
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


def standard(basis: Basis, widths: Sequence[int], features: Matrix, mask: Matrix) -> NDArray[np.float64]:
    """Selected, standardised columns [N, D'], 0 where their modality is absent; `widths` as they were before."""
    present = np.repeat(mask, widths, axis=1)[:, basis.selected]
    return np.asarray((features[:, basis.selected] - basis.mean) / basis.scale * present, dtype=np.float64)


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


def _decompose(fusion: Fusion, features: Matrix, mask: Matrix, columns: Sequence[int] | None) -> Decomposition:
    selected, mean, scale = _standardisation(fusion.widths, features, mask, columns)
    flat = Basis(selected, mean, scale, np.zeros((fusion.dims.rank, len(selected))), np.ones(3))
    rows = standard(flat, fusion.widths, features, mask)
    svd = TruncatedSVD(rank=min(fusion.dims.rank, *rows.shape)).fit(rows)
    flat.components[: svd.rank_] = svd.components_  # a rank beyond the columns is filled up with zeros
    return Decomposition(flat, svd.explained_energy_ratio_, svd.singular_values_)


def _standardisation(
    widths: Sequence[int], features: Matrix, mask: Matrix, columns: Sequence[int] | None
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Columns to use, with mean and scale over the ticks where their modality is present."""
    wanted = np.arange(features.shape[1]) if columns is None else np.unique(np.asarray(columns, dtype=np.int64))
    owners = np.repeat(np.arange(len(widths)), widths)
    found: list[tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]] = []
    for place in range(len(widths)):
        present, own = mask[:, place] > 0, wanted[owners[wanted] == place]
        rows = features[present][:, own]
        if rows.size:
            used = own[rows.std(axis=0, dtype=np.float64) > 1e-6]
            fitted = Standardiser().fit([features[present][:, used]])
            found.append((used, fitted.mean_, fitted.scale_))
    if not any(len(used) for used, _, _ in found):
        raise ValueError("No column of the features varies while its modality is present; give other rows or columns.")
    selected, mean, scale = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
    return selected, mean, scale


@torch.no_grad()
def _turn_head(fusion: Concatenation, turn: Tensor) -> None:
    """Let the head see on the new basis what it saw on the old one; `turn` is [k + 1, k], the last row a constant."""
    rank = fusion.dims.rank
    for layer in (fusion.head.forward_1, fusion.head.backward_1):
        weight, bias = layer.get_parameter("weight_ih_l0"), layer.get_parameter("bias_ih_l0")
        old = weight[:, :rank].clone()
        weight[:, :rank] = old @ turn[:rank].T
        bias.add_(old @ turn[rank])

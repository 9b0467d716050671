"""Fits the SVD basis of a network on its own training features, and turns the head to it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.network import Network
from models.preprocess import Standardiser
from models.projection import TruncatedSVD
from models.tasks.speech_batch import batches, degraded
from models.tasks.speech_mix import Mixer

log = logging.getLogger(__name__)

FIT_ROWS = 25_000


@torch.no_grad()
def joint_rows(network: Network, mixer: Mixer, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Joint features of training ticks before standardisation, and after the present basis; batches of rows."""
    network.eval()
    chance = torch.Generator().manual_seed(seed)
    rows = 0
    for raw in batches(mixer, seed):
        batch = degraded(raw, chance)
        text, audio, video = network.features(batch)
        within = torch.arange(text.shape[1])[None] < batch["lengths"][:, None]
        present = network.fusion.joint(text, audio, video, batch["mask"])
        features = present * network.fusion.scale + network.fusion.mean
        projected = present @ network.fusion.components.T
        yield features[within].double().numpy(), projected[within].double().numpy()
        rows += int(within.sum())
        if rows >= FIT_ROWS:
            return


@dataclass(frozen=True)
class Decomposition:
    """The training features' standardisation and basis, and the same rows before and after."""

    standardiser: Standardiser
    basis: TruncatedSVD
    standard: np.ndarray  # [rows, D]
    before: np.ndarray  # [rows, k] on the basis that the network has now

    @property
    def report(self) -> dict[str, Any]:
        """What a bundle's manifest says of it."""
        return {
            "explained_energy_ratio": self.basis.explained_energy_ratio_,
            "singular_values": self.basis.singular_values_.tolist(),
        }


def decompose(network: Network, mixer: Mixer, seed: int) -> Decomposition:
    """Standardise and decompose the joint features of training ticks.

    An absent modality stands at its mean, so it adds nothing to the decomposition.
    """
    rows = list(joint_rows(network, mixer, seed))
    features = np.concatenate([features for features, _ in rows])
    standardiser = Standardiser().fit([features])
    standard = standardiser.transform(features)
    basis = TruncatedSVD(rank=network.dims.rank).fit(standard)
    return Decomposition(standardiser, basis, standard, np.concatenate([before for _, before in rows]))


def fit_basis(network: Network, mixer: Mixer, seed: int) -> None:
    """Put the network on the basis of its present features; the head's first layer is turned to it."""
    found = decompose(network, mixer, seed)
    after = found.basis.transform(found.standard)
    turn, *_ = np.linalg.lstsq(np.column_stack([after, np.ones(len(after))]), found.before, rcond=None)
    network.fusion.set_basis(found.standardiser.mean_, found.standardiser.scale_, found.basis.components_)
    _turn_head(network, torch.from_numpy(turn).float())
    log.info("basis on %d rows: rank %d holds %.4f", len(after), after.shape[1], found.basis.explained_energy_ratio_)


@torch.no_grad()
def _turn_head(network: Network, turn: Tensor) -> None:
    """Let the head see on the new basis what it saw on the old one; `turn` is [k + 1, k], the last row a constant."""
    rank = network.dims.rank
    for layer in (network.fusion.head.forward_1, network.fusion.head.backward_1):
        weight, bias = layer.get_parameter("weight_ih_l0"), layer.get_parameter("bias_ih_l0")
        old = weight[:, :rank].clone()
        weight[:, :rank] = old @ turn[:rank].T
        bias.add_(old @ turn[rank])

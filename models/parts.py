"""What every fusion shares: columns are selected, standardised and put on low-rank components, modality by modality.

    part_m = ((features_m[selected_m] - mean_m) / scale_m * mask_m) @ components[:, m].T      m: text, audio, video

An absent modality is zero, as if at its mean, and adds nothing. Selection, standardisation and components are constants
of the graph, set by `models.basis`: the head is trained on what they give, they are not trained further.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.encoders import Dimensions

MODALITIES = 3  # text, audio, video: the order of columns, masks, weights and shares
PROJECTED_NOISE = 0.2  # added in training, on the scale of a standardised feature
CONSTANTS = ("selected", "mean", "scale", "components", "weights")


@dataclass(frozen=True)
class Constants:
    """What a fusion is fitted to be; arrays of its state, which training does not move.

    Attributes
    ----------
    selected : int64 [D'], ascending columns of the joint features
    mean, scale : float [D']
    components : float [k, D']
    weights : float [3]
        Measured reliability of text, audio, video, each in [0, 1]; 0 of what has no column.
    """

    selected: NDArray[np.int64]
    mean: NDArray[np.floating]
    scale: NDArray[np.floating]
    components: NDArray[np.floating]
    weights: NDArray[np.floating]


class Fusion(nn.Module, ABC):
    """Features of all modalities to logits; what the kinds have in common.

    Attributes
    ----------
    decomposed : str
        How `models.basis` makes the components: joint, separate, or separate and aligned.
    counts : tuple[int, ...]
        How many selected columns each modality has.
    """

    decomposed: ClassVar[Literal["joint", "separate", "aligned"]] = "separate"
    selected: Tensor
    mean: Tensor
    scale: Tensor
    components: Tensor
    weights: Tensor

    def __init__(self, dims: Dimensions) -> None:
        super().__init__()
        self.dims = dims
        generator = torch.Generator().manual_seed(0)
        square = torch.randn(dims.features, dims.features, generator=generator)
        components = torch.zeros(dims.rank, dims.features)
        rows = min(dims.rank, dims.features)
        components[:rows] = torch.linalg.qr(square).Q[:rows]
        self.register_buffer("selected", torch.arange(dims.features))
        self.register_buffer("mean", torch.zeros(dims.features))
        self.register_buffer("scale", torch.ones(dims.features))
        self.register_buffer("components", components)
        self.register_buffer("weights", torch.ones(MODALITIES))
        self.widths = dims.text, dims.audio, dims.video
        self.counts: tuple[int, ...] = self.widths

    def set_constants(self, constants: Constants) -> None:
        """Replace the constants.

        Raises
        ------
        ValueError
            Their shapes do not fit each other or the rank, or the selected columns are none of the joint features'.
        """
        self._check(constants)
        for name in CONSTANTS:
            value = torch.from_numpy(np.array(getattr(constants, name)))
            setattr(self, name, value if name == "selected" else value.float())
        self._count()

    def _check(self, constants: Constants) -> None:
        selected, columns = constants.selected, len(constants.selected)
        found = [getattr(constants, name).shape for name in CONSTANTS[1:]]
        expected = [(columns,), (columns,), (self.dims.rank, columns), (MODALITIES,)]
        if found != expected:
            raise ValueError(f"mean, scale, components, weights have the shapes {found}, expected {expected}.")
        if not columns or (np.diff(selected) <= 0).any() or selected[0] < 0 or selected[-1] >= self.dims.features:
            raise ValueError(f"The selected columns must ascend within 0 to {self.dims.features - 1}: {selected}.")

    def _count(self) -> None:
        edges = torch.tensor(self.widths).cumsum(0)
        owners = torch.bucketize(self.selected, edges, right=True)
        self.counts = tuple(torch.bincount(owners, minlength=MODALITIES).tolist())

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        for name in CONSTANTS:  # a fitted basis is as large as its selection left it
            if prefix + name in state_dict:
                setattr(self, name, torch.empty_like(state_dict[prefix + name]))
        super()._load_from_state_dict(state_dict, prefix, *rest)
        self._count()

    def joint(self, text: Tensor, audio: Tensor, video: Tensor, mask: Tensor) -> Tensor:
        """Selected, standardised joint features [batch, ticks, D'], zero where a modality is absent.

        `mask` is [batch, ticks, 3].
        """
        chosen = torch.cat([text, audio, video], dim=2).index_select(2, self.selected)
        present = [mask[:, :, place : place + 1].expand(-1, -1, count) for place, count in enumerate(self.counts)]
        return (chosen - self.mean) / self.scale * torch.cat(present, dim=2)

    def parts(self, text: Tensor, audio: Tensor, video: Tensor, mask: Tensor) -> Tensor:
        """Each modality's features on its components, [3, batch, ticks, k], zero where it is absent."""
        columns = self.joint(text, audio, video, mask).split(self.counts, dim=2)
        bases = self.components.split(self.counts, dim=1)
        return torch.stack([own @ basis.T for own, basis in zip(columns, bases, strict=True)])

    def contributions(self, text: Tensor, audio: Tensor, video: Tensor, mask: Tensor) -> Tensor:
        """What each modality adds to `projected`, [3, batch, ticks, k]."""
        return self.parts(text, audio, video, mask)

    def noisy(self, projected: Tensor) -> Tensor:
        """In training, with noise: the real world's uncertainty."""
        return projected + PROJECTED_NOISE * torch.randn_like(projected) if self.training else projected

    def reliance(self, mask: Tensor) -> Tensor:
        """Weights of the modalities by tick, [batch, ticks, 3]: availability x reliability, of sum 1.

        Where nothing is present all are 0.
        """
        weights = mask * self.weights
        return weights / weights.sum(dim=2, keepdim=True).clamp(min=1e-9)

    @abstractmethod
    def forward(
        self, text: Tensor, audio: Tensor, video: Tensor, mask: Tensor, lengths: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Features [batch, ticks, ...], mask [batch, ticks, 3], lengths [batch] -> logits, projected, shares.

        `logits` is [batch, ticks, classes]; `shares` [batch, 3] is each modality's part of the projected features'
        energy over the segment, 0 everywhere if there is none.
        """


def energy_shares(parts: Tensor, lengths: Tensor) -> Tensor:
    """Each modality's share [batch, 3] of the energy of parts [3, batch, ticks, k] within each row's length."""
    return _of_sum_one((within(parts.shape[2], lengths) * parts**2).sum(dim=(2, 3)).T)


def weight_shares(weights: Tensor, lengths: Tensor) -> Tensor:
    """Each modality's share [batch, 3] of weights [batch, ticks, 3] within each row's length."""
    return _of_sum_one((within(weights.shape[1], lengths) * weights).sum(dim=1))


def within(ticks: int, lengths: Tensor) -> Tensor:
    """True in each row's first `length` ticks, [batch, ticks, 1]."""
    return (torch.arange(ticks, device=lengths.device)[None] < lengths[:, None]).unsqueeze(2)


def _of_sum_one(values: Tensor) -> Tensor:
    # a bound, for the exporter drops so small a summand, and then zero is divided by zero
    return values / values.sum(dim=1, keepdim=True).clamp(min=1e-9)

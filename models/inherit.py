"""A fused head begins as the heads of the encoders by themselves: each stream as one of them.

What an encoder's own network projected is found again on the fusion's basis, as nearly as least squares can; the first
layer of its head is turned to that. So training goes on from what sound and pictures tell alone, instead of learning it
anew through the fusion.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor

from models.features import MODALITIES
from models.fusion import Summed
from models.voting import Voting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from models.fusion import Fusion
    from models.heads import FramesHead
    from models.network import Network


@torch.no_grad()
def inherit(fusion: Fusion, singles: Mapping[str, Network], features: np.ndarray, mask: np.ndarray) -> None:
    """Let the heads of a fitted fusion begin as those of networks that know one modality.

    `features` [N, D] and `mask` [N, 3] are ticks of training. A gated fusion has no linear way to them and keeps what
    it has.
    """
    joint, present = (torch.from_numpy(values)[None] for values in (features, mask))
    text, audio, video = joint.split(fusion.widths, dim=2)
    parts = fusion.contributions(text, audio, video, present)[:, 0]
    for number, (name, single) in enumerate(singles.items()):
        place = MODALITIES.index(name)
        here = mask[:, place] > 0
        alone = torch.zeros_like(present)
        alone[:, :, place] = present[:, :, place]
        wanted = single.fusion.contributions(text, audio, video, alone).sum(dim=0)[0, here]
        source = cast("Summed", single.fusion).head
        if isinstance(fusion, Voting):
            _begin(cast("FramesHead", fusion.heads[place]), 0, source, _turn(parts[place, here], wanted), place)
        elif isinstance(fusion, Summed):
            _begin(fusion.head, number, source, _turn(parts.sum(dim=0)[here], wanted), place)


def _turn(found: Tensor, wanted: Tensor) -> Tensor:
    """[k + 1, k'] from projected ticks [N, k] to another network's [N, k']; the last row is a constant."""
    rows = np.column_stack([found.double().numpy(), np.ones(len(found))])
    turn, *_ = np.linalg.lstsq(rows, wanted.double().numpy(), rcond=None)
    return torch.from_numpy(turn).float()


def _begin(head: FramesHead, number: int, source: FramesHead, turn: Tensor, place: int) -> None:
    """One stream of a head as the source's only one, and its share of the words' weights.

    Of what is present the source was told its own modality alone: what the others add to its first layer begins at 0.
    """
    stream, known = head.stacks()[number], source.stacks()[0]
    state = dict(known.state_dict())
    for layer in ("forward_1", "backward_1"):
        weight, bias = state[f"{layer}.weight_ih_l0"], state[f"{layer}.bias_ih_l0"]
        old, told = weight[:, : turn.shape[1]], weight[:, turn.shape[1] + place]
        fresh = torch.zeros(len(weight), stream.forward_1.input_size)
        fresh[:, : len(turn) - 1] = old @ turn[:-1].T
        masks = fresh.shape[1] - (len(turn) - 1)
        fresh[:, len(turn) - 1 + (place if masks > 1 else 0)] = told
        state[f"{layer}.weight_ih_l0"], state[f"{layer}.bias_ih_l0"] = fresh, bias + old @ turn[-1]
    stream.load_state_dict(state)
    width = source.words.in_features
    head.words.weight[:, number * width : (number + 1) * width] = source.words.weight
    head.words.bias.copy_(source.words.bias)

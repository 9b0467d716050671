"""One head a decoding kind; `frames`: a word or none for every tick."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from models.encoders import Dimensions

MASKS = 3  # what is present is told to the head beside the projected features


class FramesHead(nn.Module):
    """Two bidirectional GRU layers (Cho et al., 2014) over the open segment, then logits a tick.

    Lengths are part of the graph: the backward direction starts at each row's own end, so neither padding nor the
    other rows of a batch change a result.
    """

    def __init__(self, dims: Dimensions, masks: int = MASKS, dropout: float = 0.2) -> None:
        super().__init__()
        first, hidden = dims.rank + masks, dims.hidden
        self.forward_1 = nn.GRU(first, hidden, batch_first=True)
        self.backward_1 = nn.GRU(first, hidden, batch_first=True)
        self.forward_2 = nn.GRU(2 * hidden, hidden, batch_first=True)
        self.backward_2 = nn.GRU(2 * hidden, hidden, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.words = nn.Linear(2 * hidden, dims.classes)

    def forward(self, projected: Tensor, lengths: Tensor) -> Tensor:
        """[batch, ticks, k + masks], [batch] -> logits [batch, ticks, classes]; class 0 is no word."""
        order = reversed_order(projected.shape[1], lengths)
        first = _both(self.forward_1, self.backward_1, projected, order)
        second = _both(self.forward_2, self.backward_2, self.dropout(first), order)
        return self.words(self.dropout(second))


def reversed_order(ticks: int, lengths: Tensor) -> Tensor:
    """Indices [batch, ticks] that turn each row's first `length` ticks round and leave the padding in place."""
    tick = torch.arange(ticks, device=lengths.device)[None]
    backwards = lengths[:, None] - 1 - tick
    return torch.where(backwards >= 0, backwards, tick)


def _both(ahead: nn.GRU, back: nn.GRU, inputs: Tensor, order: Tensor) -> Tensor:
    forwards, _ = ahead(inputs)
    backwards, _ = back(_taken(inputs, order))
    return torch.cat([forwards, _taken(backwards, order)], dim=2)


def _taken(values: Tensor, order: Tensor) -> Tensor:
    return torch.gather(values, 1, order.unsqueeze(2).expand(-1, -1, values.shape[2]))

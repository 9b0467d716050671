"""One head a decoding kind; `frames`: a word or none for every tick."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from models.encoders import Dimensions

MASKS = 3  # what is present is told to the head beside the projected features


class Stream(nn.Module):
    """Two bidirectional GRU layers (Cho et al., 2014) over the open segment.

    Lengths are part of the graph: the backward direction starts at each row's own end, so neither padding nor the
    other rows of a batch change a result.
    """

    def __init__(self, inputs: int, hidden: int, dropout: nn.Dropout) -> None:
        super().__init__()
        self.forward_1 = nn.GRU(inputs, hidden, batch_first=True)
        self.backward_1 = nn.GRU(inputs, hidden, batch_first=True)
        self.forward_2 = nn.GRU(2 * hidden, hidden, batch_first=True)
        self.backward_2 = nn.GRU(2 * hidden, hidden, batch_first=True)
        self.dropout = dropout

    def forward(self, inputs: Tensor, order: Tensor) -> Tensor:
        """[batch, ticks, inputs] and `reversed_order` -> [batch, ticks, 2 * hidden]."""
        first = _both(self.forward_1, self.backward_1, inputs, order)
        return self.dropout(_both(self.forward_2, self.backward_2, self.dropout(first), order))


class FramesHead(nn.Module):
    """Streams side by side over the same projected features, then logits a tick.

    Parameters
    ----------
    streams : int
        A group of recurrent units each, with no weights between them (grouped recurrence, Gao et al., 2018): a fused
        head has one that can begin as sound's own, and one as the pictures'.
    """

    def __init__(self, dims: Dimensions, masks: int = MASKS, streams: int | None = None, dropout: float = 0.2) -> None:
        super().__init__()
        drop, count = nn.Dropout(dropout), streams or dims.streams
        self.streams = nn.ModuleList(Stream(dims.rank + masks, dims.hidden, drop) for _ in range(count))
        self.words = nn.Linear(2 * dims.hidden * count, dims.classes)

    def first_layers(self) -> list[nn.GRU]:
        """The layers that read the projected features."""
        return [layer for stream in self.stacks() for layer in (stream.forward_1, stream.backward_1)]

    def stacks(self) -> list[Stream]:
        """The streams, as what they are."""
        return [stream for stream in self.streams if isinstance(stream, Stream)]

    def forward(self, projected: Tensor, lengths: Tensor) -> Tensor:
        """[batch, ticks, k + masks], [batch] -> logits [batch, ticks, classes]; class 0 is no word."""
        order = reversed_order(projected.shape[1], lengths)
        return self.words(torch.cat([stream(projected, order) for stream in self.streams], dim=2))


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

"""Batches of speech training samples, rows cut short, and views of each with modalities dropped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from models.fusion import drop_modalities
from models.tasks.speech_mix import Mixer, Sample

BATCH = 16
POOL = 4  # batches that are drawn together
DROP = (0.1, 0.18, 0.32)  # probabilities that text, audio, video are dropped from a row
PREFIX = 0.4  # of the rows end early, as an open segment does
PICTURES_ALONE = 0.3  # of the rows are seen without sound in their second view, the others heard without pictures


class Drawn(Dataset[Sample]):
    """An epoch of drawn samples; each row has a generator of its own."""

    def __init__(self, mixer: Mixer, seed: int) -> None:
        self.mixer = mixer
        self.seed = seed

    def __len__(self) -> int:
        return len(self.mixer.utterances)

    def __getitem__(self, index: int) -> Sample:
        return self.mixer.draw(index, np.random.default_rng((self.seed, index)))


def collated(rows: Sequence[Sample]) -> dict[str, Tensor]:
    """Rows as one padded batch; padding has label -100, which no loss counts."""
    ticks = [len(row.labels) for row in rows]
    pad = nn.utils.rnn.pad_sequence

    def stacked(name: str, value: float = 0) -> Tensor:
        return pad([torch.from_numpy(getattr(row, name)) for row in rows], batch_first=True, padding_value=value)

    return {
        "samples": stacked("samples"),
        "crops": stacked("crops"),
        "tokens": stacked("tokens"),
        "mask": stacked("mask"),
        "labels": stacked("labels", -100),
        "lengths": torch.tensor(ticks),
    }


class Batches:
    """One epoch in an order of its own; each batch as `collated` gives it, of rows that are about as long.

    So little is padding: a fifth less is computed than in batches of any rows.
    """

    def __init__(self, mixer: Mixer, seed: int) -> None:
        self._drawn = Drawn(mixer, seed)
        self._seed = seed

    def __len__(self) -> int:
        return len(self._drawn) // BATCH

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        chance = torch.Generator().manual_seed(self._seed)
        # In this process: a worker, forked anew each epoch, makes every page of memory written to after that be copied.
        pools = DataLoader(self._drawn, POOL * BATCH, shuffle=True, generator=chance, collate_fn=_alike)
        for pool in pools:
            for place in torch.randperm(len(pool), generator=chance).tolist():
                yield pool[place]


def _alike(rows: Sequence[Sample]) -> list[dict[str, Tensor]]:
    """Whole batches of a pool of rows, the shortest together."""
    ranked = sorted(rows, key=lambda row: len(row.labels))
    return [collated(ranked[first : first + BATCH]) for first in range(0, len(rows) - BATCH + 1, BATCH)]


def cut_short(lengths: Tensor, labels: Tensor, chance: torch.Generator) -> tuple[Tensor, Tensor]:
    """Some rows end early: their lengths [batch], and labels [batch, ticks] without what comes after."""
    early = torch.rand(len(lengths), generator=chance) < PREFIX
    share = 0.1 + 0.9 * torch.rand(len(lengths), generator=chance)
    lengths = torch.where(early, (lengths * share).long().clamp(min=4), lengths)
    outside = torch.arange(labels.shape[1])[None] >= lengths[:, None]
    return lengths, labels.masked_fill(outside, -100)


def views(mask: Tensor, chance: torch.Generator) -> tuple[Tensor, Tensor]:
    """Two views of each row's mask [batch, ticks, 3]: some modalities dropped; sound or pictures alone."""
    pictures = (torch.rand(len(mask), generator=chance) < PICTURES_ALONE).to(mask.dtype)
    kept = torch.stack([torch.zeros_like(pictures), 1 - pictures, pictures], dim=1)[:, None]
    return drop_modalities(mask, DROP, chance), mask * kept

"""One encoder by itself: trained with a head of its own through an SVD basis of its own.

What comes out is a whole network that knows one modality: its encoder goes into the fused network as it is, and it
stands for "the same encoder trained on this modality only" wherever the fused network is measured.
"""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from models import basis
from models.course import Course
from models.features import MODALITIES, gathered, rows
from models.network import Network
from models.tasks.speech_batch import Batches, cut_short
from models.tasks.speech_pictures import befallen
from models.tasks.speech_probe import ALONE, Probe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from models.fusion import Concatenation, Fusion
    from models.plan import Stage
    from models.tasks.speech_corpus import Corpus

SINGLES = {"audio": 56, "video": 40}  # ranks; together little more than the fused one
Parts = tuple[Tensor, Tensor, Tensor]

ENCODER = 0.3  # weight of the encoder's own guess
SPILL = 0.1  # weight of the features' energy that the basis does not hold
SMOOTHING = 0.05


def train_single(
    modality: str, corpus: Corpus, folder: Path, stage: Stage, seed: int, tell: Callable[[], None]
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Train the encoder of `audio` or `video`; its network's state with the least error, and its basis's report."""
    torch.manual_seed(seed)
    corpus = corpus.only(modality)
    network = Network(replace(corpus.dims, rank=SINGLES[modality], streams=1))
    alone = _Alone(network, modality)
    course = Course(folder, stage, network, tell)
    probe, mixer = Probe(corpus.held_out(), corpus.language(), ALONE[modality]), corpus.mixer()
    for epoch in course.epochs():
        started = time.monotonic()
        drawn, chance = Batches(mixer, seed + epoch), torch.Generator().manual_seed(seed + epoch)
        torch.manual_seed(seed + epoch)
        if epoch in (0, *stage.refits):
            alone.refit(drawn, chance)
        network.train()
        loss = course.train(drawn, partial(alone.loss, chance=chance), len(drawn))
        course.finish_epoch(loss, probe.errors(network), started)
    network.load_state_dict(course.best())
    return network.state_dict(), alone.report(Batches(mixer, seed), torch.Generator().manual_seed(seed))


class Hearing(nn.Module):
    """What a network that knows sound alone says, whatever else is there: of that it was never told.

    Inputs and outputs are a fusion's.
    """

    kept: Tensor

    def __init__(self, fusion: Fusion) -> None:
        super().__init__()
        self.fusion, self.widths = fusion, fusion.widths
        self.register_buffer("kept", torch.tensor([name == "audio" for name in MODALITIES], dtype=torch.float32))

    def forward(self, text: Tensor, audio: Tensor, video: Tensor, mask: Tensor, lengths: Tensor) -> Parts:
        """As every fusion's."""
        found: Parts = self.fusion(text, audio, video, mask * self.kept, lengths)
        return found


class _Alone:
    """A network of which one encoder is used."""

    def __init__(self, network: Network, modality: str) -> None:
        self.network, self.modality, self.place = network, modality, MODALITIES.index(modality)
        self.guess = {"audio": network.heard, "video": network.seen}[modality]

    def features(self, batch: Mapping[str, Tensor], chance: torch.Generator) -> tuple[Parts, Tensor]:
        """Features of all three, zero but for the one, and a mask that shows it alone."""
        dims = self.network.dims
        mask = torch.zeros_like(batch["mask"])
        mask[:, :, self.place] = batch["mask"][:, :, self.place]
        parts = [torch.zeros(*mask.shape[:2], size) for size in (dims.text, dims.audio, dims.video)]
        if self.modality == "video":
            batch = {**batch, "crops": befallen(batch["crops"], chance)}
        parts[self.place] = self.network.encoded(self.modality, batch)
        text, audio, video = parts
        return (text, audio, video), mask

    def loss(self, batch: Mapping[str, Tensor], chance: torch.Generator) -> Tensor:
        """Cross-entropy of the head and of the encoder's own guess, and what the basis does not hold."""
        parts, mask = self.features(batch, chance)
        lengths, labels = cut_short(batch["lengths"], batch["labels"], chance)
        logits, projected, _ = self.network.fusion(*parts, mask, lengths)
        loss = functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), label_smoothing=SMOOTHING)
        there = labels.masked_fill(mask[:, :, self.place] == 0, -100)
        guess = functional.cross_entropy(self.guess(parts[self.place]).flatten(0, 1), there.flatten())
        return loss + ENCODER * guess + SPILL * (1 - self._held(parts, mask, projected))

    def _held(self, parts: Parts, mask: Tensor, projected: Tensor) -> Tensor:
        """Share of the standardised features' energy that the basis holds."""
        joint = self.network.fusion.joint(*parts, mask)
        return (projected**2).sum() / ((joint**2).sum() + 1e-6)

    @torch.no_grad()
    def refit(self, drawn: Iterable[Mapping[str, Tensor]], chance: torch.Generator) -> None:
        """Put the network on the basis of its present features."""
        self.network.eval()
        found = gathered(self._rows(batch, chance) for batch in drawn)
        dims = self.network.dims
        start = (0, dims.text, dims.text + dims.audio)[self.place]
        size = (dims.text, dims.audio, dims.video)[self.place]
        basis.refit(cast("Concatenation", self.network.fusion), *found, columns=range(start, start + size))

    @torch.no_grad()
    def report(self, drawn: Iterable[Mapping[str, Tensor]], chance: torch.Generator) -> dict[str, Any]:
        """How much of the training features' energy the present basis holds, as a bundle's manifest says it."""
        self.network.eval()
        joint, mask, _ = gathered(self._rows(batch, chance) for batch in drawn)
        fusion = cast("Concatenation", self.network.fusion)
        kept = (basis.projected(fusion, joint, mask) ** 2).sum(axis=0)
        parts = torch.from_numpy(joint)[None].split(fusion.widths, dim=2)
        whole = float((fusion.joint(parts[0], parts[1], parts[2], torch.from_numpy(mask)[None]) ** 2).sum())
        return {"explained_energy_ratio": float(kept.sum()) / whole, "singular_values": (kept**0.5).tolist()}

    def _rows(self, batch: Mapping[str, Tensor], chance: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        parts, mask = self.features(batch, chance)
        return rows(dict(zip(MODALITIES, parts, strict=True)) | {"mask": mask, "labels": batch["labels"]})

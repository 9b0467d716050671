"""What the encoders, which stand still by now, make of drawn training samples: computed once, kept on disk.

Every fusion and every SVD rank is fitted to the very same features, and its head trained on them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.network import Network
from models.tasks.speech_batch import Batches
from models.tasks.speech_corpus import ASTRAY
from models.tasks.speech_pictures import befallen

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from models.tasks.speech_corpus import Corpus

Matrix = NDArray[Any]
Features = dict[str, Tensor]  # text, audio, video [batch, ticks, ...], mask, labels, lengths
MODALITIES = ("text", "audio", "video")  # in the order of the joint features
FIT_ROWS = 25_000  # ticks that a basis is fitted to


@torch.no_grad()
def encoded(network: Network, batch: Mapping[str, Tensor]) -> Features:
    """A batch's features by encoders that stand still, in the mode that the network is in."""
    text, audio, video = network.features(batch)
    kept = {name: batch[name] for name in ("mask", "labels", "lengths")}
    return {"text": text, "audio": audio, "video": video, **kept}


def unsure(network: Network) -> None:
    """Let the pictures' encoder drop units as when it was trained.

    It knows its training clips better than any other; a head would learn to believe it too much. (Sound's has no
    dropout: in endless noise it does not learn its clips by heart.)
    """
    network.eval()
    for module in network.video.modules():
        module.train(isinstance(module, nn.Dropout))


def keep(network: Network, corpus: Corpus, file: Path, seed: int) -> None:
    """Features of one drawing of the whole training set; a file that is there is left."""
    if file.exists():
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    chance = torch.Generator().manual_seed(seed)
    unsure(network)
    drawn: list[Features] = []
    for batch in Batches(corpus.mixer(ASTRAY), seed):
        features = encoded(network, {**batch, "crops": befallen(batch["crops"], chance)})
        drawn.append({name: value.half() if name in MODALITIES else value for name, value in features.items()})
    torch.save(drawn, file.with_suffix(".new"))
    file.with_suffix(".new").replace(file)


def read(file: Path) -> list[Features]:
    """One drawing's batches."""
    kept: list[Features] = torch.load(file, weights_only=True)
    return [{name: value.float() if name in MODALITIES else value for name, value in batch.items()} for batch in kept]


def rows(batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """A batch's ticks one below another: joint features [N, D], mask [N, 3], labels [N]."""
    within = batch["labels"] >= 0
    joint = torch.cat([batch[name] for name in MODALITIES], dim=2)
    return joint[within], batch["mask"][within], batch["labels"][within]


def gathered(parts: Iterable[tuple[Tensor, Tensor, Tensor]]) -> tuple[Matrix, Matrix, Matrix]:
    """Joint features, mask and labels of FIT_ROWS ticks or a little more, as arrays."""
    found: list[tuple[Tensor, Tensor, Tensor]] = []
    for part in parts:
        found.append(part)
        if sum(len(labels) for _, _, labels in found) >= FIT_ROWS:
            break
    joint, mask, labels = (torch.cat(column).numpy() for column in zip(*found, strict=True))
    return joint, mask, labels

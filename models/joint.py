"""A fusion fitted to the features of all modalities, and its head trained on what it projects.

The encoders stand still and the components are not trained further: kind and rank of the fusion are all that differs
between the shipped network and those that it is measured against.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from models import basis, features
from models.course import Course
from models.fusion import Fusion, build
from models.inherit import inherit
from models.preprocess import FeatureSelector
from models.single import SMOOTHING
from models.tasks.speech_batch import cut_short, views

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from models.encoders import Dimensions
    from models.network import Network
    from models.plan import Stage
    from models.tasks.speech_probe import Probe

ALONE = 0.6  # weight of the view with sound or pictures alone


def train_joint(
    kind: str,
    dims: Dimensions,
    singles: Mapping[str, Network],
    drawings: Sequence[Path],
    probe: Probe,
    held_out: Mapping[str, Sequence[features.Features]],
    folder: Path,
    stage: Stage,
    seed: int,
    tell: Callable[[], None],
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Fit and train; the fusion's state with the least error, and the decomposition's report.

    `singles` are the encoders' own networks, whose heads the fusion's begins as; `held_out` holds the validation clips' features by condition, as `probe.features` gives them.
    """
    torch.manual_seed(seed)
    fusion = build(kind, dims)
    first = features.read(drawings[0])
    ticks = features.gathered(map(features.rows, first))
    found = basis.fit(fusion, *ticks, selector=FeatureSelector())
    inherit(fusion, singles, *ticks[:2])
    course = Course(folder, stage, fusion, tell)
    for epoch in course.epochs():
        started, chance = time.monotonic(), torch.Generator().manual_seed(seed + epoch)
        torch.manual_seed(seed + epoch)
        drawn = features.read(drawings[epoch % len(drawings)])
        order = torch.randperm(len(drawn), generator=chance).tolist()
        fusion.train()
        shuffled = (drawn[place] for place in order)
        loss = course.train(shuffled, partial(_loss, fusion, chance=chance), len(drawn))
        course.finish_epoch(loss, probe.errors_of(fusion, held_out), started)
    return course.best(), found.report


def _loss(fusion: Fusion, batch: features.Features, chance: torch.Generator) -> Tensor:
    """Cross-entropy of both views of each row."""
    lengths, labels = cut_short(batch["lengths"], batch["labels"], chance)
    mixed, alone = views(batch["mask"], chance)
    twice = [torch.cat([batch[name], batch[name]]) for name in ("text", "audio", "video")]
    logits, _, _ = fusion(*twice, torch.cat([mixed, alone]), lengths.repeat(2))
    first, second = (
        functional.cross_entropy(view.flatten(0, 1), labels.flatten(), label_smoothing=SMOOTHING)
        for view in logits.chunk(2)
    )
    return first + ALONE * second

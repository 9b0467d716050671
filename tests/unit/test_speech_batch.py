from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from models.tasks.speech_batch import BATCH, Batches
from models.tasks.speech_mix import Mixer
from tests.unit.test_speech_task import KNOWN, utterance

MIXER = Mixer([utterance(seed, ticks=40 + seed % 40) for seed in range(4 * BATCH + BATCH // 2)], KNOWN)


def drawn(seed: int) -> list[dict[str, Tensor]]:
    return list(Batches(MIXER, seed))


def test_an_epoch_is_as_many_whole_batches_as_the_clips_make() -> None:
    found = drawn(1)
    assert len(found) == len(Batches(MIXER, 1)) == 4
    assert all(len(batch["lengths"]) == BATCH for batch in found)
    assert all(batch["labels"].shape[1] == batch["lengths"].max() for batch in found)


def test_rows_of_a_batch_are_about_as_long_so_that_little_is_padding() -> None:
    lengths = [batch["lengths"].float() for batch in drawn(1)]
    within = np.mean([float(rows.std()) for rows in lengths])
    assert within < 0.6 * float(torch.cat(lengths).std())


def test_a_seed_gives_one_epoch_and_another_another() -> None:
    first, again, other = drawn(1), drawn(1), drawn(2)
    assert all(torch.equal(one["samples"], same["samples"]) for one, same in zip(first, again, strict=True))
    assert any(one["samples"].shape != another["samples"].shape for one, another in zip(first, other, strict=True))


def test_padding_has_labels_that_no_loss_counts() -> None:
    for batch in drawn(3):
        outside = torch.arange(batch["labels"].shape[1])[None] >= batch["lengths"][:, None]
        assert (batch["labels"][outside] == -100).all()
        assert (batch["labels"][~outside] >= 0).all()

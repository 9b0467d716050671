"""One look at an open segment: what its features say by now, and what they say at last.

    Features -> fusion -> words -> [Look] -> Caption

A final is looked at more closely: pictures that contradict the sound are left out of it, and of a sound that is unsure they are
believed the more. Words that are shown are expected.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stream.agreement import mixed, trust
from stream.decode import Spoken, spoken
from stream.features import Fused
from stream.frame import Modality

if TYPE_CHECKING:
    from stream.features import Features
    from stream.predict import Predictor


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of a segment.

    Attributes
    ----------
    batch : int
        How many segments shared the batch.
    misled : bool
        Whether pictures were left out, since they contradict the sound.
    """

    fused: Fused
    words: list[Spoken]
    batch: int
    misled: bool = False

    @property
    def ticks(self) -> int:
        """How long the segment is."""
        return len(self.fused.logits)


async def look(predictor: Predictor, features: Features) -> Look:
    """With all that is there."""
    fused, batch = await predictor.fuse(features)
    return _read(predictor, features, fused, batch)


async def believed(predictor: Predictor, features: Features, found: Look) -> Look:
    """What a final says of features of which `found` is known: with the pictures as far as they are to be believed."""
    if not (features.has(Modality.AUDIO) and features.has(Modality.VIDEO)):
        return found
    heard, seen = await asyncio.gather(
        predictor.fuse(features.without(Modality.VIDEO)),
        predictor.fuse(features.without(Modality.TEXT, Modality.AUDIO)),
    )
    answers = [found.fused, heard[0], seen[0]]
    trusted = trust(answers[1].logits, answers[2].logits, features.mask, predictor.language)
    if (trusted[:, 0] == 1).all():
        return found
    counted = trusted.mean(axis=0).tolist()
    shares = {m: sum(c * each.shares[m] for c, each in zip(counted, answers, strict=True)) for m in found.fused.shares}
    fused = Fused(mixed([each.logits for each in answers], trusted), shares)
    return _read(predictor, features, fused, found.batch, misled=bool(trusted[:, 1].all()))


def _read(predictor: Predictor, features: Features, fused: Fused, batch: int, *, misled: bool = False) -> Look:
    words = spoken(fused.logits, predictor.language.favouring(features.shown()))
    return Look(fused, words, batch, misled)

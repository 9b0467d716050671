"""What goes into the models and what comes out of them, block by block and segment by segment.

    HopInput -> [Window] -> encoders -> [Features] -> fusion -> [Fused]

Knows nothing of who computes it, nor how: that is `predict.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from models.manifest import FUSION, HEARD
from stream.frame import Modality
from stream.raster import MODALITIES

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from numpy.typing import NDArray


@dataclass(slots=True)
class Window:
    """Raw input of one block of ticks with the encoders' context around it."""

    samples: NDArray[np.float32]  # [(left + block + right) * samples a tick]
    crops: NDArray[np.uint8]  # [left + block + right, height, width]
    tokens: NDArray[np.int64]  # [block, MAX_TOKENS]
    mask: NDArray[np.float32]  # [block, 3]


@dataclass(slots=True)
class Features:
    """Encoded ticks; zero where a modality is absent from the whole block."""

    parts: dict[Modality, NDArray[np.float32]]  # each [ticks, features]
    mask: NDArray[np.float32]  # [ticks, 3]
    tokens: NDArray[np.int64]  # [ticks, MAX_TOKENS], the words shown

    @classmethod
    def joined(cls, blocks: Sequence[Self]) -> Self:
        """Blocks one after another."""
        parts = {m: np.concatenate([block.parts[m] for block in blocks]) for m in MODALITIES}
        mask, tokens = (np.concatenate([getattr(block, name) for block in blocks]) for name in ("mask", "tokens"))
        return cls(parts, mask, tokens)

    def ticks(self, first: int, last: int) -> Self:
        """The ticks `[first, last)`."""
        parts = {m: part[first:last] for m, part in self.parts.items()}
        return type(self)(parts, self.mask[first:last], self.tokens[first:last])

    def has(self, modality: Modality) -> bool:
        """Whether anything of it is there."""
        return bool(self.mask[:, MODALITIES.index(modality)].any())

    def without(self, *modalities: Modality) -> Self:
        """As if these were not there."""
        kept = [modality not in modalities for modality in MODALITIES]
        return type(self)(self.parts, self.mask * np.array(kept, dtype=np.float32), self.tokens)

    def shown(self) -> set[int]:
        """The words that are shown at any of its ticks, as classes."""
        read = self.mask[:, MODALITIES.index(Modality.TEXT)] > 0
        return {*self.tokens[read].ravel().tolist()} - {0}

    def __len__(self) -> int:
        """How many ticks."""
        return len(self.mask)


@dataclass(slots=True)
class Fused:
    """What the fusion says of one open segment."""

    logits: NDArray[np.float32]  # [ticks, classes]
    shares: dict[Modality, float]  # of the projected features' energy, sum 1 unless nothing is there


def answering(mask: NDArray[np.float32], graphs: Container[str]) -> str:
    """Which graph answers for a segment of this mask [ticks, 3]: where there are no pictures, sound's own, if there is one."""
    heard, seen = (mask[:, MODALITIES.index(m)].any() for m in (Modality.AUDIO, Modality.VIDEO))
    return HEARD if heard and not seen and HEARD in graphs else FUSION

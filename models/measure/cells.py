"""What the task speech is measured under: which modalities, in which noise, how far out of step, with how much lost.

    Cell (a row of the degradation table) -> [Segment, one a seed] -> Sound, Sight, hint

Beside the path. Cells that cannot differ share their segments, so each distinct thing is heard, seen and fused once.
Knows no files and no models.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

from models.preprocess import TICK_MS
from stream.frame import Modality
from stream.noise import Noise

SETS = {
    "T": frozenset({Modality.TEXT}),
    "A": frozenset({Modality.AUDIO}),
    "V": frozenset({Modality.VIDEO}),
    "A+V": frozenset({Modality.AUDIO, Modality.VIDEO}),
    "A+T": frozenset({Modality.AUDIO, Modality.TEXT}),
    "V+T": frozenset({Modality.VIDEO, Modality.TEXT}),
    "A+V+T": frozenset({Modality.AUDIO, Modality.VIDEO, Modality.TEXT}),
}
SNR_DB = (10.0, 5.0, 0.0, -5.0, -10.0)
SKEWS_MS = (0, 80, 160, 320)
LOSSES = (0.0, 0.05, 0.2)
SEEDS = 5


@dataclass(frozen=True, slots=True)
class Air:
    """What lies over the speech: nothing, or noise at a ratio over the spoken span."""

    noise: Noise | None = None
    snr_db: float | None = None

    def __str__(self) -> str:
        """In words."""
        return "clean" if self.noise is None else f"{self.noise} at {self.snr_db:g} dB"


CLEAN = Air()
AIRS = (CLEAN, *(Air(noise, snr_db) for noise in (Noise.BABBLE, Noise.WHITE) for snr_db in SNR_DB))


@dataclass(frozen=True, slots=True)
class Sound:
    """The sound of a clip as the service gets it."""

    air: Air
    loss: float
    seed: int


@dataclass(frozen=True, slots=True)
class Sight:
    """The pictures of a clip as the service gets them."""

    loss: float
    seed: int


@dataclass(frozen=True, slots=True)
class Segment:
    """One thing to recognise; what is None is not there."""

    sound: Sound | None
    sight: Sight | None
    skew_ticks: int  # the pictures' stamps are so much late
    hint: int | None  # the seed that draws one true word to show


@dataclass(frozen=True, slots=True)
class Cell:
    """One row of the degradation table.

    Attributes
    ----------
    modalities : str
        One of SETS.
    skew_ms : int
        The pictures are stamped so much later than the sound.
    loss : float
        This share of the frames of sound and pictures is lost.
    """

    modalities: str
    air: Air = CLEAN
    skew_ms: int = 0
    loss: float = 0.0

    @property
    def distinct(self) -> Cell:
        """The same without what cannot matter to these modalities."""
        used = SETS[self.modalities]
        heard, seen = Modality.AUDIO in used, Modality.VIDEO in used
        return replace(
            self,
            air=self.air if heard else CLEAN,
            skew_ms=self.skew_ms if heard and seen else 0,
            loss=self.loss if heard or seen else 0.0,
        )

    def segments(self, seeds: int) -> list[Segment]:
        """What to recognise: one a seed, or a single one where no seed changes anything."""
        cell = self.distinct
        varies = cell.air.noise is not None or cell.loss > 0 or Modality.TEXT in SETS[cell.modalities]
        return [_segment(cell, seed) for seed in range(seeds if varies else 1)]


def _segment(cell: Cell, seed: int) -> Segment:
    used = SETS[cell.modalities]
    sound = Sound(cell.air, cell.loss, seed if cell.air.noise or cell.loss else 0)
    sight = Sight(cell.loss, seed if cell.loss else 0)
    return Segment(
        sound if Modality.AUDIO in used else None,
        sight if Modality.VIDEO in used else None,
        cell.skew_ms // TICK_MS,
        seed if Modality.TEXT in used else None,
    )


def degradation() -> Iterator[Cell]:
    """The full product."""
    for modalities, air, skew_ms, loss in product(SETS, AIRS, SKEWS_MS, LOSSES):
        yield Cell(modalities, air, skew_ms, loss)


def comparison() -> list[Cell]:
    """By what bundles are compared: sound alone in every noise, the rest in quiet and in babble at 0 and -5 dB."""
    some = [air for air in AIRS if air in {CLEAN, Air(Noise.BABBLE, 0.0), Air(Noise.BABBLE, -5.0)}]
    return [Cell("A", air) for air in AIRS] + [Cell("V")] + [Cell(s, air) for s in ("A+V", "A+V+T") for air in some]


def distinct_segments(cells: Sequence[Cell], seeds: int) -> list[Segment]:
    """All that the cells need, each once, in order."""
    return list(dict.fromkeys(segment for cell in cells for segment in cell.segments(seeds)))

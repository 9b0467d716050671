"""What a segment says: words with their times, revised until they are final.

logits -> words -> [Caption] -> Prediction
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from stream.frame import Modality
from stream.hop import Status
from stream.skew import UNKNOWN, Skew


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a caption."""

    word: str
    start_ns: int
    end_ns: int
    confidence: float


@dataclass(frozen=True, slots=True)
class Caption:
    """What is known of `[start_ns, end_ns)`; a revision replaces the one before, a final is never changed."""

    start_ns: int
    end_ns: int
    revision: int
    is_final: bool
    stability: float  # 0 to 1: how much of the text is expected to stay
    words: tuple[Word, ...]
    confidence: float  # mean of the words'
    weights: dict[Modality, float]  # shares of the projected features' energy, sum 1
    counts: dict[Modality, Counter[Status]]  # of the hops that the segment touches
    frames: dict[Modality, int]  # that begin within the segment
    captured_ns: int  # capture time of the newest tick used
    inferred_ns: int
    batch: int
    skew: Skew = UNKNOWN  # what was known of it when the segment began

    @property
    def text(self) -> str:
        """The words."""
        return " ".join(word.word for word in self.words)

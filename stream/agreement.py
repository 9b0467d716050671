"""Whether a segment's pictures show the words that its sound says: those of somebody else, or of another moment, do not.

    logits of the sound alone, logits of the pictures alone -> do they contradict each other?

Asked is how often both say the same word where both say one, be they a little out of step. The surer the sound is, the more
they must agree: unsure of itself, it is what the pictures are there for. Pure functions on arrays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stream.decode import posteriors, spoken

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stream.decode import Language

APART_TICKS = 5  # out of step by so much either way: more than is acceptable
OVERLAP = 0.5  # of the words of either, at least, must be where the other has some
# Chosen on validation clips in nine noises, with their own pictures, those of four other clips each, and their own out of step.
DOUBT = 0.5  # a sound that is no surer than this contradicts nothing
ASKED = 1.5  # agreement for each unit of sureness beyond it


def contradict(heard: NDArray[np.float32], seen: NDArray[np.float32], language: Language) -> bool:
    """Whether the pictures are not to be believed; `heard` and `seen` are logits [ticks, classes] of the same ticks."""
    asked = ASKED * (sureness(heard, language) - DOUBT)
    return asked > 0 and agreement(heard, seen) <= asked


def sureness(logits: NDArray[np.float32], language: Language) -> float:
    """Mean probability of the words read, over their ticks; 0 without any."""
    words = spoken(logits, language)
    ticks = sum(word.last - word.first for word in words)
    return sum(word.confidence * (word.last - word.first) for word in words) / ticks if ticks else 0.0


def agreement(heard: NDArray[np.float32], seen: NDArray[np.float32]) -> float:
    """The probability that both say the same word, given that both say one, at the best of the shifts allowed.

    A shift at which they hardly speak at the same time does not count; 0 if none does.
    """
    one, other = (np.exp(posteriors(logits))[:, 1:] for logits in (heard, seen))
    least, most = OVERLAP * min(one.sum(), other.sum()), min(APART_TICKS, len(one) - 1)
    return max(_at(shift, one, other, least) for shift in range(-most, most + 1))


def _at(shift: int, one: NDArray[np.float64], other: NDArray[np.float64], least: float) -> float:
    ticks = len(one)
    one, other = one[max(0, -shift) : ticks - max(0, shift)], other[max(0, shift) : ticks - max(0, -shift)]
    both = float((one.sum(axis=1) * other.sum(axis=1)).sum())
    return float((one * other).sum()) / both if both > least else 0.0

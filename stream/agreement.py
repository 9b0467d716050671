"""How far a final believes its pictures: those of somebody else, or of another moment, show other words than are heard.

    logits of sound and pictures together, of the sound alone, of the pictures alone -> logits of the final, or of the sound's

Asked is how often sound and pictures say the same word where both say one, be they a little out of step. The surer the sound
is, the more they must agree. A sound that is unsure of itself contradicts nothing: the less sure it is, the more is left to
what the pictures say alone. Pure functions on arrays.
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
# Chosen on validation clips in ten noises of five seeds, with their own pictures, in step and not, and those of others.
DOUBT = 0.6  # a sound that is no surer than this contradicts nothing
ASKED = 2.0  # agreement for each unit of sureness beyond it


def weighed(
    fused: NDArray[np.float32], heard: NDArray[np.float32], seen: NDArray[np.float32], language: Language
) -> NDArray[np.float32] | None:
    """What a final says by its pictures, as log probabilities; None if they contradict the sound and are to be left out.

    Between a sound that is just sure enough, where it is what is said by all together, and one that names nothing,
    where it is what the pictures say alone, it is the mean of both, weighted by the sound's sureness. All are logits
    [ticks, classes] of the same ticks.
    """
    sure = sureness(heard, language)
    if sure > DOUBT:
        return fused if agreement(heard, seen) > ASKED * (sure - DOUBT) else None
    share = sure / DOUBT
    return (share * posteriors(fused) + (1 - share) * posteriors(seen)).astype(np.float32)


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

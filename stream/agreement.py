"""How far a final trusts its pictures: those of somebody else, or of another moment, show other words than are heard.

    what sound and pictures say together, the sound alone, the pictures alone -> what each of these answers counts -> logits

Asked is how often sound and pictures say the same word where both say one, be they a little out of step. The surer the sound
is, the more they must agree. A sound that is unsure of itself contradicts nothing: the less sure it is, the more is left to
what the pictures say alone, where there are some. Pure functions on arrays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stream.decode import posteriors, spoken
from stream.frame import Modality
from stream.raster import MODALITIES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from stream.decode import Language

AUDIO, VIDEO = MODALITIES.index(Modality.AUDIO), MODALITIES.index(Modality.VIDEO)
APART_TICKS = 5  # out of step by so much either way: more than is acceptable
OVERLAP = 0.5  # of the words of either, at least, must be where the other has some
# Chosen on validation clips in ten noises of five seeds: with their own pictures, in step and not, there all the time and in
# parts of it, and with those of three other clips each.
DOUBT = 0.6  # a sound that is no surer than this contradicts nothing
AGREED = 0.25  # asked of a sound that is just surer; of a surer one more by as much as it is surer
ENOUGH_TICKS = 15.0  # of words, on both sides: less is too little to contradict by


def trust(
    heard: NDArray[np.float32], seen: NDArray[np.float32], mask: NDArray[np.float32], language: Language
) -> NDArray[np.float64]:
    """What each answer counts at each tick: that of all together, of the sound alone, of the pictures alone; [ticks, 3].

    Of each tick they sum to 1. `heard` and `seen` are logits [ticks, classes] of the latter two, `mask` [ticks, 3] tells
    what is there.
    """
    sure, there = sureness(heard, language), mask > 0
    both = there[:, AUDIO] & there[:, VIDEO]
    if sure > DOUBT:
        misled = contradict(heard[both], seen[both], AGREED + sure - DOUBT)
        return np.tile([0.0, 1.0, 0.0] if misled else [1.0, 0.0, 0.0], (len(mask), 1))
    alone = (1 - sure / DOUBT) * there[:, VIDEO]
    return np.stack([1 - alone, np.zeros_like(alone), alone], axis=1)


def mixed(answers: Sequence[NDArray[np.float32]], counted: NDArray[np.float64]) -> NDArray[np.float32]:
    """Logits [ticks, classes] of several answers, each counted as `counted` [ticks, answers] has it: their weighted geometric mean."""
    parts = (counted[:, [place]] * posteriors(answer) for place, answer in enumerate(answers))
    return np.asarray(sum(parts), dtype=np.float32)


def contradict(heard: NDArray[np.float32], seen: NDArray[np.float32], asked: float) -> bool:
    """Whether two answers, logits [ticks, classes], agree no more than is asked, though both say enough to tell."""
    words = _words(heard, seen)
    return min(each.sum() for each in words) >= ENOUGH_TICKS and _agreement(*words) <= asked


def sureness(logits: NDArray[np.float32], language: Language) -> float:
    """Mean probability of the words read, over their ticks; 0 without any."""
    words = spoken(logits, language)
    ticks = sum(word.last - word.first for word in words)
    return sum(word.confidence * (word.last - word.first) for word in words) / ticks if ticks else 0.0


def agreement(heard: NDArray[np.float32], seen: NDArray[np.float32]) -> float:
    """The probability that both say the same word, given that both say one, at the best of the shifts allowed.

    A shift at which they hardly speak at the same time does not count; 0 if none does.
    """
    return _agreement(*_words(heard, seen))


def _agreement(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    least, most = OVERLAP * min(one.sum(), other.sum()), min(APART_TICKS, len(one) - 1)
    return max(_at(shift, one, other, least) for shift in range(-most, most + 1))


def _words(*answers: NDArray[np.float32]) -> list[NDArray[np.float64]]:
    """Probabilities of each word at each tick, an array [ticks, words] an answer."""
    return [np.exp(posteriors(logits))[:, 1:] for logits in answers]


def _at(shift: int, one: NDArray[np.float64], other: NDArray[np.float64], least: float) -> float:
    ticks = len(one)
    one, other = one[max(0, -shift) : ticks - max(0, shift)], other[max(0, shift) : ticks - max(0, -shift)]
    both = float((one.sum(axis=1) * other.sum(axis=1)).sum())
    return float((one * other).sum()) / both if both > least else 0.0

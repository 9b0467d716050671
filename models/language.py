"""What training said: how often which word follows which, and how much of the time each is said. numpy only.

    sentences, labels -> Language

The decoder weighs it with what is heard. Every pair of words keeps some probability, since people also say what
training did not.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from stream.decode import Language

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray


def fit(sentences: Iterable[str], labels: Iterable[NDArray[np.int64]], vocabulary: Sequence[str]) -> Language:
    """The language of training sentences and of their labels by tick, each [ticks].

    Raises
    ------
    ValueError
        A sentence has a word that the vocabulary does not have.
    """
    return Language(vocabulary, prior(labels, len(vocabulary)), follows(sentences, vocabulary))


def prior(labels: Iterable[NDArray[np.int64]], classes: int) -> NDArray[np.float32]:
    """Log share of each class among the labelled ticks, each counted once more than it occurs; shape [classes]."""
    counts = sum((np.bincount(ticks, minlength=classes) for ticks in labels), start=np.ones(classes))
    return np.log(counts / counts.sum()).astype(np.float32)


def follows(sentences: Iterable[str], vocabulary: Sequence[str]) -> NDArray[np.float32]:
    """Log probability of the column's word after the row's; row 0 begins a sentence, column 0 ends one.

    Pairs are smoothed toward single words by the share of pairs that were new when they came (Witten & Bell, 1991,
    method C): after a word of few followers the others are unlikely, after a word of many anything goes. Single words
    are each counted once more than they occur. Shape [classes, classes]; every row's probabilities sum to 1.
    """
    pairs = _counts(sentences, vocabulary)
    single = pairs.sum(axis=0) + 1
    single /= single.sum()
    followers = np.maximum((pairs > 0).sum(axis=1, keepdims=True), 1)  # 1: what nothing followed, anything may
    smooth = (pairs + followers * single) / (pairs.sum(axis=1, keepdims=True) + followers)
    return np.log(smooth).astype(np.float32)


def _counts(sentences: Iterable[str], vocabulary: Sequence[str]) -> NDArray[np.float64]:
    classes = {word: place for place, word in enumerate(vocabulary)}
    pairs = np.zeros((len(vocabulary), len(vocabulary)))
    for sentence in sentences:
        words = sentence.split()
        unknown = sorted(set(words) - classes.keys())
        if unknown:
            raise ValueError(
                f"The sentence '{sentence}' has {', '.join(unknown)}, not in the vocabulary; add it there."
            )
        for before, after in pairwise([0, *(classes[word] for word in words), 0]):
            pairs[before, after] += 1
    return pairs

"""Logits to words: what was said in a segment, when, and how surely.

    logits, Language -> [Spoken, ...]

For the decoding kind `frames`: a class a tick, class 0 no word. The likeliest way through the states "in word w" and
"no word after w" (Viterbi, 1967), where what follows what is weighed with what is heard, and the classes' share of the
training clips' labels is divided out, as hybrids of network and hidden Markov model do (Bourlard & Morgan, 1994). The view is
open: nothing is asked of its end, so that the same logits give interims and finals. Pure functions on arrays; knows no
sessions and no time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

# Chosen on validation clips, clear and in babble, of sentences with a grammar and of words in any order.
PRIOR_WEIGHT = 0.4  # of the labels' log priors: more finds more words in noise, and more where others babble
LANGUAGE_WEIGHT = 0.5  # of the word pairs' log probabilities: more helps what training said, less what it never did
WORD_COST = 1.0  # nats a word: more joins what is torn apart, and loses short words
SHOWN_GAIN = 2.0  # nats for a word that is shown: more helps by true ones, and misleads by wrong ones


@dataclass(frozen=True, slots=True)
class Spoken:
    """A word on the ticks `[first, last)` of its segment."""

    word: str
    first: int
    last: int
    confidence: float  # mean probability over its ticks, 0 to 1


@dataclass(frozen=True, eq=False)
class Language:
    """What is to be expected before anything is heard.

    Parameters
    ----------
    vocabulary : sequence of str
        Words by class, the empty word first.
    prior : float32 [classes]
        Log share of each class among the labelled ticks of training.
    follows : float32 [classes, classes]
        Log probability of the column's word after the row's; row 0 begins a sentence, column 0 ends one.
    prior_weight, language_weight, word_cost : float
        What the module's constants of these names say.
    favour : float64 [classes] or None
        Nats for each word, because of what is shown around the speech.
    """

    vocabulary: Sequence[str]
    prior: NDArray[np.float32]
    follows: NDArray[np.float32]
    prior_weight: float = PRIOR_WEIGHT
    language_weight: float = LANGUAGE_WEIGHT
    word_cost: float = WORD_COST
    favour: NDArray[np.float64] | None = None

    def favouring(self, shown: Collection[int]) -> Language:
        """The same where the words of these classes are shown: they are likelier by SHOWN_GAIN than the others.

        Contextual biasing (Aleksic et al., Interspeech 2015), here of words. On average over the vocabulary no word gets
        likelier, so that a page full of words finds no more of them than none.
        """
        if not shown:
            return self
        favour = np.zeros(len(self.vocabulary))
        favour[list(shown)] = SHOWN_GAIN
        favour[1:] -= np.log(np.exp(favour[1:]).mean())
        return replace(self, favour=favour)

    @cached_property
    def expected(self) -> NDArray[np.float64]:
        """What is taken from each class's lead over no word, shape [classes]."""
        prior = self.prior.astype(np.float64)
        return np.asarray(self.prior_weight * (prior - prior[0]), dtype=np.float64)

    @cached_property
    def entry(self) -> NDArray[np.float64]:
        """Gain of beginning the row's word when the column's was the last; -inf for row 0. Shape [classes, classes].

        A segment may hold sentences without a pause between, so a word also follows as the first of the next one.
        """
        follows = self.follows.astype(np.float64)
        likeliest = np.maximum(follows, follows[:, :1] + follows[:1])
        entry = np.ascontiguousarray(self.language_weight * likeliest.T - self.word_cost)
        if self.favour is not None:
            entry += self.favour[:, None]
        entry[0] = -np.inf
        return entry


def posteriors(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Log probabilities of logits [ticks, classes]."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)), dtype=np.float64)


def best_path(logits: NDArray[np.float32], language: Language) -> NDArray[np.int64]:
    """The class at each tick on the best way, shape [ticks], from `logits` [ticks, classes].

    A word lasts two ticks at least, as its labels do, unless the view ends on its first. A way is worth the sum of its
    classes' gains over no word, tick by tick, and of what `language.entry` gives for each of its words.
    """
    heard = logits.astype(np.float64)
    gains = heard - heard[:, :1] - language.expected
    begun, said, free = _forward(gains, language.entry)
    return _backward(begun, said, free, language.entry)


def _forward(
    gains: NDArray[np.float64], entry: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The most that a way to each state is worth, three times [1 + ticks, classes], row t after t ticks.

    `begun` in a word's first tick, `said` in a later one; `free` in `said` or in no word after it, where the next word
    may begin. Ticks of no word gain nothing.
    """
    shape = len(gains) + 1, gains.shape[1]
    begun, said, free = (np.full(shape, -np.inf) for _ in range(3))
    free[0, 0] = 0
    ways = np.empty_like(entry)
    for gain, begun_before, said_before, free_before, begun_now, said_now, free_now in zip(
        gains, begun, said, free, begun[1:], said[1:], free[1:], strict=False
    ):
        np.add(entry, free_before, out=ways)
        np.maximum.reduce(ways, axis=1, out=begun_now)
        np.maximum(begun_before, said_before, out=said_now)
        np.add(begun_now, gain, out=begun_now)
        np.add(said_now, gain, out=said_now)
        np.maximum(free_before, said_now, out=free_now)
    return begun, said, free


def _backward(
    begun: NDArray[np.float64], said: NDArray[np.float64], free: NDArray[np.float64], entry: NDArray[np.float64]
) -> NDArray[np.int64]:
    """The classes by tick of the way that is worth most."""
    path = np.zeros(len(free) - 1, dtype=np.int64)
    begins = bool(begun[-1].max() > free[-1].max())  # the word does at the tick looked at,
    goes_on = False  # or the word does, as the tick after it wants
    word = int((begun if begins else free)[-1].argmax())
    for tick in range(len(path), 0, -1):
        if begins:
            path[tick - 1] = word
            word = int((entry[word] + free[tick - 1]).argmax())
            begins = goes_on = False
        elif goes_on or said[tick, word] >= free[tick, word]:
            path[tick - 1] = word
            begins = bool(begun[tick - 1, word] > said[tick - 1, word])
            goes_on = not begins
    return path


def spoken(logits: NDArray[np.float32], language: Language) -> list[Spoken]:
    """The words of a segment in order; `logits` is [ticks, classes], empty for no ticks."""
    if not len(logits):
        return []
    probabilities = posteriors(logits)
    path = best_path(logits, language)
    edges = [0, *(np.flatnonzero(np.diff(path)) + 1).tolist(), len(path)]
    words = []
    for first, last in pairwise(edges):
        kind = int(path[first])
        if kind:
            confidence = float(np.exp(probabilities[first:last, kind]).mean())
            words.append(Spoken(language.vocabulary[kind], first, last, confidence))
    return words

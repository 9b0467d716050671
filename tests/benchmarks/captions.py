"""What a session's captions are worth to whoever reads them live: when words come, and how many are taken back.

    results of one session, words as they were said -> [Said], changed words

Pure. A session's finals divide its results: what was shown since the final before is held against the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from stream.publish import Prediction
from tests.benchmarks.clips import Word

A = TypeVar("A")
B = TypeVar("B")
NEAR_MS = 500.0  # a final's word is the one that was said if their middles are no further apart


@dataclass(frozen=True)
class Turn:
    """A final and the interims since the final before, in order."""

    interims: tuple[Prediction, ...]
    final: Prediction

    @property
    def versions(self) -> tuple[Prediction, ...]:
        """All that was shown."""
        return (*self.interims, self.final)


@dataclass(frozen=True)
class Said:
    """A word that was said and is in a final."""

    word: str
    end_ms: float
    shown_ms: float  # when the first result came that holds it, as all later ones do
    in_interim: bool  # or only the final holds it

    @property
    def latency_ms(self) -> float:
        """From the end of the word until it was shown for good."""
        return self.shown_ms - self.end_ms


def turns(results: Sequence[Prediction]) -> list[Turn]:
    """Divide one session's results by its finals; interims after the last one belong to none."""
    found: list[Turn] = []
    interims: list[Prediction] = []
    for result in results:
        if result.is_final:
            found.append(Turn(tuple(interims), result))
            interims.clear()
        else:
            interims.append(result)
    return found


def said(shown: Sequence[Turn], words: Sequence[Word], start_ms: float) -> list[Said]:
    """When each word was shown for good that was said and is in a final; `words` count from the session's start."""
    places = [(turn, place) for turn in shown for place in range(len(turn.final.words))]

    def is_it(word: Word, place: tuple[Turn, int]) -> bool:
        heard = place[0].final.words[place[1]]
        apart_ms = (heard.start_ms + heard.end_ms) / 2 - start_ms - (word.start_s + word.end_s) * 500
        return heard.word == word.word and abs(apart_ms) <= NEAR_MS

    return [_said(words[at], start_ms, *places[place]) for at, place in aligned(words, places, is_it)]


def changed(shown: Sequence[Turn]) -> int:
    """Words that were shown and are not in the next version, over all versions."""
    total = 0
    for turn in shown:
        for before, after in zip(turn.versions, turn.versions[1:], strict=False):
            total += len(before.words) - len(_kept(before, after))
    return total


def aligned(a: Sequence[A], b: Sequence[B], same: Callable[[A, B], bool]) -> list[tuple[int, int]]:
    """Indices of a longest common subsequence."""
    best = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]  # best[i][j]: of a[i:] and b[j:]
    for i in reversed(range(len(a))):
        for j in reversed(range(len(b))):
            best[i][j] = best[i + 1][j + 1] + 1 if same(a[i], b[j]) else max(best[i + 1][j], best[i][j + 1])
    found: list[tuple[int, int]] = []
    i = j = 0
    while i < len(a) and j < len(b):
        if same(a[i], b[j]):
            found.append((i, j))
            i, j = i + 1, j + 1
        elif best[i + 1][j] >= best[i][j + 1]:
            i += 1
        else:
            j += 1
    return found


def _said(word: Word, start_ms: float, turn: Turn, place: int) -> Said:
    """Go back from the final over the interims that hold the word."""
    first = turn.final
    for interim in reversed(turn.interims):
        if place not in _kept(interim, turn.final):
            break
        first = interim
    return Said(word.word, start_ms + word.end_s * 1000, first.times.published_ms, first is not turn.final)


def _kept(before: Prediction, after: Prediction) -> set[int]:
    """Places in `after` whose words `before` holds too."""
    pairs = aligned([w.word for w in before.words], [w.word for w in after.words], str.__eq__)
    return {place for _, place in pairs}

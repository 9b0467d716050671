"""The text encoder by itself: trained so that its features tell which words are shown.

It begins with the word vectors of the training sentences (`cooccurrence.py`). What is shown is a set of words: drawn
ones here, since which words are true is not the encoder's to know.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.cooccurrence import word_vectors
from models.course import Course
from models.encoders import TextEncoder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from models.encoders import Dimensions
    from models.plan import Stage

SETS, STEPS, MOST_SHOWN = 64, 100, 5
TESTED = 2000


class Reader(nn.Module):
    """The encoder and a linear guess at each word from its features."""

    def __init__(self, dims: Dimensions, sentences: Sequence[str], vocabulary: Sequence[str]) -> None:
        super().__init__()
        self.encoder = TextEncoder(dims)
        self.guess = nn.Linear(dims.text, dims.tokens)
        start = word_vectors(sentences, vocabulary, dims.text)
        with torch.no_grad():
            self.encoder.embedding.weight.copy_(torch.from_numpy(start))

    def forward(self, tokens: Tensor) -> Tensor:
        """[sets, words] -> a logit for each word, [sets, tokens]."""
        guesses: Tensor = self.guess(self.encoder(tokens[:, None])[:, 0])
        return guesses


def train_text(
    dims: Dimensions,
    sentences: Sequence[str],
    vocabulary: Sequence[str],
    folder: Path,
    stage: Stage,
    seed: int,
    tell: Callable[[], None],
) -> dict[str, Tensor]:
    """The text encoder's state with the fewest words mistaken."""
    torch.manual_seed(seed)
    reader = Reader(dims, sentences, vocabulary)
    course = Course(folder, stage, reader, tell)
    tested = _sets(dims, TESTED, torch.Generator().manual_seed(seed - 1))
    for epoch in course.epochs():
        started, chance = time.monotonic(), torch.Generator().manual_seed(seed + epoch)
        drawn = (_sets(dims, SETS, chance) for _ in range(STEPS))
        loss = course.train(drawn, lambda tokens: _loss(reader, tokens), STEPS)
        course.finish_epoch(loss, {"words": _mistaken(reader, tested)}, started)
    reader.load_state_dict(course.best())
    return reader.encoder.state_dict()


def _sets(dims: Dimensions, count: int, chance: torch.Generator) -> Tensor:
    """Sets of up to MOST_SHOWN words, [count, MOST_SHOWN], 0 where there is none."""
    order = torch.rand(count, dims.tokens - 1, generator=chance).argsort(dim=1)[:, :MOST_SHOWN] + 1
    shown = torch.randint(1, MOST_SHOWN + 1, (count, 1), generator=chance)
    return order * (torch.arange(MOST_SHOWN)[None] < shown)


def _shown(tokens: Tensor, words: int) -> Tensor:
    """[sets, words] 1 where a word is in the set; 0 stands for none."""
    shown = torch.zeros(len(tokens), words).scatter(1, tokens, 1.0)
    shown[:, 0] = 0
    return shown


def _loss(reader: Reader, tokens: Tensor) -> Tensor:
    guesses = reader(tokens)
    return functional.binary_cross_entropy_with_logits(guesses, _shown(tokens, guesses.shape[1]))


@torch.no_grad()
def _mistaken(reader: Reader, tokens: Tensor) -> float:
    """Words wrongly told to be in a set or not, in per cent of the words shown."""
    guesses = reader(tokens) > 0
    shown = _shown(tokens, guesses.shape[1]) > 0
    return round(100 * float((guesses != shown).sum() / shown.sum()), 3)

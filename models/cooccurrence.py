"""Word co-occurrence: which words stand near which, as counts, as information, and as the text encoder's first vectors.

    lines -> counts -> PPMI -> truncated SVD -> U_k S_k^p

Lines are read one after another and never kept: a corpus of any length takes the memory of its vocabulary.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Self

import numpy as np
from scipy.sparse import coo_array, csr_array

from models.preprocess import Normaliser
from models.projection import TruncatedSVD

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

WINDOW = 5  # words to either side
CHUNK_WORDS = 65_536  # read before their pairs are added up
NEVER = -1  # the id of what stands between two lines, and of a word that is not in the vocabulary


class Corpus:
    """A text file's lines, read anew whenever they are iterated over, one at a time.

    Parameters
    ----------
    path : Path
        UTF-8 text, a sentence a line.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __iter__(self) -> Iterator[str]:
        """Lines without their ends."""
        with self.path.open(encoding="utf-8") as lines:
            for line in lines:
                yield line.rstrip("\n")


def most_frequent(lines: Iterable[str], most: int = 50_000, held: int = 1_000_000) -> list[str]:
    """The empty word, then the `most` frequent words, the most frequent first, of equals in their own order.

    Never more than `held` words and a chunk's are counted at a time. Up to `held` different words the counts are exact;
    beyond, the rarest are forgotten as Misra and Gries (1982) do, so that any word that makes up more than a share of
    1 / (held + 1) of the corpus is still known at the end (Agarwal et al., 2012, for counts added chunk by chunk).
    """
    counts: Counter[str] = Counter()
    for chunk in _chunks(lines):
        counts.update(word for words in chunk for word in words)
        if len(counts) > held:
            forgotten = sorted(counts.values(), reverse=True)[held]
            counts = Counter({word: count - forgotten for word, count in counts.items() if count > forgotten})
    found = sorted(counts, key=lambda word: (-counts[word], word))
    return ["", *found[:most]]


class Cooccurrence:
    """Counts how often two words stand within a window of each other on one line.

    Parameters
    ----------
    vocabulary : sequence of str
        Words by row and column; the empty word, should it be there, is never met.
    window : int
        Words to either side; a word that is not in the vocabulary holds its place.

    Attributes
    ----------
    counts_ : scipy.sparse.csr_array int64 [words, words], symmetric
        Each pair of places is counted from both its ends, so two places of one word add 2 to its diagonal.

    Raises
    ------
    ValueError
        The window holds no word, or the vocabulary names one twice.
    """

    def __init__(self, vocabulary: Sequence[str], window: int = WINDOW) -> None:
        if window < 1:
            raise ValueError(f"A window of {window} words was asked for; give 1 or more.")
        self.vocabulary = vocabulary
        self.window = window
        self._row = {word: row for row, word in enumerate(vocabulary)}
        if len(self._row) < len(vocabulary):
            twice, _ = Counter(vocabulary).most_common(1)[0]
            raise ValueError(f"The vocabulary names {twice!r} more than once; name each word once.")
        self.counts_ = self._nothing()

    def fit(self, lines: Iterable[str]) -> Self:
        """Count the pairs of all lines; what was counted before is forgotten."""
        self.counts_ = self._nothing()
        return self.partial_fit(lines)

    def partial_fit(self, lines: Iterable[str]) -> Self:
        """Add the pairs of more lines; words pair within a line only, so the order of lines is of no account."""
        for chunk in _chunks(lines):
            ahead = self._ahead(chunk)
            self.counts_ = csr_array(self.counts_ + ahead + ahead.T)
        return self

    def ppmi(self, smoothing: float = 0.75, shift: float = 1.0) -> csr_array:
        """Positive pointwise mutual information, float64 [words, words], in nats.

            max(0, log P(w, c) / (P(w) P_a(c)) - log shift),   P_a(c) = n(c)^a / sum n^a

        Church and Hanks (1990); the smoothing `a` keeps rare contexts from standing out and the shift stands for as
        many negative samples (Levy, Goldberg and Dagan, 2015). Smoothing 1 and shift 1 give the plain, symmetric
        measure.
        """
        found = coo_array(self.counts_)
        row, column = found.coords
        words = self.counts_.sum(axis=1).astype(np.float64)
        contexts = words**smoothing  # the counts are symmetric: a word's sum as a context is the same
        values = np.log(found.data * contexts.sum() / (words[row] * contexts[column])) - np.log(shift)
        kept = values > 0
        return csr_array((values[kept], (row[kept], column[kept])), shape=found.shape)

    def _nothing(self) -> csr_array:
        return csr_array((len(self.vocabulary), len(self.vocabulary)), dtype=np.int64)

    def _ahead(self, chunk: list[list[str]]) -> csr_array:
        """Counts of each word with those that follow it within the window."""
        between = [NEVER] * self.window
        ids = np.asarray([row for line in chunk for row in (*self._rows(line), *between)], dtype=np.int64)
        pairs = np.concatenate([np.stack([ids[:-step], ids[step:]]) for step in range(1, self.window + 1)], axis=1)
        row, column = pairs[:, (pairs != NEVER).all(axis=0)]
        return csr_array((np.ones(len(row), dtype=np.int64), (row, column)), shape=self.counts_.shape)

    def _rows(self, words: list[str]) -> Iterator[int]:
        return (self._row.get(word, NEVER) for word in words)


def word_vectors(
    sentences: Iterable[str], vocabulary: Sequence[str], width: int, power: float = 0.5, window: int = WINDOW
) -> NDArray[np.float32]:
    """Vectors for an embedding to begin with, float32 [words, width], from what stands near each word.

    Every word that pairs with another gets a row of length sqrt(width), so its entries have a mean square of 1 like an
    nn.Embedding's own; rows of equal length compare by angle alone, which is how such vectors do best (Levy et al.,
    2015). A word that pairs with none has a row of zeros, row 0 for the empty word among them. Columns beyond the rank
    of what was counted are zeros too: nothing is known there, and they still learn, since each is met by weights of its
    own.

    Parameters
    ----------
    sentences : iterable of str
        Words apart by white space, spelt as in the vocabulary; read once.
    vocabulary : sequence of str
        Words by row, the empty word first.
    power : float
        Weight of the singular values in U_k S_k^p: 0 gives every direction the same say, 1 each its own strength.
    """
    known = Cooccurrence(vocabulary, window).fit(sentences).ppmi()
    vectors = np.zeros((len(vocabulary), width))
    if known.nnz:
        rank = min(width, len(vocabulary))
        vectors[:, :rank] = TruncatedSVD(rank).fit(known).row_vectors(known, power)
    return np.asarray(Normaliser(np.sqrt(width)).fit(vectors).transform(vectors), dtype=np.float32)


def _chunks(lines: Iterable[str]) -> Iterator[list[list[str]]]:
    """Lines as words, so many lines together as hold CHUNK_WORDS or a little more."""
    chunk: list[list[str]] = []
    size = 0
    for line in lines:
        chunk.append(line.split())
        size += len(chunk[-1]) + 1
        if size >= CHUNK_WORDS:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk

"""The one word error rate: every hypothesis, ours or a peer's, is normalised and counted here.

Beside the path: the evaluation and the probe ask for it. Knows no clips and no models.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
APOSTROPHES = re.compile("['\u2019]")
PIECES = re.compile(r"[^\W\d_]+|\d")  # a run of letters, or one digit


def normalised(text: str) -> str:
    """Bring what one recogniser writes and another says to one spelling: small letters, single spaces, digits as words.

    A digit that is glued to a letter or to another digit stands by itself: "Bin blue at L6, now." becomes "bin blue at
    l six now". Words that merely sound alike stay apart: "to" is not "two".
    """
    plain = APOSTROPHES.sub("", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(DIGITS[int(piece)] if piece.isdecimal() else piece for piece in PIECES.findall(plain))


def errors(reference: str, hypothesis: str) -> tuple[int, int]:
    """Substitutions, deletions and insertions after normalisation, and the reference's words (jiwer)."""
    import jiwer

    counted = jiwer.process_words(normalised(reference), normalised(hypothesis))
    missed = counted.substitutions + counted.deletions
    return missed + counted.insertions, missed + counted.hits


def word_error_rate(references: Sequence[str], hypotheses: Sequence[str]) -> float:
    """Errors of all sentences over the words of all references: 0.02 is two in a hundred.

    Raises
    ------
    ValueError
        If the two differ in number, or if no reference has a word.
    """
    counts = [errors(*pair) for pair in zip(references, hypotheses, strict=True)]
    words = sum(count for _, count in counts)
    if not words:
        raise ValueError(f"{len(counts)} references hold no word; a word error rate needs one at least.")
    return sum(edits for edits, _ in counts) / words

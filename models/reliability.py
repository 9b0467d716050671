"""How far a modality is to be relied on: measured, not learned.

A ridge classifier (Hoerl and Kennard, 1970) on the modality's standardised features is solved in closed form on the
first half of the training ticks and asked about the second:

    reliability = (accuracy - guess) / (1 - guess)

where `guess` is the accuracy of always saying the most frequent label: the share of the errors of knowing nothing that
the modality avoids. So one that tells nothing weighs next to nothing, however much silence there is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RIDGE = 1e-3  # of the features' mean square, added to the diagonal
FLOOR = 0.01  # what is there alone is still heard


def reliability(rows: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """Reliability in [FLOOR, 1] of standardised rows [N, columns] for labels [N]; FLOOR of less than two rows."""
    half = len(rows) // 2
    if not half:
        return FLOOR
    names, kept = np.unique(labels, return_inverse=True)
    said = _classified(rows[:half], kept[:half], rows[half:], len(names))
    guess = np.bincount(kept[half:]).max() / (len(rows) - half)
    if guess == 1:
        return FLOOR
    accuracy = float((said == kept[half:]).mean())
    return float(np.clip((accuracy - guess) / (1 - guess), FLOOR, 1))


def _classified(
    rows: NDArray[np.floating], labels: NDArray[np.integer], asked: NDArray[np.floating], classes: int
) -> NDArray[np.integer]:
    known, unknown = (np.column_stack([part, np.ones(len(part))]) for part in (rows, asked))
    square = known.T @ known
    square[np.diag_indices_from(square)] += RIDGE * len(known)
    weights = np.linalg.solve(square, known.T @ np.eye(classes)[labels])
    return np.asarray((unknown @ weights).argmax(axis=1))

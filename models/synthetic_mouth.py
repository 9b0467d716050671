"""How the synthetic speaker's mouth moves: phonemes in, one mouth shape a picture out.

Each phoneme belongs to a viseme, a class of sounds that look alike. Targets are smoothed, as real mouths are on their
way to the next sound before the last one ends; where the lips must meet, they meet.

Knows nothing about sound or drawing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from models.synthetic_voice import Span


class Shape(NamedTuple):
    """A mouth: opening 0 (closed) to 1 (as wide as it goes), width -1 (rounded) to 1 (spread), teeth and tongue 0 to 1."""

    opening: float
    width: float
    teeth: float
    tongue: float


REST = Shape(0.0, 0.0, 0.0, 0.0)
CLOSED = Shape(0.0, -0.05, 0.0, 0.0)  # m b p
_LIP_ON_TEETH = Shape(0.16, 0.15, 1.0, 0.0)  # f v
_TONGUE_ON_TEETH = Shape(0.30, 0.15, 0.7, 1.0)  # th
_TONGUE_UP = Shape(0.26, 0.25, 0.8, 0.6)  # t d n l
_TEETH_SHUT = Shape(0.20, 0.45, 1.0, 0.0)  # s z
_HUSH = Shape(0.26, -0.50, 0.9, 0.0)  # sh ch j
_BACK = Shape(0.36, 0.10, 0.3, 0.2)  # k g ng h
_R = Shape(0.30, -0.40, 0.4, 0.2)
_W = Shape(0.14, -1.00, 0.0, 0.0)

_AH = Shape(1.00, 0.10, 0.3, 0.1)  # father
_A = Shape(0.85, 0.45, 0.5, 0.2)  # cat
_UH = Shape(0.60, 0.05, 0.4, 0.2)  # cup
_E = Shape(0.60, 0.50, 0.6, 0.2)  # bed
_SCHWA = Shape(0.40, 0.00, 0.4, 0.2)
_I = Shape(0.38, 0.70, 0.7, 0.2)  # bit
_EE = Shape(0.34, 1.00, 0.9, 0.1)  # bee
_AW = Shape(0.70, -0.55, 0.0, 0.1)  # door
_O = Shape(0.55, -0.70, 0.0, 0.1)  # go
_OO = Shape(0.28, -0.95, 0.0, 0.0)  # two

# By espeak-ng's phoneme names; a diphthong goes through several.
_VISEMES: dict[str, tuple[Shape, ...]] = {
    **dict.fromkeys(("m", "b", "p"), (CLOSED,)),
    **dict.fromkeys(("f", "v"), (_LIP_ON_TEETH,)),
    **dict.fromkeys(("T", "D"), (_TONGUE_ON_TEETH,)),
    **dict.fromkeys(("t", "d", "n", "l", "t#", "t2", "t[", "*"), (_TONGUE_UP,)),
    **dict.fromkeys(("s", "z"), (_TEETH_SHUT,)),
    **dict.fromkeys(("S", "Z", "tS", "dZ"), (_HUSH,)),
    **dict.fromkeys(("k", "g", "N", "h", "?"), (_BACK,)),
    **dict.fromkeys(("r", "r-", "r/"), (_R,)),
    **dict.fromkeys(("w", "w#"), (_W,)),
    "j": (_EE,),
    **dict.fromkeys(("A:", "A"), (_AH,)),
    "A@": (_AH, _UH),
    **dict.fromkeys(("a", "aa", "a2"), (_A,)),
    **dict.fromkeys(("V", "3:", "3"), (_UH,)),
    **dict.fromkeys(("E", "e"), (_E,)),
    "e@": (_E, _SCHWA),
    **dict.fromkeys(("@", "a#", "@2", "@5", "@L"), (_SCHWA,)),
    **dict.fromkeys(("I", "I2", "I#"), (_I,)),
    **dict.fromkeys(("i:", "i"), (_EE,)),
    "i@": (_EE, _SCHWA),
    **dict.fromkeys(("0", "O:", "O"), (_AW,)),
    **dict.fromkeys(("o@", "O@"), (_AW, _AW, _SCHWA)),
    **dict.fromkeys(("u:", "u", "U"), (_OO,)),
    "U@": (_OO, _SCHWA),
    "eI": (_E, _EE),
    **dict.fromkeys(("aI", "aI2"), (_AH, _A, _EE)),
    "aU": (_AH, _AH, _OO),
    "OI": (_AW, _EE),
    "oU": (_O, _OO),
}
BILABIALS = frozenset("mbp")
VOWELS = frozenset(name for name, shapes in _VISEMES.items() if max(shape.opening for shape in shapes) >= 0.5)

_STEP_S = 0.005
_GLIDE_S = 0.028  # standard deviation of the smoothing: a mouth moves at some 5 Hz
_MEET_S = 0.008  # the lips part faster than the jaw falls


def visemes(phoneme: str) -> tuple[Shape, ...]:
    """The mouth shapes that a phoneme goes through; a name that is not in the table looks like its first letter."""
    return _VISEMES.get(phoneme) or _VISEMES.get(phoneme[:1], (_SCHWA,))


def shapes(phonemes: Sequence[Span], times_s: NDArray[np.float64]) -> NDArray[np.float32]:
    """The mouth at each time.

    Parameters
    ----------
    times_s
        Rising, at least one, on the clock of the phonemes.

    Returns
    -------
    Float32 [len(times_s), 4]: opening, width, teeth, tongue as in `Shape`.
    """
    begin_s = times_s[0] - 5 * _GLIDE_S
    steps = int((times_s[-1] - begin_s) / _STEP_S + 5 * _GLIDE_S / _STEP_S)
    targets = np.tile(np.array(REST), (steps, 1))
    meet = np.zeros(steps)
    for phoneme in phonemes:
        first, last = (round((time_s - begin_s) / _STEP_S) for time_s in phoneme[1:])
        through = visemes(phoneme.name)
        bounds = np.linspace(first, last, len(through) + 1).round().astype(int).clip(0, steps)
        for shape, start, end in zip(through, bounds[:-1], bounds[1:], strict=True):
            targets[start:end] = shape
        if phoneme.name in BILABIALS:
            meet[max(first, 0) : max(last, 0)] = 1
    moved = gaussian_filter1d(targets, _GLIDE_S / _STEP_S, axis=0, mode="nearest")
    parted = 1 - gaussian_filter1d(meet, _MEET_S / _STEP_S).clip(0, 0.5) * 2
    moved[:, [0, 2, 3]] *= parted[:, None]
    grid_s = begin_s + _STEP_S * np.arange(steps)
    return np.stack([np.interp(times_s, grid_s, track) for track in moved.T], axis=1).astype(np.float32)

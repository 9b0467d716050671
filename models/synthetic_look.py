"""What a synthetic speaker looks like: colours, proportions and a place in the picture, drawn at random."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Colour = tuple[float, float, float]  # red, green, blue, 0 to 255

WIDTH_PX, HEIGHT_PX = 360, 288

_SKINS: tuple[Colour, ...] = (
    (236, 196, 170),
    (222, 176, 146),
    (201, 152, 118),
    (168, 118, 84),
    (128, 86, 62),
)
_HAIRS: tuple[Colour, ...] = (
    (38, 28, 24),
    (72, 48, 32),
    (110, 78, 48),
    (158, 118, 70),
    (92, 88, 86),
)
_IRISES: tuple[Colour, ...] = ((70, 46, 30), (88, 104, 70), (84, 110, 140))
_WALLS: tuple[Colour, ...] = (
    (40, 140, 185),
    (120, 128, 132),
    (150, 138, 120),
    (78, 104, 84),
    (60, 66, 92),
)
_CLOTHES: tuple[Colour, ...] = (
    (70, 86, 108),
    (48, 44, 46),
    (126, 62, 58),
    (60, 104, 74),
    (176, 172, 164),
)


@dataclass(frozen=True)
class Look:
    """One speaker's appearance and place in the picture; colours are 0 to 255."""

    eye_distance_px: float
    x_px: float  # the middle between the eyes
    y_px: float
    skin: Colour
    hair: Colour
    iris: Colour
    lips: Colour
    wall: Colour
    clothes: Colour
    long_hair: bool
    cheek: float  # half width of the face at the eyes
    jaw: float  # half width of the chin's ellipse
    brow: float  # thickness
    light: float  # from the left -1 to the right 1
    grain: int  # seeds what is strewn: hair and wall

    @classmethod
    def draw(cls, random: np.random.Generator) -> Look:
        """One of many speakers."""
        eye_distance_px = float(random.uniform(41, 52))
        skin = _near(_SKINS, random)
        return cls(
            eye_distance_px=eye_distance_px,
            x_px=float(random.uniform(130, 230)),
            y_px=float(random.uniform(2.0 * eye_distance_px + 12, HEIGHT_PX - 2.1 * eye_distance_px - 8)),
            skin=skin,
            hair=_near(_HAIRS, random),
            iris=_near(_IRISES, random),
            lips=mixed(skin, (178, 62, 70), float(random.uniform(0.45, 0.7))),
            wall=_near(_WALLS, random),
            clothes=_near(_CLOTHES, random),
            long_hair=bool(random.integers(2)),
            cheek=float(random.uniform(1.02, 1.14)),
            jaw=float(random.uniform(0.76, 0.9)),
            brow=float(random.uniform(0.045, 0.08)),
            light=float(random.uniform(-1, 1)),
            grain=int(random.integers(1 << 31)),
        )


def _near(colours: tuple[Colour, ...], random: np.random.Generator) -> Colour:
    red, green, blue = (np.array(colours[random.integers(len(colours))]) * random.uniform(0.92, 1.06, 3)).clip(0, 255)
    return float(red), float(green), float(blue)


def mixed(colour: Colour, other: Colour, share: float) -> Colour:
    """A share of the other colour in a colour."""
    red, green, blue = np.array(colour) * (1 - share) + np.array(other) * share
    return float(red), float(green), float(blue)

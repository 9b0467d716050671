"""The synthetic speaker's head, drawn once a speaker: everything of a portrait but the mouth.

All lengths are in eye distances from the middle between the eyes, x to the viewer's right and y down; the proportions
were measured on portraits (mouth 1.2 below the eyes, chin 1.85). Shapes are soft-edged and shaded, for a face finder
trained on photographs must see a face in them.

Knows nothing about time: heads and mouths move in `models/synthetic_picture.py`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from models.synthetic_look import HEIGHT_PX, WIDTH_PX, Colour, Look, mixed

Floats = NDArray[np.floating]  # float32 where it is stored

MOUTH_Y = 1.18
LIDS = (1.0, 0.45, 0.0)  # how far open: awake, on the way, shut
_TOP, _LEFT, _RIGHT, _BOTTOM = -2.15, -1.75, 1.75, 3.2  # of the head's own patch


class Canvas:
    """Premultiplied colour and cover over a grid of points; later paint lies over earlier."""

    def __init__(self, x: Floats, y: Floats, edge: float) -> None:
        self.x = x  # [1, width]
        self.y = y  # [height, 1]
        self.edge = edge  # how soft an edge is: about one pixel
        self.rgba = np.zeros((y.shape[0], x.shape[1], 4), np.float32)

    def paint(self, cover: Floats, colour: Colour | Floats) -> None:
        """Lay a colour over what is there, `cover` 0 to 1 thick."""
        ink = np.empty((*cover.shape, 4), np.float32)
        ink[..., :3] = colour
        ink[..., 3] = 1
        self.rgba += cover[..., None] * (ink - self.rgba)

    def shade(self, factor: Floats) -> None:
        """Darken (below 1) or brighten what is there."""
        self.rgba[..., :3] *= factor[..., None]

    def ellipse(self, x: float, y: float, across: float, down: float) -> Floats:
        """The cover of an ellipse of these half axes."""
        radius = np.sqrt(((self.x - x) / across) ** 2 + ((self.y - y) / down) ** 2)
        return ((1 - radius) * (min(across, down) / self.edge) + 0.5).clip(0, 1)

    def below(self, line: Floats | float) -> Floats:
        """The cover of all that is lower than a line."""
        return ((self.y - line) / self.edge + 0.5).clip(0, 1)

    def blot(self, x: float, y: float, across: float, down: float) -> Floats:
        """A soft round spot: 1 in its middle."""
        return np.exp(-(((self.x - x) / across) ** 2) - ((self.y - y) / down) ** 2)


def wall(look: Look) -> Floats:
    """What is behind the head: float32 [288, 360, 3], the shoulders included."""
    x = (np.arange(WIDTH_PX, dtype=np.float32)[None, :] - look.x_px) / look.eye_distance_px
    y = (np.arange(HEIGHT_PX, dtype=np.float32)[:, None] - look.y_px) / look.eye_distance_px
    canvas = Canvas(x, y, 1.5 / look.eye_distance_px)
    canvas.paint(np.ones((HEIGHT_PX, WIDTH_PX), np.float32), look.wall)
    canvas.shade(0.8 + 0.35 * canvas.blot(-2 * look.light, -1.5, 4, 3))
    shoulders = np.maximum(canvas.ellipse(0, 4.1, 2.7, 1.75), canvas.ellipse(0, 3.4, 1.2, 1.1))
    canvas.paint(shoulders, look.clothes)
    canvas.shade(1 - 0.35 * shoulders * canvas.blot(0, 2.3, 1.3, 0.5))
    grain = np.random.default_rng(look.grain).normal(0, 2.5, (HEIGHT_PX, WIDTH_PX, 1)).astype(np.float32)
    return canvas.rgba[..., :3] + grain


def head(look: Look, lid: float) -> tuple[Floats, int, int]:
    """The head as a patch: premultiplied float32 [height, width, 4], and the whole pixel its corner lies on (x, y).

    The patch is drawn for the middle between the eyes at its own place in the picture, rounded down.
    """
    unit = look.eye_distance_px
    left, top = int(_LEFT * unit), int(_TOP * unit)
    x = np.arange(left, int(_RIGHT * unit), dtype=np.float32)[None, :] / unit
    y = np.arange(top, int(_BOTTOM * unit), dtype=np.float32)[:, None] / unit
    canvas = Canvas(x, y, 1.2 / unit)
    for part in _PARTS:
        part(canvas, look)
    for side in (-1, 1):
        _eye(canvas, look, 0.5 * side, lid)
    return canvas.rgba, int(look.x_px) + left, int(look.y_px) + top


def _outline(canvas: Canvas, look: Look) -> Floats:
    """The face without hair and ears: a skull and a jaw."""
    skull = canvas.ellipse(0, -0.05, look.cheek, 1.35)
    jaw = canvas.ellipse(0, 0.75, look.jaw, 1.1)
    cheeks = canvas.ellipse(0, 0.45, look.cheek * 0.95, 1.0)
    return np.maximum(np.maximum(skull, jaw), cheeks)


def _strands(canvas: Canvas, look: Look, spread: float) -> Floats:
    """Brightness of hair: streaks across the x axis."""
    random = np.random.default_rng(look.grain + 1)
    rough = random.standard_normal((canvas.x.shape[1] + 2,), np.float32)
    across = (rough[:-2] + rough[1:-1] + rough[2:]) / 3
    light = 0.25 * canvas.blot(0.4 * look.light, -1.6, 0.6, 0.35)
    brightness: Floats = 1 + spread * across[None, :] * np.cos(canvas.y * 1.3) + light
    return brightness


def _hair_behind(canvas: Canvas, look: Look) -> None:
    cover = canvas.ellipse(0, -0.45, look.cheek + 0.16, 1.45)
    if look.long_hair:
        cover = np.maximum(cover, canvas.ellipse(0, 0.75, look.cheek + 0.3, 2.0))
    canvas.paint(
        cover,
        np.array(look.hair, np.float32) * 0.85 * _strands(canvas, look, 0.12)[..., None],
    )


def _neck(canvas: Canvas, look: Look) -> None:
    narrow = 0.62 + 0.35 * (canvas.y - 2.0).clip(0, 1) ** 2
    sides = ((narrow - np.abs(canvas.x)) / canvas.edge + 0.5).clip(0, 1)
    cover = sides * canvas.below(0.9) * (1 - canvas.below(2.75 - 0.6 * canvas.x**2))
    canvas.paint(cover, look.skin)
    canvas.shade(1 - cover * (0.45 * canvas.blot(0, 1.75, 0.9, 0.5) + 0.15))


def _ears(canvas: Canvas, look: Look) -> None:
    for side in (-1, 1):
        x = side * (look.cheek + 0.03)
        cover = canvas.ellipse(x, 0.22, 0.13, 0.32) * (0.25 if look.long_hair else 1.0)
        canvas.paint(cover, mixed(look.skin, (190, 90, 80), 0.2))
        canvas.shade(1 - 0.3 * cover * canvas.blot(x, 0.2, 0.07, 0.18))


def _skin(canvas: Canvas, look: Look) -> None:
    cover = _outline(canvas, look)
    canvas.paint(cover, look.skin)
    sideways = canvas.x / look.cheek
    shading = 1.04 - 0.42 * sideways**2 + 0.3 * look.light * sideways
    shading = shading - 0.2 * canvas.blot(0, 2.0, 0.9, 0.28) + 0.06 * canvas.blot(0, -0.6, 0.6, 0.4)
    shading = shading + 0.05 * canvas.blot(0, 1.68, 0.2, 0.12)
    canvas.shade(1 + cover * (shading - 1))
    for side in (-1, 1):
        canvas.paint(0.18 * cover * canvas.blot(0.62 * side, 0.62, 0.28, 0.22), (205, 88, 78))
        fold = canvas.blot(0, 0, 9, 9) * np.exp(-(((canvas.x * side - 0.34 - 0.22 * (canvas.y - 0.7)) / 0.06) ** 2))
        canvas.shade(1 - 0.1 * cover * fold * canvas.blot(0.42 * side, 0.95, 0.4, 0.25))


def _fringe(canvas: Canvas, look: Look) -> None:
    """Hair over the forehead and temples."""
    scalp = canvas.ellipse(0, -0.42, look.cheek + 0.1, 1.36)
    line = -1.12 - 0.12 * np.cos(3 * canvas.x + look.light) + 0.75 * np.abs(canvas.x / look.cheek) ** 5
    cover = scalp * (1 - canvas.below(line))
    canvas.paint(cover, np.array(look.hair, np.float32) * _strands(canvas, look, 0.16)[..., None])


def _nose(canvas: Canvas, look: Look) -> None:
    side = -1 if look.light > 0 else 1
    canvas.shade(1 + 0.14 * canvas.blot(-0.02 * side, 0.3, 0.07, 0.36) + 0.12 * canvas.blot(0, 0.62, 0.1, 0.08))
    canvas.shade(
        1 - 0.2 * canvas.blot(0.17 * side, 0.35, 0.08, 0.34) - 0.08 * canvas.blot(-0.18 * side, 0.35, 0.07, 0.3)
    )
    canvas.shade(1 - 0.3 * canvas.blot(0, 0.8, 0.24, 0.06))
    canvas.shade(1 - 0.08 * canvas.blot(0, 0.95, 0.05, 0.1))
    for wing in (-1, 1):
        canvas.shade(1 - 0.22 * canvas.blot(0.25 * wing, 0.68, 0.045, 0.1))
        canvas.paint(
            0.75 * canvas.ellipse(0.11 * wing, 0.765, 0.07, 0.035),
            mixed(look.skin, (40, 18, 16), 0.75),
        )


def _sockets(canvas: Canvas, look: Look) -> None:
    for side in (-1, 1):
        x = 0.5 * side
        canvas.shade(1 - 0.42 * canvas.blot(x, -0.06, 0.34, 0.2) - 0.1 * canvas.blot(0.27 * side, -0.02, 0.1, 0.2))
        canvas.shade(1 - 0.07 * canvas.blot(x, 0.2, 0.24, 0.06))
        away = (canvas.x - x) * side
        line = -0.27 + 0.35 * (away + 0.04) ** 2 - 0.07 * away
        taper = look.brow * (1 - 0.5 * ((away + 0.3) / 0.62).clip(0, 1)) * (np.abs(away) < 0.33)
        cover = ((taper - np.abs(canvas.y - line)) / canvas.edge + 0.5).clip(0, 1) * (np.abs(away) < 0.33)
        canvas.paint(0.85 * cover.astype(np.float32), mixed(look.hair, look.skin, 0.12))


def _eye(canvas: Canvas, look: Look, x: float, lid: float) -> None:
    away = (canvas.x - x) / 0.215
    bow = (1 - away**2).clip(0, 1) ** 0.7
    upper, lower = -0.1 * bow, 0.075 * bow
    edge = lower + (upper - lower) * lid
    inside = canvas.below(edge) * (1 - canvas.below(lower)) * (np.abs(away) < 1)
    canvas.paint(
        canvas.below(upper) * (1 - canvas.below(lower)) * (np.abs(away) < 1),
        mixed(look.skin, (90, 50, 40), 0.18),
    )
    canvas.paint(inside, (196, 188, 178))
    canvas.shade(1 - 0.25 * inside * canvas.blot(x, -0.09, 0.3, 0.06))
    canvas.paint(inside * canvas.ellipse(x, -0.015, 0.095, 0.095), look.iris)
    canvas.paint(inside * canvas.ellipse(x, -0.015, 0.045, 0.045), (14, 12, 12))
    canvas.paint(0.9 * inside * canvas.ellipse(x + 0.03, -0.05, 0.022, 0.022), (245, 245, 245))
    line = np.exp(-(((canvas.y - edge + 0.008) / 0.022) ** 2)) * (np.abs(away) < 1)
    canvas.paint(0.85 * line, (34, 24, 22))
    canvas.shade(1 - 0.2 * np.exp(-(((canvas.y - lower - 0.01) / 0.02) ** 2)) * (np.abs(away) < 1))
    canvas.shade(1 - 0.22 * np.exp(-(((canvas.y - upper + 0.07) / 0.02) ** 2)) * bow)


_PARTS: tuple[Callable[[Canvas, Look], None], ...] = (
    _hair_behind,
    _neck,
    _ears,
    _skin,
    _fringe,
    _nose,
    _sockets,
)

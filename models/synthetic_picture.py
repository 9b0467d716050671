"""The synthetic speaker's pictures: head, lids and mouth as they move, over the wall.

    mouth shapes, head path, lids -> [pictures]

What does not move is drawn once; a picture costs the head's patch shifted by a quarter pixel (kept), the chin's rows
let down by the jaw, and the lips, drawn for many pictures at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from models.synthetic_face import LIDS, MOUTH_Y, Floats, head, wall
from models.synthetic_look import HEIGHT_PX, WIDTH_PX, Colour, Look

_PHASES = 4  # a head is placed to a quarter of a pixel
_CHUNK = 50  # pictures whose lips are drawn at once

# The lips, in eye distances.
_HALF_WIDTH, _GAPE = 0.42, 0.31
_UPPER, _LOWER = 0.085, 0.115
_LIFT = 0.22  # the share of the gape that goes upwards
_JAW_DROP = 0.8 * _GAPE * (1 - _LIFT)  # the chin follows the lower lip, but not all the way
_BOX_X, _BOX_TOP, _BOX_BOTTOM = 0.62, -0.3, 0.62  # the patch that is drawn anew
_CAVITY: Colour = (66, 30, 30)
_TEETH: Colour = (190, 178, 164)
_TONGUE: Colour = (160, 80, 78)


def pictures(look: Look, shapes: Floats, path_px: Floats, lids: NDArray[np.intp]) -> Iterator[NDArray[np.uint8]]:
    """Draw a speaker.

    Parameters
    ----------
    shapes
        [frames, 4], see `models.synthetic_mouth.shapes`.
    path_px
        [frames, 2]: the head's way from its place, x and y.
    lids
        [frames]: index into `LIDS`.

    Yields
    ------
    uint8 [288, 360, 3], RGB, one a frame.
    """
    scene = _Scene(look)
    for first in range(0, len(shapes), _CHUNK):
        chunk = slice(first, first + _CHUNK)
        corners = mouth_px(look, path_px[chunk])
        lips = _lips(look, shapes[chunk], corners)
        for shape, path, lid, corner, layers in zip(
            shapes[chunk], path_px[chunk], lids[chunk], corners, lips, strict=True
        ):
            patch, left, top = scene.head(path, int(lid))
            mouth = corner - (left, top)
            _let_down(patch, mouth, float(shape[0]) * _JAW_DROP, look.eye_distance_px)
            _overlay(patch, layers, mouth, look.eye_distance_px)
            yield scene.hang(patch, left, top)


def mouth_px(look: Look, path_px: Floats) -> Floats:
    """Where the middle of the closed mouth is drawn: float32 [frames, 2], x and y."""
    at_rest = (int(look.x_px), int(look.y_px) + MOUTH_Y * look.eye_distance_px)
    mouths: Floats = (np.floor(path_px * _PHASES + 0.5) / _PHASES + at_rest).astype(np.float32)
    return mouths


class _Scene:
    """The picture without its mouth."""

    def __init__(self, look: Look) -> None:
        self._wall = wall(look)
        self._picture = self._wall.clip(0, 255).astype(np.uint8)
        self._heads = lru_cache(len(LIDS))(lambda lid: head(look, LIDS[lid]))
        self._shifted = lru_cache(len(LIDS) * _PHASES**2)(self._shift)

    def _shift(self, lid: int, phase_x: int, phase_y: int) -> tuple[Floats, Floats, int, int]:
        """A head's patch moved by quarter pixels: colour, what shows of the wall, corner."""
        rgba, x, y = self._heads(lid)
        right, down = phase_x / _PHASES, phase_y / _PHASES
        rgba = np.pad(rgba, ((1, 1), (1, 1), (0, 0)), mode="edge")
        rgba = rgba[:, 1:] * (1 - right) + rgba[:, :-1] * right
        rgba = rgba[1:] * (1 - down) + rgba[:-1] * down
        return (
            np.ascontiguousarray(rgba[..., :3]),
            np.ascontiguousarray(1 - rgba[..., 3:]),
            x,
            y,
        )

    def head(self, path: Floats, lid: int) -> tuple[Floats, int, int]:
        """A fresh patch of the picture, head before wall, as far as it lies within, and its corner (x, y)."""
        quarters_x, quarters_y = np.floor(path * _PHASES + 0.5).astype(int).tolist()
        colour, through, x, y = self._shifted(lid, quarters_x % _PHASES, quarters_y % _PHASES)
        x, y = x + quarters_x // _PHASES, y + quarters_y // _PHASES
        top, left = max(y, 0), max(x, 0)
        bottom, right = min(y + colour.shape[0], HEIGHT_PX), min(x + colour.shape[1], WIDTH_PX)
        inside = np.s_[top - y : bottom - y, left - x : right - x]
        patch: Floats = self._wall[top:bottom, left:right] * through[inside]
        patch += colour[inside]
        return patch, left, top

    def hang(self, patch: Floats, left: int, top: int) -> NDArray[np.uint8]:
        """The whole picture."""
        picture = self._picture.copy()
        picture[top : top + patch.shape[0], left : left + patch.shape[1]] = patch.clip(0, 255)
        return picture


def _let_down(patch: Floats, mouth: Floats, drop: float, unit_px: float) -> None:
    """Move the chin down by the jaw's drop, in place: each row takes the colour of the row it came from."""
    half = 0.95 * unit_px
    top, bottom = int(mouth[1]), min(int(mouth[1] + 1.15 * unit_px), patch.shape[0] - 1)
    spot = patch[:, max(int(mouth[0] - half), 0) : int(mouth[0] + half)]
    rows = np.arange(top, bottom, dtype=np.float32)
    share = np.interp((rows - mouth[1]) / unit_px, (0, 0.3, 0.7, 1.15), (0, 1, 1, 0))
    source = rows - share * drop * unit_px
    whole = np.floor(source).astype(int)
    part = (source - whole).astype(np.float32)[:, None, None]
    columns = np.arange(spot.shape[1]) - half + mouth[0] % 1
    fade = ((half - np.abs(columns)) / (0.2 * unit_px)).clip(0, 1).astype(np.float32)[None, :, None]
    moved = spot[whole] * (1 - part) + spot[whole + 1] * part
    spot[top:bottom] += fade * (moved - spot[top:bottom])


def _lips(look: Look, shapes: Floats, mouths: Floats) -> Floats:
    """The mouths of many pictures: premultiplied colour and what shows of the skin, float32 [frames, height, width, 4]."""
    unit, edge = look.eye_distance_px, 1.7 / look.eye_distance_px
    left, top, width, height = _box(unit)
    fraction = mouths - np.floor(mouths)
    x = (np.arange(left, left + width, dtype=np.float32)[None, None, :] - fraction[:, 0, None, None]) / unit
    y = (np.arange(top, top + height, dtype=np.float32)[None, :, None] - fraction[:, 1, None, None]) / unit
    opening, spread, teeth, tongue = (shapes[:, index, None, None] for index in range(4))

    across = x / (_HALF_WIDTH * (1 + 0.22 * spread))
    bow = (1 - across**2).clip(0, 1)
    inner = (1 - (across / 0.93) ** 2).clip(0, 1)
    full = bow**0.6
    plump = 1 - 0.3 * spread
    gap = opening * _GAPE
    inner_top = -_LIFT * gap * inner - 0.004
    inner_bottom = (1 - _LIFT) * gap * inner + 0.012
    outer_top = inner_top - _UPPER * plump * full * (1 - 0.28 * np.exp(-((across / 0.16) ** 2)))
    outer_bottom = inner_bottom + _LOWER * plump * full

    def between(upper: Floats, lower: Floats) -> Floats:
        cover: Floats = ((y - upper) / edge + 0.5).clip(0, 1) * ((lower - y) / edge + 0.5).clip(0, 1)
        return cover

    lips = between(outer_top, outer_bottom) * (bow > 0)
    mouth = between(inner_top, inner_bottom) * (inner > 0)
    biting = between(inner_top, np.minimum(inner_top + 0.12 * teeth, inner_bottom)) * (np.abs(across) < 0.78)
    biting *= (teeth * 5).clip(0, 1)
    licking = mouth * tongue * np.exp(-(((y - inner_bottom + 0.03) / 0.07) ** 2) - (x / 0.2) ** 2)
    light = np.where(y < inner_top, 0.82, 1.02) + 0.16 * np.exp(
        -(((y - inner_bottom - 0.05) / 0.03) ** 2) - (x / 0.18) ** 2
    )
    shadow = 0.2 * np.exp(-(((y - outer_bottom - 0.05) / 0.05) ** 2) - (x / 0.26) ** 2)

    layers = np.empty((*lips.shape, 4), np.float32)
    lip = np.array(look.lips, np.float32)
    for channel in range(3):
        colour = lips * lip[channel] * light
        for cover, ink in ((mouth, _CAVITY), (licking, _TONGUE), (biting, _TEETH)):
            colour += cover * (ink[channel] - colour)
        layers[..., channel] = colour
    layers[..., 3] = (1 - lips) * (1 - mouth) * (1 - shadow)
    return layers


def _box(unit_px: float) -> tuple[int, int, int, int]:
    """The patch of the lips, in pixels from the mouth: left, top, width, height."""
    left, top = int(-_BOX_X * unit_px), int(_BOX_TOP * unit_px)
    return left, top, 2 * -left + 1, int(_BOX_BOTTOM * unit_px) - top


def _overlay(patch: Floats, layers: Floats, mouth: Floats, unit_px: float) -> None:
    left, top, width, height = _box(unit_px)
    x, y = int(np.floor(mouth[0])) + left, int(np.floor(mouth[1])) + top
    spot = patch[y : y + height, x : x + width]
    layers = layers[: spot.shape[0], : spot.shape[1]]
    spot *= layers[..., 3:]
    spot += layers[..., :3]

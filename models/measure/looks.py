"""How the camera might have seen a clip: its pictures turned, moved, scaled, darkened, covered, stopped or exchanged.

    Shot -> pictures

Real clips are transformed, so what is said stays known. The hand is drawn, and meant as no more than something of skin's
colour and not quite plain. Knows no files and no models.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import affine_transform, gaussian_filter, map_coordinates
from scipy.special import expit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stream.face import Face

    Pictures = NDArray[np.uint8]  # [pictures, height, width, 3]

PICTURES_HZ = 25
TILT_DEGREES = 20.0
TURN_DEGREES = 30.0
HEAD_FACES = 0.65  # radius of the head as a cylinder, in widths of the face
HEAD_ROWS = (0.4, 0.1)  # how far above and below the face the head goes on, in heights of the face
SWAY_DEGREES = 8.0
SWAY_SHARE = 0.08  # of the picture's width, to either side; half of that up and down
SWAY_SECONDS = 2.0
SMALL_FACE_PX = 60
LARGE_FACE_SHARE = 0.95  # of the picture's height
DARK = 0.5  # of the pixel values
DARK_SIDE = 0.2
HAND_SPAN = (0.3, 0.6)  # of the clip
HAND_FACES = (0.75, 0.45)  # width and height, in widths and heights of the face
FROZEN_AT = 20  # the picture that stays, or a shorter clip's last


@dataclass(frozen=True)
class Shot:
    """A clip's pictures, and what a transformation may need beside them."""

    pictures: Pictures
    face: Face  # where the speaker's face is, about the middle of the clip
    other: Callable[[], Pictures]  # reads pictures of another speaker
    otherwise: Callable[[], Pictures]  # reads pictures of the same speaker, saying something else


Look = Callable[[Shot], "Pictures"]


def tilted(shot: Shot) -> Pictures:
    """The head tilted in the plane of the picture."""
    return np.stack([_warped(image, shot.face, TILT_DEGREES) for image in shot.pictures])


def turned(shot: Shot) -> Pictures:
    """The head turned to the side, as a cylinder with the face on it (La Cascia, Sclaroff and Athitsos, 2000).

    Of the half that was not in the picture, its edge goes on.
    """
    height, width = shot.pictures.shape[1:3]
    radius, middle = HEAD_FACES * _size(shot.face)[0], _middle(shot.face)[0]
    across = np.clip((np.arange(width) - middle) / radius, -1, 1)
    angle = np.maximum(np.arcsin(across) - np.deg2rad(TURN_DEGREES), -np.pi / 2)
    source = np.where(np.abs(across) < 1, middle + radius * np.sin(angle), np.arange(width))
    at = np.broadcast_to(np.arange(height)[:, None], (height, width)), np.broadcast_to(source, (height, width))
    share = _head_rows(shot.face, height)[:, None, None]
    seen = [
        np.stack([map_coordinates(image[..., plane], at, order=1, mode="nearest") for plane in range(3)], axis=-1)
        for image in shot.pictures
    ]
    return np.asarray(np.rint(share * np.stack(seen) + (1 - share) * shot.pictures), dtype=np.uint8)


def swaying(shot: Shot) -> Pictures:
    """The head moving to and fro, tilted as it goes."""
    reach = shot.pictures.shape[2] * SWAY_SHARE
    seconds = np.arange(len(shot.pictures)) / PICTURES_HZ
    phases = 2 * np.pi * seconds / SWAY_SECONDS
    return np.stack(
        [
            _warped(
                image, shot.face, SWAY_DEGREES * np.sin(phase), (reach * np.sin(phase), reach / 2 * np.sin(2 * phase))
            )
            for image, phase in zip(shot.pictures, phases, strict=True)
        ]
    )


def small(shot: Shot) -> Pictures:
    """The speaker farther away: the face SMALL_FACE_PX wide in a picture of the same size."""
    factor = SMALL_FACE_PX / _size(shot.face)[0]
    return np.stack([_warped(image, shot.face, factor=factor) for image in shot.pictures])


def large(shot: Shot) -> Pictures:
    """The face as high as the picture."""
    height, width = shot.pictures.shape[1:3]
    factor = LARGE_FACE_SHARE * height / _size(shot.face)[1]
    middle = np.array([width, height]) / 2 - _middle(shot.face)
    return np.stack([_warped(image, shot.face, move=tuple(middle), factor=factor) for image in shot.pictures])


def dark(shot: Shot) -> Pictures:
    """All pixel values halved."""
    return np.asarray(np.rint(shot.pictures * DARK), dtype=np.uint8)


def half_lit(shot: Shot) -> Pictures:
    """Light from one side: the other half of the face in the dark, the nose between."""
    from_nose = np.arange(shot.pictures.shape[2]) - shot.face.landmarks[2, 0]
    light = DARK_SIDE + (1 - DARK_SIDE) * expit(-8 * from_nose / _size(shot.face)[0])
    return np.asarray(np.rint(shot.pictures * light[:, None]), dtype=np.uint8)


def beside(shot: Shot, scale: float) -> Pictures:
    """Somebody else at the speaker's side, who speaks as well; `scale` is that one's size."""
    count, height, width = shot.pictures.shape[:3]
    other = _fitted(shot.other(), count)
    middle = slice(width // 4, width - width // 4)
    step = round(1 / scale)
    shown = other[:, ::step, middle][:, :, ::step]
    strip = np.broadcast_to(other[:, :1, :1], (count, height, shown.shape[2], 3)).copy()
    strip[:, height - shown.shape[1] :] = shown
    return np.concatenate([shot.pictures, strip], axis=2)


def hand(shot: Shot) -> Pictures:
    """A hand before the mouth for a part of the clip: drawn, an oval with four shaded fingers."""
    count, height, width = shot.pictures.shape[:3]
    skin = np.median(_patch(shot), axis=(0, 1))
    y, x = np.mgrid[:height, :width] - shot.face.mouth[::-1, None, None]
    face_width, face_height = _size(shot.face)
    across, down = x / (face_width * HAND_FACES[0] / 2), y / (face_height * HAND_FACES[1] / 2)
    oval = expit(12 * (1 - np.hypot(across, down)))[..., None]
    grain = gaussian_filter(np.random.default_rng(0).standard_normal((height, width)), 1.5)
    shade = 0.9 - 0.12 * np.abs(np.sin(2 * np.pi * down)) ** 8 - 0.15 * across + 0.08 * grain
    drawn = np.clip(skin * shade[..., None], 0, 255)
    first, last = (round(count * share) for share in HAND_SPAN)
    seen = shot.pictures.astype(np.float32)
    seen[first:last] += oval * (drawn - seen[first:last])
    return np.asarray(np.rint(seen), dtype=np.uint8)


def frozen(shot: Shot) -> Pictures:
    """One picture over and over."""
    kept = min(FROZEN_AT, len(shot.pictures) - 1)
    return np.repeat(shot.pictures[kept : kept + 1], len(shot.pictures), axis=0)


def stuck(shot: Shot) -> Pictures:
    """A camera that stops in the middle of the sentence."""
    half = len(shot.pictures) // 2
    return shot.pictures[np.minimum(np.arange(len(shot.pictures)), half)]


def black(shot: Shot) -> Pictures:
    """A covered lens."""
    return np.zeros_like(shot.pictures)


def foreign(shot: Shot) -> Pictures:
    """The same speaker, saying something else."""
    return _fitted(shot.otherwise(), len(shot.pictures))


def stranger(shot: Shot) -> Pictures:
    """Another speaker, saying something else."""
    return _fitted(shot.other(), len(shot.pictures))


LOOKS: Mapping[str, Look] = MappingProxyType(
    {
        "head tilted 20 degrees": tilted,
        "head turned 30 degrees": turned,
        "head swaying": swaying,
        "face 60 px wide": small,
        "face fills the picture": large,
        "half the light": dark,
        "one side dark": half_lit,
        "second face, half as large": partial(beside, scale=0.5),
        "second face, as large": partial(beside, scale=1.0),
        "hand before the mouth": hand,
    }
)
"""What a camera may see of a speaker under real conditions."""

FAULTS: Mapping[str, Look] = MappingProxyType(
    {
        "frozen video": frozen,
        "video that stops": stuck,
        "black video": black,
        "foreign video": foreign,
        "video of a stranger": stranger,
    }
)
"""Pictures that tell nothing of what is said, or wrong things."""


def _warped(
    image: Pictures, face: Face, degrees: float = 0.0, move: tuple[float, ...] = (0.0, 0.0), factor: float = 1.0
) -> Pictures:
    """A picture turned clockwise and scaled about the face's middle, then moved by (x, y); its edges go on outside."""
    angle = -np.deg2rad(degrees)
    back = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) / factor
    middle = _middle(face)[::-1]
    offset = middle - back @ (middle + move[::-1])
    if factor < 1:
        image = gaussian_filter(image, (0.5 * (1 / factor - 1), 0.5 * (1 / factor - 1), 0))
    planes = [affine_transform(image[..., plane], back, offset, order=1, mode="nearest") for plane in range(3)]
    return np.stack(planes, axis=-1)


def _head_rows(face: Face, height: int) -> NDArray[np.float64]:
    """1 where a row of the picture is the head's, 0 far from it, [height]."""
    _, top, _, bottom = face.box
    above, below = (share * (bottom - top) for share in HEAD_ROWS)
    rows = np.arange(height)
    return np.asarray(expit((rows - (top - above)) / 3) * expit(((bottom + below) - rows) / 3))


def _middle(face: Face) -> NDArray[np.float64]:
    left, top, right, bottom = face.box
    return np.array([(left + right) / 2, (top + bottom) / 2])


def _size(face: Face) -> tuple[float, float]:
    """Width and height of a face, in pixels."""
    left, top, right, bottom = face.box
    return right - left, bottom - top


def _patch(shot: Shot) -> Pictures:
    """Skin beside the nose."""
    x, y = shot.face.landmarks[2].astype(int)
    return shot.pictures[0, y - 6 : y + 6, x - 12 : x + 12]


def _fitted(pictures: Pictures, count: int) -> Pictures:
    """So many pictures: cut, or the last one held."""
    return pictures[np.minimum(np.arange(count), len(pictures) - 1)]

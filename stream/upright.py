"""Turns the pictures of a tilted head upright, before the mouth is cropped out of them.

    face, pictures -> the same face level, the parts of the pictures around it

A head that leans a little is left as it is: a person's own few degrees are no news to the encoder, and turning costs more
than cropping does.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from stream.face import Face

TILTED_DEGREES = 10.0  # from here on
REACH_EYES = 4.0  # how far around the mouth pictures are turned, in eye distances: the head, and room to move in


def upright(greys: Sequence[NDArray[np.uint8]], face: Face) -> tuple[Sequence[NDArray[np.uint8]], Face]:
    """Pictures [height, width] of one size with a face that is level, or was nearly so."""
    tilt = face.tilt_degrees
    if abs(tilt) < TILTED_DEGREES:
        return greys, face
    from scipy.ndimage import affine_transform  # takes long to load, and most heads are level

    turn = _rotation(tilt)
    size = greys[0].shape[::-1]
    low = np.clip(np.floor(face.mouth - REACH_EYES * face.eye_distance_px), 0, np.array(size) - 1).astype(int)
    high = np.clip(np.ceil(face.mouth + REACH_EYES * face.eye_distance_px), low + 1, size).astype(int)
    offset = face.mouth + turn @ (low - face.mouth)  # where in the picture the part's first pixel lies
    part = tuple((high - low)[::-1])
    turned = [
        affine_transform(grey, turn.T, offset[::-1], part, order=1, mode="nearest")  # scipy counts (y, x)
        for grey in greys
    ]
    landmarks = face.mouth - low + (face.landmarks - face.mouth) @ turn
    return turned, replace(face, landmarks=landmarks.astype(np.float32))


def _rotation(degrees: float) -> NDArray[np.float64]:
    """From level to tilted coordinates, (x, y) with y down, [2, 2]."""
    angle = np.deg2rad(degrees)
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])

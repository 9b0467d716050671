"""Finds the mouth in a camera picture, once a hop, and follows it between.

    pictures of one hop -> [crops of the mouth, one a picture, or None]

Crops depend on the pictures of their hop alone. Training crops by this very code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stream.media import luma

if TYPE_CHECKING:
    import av
    from numpy.typing import NDArray

    from stream.face import Face, FaceFinder

MIN_INSIDE = 0.75  # of the crop's area, or the mouth is half out of the picture
CROP_WIDTH_EYES = 1.25  # the crop's width in eye distances
FOLLOW_PX = 32  # side of the patch by which the head is followed
FOLLOW_EYES = 1.6  # the same patch's side in eye distances
MIN_CONTRAST = 2.0  # standard deviation of a crop; below it the mouth is covered by something plain
MIN_PEAK = 0.1  # of the phase correlation; below it the head counts as still


class Mouth:
    """Crops the mouth out of the pictures of a hop.

    Parameters
    ----------
    height_px, width_px : int
        Size of the crops, as the bundle declares it.
    """

    def __init__(self, finder: FaceFinder, height_px: int, width_px: int) -> None:
        self._finder = finder
        self.height_px = height_px
        self.width_px = width_px

    def crops(self, pictures: list[av.VideoFrame]) -> list[NDArray[np.uint8] | None]:
        """One crop [height, width] a picture of one hop, in time order.

        None before the first picture with a face, and where the mouth is half outside or plainly covered.
        """
        found: list[NDArray[np.uint8] | None] = []
        face: Face | None = None
        first: NDArray[np.float32] | None = None  # followed from here all along, so that errors do not add up
        moved = np.zeros(2, dtype=np.float32)
        for image in pictures:
            if face is None:
                face = self._finder.find(image)
                if face is None:
                    found.append(None)
                    continue
            grey = luma(image)
            patch = _patch(grey, face, face.eyes + moved)
            if first is None:
                first = patch
            moved += _shift(first, patch) * (face.eye_distance_px * FOLLOW_EYES / FOLLOW_PX)
            found.append(self._crop(grey, face.mouth + moved, face.eye_distance_px * CROP_WIDTH_EYES))
        return found

    def whole(self, image: av.VideoFrame) -> NDArray[np.uint8]:
        """The crop of a picture that is a mouth already (`ce_region: mouth`)."""
        grey = luma(image)
        across = resample(image.width, image.width / 2, image.width / self.width_px, self.width_px)
        down = resample(image.height, image.height / 2, image.height / self.height_px, self.height_px)
        return _quantised(down @ grey.astype(np.float32) @ across.T)

    def _crop(self, grey: NDArray[np.uint8], centre: NDArray[np.float32], width: float) -> NDArray[np.uint8] | None:
        height = width * self.height_px / self.width_px
        if _inside(grey.shape, centre, width, height) < MIN_INSIDE:
            return None
        crop = _sampled(grey, centre, width / self.width_px, self.height_px, self.width_px)
        return None if crop.std() < MIN_CONTRAST else _quantised(crop)


def _inside(shape: tuple[int, ...], centre: NDArray[np.float32], width: float, height: float) -> float:
    """Share of a box's area that lies within the picture."""
    across = min(centre[0] + width / 2, shape[1]) - max(centre[0] - width / 2, 0)
    down = min(centre[1] + height / 2, shape[0]) - max(centre[1] - height / 2, 0)
    return float(max(across, 0) * max(down, 0) / (width * height))


def resample(size: int, centre: float, step: float, count: int) -> NDArray[np.float32]:
    """Weights [count, size] that sample a line of pixels at `count` points `step` apart around `centre`.

    A triangle as wide as the step, so that shrinking averages and enlarging interpolates.
    """
    points = centre + (np.arange(count, dtype=np.float32) - (count - 1) / 2) * step - 0.5
    points = np.clip(points, 0, size - 1)
    distance = np.abs(np.arange(size, dtype=np.float32)[None] - points[:, None])
    weights = np.maximum(0, 1 - distance / max(1.0, step))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float32)


def _sampled(
    grey: NDArray[np.uint8], centre: NDArray[np.float32], step: float, height_px: int, width_px: int
) -> NDArray[np.float32]:
    """[height_px, width_px] points of a picture around (x, y), `step` picture pixels apart."""
    reach = np.array([width_px, height_px]) * step / 2 + step + 2
    low = np.clip(np.floor(centre - reach), 0, (grey.shape[1] - 1, grey.shape[0] - 1)).astype(int)
    high = np.clip(np.ceil(centre + reach), low + 1, (grey.shape[1], grey.shape[0])).astype(int)
    part = grey[low[1] : high[1], low[0] : high[0]].astype(np.float32)
    down = resample(part.shape[0], float(centre[1]) - low[1], step, height_px)
    across = resample(part.shape[1], float(centre[0]) - low[0], step, width_px)
    return np.asarray(down @ part @ across.T, dtype=np.float32)


def _patch(grey: NDArray[np.uint8], face: Face, centre: NDArray[np.float32]) -> NDArray[np.float32]:
    """The upper face, which speech moves little, as [FOLLOW_PX, FOLLOW_PX]."""
    return _sampled(grey, centre, face.eye_distance_px * FOLLOW_EYES / FOLLOW_PX, FOLLOW_PX, FOLLOW_PX)


def _shift(before: NDArray[np.float32], after: NDArray[np.float32]) -> NDArray[np.float32]:
    """How far a patch moved, (x, y) in patch pixels, by phase correlation (Kuglin and Hines, 1975)."""
    window = np.hanning(FOLLOW_PX).astype(np.float32)
    window = window[:, None] * window[None]
    spectrum = np.fft.rfft2((after - after.mean()) * window) * np.conj(np.fft.rfft2((before - before.mean()) * window))
    surface = np.fft.irfft2(spectrum / (np.abs(spectrum) + 1e-3 * np.abs(spectrum).max() + 1e-9), s=before.shape)
    row, column = np.unravel_index(int(surface.argmax()), surface.shape)
    if surface[row, column] < MIN_PEAK:
        return np.zeros(2, dtype=np.float32)
    return np.array([_subpixel(surface[row], int(column)), _subpixel(surface[:, column], int(row))], dtype=np.float32)


def _subpixel(line: NDArray[np.float64], peak: int) -> float:
    """The peak of a parabola through three points of a circular line, as a signed shift."""
    size = len(line)
    left, middle, right = line[peak - 1], line[peak], line[(peak + 1) % size]
    curve = left - 2 * middle + right
    exact = peak + (0.5 * (left - right) / curve if curve else 0.0)
    return float((exact + size / 2) % size - size / 2)


def _quantised(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.asarray(np.clip(np.rint(values), 0, 255), dtype=np.uint8)

"""Finds the mouth in a camera picture, once a hop, and follows it between.

    pictures of one hop -> [crops of the mouth, one a picture, or None]

Crops depend on the pictures of their hop alone. Training crops by this very code. All pictures of a hop are sampled,
followed and cropped in one pass each, since one call for eight small arrays costs little more than for one. What tells
nothing of speech is no crop: no face, a mouth outside the picture or plainly covered, a camera that stands still.
"""

from __future__ import annotations

from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from stream.media import luma
from stream.upright import upright

if TYPE_CHECKING:
    from collections.abc import Sequence

    import av
    from numpy.typing import NDArray

    from stream.face import Face, FaceFinder

MIN_INSIDE = 0.75  # of the crop's area, or the mouth is half out of the picture
CROP_WIDTH_EYES = 1.25  # the crop's width in eye distances
FOLLOW_PX = 32  # side of the patch by which the head is followed
FOLLOW_EYES = 1.6  # the same patch's side in eye distances
MIN_CONTRAST = 2.0  # standard deviation of a crop; below it there is nothing to be seen
MIN_RELATIVE_CONTRAST = 0.095  # of the crop's mean; the lips of GRID's s1 give 0.12 and more, a drawn hand less
STILL_LEVELS = 1  # two pictures that differ nowhere by more than this are one: a live camera has noise
COARSE_PX = 8  # of so many pixels a side, one is looked at first
MIN_PEAK = 0.1  # of the phase correlation; below it the head counts as still
_EDGES = np.hanning(FOLLOW_PX).astype(np.float32)
WINDOW = _EDGES[:, None] * _EDGES


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

    def crops(self, pictures: Sequence[av.VideoFrame]) -> list[NDArray[np.uint8] | None]:
        """One crop [height, width] a picture of one hop, in time order.

        None before the first picture with a face, where the mouth is half outside or plainly covered, and where the
        camera stands still. Where the pictures change their size, the face is found anew.
        """
        return [crop for run in _of_one_size(pictures) for crop in self._followed(run)]

    def wholes(self, pictures: Sequence[av.VideoFrame]) -> list[NDArray[np.uint8] | None]:
        """The crops of a hop's pictures that are mouths already; None where they are plain or the camera stands still."""
        crops: list[NDArray[np.uint8] | None] = []
        for run in _of_one_size(pictures):
            whole = np.stack([self.whole(image) for image in run])
            usable = telling(whole) & ~still_pictures([luma(image) for image in run])
            crops += [crop if use else None for crop, use in zip(whole, usable, strict=True)]
        return crops

    def whole(self, image: av.VideoFrame) -> NDArray[np.uint8]:
        """The crop of a picture that is a mouth already (`ce_region: mouth`)."""
        grey = luma(image)
        across = resample(image.width, image.width / 2, image.width / self.width_px, self.width_px)
        down = resample(image.height, image.height / 2, image.height / self.height_px, self.height_px)
        return _quantised(down @ grey.astype(np.float32) @ across.T)

    def _followed(self, pictures: list[av.VideoFrame]) -> list[NDArray[np.uint8] | None]:
        """Crops of pictures of one size."""
        for skipped, image in enumerate(pictures):
            face = self._finder.find(image)
            if face is not None:
                greys = [luma(seen) for seen in pictures[skipped:]]
                return [None] * skipped + self._cropped(greys, face)
        return [None] * len(pictures)

    def _cropped(self, greys: Sequence[NDArray[np.uint8]], face: Face) -> list[NDArray[np.uint8] | None]:
        still = still_pictures(greys)
        if still.all():
            return [None] * len(greys)
        greys, face = upright(greys, face)
        centres = face.mouth + _moves(greys, face)
        width = face.eye_distance_px * CROP_WIDTH_EYES
        inside = _inside(greys[0].shape, centres, width, width * self.height_px / self.width_px)
        crops = _sampled(greys, centres, width / self.width_px, self.height_px, self.width_px)
        usable = (inside >= MIN_INSIDE) & telling(crops) & ~still
        return [crop if use else None for crop, use in zip(_quantised(crops), usable, strict=True)]


def _of_one_size(pictures: Sequence[av.VideoFrame]) -> list[list[av.VideoFrame]]:
    """Runs of pictures of one width and height."""
    return [list(run) for _, run in groupby(pictures, key=lambda image: (image.width, image.height))]


def telling(crops: NDArray[Any]) -> NDArray[np.bool_]:
    """Which crops [crops, height, width] show more than something plain, [crops]."""
    least = np.maximum(MIN_CONTRAST, MIN_RELATIVE_CONTRAST * crops.mean(axis=(1, 2)))
    return np.asarray(crops.std(axis=(1, 2)) >= least, dtype=np.bool_)


def still_pictures(greys: Sequence[NDArray[np.uint8]]) -> NDArray[np.bool_]:
    """Which of a hop's pictures repeat one another, [pictures]: runs of at least two that are half of the hop or more.

    They show a moment that is over: a frozen call, a camera that stopped, the last picture held over a gap. A slow
    camera's pictures, each sent two or three times, are no such run.
    """
    coarse = np.stack([grey[::COARSE_PX, ::COARSE_PX] for grey in greys]).astype(np.int16)  # a few pixels mostly tell
    apart = (np.abs(coarse[1:] - coarse[:-1]) > STILL_LEVELS).any(axis=(1, 2))
    pairs = zip(apart, pairwise(greys), strict=True)
    new = np.array([True, *(bool(told) or _differ(*pair) for told, pair in pairs)])
    runs = new.cumsum() - 1
    lengths = np.bincount(runs)[runs]
    return np.asarray((lengths >= 2) & (2 * lengths >= len(greys)), dtype=np.bool_)


def _differ(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> bool:
    """Whether two pictures are two."""
    return bool((np.abs(one.astype(np.int16) - other) > STILL_LEVELS).any())


def _inside(shape: tuple[int, ...], centres: NDArray[np.float32], width: float, height: float) -> NDArray[np.float32]:
    """Share of each box's area that lies within the picture."""
    size = np.array([width, height])
    within = np.minimum(centres + size / 2, (shape[1], shape[0])) - np.maximum(centres - size / 2, 0)
    return np.asarray(np.maximum(within, 0).prod(axis=1) / (width * height), dtype=np.float32)


def resample(size: int, centre: float | NDArray[np.float32], step: float, count: int) -> NDArray[np.float32]:
    """Weights [..., count, size] that sample a line of pixels at `count` points `step` apart around each centre.

    A triangle as wide as the step, so that shrinking averages and enlarging interpolates.
    """
    steps = (np.arange(count, dtype=np.float32) - (count - 1) / 2) * step - 0.5
    points = np.clip(np.asarray(centre, dtype=np.float32)[..., None] + steps, 0, size - 1)
    weights = np.arange(size, dtype=np.float32) - points[..., None]
    np.abs(weights, out=weights)  # in place from here on: the distances, then the weights
    weights /= max(1.0, step)
    np.subtract(1, weights, out=weights)
    np.maximum(weights, 0, out=weights)
    weights /= weights.sum(axis=-1, keepdims=True)
    return np.asarray(weights, dtype=np.float32)


def _sampled(
    greys: Sequence[NDArray[np.uint8]], centres: NDArray[np.float32], step: float, height_px: int, width_px: int
) -> NDArray[np.float32]:
    """[pictures, height_px, width_px] points of pictures around (x, y) in each, `step` picture pixels apart.

    `centres` is [pictures, 2], or [1, 2] for the same in all.
    """
    height, width = greys[0].shape
    reach = np.array([width_px, height_px]) * step / 2 + step + 2
    low = np.clip(np.floor(centres.min(axis=0) - reach), 0, (width - 1, height - 1)).astype(int)
    high = np.clip(np.ceil(centres.max(axis=0) + reach), low + 1, (width, height)).astype(int)
    parts = np.stack([grey[low[1] : high[1], low[0] : high[0]] for grey in greys]).astype(np.float32)
    down = resample(parts.shape[1], centres[:, 1] - low[1], step, height_px)
    across = resample(parts.shape[2], centres[:, 0] - low[0], step, width_px)
    return np.asarray(down @ parts @ across.transpose(0, 2, 1), dtype=np.float32)


def _moves(greys: Sequence[NDArray[np.uint8]], face: Face) -> NDArray[np.float32]:
    """How far the head has moved since the first picture, [pictures, 2], in picture pixels.

    Each picture against the one before reaches far; against the first, from there on, lets no errors add up.
    """
    step = face.eye_distance_px * FOLLOW_EYES / FOLLOW_PX
    order = np.arange(len(greys))
    centres = face.eyes[None]
    before = _shifts(_sampled(greys, centres, step, FOLLOW_PX, FOLLOW_PX), np.maximum(order - 1, 0))
    moves = before.cumsum(axis=0) * np.float32(step)
    since_first = _shifts(_sampled(greys, centres + moves, step, FOLLOW_PX, FOLLOW_PX), np.zeros_like(order))
    return np.asarray(moves + since_first * np.float32(step), dtype=np.float32)


def _shifts(patches: NDArray[np.float32], against: NDArray[np.intp]) -> NDArray[np.float32]:
    """How far each patch moved against the one of that number, (x, y) in patch pixels, by phase correlation.

    Kuglin and Hines, "The phase correlation image alignment method", 1975. A patch is the upper face, which speech
    moves little.
    """
    spectra = np.fft.rfft2((patches - patches.mean(axis=(1, 2), keepdims=True)) * WINDOW)
    cross = spectra * np.conj(spectra[against])
    size = np.abs(cross)
    whitened = cross / (size + 1e-3 * size.max(axis=(1, 2), keepdims=True) + 1e-9)
    surfaces: NDArray[np.float32] = np.asarray(np.fft.irfft2(whitened, s=WINDOW.shape), dtype=np.float32)
    flat, which = surfaces.reshape(len(patches), -1), np.arange(len(patches))
    peaks = flat.argmax(axis=1)
    rows, columns = peaks // FOLLOW_PX, peaks % FOLLOW_PX
    shifts = np.stack([_subpixel(surfaces[which, rows], columns), _subpixel(surfaces[which, :, columns], rows)], axis=1)
    shifts[(flat[which, peaks] < MIN_PEAK) | (against == which)] = 0
    return shifts


def _subpixel(lines: NDArray[np.float32], peaks: NDArray[np.intp]) -> NDArray[np.float32]:
    """The peak of a parabola through three points of each circular line, as a signed shift."""
    which, size = np.arange(len(lines)), lines.shape[1]
    left, middle, right = (lines[which, (peaks + side) % size] for side in (-1, 0, 1))
    curve = left - 2 * middle + right
    exact = peaks + np.where(curve == 0, 0, 0.5 * (left - right) / np.where(curve == 0, 1, curve))
    return np.asarray((exact + size / 2) % size - size / 2, dtype=np.float32)


def _quantised(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.asarray(np.clip(np.rint(values), 0, 255), dtype=np.uint8)

"""A session's camera pictures made crops of the mouth, as a producer would send them that has cropped already."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import groupby
from typing import TYPE_CHECKING, TypeGuard

import av
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import ColorRange

from stream.clip import JPEG_QUANTISER, MAX_PICTURES_HZ
from stream.face import FaceFinder
from stream.frame import End, Frame, Modality
from stream.media import picture
from stream.mouth import Mouth
from stream.scene import Timed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from models.bundle import Bundle

ENLARGED = 2  # a producer's crop has more pixels than the encoder wants
MAX_PIXELS = 4_000_000


def mouths_only(pieces: Sequence[Timed], bundle: Bundle) -> list[Timed]:
    """The same, with crops for pictures; a hop's pictures are cropped together, as the service would."""
    manifest = bundle.manifest
    finder = FaceFinder(manifest.finder.digest)
    mouth = Mouth(finder, ENLARGED * manifest.crop_height_px, ENLARGED * manifest.crop_width_px)
    shown = [(there_ns, item) for there_ns, item in pieces if _is_picture(item)]
    made = [piece for piece in pieces if not _is_picture(piece.item)]
    for _, hop in groupby(shown, key=lambda pair: pair[1].time_ns // bundle.hop_ns):
        times_ns, frames = zip(*hop, strict=True)
        crops = mouth.crops([picture(frame, MAX_PIXELS) for frame in frames])
        made += [
            Timed(there_ns, replace(frame, payload=_jpeg(crop), region="mouth"))
            for there_ns, frame, crop in zip(times_ns, frames, crops, strict=True)
            if crop is not None
        ]
    return sorted(made, key=lambda piece: piece.available_ns)


def _is_picture(item: Frame | End) -> TypeGuard[Frame]:
    return isinstance(item, Frame) and item.modality is Modality.VIDEO


def _jpeg(crop: NDArray[np.uint8]) -> bytes:
    return b"".join(_packets(crop))


def _packets(crop: NDArray[np.uint8]) -> Iterator[bytes]:
    image = av.VideoFrame.from_ndarray(crop, format="gray").reformat(format="yuv420p", dst_color_range=ColorRange.JPEG)
    encoder = VideoCodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = image.width, image.height, "yuv420p"
    encoder.color_range = ColorRange.JPEG
    encoder.time_base = Fraction(1, MAX_PICTURES_HZ)
    encoder.options = {"qmin": str(JPEG_QUANTISER), "qmax": str(JPEG_QUANTISER)}
    for packet in [*encoder.encode(image), *encoder.encode(None)]:
        yield bytes(packet)

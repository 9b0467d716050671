"""Payload bytes to samples and pixels: on the path between the aligner's hop and the model's input.

    Frame.payload -> [samples | picture]

PyAV decodes; sizes are checked before it does. Knows nothing about hops, faces or models.
"""

from __future__ import annotations

import threading
from io import BytesIO
from typing import TYPE_CHECKING, cast

import av
import imagesize
import numpy as np
from av.error import FFmpegError
from av.video.reformatter import VideoReformatter

from stream.errors import Reason, RecordError
from stream.plain import PNG_BEGINNING, plain_jpeg, plain_png

if TYPE_CHECKING:
    from av.video.codeccontext import VideoCodecContext
    from numpy.typing import NDArray

    from stream.frame import Frame

PADDING_PX = 64  # at most: what a decoder rounds a side up by
_DECODERS = {"image/jpeg": "mjpeg", "image/png": "png"}
_BEGINNINGS = {"image/jpeg": b"\xff\xd8", "image/png": PNG_BEGINNING}
_PLAIN = {"image/jpeg": plain_jpeg, "image/png": plain_png}


def samples(frame: Frame) -> NDArray[np.float32]:
    """Mono samples in [-1, 1) of one L16 frame, shape [samples], at the frame's own rate.

    RFC 2586: 16-bit signed, network byte order, channels interleaved; channels are averaged.
    """
    whole = np.frombuffer(frame.payload, dtype=">i2").astype(np.float32)
    mono = whole.reshape(-1, frame.channels).mean(axis=1) if frame.channels > 1 else whole
    return np.asarray(mono * (1 / 32768), dtype=np.float32)


def picture(frame: Frame, max_pixels: int) -> av.VideoFrame:
    """Decode one JPEG or PNG.

    Raises
    ------
    RecordError
        `too_many_pixels` from the header alone, before anything is decoded; `bad_media` when there
        is no such header or the decoder finds no whole picture behind it.
    """
    width_px, height_px = checked_size(frame.payload, frame.content_type, max_pixels)
    payload = _PLAIN[frame.content_type](frame.payload)
    decoder = cast("VideoCodecContext", av.CodecContext.create(_DECODERS[frame.content_type], "r"))
    decoder.thread_count = 1
    padded_pixels = (width_px + PADDING_PX) * (height_px + PADDING_PX)
    decoder.options = {"max_pixels": str(padded_pixels), "err_detect": "explode"}
    try:
        pictures = decoder.decode(av.Packet(payload)) or decoder.decode(None)
        if frame.content_type == "image/png":
            pictures = [_without_tags(found) for found in pictures]
    except FFmpegError as error:
        message = f"The {frame.content_type} does not decode ({error.strerror}); send whole pictures, one a record."
        raise RecordError(Reason.BAD_MEDIA, message) from error
    if not pictures:
        message = f"The {frame.content_type} of {len(frame.payload)} bytes holds no picture; send one a record."
        raise RecordError(Reason.BAD_MEDIA, message)
    found = pictures[0]
    if not isinstance(found, av.VideoFrame):
        message = f"A {frame.content_type} decoded to {type(found).__name__}; send pictures on the video topic."
        raise RecordError(Reason.BAD_MEDIA, message)
    return found


def _without_tags(image: av.VideoFrame) -> av.VideoFrame:
    """The bare pixels: an interlaced PNG is marked as if it were two fields, which some sizes cannot be."""
    return av.VideoFrame.from_ndarray(image.to_ndarray(format="rgb24"), format="rgb24")


def checked_size(payload: bytes, content_type: str, max_pixels: int) -> tuple[int, int]:
    """Width and height that the header tells; nothing is decoded.

    imagesize reads many formats, XML among them: it is shown nothing but what begins as the content type says.
    """
    if not payload.startswith(_BEGINNINGS[content_type]):
        message = f"The bytes begin with {payload[:8]!r}, which is no {content_type}; send what the content-type says."
        raise RecordError(Reason.BAD_MEDIA, message)
    width_px, height_px = imagesize.get(BytesIO(payload), exif_rotation=False)
    if width_px <= 0 or height_px <= 0:
        raise RecordError(Reason.BAD_MEDIA, f"The {content_type} has no size in its header; send whole pictures.")
    if width_px * height_px > max_pixels:
        message = f"The picture has {width_px}x{height_px} pixels, at most {max_pixels} are taken; send it smaller."
        raise RecordError(Reason.TOO_MANY_PIXELS, message)
    return width_px, height_px


def luma(image: av.VideoFrame) -> NDArray[np.uint8]:
    """Brightness of a picture, full range, shape [height, width].

    The Y plane of a JPEG as it is, without a copy where the format allows.
    """
    if image.format.name in ("yuvj420p", "yuvj422p", "yuvj444p", "gray"):
        plane = image.planes[0]
        rows: NDArray[np.uint8] = np.frombuffer(memoryview(plane), dtype=np.uint8).reshape(
            plane.height, plane.line_size
        )
        return rows[:, : image.width]
    return np.asarray(image.to_ndarray(format="gray"), dtype=np.uint8)


def rgb(image: av.VideoFrame, width_px: int, height_px: int) -> NDArray[np.uint8]:
    """The picture scaled to a size, shape [height, width, 3]."""
    scaled = _scalers.mine.reformat(image, width=width_px, height=height_px, format="rgb24", threads=1)
    return np.asarray(scaled.to_ndarray(), dtype=np.uint8)


class _Scalers(threading.local):
    """One a thread: it keeps its tables from picture to picture, and making them takes ten times as long as scaling."""

    def __init__(self) -> None:
        self.mine = VideoReformatter()


_scalers = _Scalers()

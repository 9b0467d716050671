"""A media file -> what a microphone and a camera would have given: samples and pictures.

Stands before the path: `replay` and `recognize` cut records from it, training reads its data through it, so that all
three hear and see the same bytes. PyAV does all decoding, resampling and encoding. Knows no records and no Kafka.
Every time counts from the clip's time 0, which is the file's own start, so sound and picture stay in sync.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.filter import Graph
from av.stream import Disposition
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange
from av.video.stream import VideoStream
from numpy.typing import NDArray

from stream.errors import ConfigError
from stream.times import NS_PER_SECOND

RATE_HZ = 16_000
MAX_PICTURES_HZ = 25
MAX_SIDE_PX = 1280  # larger pictures are scaled down: the service refuses above 4 megapixels
JPEG_QUANTISER = 3  # fixed, so that a picture's bytes depend on the picture alone; 360x288 gives about 10 kB
SLOT_NS = NS_PER_SECOND // MAX_PICTURES_HZ
# Silence is put where the time stamps leave a hole, and what lies before time 0 is cut off.
RESAMPLE = f"osr={RATE_HZ}:osf=s16:ochl=mono:async=1:min_hard_comp=0.02:first_pts=0"


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture as JPEG; it is shown during `[time_ns, time_ns + duration_ns)`."""

    time_ns: int
    duration_ns: int
    jpeg: bytes


def samples(path: Path) -> NDArray[np.int16]:
    """All sound of a file as mono at 16 kHz, sample 0 at the clip's time 0; empty where there is none."""
    with opened(path) as container:
        if not container.streams.audio:
            return np.zeros(0, np.int16)
        stream = container.streams.audio[0]
        blocks = [frame.to_ndarray()[0] for frame in _resampled(container, stream)]
    return np.concatenate(blocks).astype(np.int16) if blocks else np.zeros(0, np.int16)


def pictures(path: Path) -> Iterator[Picture]:
    """All pictures of a file in order, made one by one, at the file's own frame rate up to 25 a second."""
    with opened(path) as container:
        stream = _camera(container)
        if stream is None:
            return
        encoder: VideoCodecContext | None = None
        held: tuple[int, bytes] | None = None
        last_ns = SLOT_NS
        for number, (time_ns, frame) in enumerate(_sampled(container, stream)):
            upright = _upright(frame)
            upright.pts, upright.time_base = number, Fraction(1, MAX_PICTURES_HZ)  # the encoder wants them to rise
            if encoder is None or (encoder.width, encoder.height) != (upright.width, upright.height):
                encoder = _jpeg_encoder(upright)
            if held is not None:
                last_ns = time_ns - held[0]
                yield Picture(held[0], last_ns, held[1])
            held = time_ns, b"".join(bytes(packet) for packet in encoder.encode(upright))
        if held is not None:
            yield Picture(held[0], min(last_ns, NS_PER_SECOND), held[1])


def span_ns(path: Path) -> int:
    """How long sound and pictures last, from the clip's time 0, by the file's own time stamps; nothing is decoded.

    Raises
    ------
    ConfigError
        If the file has neither.
    """
    with opened(path) as container:
        streams = [*container.streams.audio[:1], *filter(None, [_camera(container)])]
        if not streams:
            raise ConfigError(f"Clip '{path}' has neither sound nor pictures: give a media file.")
        ends = [
            to_ns(packet.pts + (packet.duration or 0), packet.time_base)
            for packet in container.demux(*streams)
            if packet.pts is not None
        ]
        return max(0, max(ends, default=0) - _origin_ns(container))


@contextmanager
def opened(path: Path) -> Iterator[InputContainer]:
    """A media file's container; what goes wrong while it is read says so in one line."""
    if not path.is_file():
        found = "is a folder" if path.is_dir() else "is not there"
        raise ConfigError(f"Clip '{path}' {found}: give the path of a media file.")
    try:
        with av.open(str(path)) as container:
            yield container
    except FFmpegError as error:
        raise ConfigError(f"Clip '{path}' cannot be read ({error.strerror}): give a media file.") from error


def _origin_ns(container: InputContainer) -> int:
    """The clip's time 0. A negative start is a codec's warm-up, which is not to be played."""
    return max(0, (container.start_time or 0) * (NS_PER_SECOND // av.time_base))


def to_ns(pts: int, time_base: Fraction | None) -> int:
    """Nanoseconds of a time stamp."""
    return round(pts * (time_base or Fraction(1, av.time_base)) * NS_PER_SECOND)


def _resampled(container: InputContainer, stream: AudioStream) -> Iterator[AudioFrame]:
    graph = Graph()
    sink = graph.add("abuffersink")
    graph.link_nodes(graph.add_abuffer(template=stream), graph.add("aresample", RESAMPLE), sink).configure()
    origin_ns = _origin_ns(container)
    for frame in container.decode(stream):
        if frame.pts is not None and frame.time_base is not None:
            frame.pts -= round(Fraction(origin_ns, NS_PER_SECOND) / frame.time_base)
        graph.push(frame)
        yield from _pulled(graph)
    graph.push(None)
    yield from _pulled(graph)


def _pulled(graph: Graph) -> Iterator[AudioFrame]:
    while True:
        try:
            yield cast("AudioFrame", graph.pull())
        except (av.error.BlockingIOError, av.error.EOFError):
            return


def _camera(container: InputContainer) -> VideoStream | None:
    """The first video stream that is not a cover picture of a sound file."""
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            return stream
    return None


def _sampled(container: InputContainer, stream: VideoStream) -> Iterator[tuple[int, VideoFrame]]:
    """Frames with their times, at most one in each 40 ms since the first, give or take a quarter of that."""
    origin_ns = _origin_ns(container)
    stream.codec_context.thread_count = 1  # many clips are open at once
    first_ns: int | None = None
    taken = -1
    for frame in container.decode(stream):
        if frame.pts is None:
            continue
        time_ns = to_ns(frame.pts, frame.time_base) - origin_ns
        first_ns = time_ns if first_ns is None else first_ns
        slot = (time_ns - first_ns + SLOT_NS // 4) // SLOT_NS
        if time_ns >= 0 and slot > taken:
            taken = slot
            yield time_ns, frame


def _upright(frame: VideoFrame) -> VideoFrame:
    """As a camera would send it: turned as the file says, not too large, full range 4:2:0."""
    turns = round(frame.rotation / 90) % 4
    if turns:
        turned = np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24"), turns), np.uint8)
        frame = VideoFrame.from_ndarray(turned, format="rgb24")
    scale = min(1.0, MAX_SIDE_PX / max(frame.width, frame.height))
    return frame.reformat(
        width=round(frame.width * scale),
        height=round(frame.height * scale),
        format="yuv420p",
        dst_color_range=ColorRange.JPEG,
    )


def _jpeg_encoder(frame: VideoFrame) -> VideoCodecContext:
    encoder = VideoCodecContext.create("mjpeg", "w")
    encoder.width, encoder.height = frame.width, frame.height
    encoder.pix_fmt = "yuv420p"
    encoder.color_range = ColorRange.JPEG
    encoder.time_base = Fraction(1, MAX_PICTURES_HZ)
    encoder.options = {"qmin": str(JPEG_QUANTISER), "qmax": str(JPEG_QUANTISER)}
    return encoder

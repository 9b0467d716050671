"""Transformed clips as files: what a look makes of a clip's pictures, over its sound untouched.

    clip, look -> clip

Whoever plays such a clip meets it as any other, so the whole path sees the pictures: decoder, face, mouth, encoder. They
are kept without loss, but for those whose look is that they are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import av
import numpy as np
from av.video.reformatter import ColorRange

from models.measure.looks import FAULTS, LOOKS, PICTURES_HZ, Look, Shot
from stream import clip
from stream.errors import ConfigError
from stream.face import Face, FaceFinder
from stream.noise import random_for

if TYPE_CHECKING:
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

    from models.measure.looks import Pictures

LOW_QUALITY = "JPEG quality 30"
LOW_QUALITY_QUANTISER = 12  # FFmpeg's; its error is that of IJG's quality 30, 39 dB on these clips
PLAIN = "plain"
CONDITIONS = (*LOOKS, LOW_QUALITY)
TIME_BASE = Fraction(1, 1000)
CHUNK_SAMPLES = 640


def staged(path: Path, condition: str, folder: Path) -> Path:
    """A clip under a condition, which is PLAIN or one of CONDITIONS or FAULTS: Matroska, in `folder`, by the clip's own name.

    Raises
    ------
    ConfigError
        The clip has no face to go by, or another clip is needed and none is near.
    """
    times_ms, pictures = _seen(path)
    target = folder / f"{path.stem}.mkv"
    quantiser = LOW_QUALITY_QUANTISER if condition == LOW_QUALITY else None
    shot = Shot(pictures, _face(path, pictures), partial(_other, path), partial(_otherwise, path))
    _write(target, times_ms, _LOOKS[condition](shot), clip.samples(path), quantiser)
    return target


def _as_it_is(shot: Shot) -> Pictures:
    return shot.pictures


_LOOKS: dict[str, Look] = {**LOOKS, **FAULTS, PLAIN: _as_it_is, LOW_QUALITY: _as_it_is}


def _seen(path: Path) -> tuple[list[int], Pictures]:
    """All pictures of a clip as RGB, and when each begins, in ms."""
    with clip.opened(path) as container:
        shown = [
            (clip.to_ns(frame.pts, frame.time_base) // 1_000_000, frame.to_ndarray(format="rgb24"))
            for frame in container.decode(video=0)
            if frame.pts is not None
        ]
    if not shown:
        raise ConfigError(f"Clip '{path}' has no pictures: give one with a camera's.")
    return [time_ms for time_ms, _ in shown], np.stack([pixels for _, pixels in shown]).astype(np.uint8, copy=False)


def _other(path: Path) -> Pictures:
    """Pictures of another speaker: of a clip in a folder beside the clip's own."""
    near = [found for found in path.parent.parent.glob("*/*.mp4") if found.parent != path.parent]
    return _seen(_drawn(path, near))[1]


def _otherwise(path: Path) -> Pictures:
    """Pictures of another clip of the same speaker."""
    return _seen(_drawn(path, [found for found in path.parent.glob("*.mp4") if found != path]))[1]


def _drawn(path: Path, clips: Sequence[Path]) -> Path:
    """One of the clips, the same one each time."""
    if not clips:
        raise ConfigError(
            f"There is no other clip beside '{path}': keep one folder a speaker, with some clips in each."
        )
    return sorted(clips)[random_for(0, path.stem, "other").integers(len(clips))]


@cache
def _finder() -> FaceFinder:
    return FaceFinder()


def _face(path: Path, pictures: Pictures) -> Face:
    """The speaker's face in the picture nearest the middle that shows one."""
    middle = len(pictures) // 2
    for place in sorted(range(len(pictures)), key=lambda place: abs(place - middle)):
        face = _finder().find(av.VideoFrame.from_ndarray(pictures[place], format="rgb24"))
        if face is not None:
            return face
    raise ConfigError(f"Clip '{path}' shows no face: give one that does.")


def _write(
    target: Path, times_ms: Sequence[int], pictures: Pictures, samples: NDArray[np.int16], quantiser: int | None
) -> None:
    """A Matroska file of PCM and FFV1, or of JPEGs where there is a quantiser."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(target), "w") as container:
        options = {} if quantiser is None else {"qmin": str(quantiser), "qmax": str(quantiser)}
        codec = "ffv1" if quantiser is None else "mjpeg"
        video = cast("VideoStream", container.add_stream(codec, PICTURES_HZ, options=options))
        video.height, video.width, video.pix_fmt = *pictures.shape[1:3], "yuv420p"
        video.codec_context.color_range = ColorRange.JPEG
        video.codec_context.time_base = TIME_BASE
        audio = container.add_stream("pcm_s16le", clip.RATE_HZ, layout="mono")
        for time_ms, pixels in zip(times_ms, pictures, strict=True):
            image = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            image = image.reformat(format="yuv420p", dst_color_range=ColorRange.JPEG)
            image.pts, image.time_base = time_ms, TIME_BASE
            container.mux(video.encode(image))
        for first in range(0, len(samples), CHUNK_SAMPLES):
            sound = av.AudioFrame.from_ndarray(
                samples[None, first : first + CHUNK_SAMPLES], format="s16", layout="mono"
            )
            sound.sample_rate, sound.pts, sound.time_base = clip.RATE_HZ, first, Fraction(1, clip.RATE_HZ)
            container.mux(audio.encode(sound))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))

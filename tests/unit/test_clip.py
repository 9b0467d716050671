"""A clip's sound and pictures: in sync, by the file's own time stamps, the same every time."""

from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import cast

import av
import numpy as np
import pytest
from av.audio.stream import AudioStream
from av.video.stream import VideoStream
from numpy.typing import NDArray

from stream import clip
from stream.cues import Cue, cues
from stream.errors import ConfigError

MS = 1_000_000
BEEP_HZ = 1000
Sound = NDArray[np.float32]


def sound(seconds: float, rate_hz: int, beep_s: float) -> Sound:
    """Silence with 40 ms of a tone in it."""
    times_s = np.arange(round(seconds * rate_hz)) / rate_hz
    beeps = (times_s >= beep_s) & (times_s < beep_s + 0.04)
    return np.asarray(0.8 * np.sin(2 * np.pi * BEEP_HZ * times_s) * beeps, np.float32)


def grey(level: int, width_px: int = 64, height_px: int = 48) -> NDArray[np.uint8]:
    return np.full((height_px, width_px, 3), level, np.uint8)


def write(
    path: Path,
    *,
    heard: Sound | None = None,
    rate_hz: int = 44_100,
    heard_from_s: float = 0.0,
    seen: list[NDArray[np.uint8]] | None = None,
    fps: int = 25,
    codecs: tuple[str, str] = ("aac", "mpeg4"),
) -> Path:
    with av.open(str(path), "w") as container:
        audio = (
            cast("AudioStream", container.add_stream(codecs[0], rate=rate_hz, layout="mono"))
            if heard is not None
            else None
        )
        video = cast("VideoStream", container.add_stream(codecs[1], rate=fps)) if seen else None
        if video is not None and seen:
            video.height, video.width, video.pix_fmt = *seen[0].shape[:2], "yuv420p"
            video.bit_rate = 4_000_000
            for number, picture in enumerate(seen):
                frame = av.VideoFrame.from_ndarray(picture, "rgb24")
                frame.pts, frame.time_base = number, Fraction(1, fps)
                container.mux(video.encode(frame))
            container.mux(video.encode(None))
        if audio is not None and heard is not None:
            for first in range(0, len(heard), 1024):
                block = av.AudioFrame.from_ndarray(heard[None, first : first + 1024], "fltp", "mono")
                block.sample_rate, block.time_base = rate_hz, Fraction(1, rate_hz)
                block.pts = first + round(heard_from_s * rate_hz)
                container.mux(audio.encode(block))
            container.mux(audio.encode(None))
    return path


def loud_s(samples: NDArray[np.int16]) -> tuple[float, float]:
    loud = np.flatnonzero(np.abs(samples.astype(int)) > 4000)
    return float(loud[0]) / clip.RATE_HZ, float(loud[-1]) / clip.RATE_HZ


def decoded(picture: clip.Picture) -> av.VideoFrame:
    with av.open(BytesIO(picture.jpeg), "r", format="mjpeg") as container:
        return next(container.decode(video=0))


def bright(picture: clip.Picture) -> float:
    return float(decoded(picture).to_ndarray(format="gray").mean())


@pytest.mark.parametrize("rate_hz", [16_000, 22_050, 44_100, 48_000])
def test_a_sound_is_heard_when_it_was_made_whatever_its_rate(tmp_path: Path, rate_hz: int) -> None:
    path = write(tmp_path / "a.mp4", heard=sound(1.5, rate_hz, 0.6), rate_hz=rate_hz)
    first_s, last_s = loud_s(clip.samples(path))
    assert first_s == pytest.approx(0.6, abs=0.004)
    assert last_s == pytest.approx(0.64, abs=0.004)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_sound_that_begins_late_stays_in_sync_with_the_pictures(tmp_path: Path, suffix: str) -> None:
    seen = [grey(230 if number == 30 else 20) for number in range(50)]
    path = write(tmp_path / f"a.{suffix}", heard=sound(1.5, 48_000, 0.7), rate_hz=48_000, heard_from_s=0.5, seen=seen)
    flash_s = [picture.time_ns / 1e9 for picture in clip.pictures(path) if bright(picture) > 128]
    assert flash_s == pytest.approx([1.2], abs=0.025)
    assert loud_s(clip.samples(path))[0] == pytest.approx(flash_s[0], abs=0.025)


def test_pictures_keep_their_rate_up_to_25_a_second(tmp_path: Path) -> None:
    slow = write(tmp_path / "slow.mp4", seen=[grey(20)] * 10, fps=10)
    fast = write(tmp_path / "fast.mp4", seen=[grey(20)] * 120, fps=60)
    assert [picture.time_ns for picture in clip.pictures(slow)] == [number * 100 * MS for number in range(10)]
    times_ns = [picture.time_ns for picture in clip.pictures(fast)]
    assert len(times_ns) == 50
    assert all(abs(time_ns - number * 40 * MS) < 17 * MS for number, time_ns in enumerate(times_ns))


def test_each_picture_lasts_until_the_next(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", seen=[grey(20)] * 30, fps=30)
    pictures = list(clip.pictures(path))
    ends_ns = [picture.time_ns + picture.duration_ns for picture in pictures]
    assert ends_ns[:-1] == [picture.time_ns for picture in pictures[1:]]


def test_black_and_white_of_video_are_black_and_white_of_jpeg(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", seen=[grey(0), grey(128), grey(255)])
    assert [bright(picture) for picture in clip.pictures(path)] == pytest.approx([0, 128, 255], abs=3)


def test_a_picture_depends_on_itself_alone_and_is_the_same_every_time(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    noisy = [random.integers(0, 255, (48, 64, 3), np.uint8) for _ in range(3)]
    first = list(clip.pictures(write(tmp_path / "a.avi", seen=noisy, codecs=("aac", "ffv1"))))
    turned = list(clip.pictures(write(tmp_path / "b.avi", seen=noisy[::-1], codecs=("aac", "ffv1"))))
    assert [picture.jpeg for picture in first] == [picture.jpeg for picture in turned[::-1]]
    assert first == list(clip.pictures(tmp_path / "a.avi"))


def test_a_large_picture_is_made_small_enough_for_the_service(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", seen=[grey(60, 2560, 1440)])
    (picture,) = clip.pictures(path)
    frame = decoded(picture)
    assert (frame.width, frame.height) == (1280, 720)


def test_a_clip_may_have_only_sound_or_only_pictures(tmp_path: Path) -> None:
    heard = write(tmp_path / "heard.wav", heard=sound(1.0, 16_000, 0.5), rate_hz=16_000, codecs=("pcm_s16le", ""))
    seen = write(tmp_path / "seen.mp4", seen=[grey(20)] * 25)
    assert list(clip.pictures(heard)) == []
    assert len(clip.samples(seen)) == 0
    assert clip.span_ns(heard) == clip.span_ns(seen) == 1000 * MS


def test_the_cover_of_a_sound_file_is_no_camera(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        audio = container.add_stream("aac", rate=16_000, layout="mono")
        cover = container.add_stream("mjpeg")
        cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        frame = av.VideoFrame.from_ndarray(grey(200), "rgb24").reformat(format="yuvj420p")
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        container.mux(cover.encode(frame))
        block = av.AudioFrame.from_ndarray(sound(1.0, 16_000, 0.5)[None, :], "fltp", "mono")
        block.sample_rate, block.pts, block.time_base = 16_000, 0, Fraction(1, 16_000)
        container.mux(audio.encode(block))
        container.mux(audio.encode(None))
    assert list(clip.pictures(path)) == []


def test_lines_of_webvtt_and_srt_are_read_with_their_times(tmp_path: Path) -> None:
    vtt, srt = tmp_path / "a.vtt", tmp_path / "a.srt"
    vtt.write_text(
        "WEBVTT\n\n00:00.500 --> 00:01.000\nplace red\nat j\n\n00:01.500 --> 00:02.000\nblüe &amp; <b>now</b>\n"
    )
    srt.write_text(
        "1\n00:00:00,500 --> 00:00:01,000\nplace red\nat j\n\n2\n00:00:01,500 --> 00:00:02,000\n<i>blüe & now</i>\n"
    )
    expected = [Cue(500 * MS, 1000 * MS, "place red at j"), Cue(1500 * MS, 2000 * MS, "blüe & now")]
    assert cues(vtt) == cues(srt) == expected


def test_a_file_that_is_no_clip_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no clip")
    for read in (clip.samples, clip.span_ns, cues, lambda path: list(clip.pictures(path))):
        with pytest.raises(ConfigError, match=r"notes\.txt.*give"):
            read(path)
    with pytest.raises(ConfigError, match="is not there"):
        clip.samples(tmp_path / "nothing.mp4")

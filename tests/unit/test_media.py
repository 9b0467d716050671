import struct
from fractions import Fraction
from zlib import crc32

import av
import numpy as np
import pytest
from av.video.codeccontext import VideoCodecContext
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from stream.content import audio_l16
from stream.errors import Reason, RecordError
from stream.frame import Frame, Modality
from stream.media import luma, picture, rgb, samples

JPEG, PNG = "image/jpeg", "image/png"
MOST = 10_000


def gradient(height_px: int, width_px: int) -> NDArray[np.uint8]:
    """A smooth coloured picture, [height, width, 3]."""
    down, across = np.linspace(0, 1, height_px)[:, None, None], np.linspace(0, 1, width_px)[None, :, None]
    return np.asarray(40 + 150 * down * across + 50 * across * np.array([0.0, 0.5, 1.0]), dtype=np.uint8)


def encoded(image: NDArray[np.uint8], content_type: str, pixel_format: str) -> bytes:
    codec = av.CodecContext.create({JPEG: "mjpeg", PNG: "png"}[content_type], "w")
    assert isinstance(codec, VideoCodecContext)
    codec.height, codec.width = image.shape[:2]
    codec.pix_fmt, codec.time_base = pixel_format, Fraction(1, 25)
    codec.qmin = codec.qmax = 2
    shown = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=pixel_format)
    return b"".join(bytes(packet) for packet in [*codec.encode(shown), *codec.encode(None)])


def video(payload: bytes, content_type: str = JPEG) -> Frame:
    return Frame("s", Modality.VIDEO, 0, None, payload, content_type)


def sound(values: NDArray[np.int16], channels: int = 1) -> Frame:
    payload = values.astype(">i2").tobytes()
    return Frame("s", Modality.AUDIO, 0, None, payload, audio_l16(16_000, channels), 16_000, channels)


def brightness(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """ITU-R BT.601."""
    return np.asarray(image @ np.array([0.299, 0.587, 0.114]), dtype=np.float64)


def refusal(payload: bytes, content_type: str = JPEG, max_pixels: int = MOST) -> Reason:
    with pytest.raises(RecordError) as refused:
        picture(video(payload, content_type), max_pixels)
    assert "\n" not in str(refused.value)
    return refused.value.reason


def pixels(payload: bytes, content_type: str) -> int | None:
    """How many there are, None if the picture is refused as it should be."""
    try:
        return luma(picture(video(payload, content_type), MOST)).size
    except RecordError:
        return None


SMALL = encoded(gradient(48, 64), JPEG, "yuvj420p")
SMALL_PNG = encoded(gradient(48, 64), PNG, "rgb24")


@given(st.lists(st.integers(-32768, 32767), min_size=1, max_size=50))
def test_mono_samples_are_their_16_bit_values_in_network_order(values: list[int]) -> None:
    found = samples(sound(np.array(values, dtype=np.int16)))
    assert found.dtype == np.float32
    assert (found * 32768).tolist() == values


@given(st.lists(st.tuples(st.integers(-32768, 32767), st.integers(-32768, 32767)), min_size=1, max_size=50))
def test_the_two_channels_of_stereo_are_averaged(pairs: list[tuple[int, int]]) -> None:
    found = samples(sound(np.array(pairs, dtype=np.int16), channels=2))
    assert (found * 65536).tolist() == [left + right for left, right in pairs]


@pytest.mark.parametrize("pixel_format", ["yuvj420p", "yuvj422p", "yuvj444p"])
def test_a_jpeg_comes_out_as_bright_as_it_went_in(pixel_format: str) -> None:
    image = gradient(50, 70)
    found = luma(picture(video(encoded(image, JPEG, pixel_format)), MOST))
    assert found.shape == (50, 70)
    assert np.abs(found - brightness(image)).max() < 4


@pytest.mark.parametrize("pixel_format", ["rgb24", "rgba", "rgb48be"])
def test_a_png_comes_out_as_it_went_in(pixel_format: str) -> None:
    image = gradient(50, 70)
    shown = picture(video(encoded(image, PNG, pixel_format), PNG), MOST)
    assert np.abs(shown.to_ndarray(format="rgb24").astype(int) - image).max() <= 1
    assert np.abs(luma(shown) - brightness(image)).max() <= 2


@pytest.mark.parametrize("pixel_format", ["gray", "gray16be", "ya8"])
def test_a_grey_png_is_taken_too(pixel_format: str) -> None:
    image = gradient(20, 30)
    shown = picture(video(encoded(image, PNG, pixel_format), PNG), MOST)
    assert np.abs(luma(shown) - brightness(image)).max() <= 2


@pytest.mark.parametrize("pixel_format", ["rgb24", "gray", "rgba64be"])
def test_an_interlaced_png_of_one_row_is_taken_or_bad_media(pixel_format: str) -> None:
    payload = bytearray(encoded(gradient(1, 1), PNG, pixel_format))
    interlace = payload.index(b"IHDR") + 4 + 12
    payload[interlace] = 1  # of one pixel there is only the first pass, which is the same
    payload[interlace + 1 : interlace + 5] = struct.pack(">I", crc32(payload[interlace - 16 : interlace + 1]))
    try:
        image = picture(video(bytes(payload), PNG), MOST)
    except RecordError as error:
        assert error.reason is Reason.BAD_MEDIA  # noqa: PT017 - either will do
    else:
        assert luma(image).shape == (1, 1)
        assert rgb(image, 160, 128).shape == (128, 160, 3)


def test_a_scaled_picture_has_the_size_asked_for_and_its_colours() -> None:
    found = rgb(picture(video(SMALL_PNG, PNG), MOST), 32, 24)
    assert found.shape == (24, 32, 3)
    assert np.abs(found.mean(axis=(0, 1)) - gradient(48, 64).mean(axis=(0, 1))).max() < 2


@pytest.mark.parametrize(("height_px", "width_px"), [(1, 1), (1, 7), (7, 1), (3, 5), (1, 5_000), (100, 100)])
@pytest.mark.parametrize(("content_type", "pixel_format"), [(JPEG, "yuvj420p"), (PNG, "rgb24")])
def test_a_picture_of_any_shape_within_the_limit_is_taken(
    content_type: str, pixel_format: str, height_px: int, width_px: int
) -> None:
    payload = encoded(gradient(height_px, width_px), content_type, pixel_format)
    assert luma(picture(video(payload, content_type), MOST)).shape == (height_px, width_px)


@pytest.mark.parametrize(("content_type", "pixel_format"), [(JPEG, "yuvj420p"), (PNG, "rgb24")])
def test_one_pixel_more_than_allowed_is_refused_and_as_many_as_allowed_are_taken(
    content_type: str, pixel_format: str
) -> None:
    payload = encoded(gradient(50, 90), content_type, pixel_format)
    assert refusal(payload, content_type, 50 * 90 - 1) is Reason.TOO_MANY_PIXELS
    assert picture(video(payload, content_type), 50 * 90).width == 90


def test_too_many_pixels_are_seen_in_the_header_alone() -> None:
    header = SMALL[: SMALL.index(b"\xff\xda")]
    at = header.index(b"\xff\xc0") + 5  # after the marker, its length and the precision: height and width
    huge = header[:at] + struct.pack(">HH", 60_000, 60_000) + header[at + 4 :]
    assert refusal(huge) is Reason.TOO_MANY_PIXELS
    huge_png = SMALL_PNG[:16] + struct.pack(">II", 2**31 - 1, 2**31 - 1) + SMALL_PNG[24:33]
    assert refusal(huge_png, PNG) is Reason.TOO_MANY_PIXELS


def test_a_picture_that_is_larger_than_its_first_header_says_does_not_slip_through() -> None:
    sixteen = encoded(gradient(16, 16), JPEG, "yuvj420p")
    frame_header = sixteen[sixteen.index(b"\xff\xc0") : sixteen.index(b"\xff\xc0") + 19]
    lying = SMALL[:2] + frame_header + encoded(gradient(480, 640), JPEG, "yuvj420p")[2:]
    assert (pixels(lying, JPEG) or 0) <= MOST


@given(st.binary(max_size=200))
def test_bytes_that_are_no_picture_are_bad_media(payload: bytes) -> None:
    assert refusal(payload) is Reason.BAD_MEDIA
    assert refusal(payload, PNG) is Reason.BAD_MEDIA


@pytest.mark.parametrize("payload", [b"", b"GIF89a\x01\0\x01\0", b"<svg width='1' height='1'/>", b"P5 1 1 255 \0"])
def test_what_is_neither_jpeg_nor_png_is_bad_media_though_it_has_a_size(payload: bytes) -> None:
    assert refusal(payload) is Reason.BAD_MEDIA


def test_a_png_that_calls_itself_a_jpeg_is_bad_media_and_the_reverse() -> None:
    assert refusal(SMALL_PNG, JPEG) is Reason.BAD_MEDIA
    assert refusal(SMALL, PNG) is Reason.BAD_MEDIA


@given(st.integers(0, 90))
def test_a_jpeg_that_was_cut_off_is_bad_media(percent: int) -> None:
    assert refusal(SMALL[: len(SMALL) * percent // 100]) is Reason.BAD_MEDIA


@given(st.lists(st.tuples(st.integers(0), st.integers(0, 255)), min_size=1, max_size=8), st.sampled_from([JPEG, PNG]))
def test_a_damaged_picture_decodes_within_the_limit_or_is_a_record_error(
    changes: list[tuple[int, int]], content_type: str
) -> None:
    whole = {JPEG: SMALL, PNG: SMALL_PNG}[content_type]
    damaged = bytearray(whole)
    for place, value in changes:
        damaged[place % len(whole)] = value
    assume(bytes(damaged) != whole)
    assert (pixels(bytes(damaged), content_type) or 0) <= MOST

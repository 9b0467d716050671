import struct
from zlib import compress, compressobj, crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.errors import Reason, RecordError
from stream.frame import Frame, Modality
from stream.media import picture
from stream.plain import MAX_FRAMES, MAX_SCANS, PNG_BEGINNING, plain_jpeg, plain_png

ROW = b"\0" + bytes(3 * 64)
MIB = 1 << 20


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", crc32(name + content))


def header(width_px: int, height_px: int, depth: int = 8, colour: int = 2, interlace: int = 0) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width_px, height_px, depth, colour, 0, 0, interlace))


def png(*chunks: bytes) -> bytes:
    return PNG_BEGINNING + b"".join(chunks) + chunk(b"IEND", b"")


def inflating_to(size_bytes: int) -> bytes:
    packer, block = compressobj(9), bytes(MIB)
    return b"".join(packer.compress(block) for _ in range(size_bytes // MIB)) + packer.flush()


def reason(payload: bytes, content_type: str = "image/png") -> Reason:
    with pytest.raises(RecordError) as caught:
        picture(Frame("a", Modality.VIDEO, 0, None, payload, content_type), 4_000_000)
    return caught.value.reason


@pytest.mark.parametrize("name", [b"iCCP", b"zTXt", b"iTXt"])
def test_a_chunk_that_inflates_to_much_is_never_shown_to_the_decoder(name: bytes) -> None:
    bomb = chunk(name, b"x\0\0" + inflating_to(64 * MIB))
    rows = chunk(b"IDAT", compress(ROW * 48))
    assert plain_png(png(header(64, 48), bomb, rows)) == png(header(64, 48), rows)


def test_rows_that_inflate_to_more_than_the_picture_has_are_bad_media() -> None:
    assert reason(png(header(64, 48), chunk(b"IDAT", inflating_to(64 * MIB)))) is Reason.BAD_MEDIA
    one_row_more = compress(ROW * 49)
    assert reason(png(header(64, 48), chunk(b"IDAT", one_row_more))) is Reason.BAD_MEDIA
    assert reason(png(header(64, 48), chunk(b"IDAT", one_row_more[:9]), chunk(b"IDAT", one_row_more[9:]))) is (
        Reason.BAD_MEDIA
    )


@pytest.mark.parametrize(("colour", "samples"), [(0, 1), (2, 3), (4, 2), (6, 4)])
@pytest.mark.parametrize("depth", [8, 16])
def test_rows_of_any_kind_that_are_just_enough_are_taken(colour: int, samples: int, depth: int) -> None:
    rows = compress((b"\0" + bytes(64 * samples * depth // 8)) * 48)
    whole = png(header(64, 48, depth, colour), chunk(b"IDAT", rows))
    assert plain_png(whole) == whole
    assert picture(Frame("a", Modality.VIDEO, 0, None, whole, "image/png"), 4_000_000).width == 64


def test_an_interlaced_picture_has_the_rows_of_all_its_passes() -> None:
    # Of 8x8 pixels: 1x1, 1x1, 2x1, 2x2, 4x2, 4x4, 8x4.
    passes = [(1, 1), (1, 1), (2, 1), (2, 2), (4, 2), (4, 4), (8, 4)]
    rows = b"".join((b"\0" + bytes(3 * width)) * height for width, height in passes)
    whole = png(header(8, 8, interlace=1), chunk(b"IDAT", compress(rows)))
    assert plain_png(whole) == whole
    with pytest.raises(RecordError, match="inflates to more"):
        plain_png(png(header(8, 8, interlace=1), chunk(b"IDAT", compress(rows + b"\0"))))


@pytest.mark.parametrize("payload", [PNG_BEGINNING, png(), png(chunk(b"IHDR", b"short")), png(chunk(b"IDAT", b""))])
def test_a_png_that_does_not_begin_with_its_header_is_bad_media(payload: bytes) -> None:
    with pytest.raises(RecordError, match="does not begin with its header"):
        plain_png(payload)


@given(st.binary(max_size=80))
def test_a_png_of_any_bytes_is_handed_on_or_bad_media(rest: bytes) -> None:
    for payload in (PNG_BEGINNING + rest, PNG_BEGINNING + header(3, 3) + rest):
        try:
            assert plain_png(payload).startswith(PNG_BEGINNING)
        except RecordError as error:
            assert error.reason is Reason.BAD_MEDIA  # noqa: PT017 - either will do


def test_a_jpeg_of_more_scans_or_frames_than_any_camera_makes_is_bad_media() -> None:
    most = b"\xff\xd8" + b"\xff\xc2" * MAX_FRAMES + b"\xff\xda" * MAX_SCANS
    assert plain_jpeg(most) == most
    for marker in (b"\xff\xda", b"\xff\xc0", b"\xff\xc3"):
        with pytest.raises(RecordError) as caught:
            plain_jpeg(most + marker)
        assert caught.value.reason is Reason.BAD_MEDIA

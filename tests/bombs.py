"""Payloads that are small and ask for much: what nobody sends by mistake. Each is made once."""

from __future__ import annotations

import struct
from functools import cache
from io import BytesIO
from zlib import compressobj, crc32

from PIL import Image

MIB = 1 << 20
PNG_BEGINNING = b"\x89PNG\r\n\x1a\n"
SCAN, BASELINE, PROGRESSIVE = b"\xff\xda", b"\xff\xc0", b"\xff\xc2"


@cache
def bombs() -> dict[str, tuple[bytes, bytes]]:
    """Content type and payload by name."""
    jpeg, png = b"image/jpeg", b"image/png"
    return {
        "jpeg of 65535x65535": (jpeg, sized(jpeg_of(64, 64), 65_535, 65_535)),
        "jpeg of a row 65535 wide": (jpeg, sized(jpeg_of(64, 64), 65_535, 1)),
        "jpeg of 20,000 scans": (jpeg, _again(jpeg_of(64, 64, progressive=True), SCAN, 20_000)),
        "large jpeg of 60 scans": (jpeg, _again(jpeg_of(2000, 2000, progressive=True), SCAN, 50)),
        "jpeg of 1,000 frames": (jpeg, _again(jpeg_of(64, 64, progressive=True), PROGRESSIVE, 1_000)),
        "png of 2^31 - 1 a side": (png, png_of(2**31 - 1, 2**31 - 1, b"")),
        "png of 0 a side": (png, png_of(0, 0, b"")),
        "png whose rows inflate to 256 MiB": (png, png_of(64, 48, inflating_to(256 * MIB))),
        "large png of too many rows": (png, png_of(2000, 2000, inflating_to(64 * MIB))),
        "png whose colour profile inflates to 256 MiB": (png, png_of(64, 48, b"", b"iCCP", inflating_to(256 * MIB))),
        "png whose text inflates to 256 MiB": (png, png_of(64, 48, b"", b"zTXt", inflating_to(256 * MIB))),
    }


def jpeg_of(width_px: int, height_px: int, *, progressive: bool = False) -> bytes:
    """A JPEG of one colour."""
    file = BytesIO()
    Image.new("RGB", (width_px, height_px), (90, 120, 60)).save(file, "JPEG", progressive=progressive)
    return file.getvalue()


def sized(jpeg: bytes, width_px: int, height_px: int) -> bytes:
    """The JPEG, which now says that it has another size."""
    at = jpeg.index(BASELINE) + 5  # behind the marker, its length and the precision
    return jpeg[:at] + struct.pack(">HH", height_px, width_px) + jpeg[at + 4 :]


def png_of(width_px: int, height_px: int, rows: bytes, name: bytes = b"", content: bytes = b"") -> bytes:
    """A PNG of these compressed rows, and a chunk before them if it has a name."""
    header = struct.pack(">IIBBBBB", width_px, height_px, 8, 2, 0, 0, 0)
    extra = _chunk(name, b"x\0\0" + content) if name else b""
    return PNG_BEGINNING + _chunk(b"IHDR", header) + extra + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")


@cache
def inflating_to(size_bytes: int) -> bytes:
    """As few bytes as zlib makes of so many."""
    packer, block = compressobj(9), bytes(MIB)
    return b"".join(packer.compress(block) for _ in range(size_bytes // MIB)) + packer.flush()


def _again(jpeg: bytes, marker: bytes, times: int) -> bytes:
    """The JPEG with its last segment of this kind so many times."""
    begin = jpeg.rindex(marker)
    end = len(jpeg) - 2 if marker == SCAN else begin + 2 + struct.unpack_from(">H", jpeg, begin + 2)[0]
    return jpeg[:begin] + jpeg[begin:end] * times + jpeg[end:]


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", crc32(name + content))

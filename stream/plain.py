"""Pictures without what a decoder should never be shown: held against what their own headers promise, before they are decoded.

    Frame.payload -> [plain PNG | JPEG] -> media.py

A decoder follows whatever a file says. A PNG of 800 kB may hold a colour profile of 800 MB, or rows for a thousand pictures;
a JPEG may go over its pixels ten thousand times. Knows the files' outer structure, decodes nothing.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np

from stream.errors import Reason, RecordError

PNG_BEGINNING = b"\x89PNG\r\n\x1a\n"
MAX_SCANS = 64  # of a JPEG; a progressive one usually has ten
MAX_FRAMES = 8  # headers of frames in a JPEG: its own, those of thumbnails in it

_SHOWN = frozenset((b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"))  # all that the pixels depend on
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # a pixel, by colour type
_HEADER_BYTES = 13
_CHUNK_BYTES = 12  # length, name and sum around what a chunk holds
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_SCAN, _FRAME, _FRAME_KINDS = (
    np.uint8(0xDA),
    np.uint8(0xC0),
    4,
)  # markers: start of scan; of baseline, extended, ... frames


def plain_jpeg(payload: bytes) -> bytes:
    """The same bytes.

    Raises
    ------
    RecordError
        `bad_media`, if it goes over its pixels more often than any camera's does. Between the markers no such bytes occur.
    """
    there = np.frombuffer(payload, dtype=np.uint8)
    markers = there[1:][there[:-1] == 0xFF]  # what follows: searching for two bytes takes five times as long
    scans = np.count_nonzero(markers == _SCAN)
    if scans > MAX_SCANS:
        raise _bad(f"The JPEG has {scans} scans, at most {MAX_SCANS} are taken; send baseline pictures.")
    frames = np.count_nonzero(markers - _FRAME < _FRAME_KINDS)  # unsigned: what is below wraps around
    if frames > MAX_FRAMES:
        raise _bad(f"The JPEG has {frames} frame headers, at most {MAX_FRAMES} are taken; send one picture a record.")
    return payload


def plain_png(payload: bytes) -> bytes:
    """Only the chunks that the pixels depend on; colour profiles, texts and animation are left out.

    Raises
    ------
    RecordError
        `bad_media`, if it does not begin with its header, or its rows inflate to more than the picture has.
    """
    chunks = _chunks(payload)
    if not chunks or chunks[0][0] != b"IHDR" or len(chunks[0][1]) != _CHUNK_BYTES + _HEADER_BYTES:
        raise _bad("The PNG does not begin with its header; send whole pictures.")
    most_bytes = _rows_bytes(chunks[0][1][8:-4])
    rows = zlib.decompressobj()
    try:
        for name, chunk in chunks:
            if name == b"IDAT":
                most_bytes -= len(rows.decompress(chunk[8:-4], most_bytes + 1))
                if most_bytes < 0:
                    raise _bad("The PNG inflates to more than its picture has; send it as an encoder made it.")
    except zlib.error:
        pass  # the decoder has the say on what is damaged
    return PNG_BEGINNING + b"".join(chunk for _, chunk in chunks)


def _chunks(payload: bytes) -> list[tuple[bytes, bytes]]:
    """Name and bytes of each chunk that is shown, up to the first that is cut off."""
    found, at = [], len(PNG_BEGINNING)
    while at + _CHUNK_BYTES <= len(payload):
        length, name = struct.unpack_from(">I4s", payload, at)
        end = at + _CHUNK_BYTES + length
        if name in _SHOWN:
            found.append((name, payload[at:end]))
        at = end
    return found


def _rows_bytes(header: bytes) -> int:
    """What the rows of a picture take, each with its filter's byte."""
    width_px, height_px, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", header)
    bits = depth * _SAMPLES.get(colour, 4)
    sizes = [(width_px, height_px)]
    if interlace:
        sizes = [(-(-(width_px - x) // dx), -(-(height_px - y) // dy)) for x, y, dx, dy in _ADAM7]
    return sum(height * (1 + (width * bits + 7) // 8) for width, height in sizes if width > 0 and height > 0)


def _bad(message: str) -> RecordError:
    return RecordError(Reason.BAD_MEDIA, message)

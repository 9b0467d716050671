"""Content types: what the bytes of a frame are, by RFC 2045 and, for sound, RFC 2586.

Each distinct header is parsed once, and each source's headers are judged once; the rest is a lookup. Knows the headers,
not the bytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from stream.errors import Reason, RecordError

RATE_HZ = range(8_000, 48_001)
CHANNELS = (1, 2)
BYTES_PER_SAMPLE = 2
TEXT = "text/plain;charset=utf-8"
IMAGES = ("image/jpeg", "image/png")

_MAX_BYTES = 256  # so that the cache is bounded in bytes as well
_MAX_KNOWN, _MAX_KNOWN_BYTES = 1_024, 1_024  # sources, and the headers of each
_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_ESSENCE = re.compile(rf"({_NAME}/{_NAME})[ \t]*")
_PARAMETER = re.compile(rf';[ \t]*({_NAME})=(?:({_NAME})|"((?:[^"\\\r\n]|\\.)*)")[ \t]*')


@dataclass(frozen=True, slots=True)
class ContentType:
    """A content type that Trivium reads, and the modality it belongs to."""

    modality: Literal["text", "audio", "video"]
    canonical: str  # the same for all spellings
    rate_hz: int = 0
    channels: int = 0


# By what a source says in all its frames alike, as values of headers; all of it was found good in one of them.
known: dict[tuple[bytes | None, ...], ContentType] = {}


def remember(alike: tuple[bytes | None, ...], content: ContentType) -> None:
    """Know these headers again; bounded in number and in bytes, whatever is sent."""
    if sum(len(value or b"") for value in alike) > _MAX_KNOWN_BYTES:
        return
    if len(known) >= _MAX_KNOWN:
        known.clear()
    known[alike] = content


def audio_l16(rate_hz: int, channels: int) -> str:
    """The canonical spelling of 16-bit samples in network byte order."""
    return f"audio/L16;rate={rate_hz};channels={channels}"


def content_type(header: bytes) -> ContentType:
    """Read a `content-type` header; parameters in any order and case, quoted or not, unknown ones passed over.

    Raises
    ------
    RecordError
        `bad_header`, when it is malformed or none of the contract's.
    """
    if len(header) > _MAX_BYTES:
        raise _bad(header[:_MAX_BYTES], f"it has {len(header)} bytes")
    return _parse(header)


@lru_cache(maxsize=256)
def _parse(header: bytes) -> ContentType:
    essence, parameters = _split(header)
    if essence == "audio/l16":
        rate_hz = _number(header, parameters, "rate", None)
        channels = _number(header, parameters, "channels", 1)
        if rate_hz not in RATE_HZ or channels not in CHANNELS:
            raise _bad(header, "the rate must be 8000 to 48000 Hz, channels 1 or 2")
        return ContentType("audio", audio_l16(rate_hz, channels), rate_hz, channels)
    if essence in IMAGES:
        return ContentType("video", essence)
    # Without a charset it is US-ASCII, of which UTF-8 makes the same text.
    if essence == "text/plain" and parameters.get("charset", "utf-8").lower() == "utf-8":
        return ContentType("text", TEXT)
    raise _bad(header, "it is none of these")


def _split(header: bytes) -> tuple[str, dict[str, str]]:
    text = header.decode("latin-1").strip(" \t")
    found = _ESSENCE.match(text)
    if found is None:
        raise _bad(header, "no type/subtype was found")
    essence, at = found[1].lower(), found.end()
    parameters: dict[str, str] = {}
    while at < len(text):
        found = _PARAMETER.match(text, at)
        if found is None:
            raise _bad(header, f"after {at} characters ;name=value was expected")
        name, bare, quoted = found[1].lower(), found[2], found[3]
        if name in parameters:
            raise _bad(header, f"{name} is there twice")
        parameters[name] = bare if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        at = found.end()
    return essence, parameters


def _number(header: bytes, parameters: dict[str, str], name: str, default: int | None) -> int:
    text = parameters.get(name)
    if text is None and default is not None:
        return default
    if text is None or not (text.isascii() and text.isdigit() and len(text) <= 5):
        raise _bad(header, f"{name} must be a decimal number")
    return int(text)


def _bad(header: bytes, why: str) -> RecordError:
    expected = f"{audio_l16(16_000, 1)}, {', '.join(IMAGES)} or {TEXT}"
    return RecordError(Reason.BAD_HEADER, f"The content-type is {header!r}: {why}; send one like {expected}.")

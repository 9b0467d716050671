from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.content import TEXT, ContentType, audio_l16, content_type
from stream.errors import Reason, RecordError

MONO_16K = ContentType("audio", "audio/L16;rate=16000;channels=1", 16_000, 1)

SPELLINGS = {
    b"audio/L16;rate=16000;channels=1": MONO_16K,
    b"audio/l16;channels=1;rate=16000": MONO_16K,
    b"AUDIO/L16 ; RATE=16000 ;\tChannels=1 ": MONO_16K,
    b'audio/L16;rate="16000";channels="1"': MONO_16K,
    b'audio/L16;rate="1\\6000";channels=1': MONO_16K,
    b"audio/L16;rate=16000": MONO_16K,
    b'audio/L16;rate=16000;channels=1;note="a;b=\\"c\\""': MONO_16K,
    b"audio/L16;rate=8000;channels=2": ContentType("audio", "audio/L16;rate=8000;channels=2", 8_000, 2),
    b"audio/L16;rate=44100;channels=1": ContentType("audio", "audio/L16;rate=44100;channels=1", 44_100, 1),
    b"audio/L16;rate=48000;channels=2": ContentType("audio", "audio/L16;rate=48000;channels=2", 48_000, 2),
    b"image/jpeg": ContentType("video", "image/jpeg"),
    b"Image/JPEG": ContentType("video", "image/jpeg"),
    b"image/png": ContentType("video", "image/png"),
    b"text/plain;charset=utf-8": ContentType("text", TEXT),
    b'text/plain; charset="UTF-8"': ContentType("text", TEXT),
    b"text/plain": ContentType("text", TEXT),
}

REFUSED = [
    b"",
    b"audio",
    b"audio/",
    b"audio/L16",
    b"audio/L16;channels=1",
    b"audio/L16;rate=;channels=1",
    b"audio/L16;rate=16000;channels=0",
    b"audio/L16;rate=16000;channels=3",
    b"audio/L16;rate=7999;channels=1",
    b"audio/L16;rate=48001;channels=1",
    b"audio/L16;rate=-16000;channels=1",
    b"audio/L16;rate=16000.0;channels=1",
    b"audio/L16;rate=16k;channels=1",
    b"audio/L16;rate=99999999999999999999;channels=1",
    "audio/L16;rate=\u0661\u0666000;channels=1".encode(),
    b"audio/L16;rate=16000;rate=16000;channels=1",
    b"audio/L16;rate=16000;channels=1;",
    b"audio/L16;rate=16000 channels=1",
    b'audio/L16;rate="16000;channels=1',
    b"audio/L16 rate=16000;channels=1",
    b"audio/L24;rate=16000;channels=1",
    b"audio/wav",
    b"image/gif",
    b"text/html;charset=utf-8",
    b"text/plain;charset=latin-1",
    b"text/plain;charset=utf-16",
    b"application/octet-stream",
    b"image/jpeg\xff",
    b"image/jpeg;" + b"x" * 300 + b"=1",
]


@pytest.mark.parametrize(("header", "expected"), SPELLINGS.items())
def test_every_spelling_of_a_content_type_reads_as_the_canonical_one(header: bytes, expected: ContentType) -> None:
    assert content_type(header) == expected
    assert content_type(expected.canonical.encode()) == expected


@pytest.mark.parametrize("header", REFUSED)
def test_any_other_content_type_is_a_bad_header_whose_message_shows_a_good_one(header: bytes) -> None:
    with pytest.raises(RecordError, match=r"audio/L16;rate=16000;channels=1") as caught:
        content_type(header)
    assert caught.value.reason is Reason.BAD_HEADER


@given(st.integers(8_000, 48_000), st.integers(1, 2))
def test_every_rate_and_channel_count_in_range_is_read_as_written(rate_hz: int, channels: int) -> None:
    found = content_type(audio_l16(rate_hz, channels).encode())
    assert (found.rate_hz, found.channels) == (rate_hz, channels)


@given(st.binary(max_size=60) | st.from_regex(rb"audio/L16(;(rate|channels)=[0-9\"]*){0,3}", fullmatch=True))
def test_any_bytes_are_a_content_type_or_a_bad_header(header: bytes) -> None:
    try:
        found: str = content_type(header).modality
    except RecordError as error:
        found = error.reason
    assert found in ("text", "audio", "video", Reason.BAD_HEADER)

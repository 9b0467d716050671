from __future__ import annotations

from dataclasses import replace
from sys import getrefcount
from typing import Any

import pytest

from stream.content import TEXT, audio_l16
from stream.errors import Reason, RecordError
from stream.frame import Bound, End, Frame, Modality, Record, parse
from stream.times import NS_PER_MS, format_rfc3339

MAX_RECORD_BYTES = 900_000
DEFAULTS = {Modality.AUDIO: audio_l16(16_000, 1), Modality.VIDEO: "image/jpeg", Modality.TEXT: TEXT}
NOON_NS = 1_772_366_400_000_000_000  # 2026-03-01T12:00:00Z
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
SOUND = Record(
    topic="audio",
    partition=3,
    offset=17,
    timestamp_ms=1_772_366_400_025,
    key=b"studio",
    value=b"\x00\x01" * 320,
    headers=(
        ("ce_specversion", b"1.0"),
        ("ce_id", b"1"),
        ("ce_source", b"/microphone"),
        ("ce_type", b"trivium.frame.v1"),
        ("ce_time", b"2026-03-01T12:00:00Z"),
        ("content-type", b"audio/L16;rate=16000;channels=1"),
    ),
)


def with_headers(record: Record, **headers: bytes | None) -> Record:
    """The record with some headers set, or left out where None; `content_type` stands for content-type."""
    named = {name.replace("content_type", "content-type"): value for name, value in headers.items()}
    changed = {**dict(record.headers), **named}
    return replace(record, headers=tuple((name, value) for name, value in changed.items() if value is not None))


def as_modality(modality: Modality, content_type: bytes, value: bytes) -> Record:
    return with_headers(replace(SOUND, topic=modality.value, value=value), content_type=content_type)


def read(record: Record, modality: Modality = Modality.AUDIO) -> Frame | Bound | End:
    return parse(record, modality, DEFAULTS, MAX_RECORD_BYTES)


def read_frame(record: Record, modality: Modality = Modality.AUDIO) -> Frame:
    frame = read(record, modality)
    assert isinstance(frame, Frame)
    return frame


def reason(record: Record, modality: Modality = Modality.AUDIO) -> Reason:
    with pytest.raises(RecordError, match=r"; |must|\.$") as caught:
        read(record, modality)
    return caught.value.reason


PICTURE = as_modality(Modality.VIDEO, b"image/jpeg", b"\xff\xd8\xff\xe0")
SHOWN_TEXT = as_modality(Modality.TEXT, b"text/plain;charset=utf-8", "Grüße".encode())


def test_a_sound_lasts_as_long_as_its_samples_whatever_its_header_says() -> None:
    assert read_frame(with_headers(SOUND, ce_duration=b"999")) == Frame(
        session="studio",
        modality=Modality.AUDIO,
        time_ns=NOON_NS,
        duration_ns=20_000_000,
        payload=b"\x00\x01" * 320,
        content_type="audio/L16;rate=16000;channels=1",
        rate_hz=16_000,
        channels=1,
        partition=3,
        offset=17,
        timestamp_ms=1_772_366_400_025,
    )


def test_a_sound_of_two_channels_at_an_odd_rate_lasts_its_samples_to_the_nearest_nanosecond() -> None:
    record = with_headers(replace(SOUND, value=bytes(4 * 441)), content_type=b"audio/L16;channels=2;rate=22050")
    frame = read_frame(record)
    assert (frame.duration_ns, frame.rate_hz, frame.channels) == (20_000_000, 22_050, 2)
    assert read_frame(replace(record, value=bytes(4))).duration_ns == 45_351


def test_a_record_without_ce_headers_was_captured_when_it_was_produced_and_is_what_the_settings_say() -> None:
    plain = replace(SOUND, headers=(("trace", b"x"), ("trace", b"y")))
    frame = read_frame(plain)
    assert frame == replace(read_frame(SOUND), time_ns=1_772_366_400_025 * NS_PER_MS)
    assert read_frame(replace(plain, value=b"\xff\xd8"), Modality.VIDEO).content_type == "image/jpeg"
    assert read_frame(replace(plain, value=b"hello"), Modality.TEXT).content_type == TEXT


def test_a_plain_record_takes_its_content_type_from_the_settings_only() -> None:
    plain = replace(SOUND, headers=(("content-type", b"application/octet-stream"),))
    assert read_frame(plain).content_type == DEFAULTS[Modality.AUDIO]


def test_a_plain_record_without_a_timestamp_has_a_bad_time() -> None:
    assert reason(replace(SOUND, headers=(), timestamp_ms=-1)) is Reason.BAD_TIME
    assert reason(replace(SOUND, headers=(), timestamp_ms=2**62)) is Reason.BAD_TIME


def test_a_structured_cloud_event_is_told_from_a_plain_record() -> None:
    structured = replace(SOUND, headers=(("content-type", b"application/cloudevents+json; charset=utf-8"),))
    assert reason(structured) is Reason.BAD_HEADER


def test_a_bound_and_an_end_are_read_with_their_place() -> None:
    place = ("studio", Modality.AUDIO, NOON_NS, 3, 17, 1_772_366_400_025)
    for value in (None, b""):
        bound = with_headers(replace(SOUND, value=value), ce_type=b"trivium.bound.v1", content_type=None)
        assert read(bound) == Bound(*place)
        assert read(with_headers(bound, ce_type=b"trivium.end.v1")) == End(*place)


@pytest.mark.parametrize("kind", [b"trivium.bound.v1", b"trivium.end.v1"])
def test_a_bound_or_an_end_with_a_value_has_a_bad_length(kind: bytes) -> None:
    assert reason(with_headers(replace(SOUND, value=b"x"), ce_type=kind)) is Reason.BAD_LENGTH


def test_a_picture_keeps_its_duration_and_region() -> None:
    frame = read_frame(with_headers(PICTURE, ce_duration=b"40", ce_region=b"mouth"), Modality.VIDEO)
    assert (frame.duration_ns, frame.region) == (40_000_000, "mouth")
    frame = read_frame(PICTURE, Modality.VIDEO)
    assert (frame.duration_ns, frame.region) == (None, "scene")


def test_a_picture_that_says_it_lasts_a_day_is_taken_for_two_seconds_and_a_text_is_believed() -> None:
    assert read_frame(with_headers(PICTURE, ce_duration=b"1999"), Modality.VIDEO).duration_ns == 1_999_000_000
    assert read_frame(with_headers(PICTURE, ce_duration=b"86400000"), Modality.VIDEO).duration_ns == 2_000_000_000
    assert read_frame(with_headers(SHOWN_TEXT, ce_duration=b"86400000"), Modality.TEXT).duration_ns == 86_400 * 10**9


def test_a_duration_of_zero_says_that_it_is_unknown() -> None:
    assert read_frame(with_headers(PICTURE, ce_duration=b"0"), Modality.VIDEO).duration_ns is None


def test_an_empty_text_is_a_text() -> None:
    assert read_frame(replace(SHOWN_TEXT, value=b""), Modality.TEXT).payload == b""


def test_a_long_text_is_used_up_to_a_thousand_characters() -> None:
    whole = read_frame(replace(SHOWN_TEXT, value=("é" * 1000).encode()), Modality.TEXT)
    longer = read_frame(replace(SHOWN_TEXT, value=("é" * 400_000).encode()), Modality.TEXT)
    assert whole.payload == longer.payload == ("é" * 1000).encode()


def test_a_text_that_is_not_utf_8_is_bad_even_beyond_what_is_used() -> None:
    assert reason(replace(SHOWN_TEXT, value=b"a" * 2000 + b"\xff"), Modality.TEXT) is Reason.BAD_TEXT
    assert reason(replace(SHOWN_TEXT, value=b"\xed\xa0\x80"), Modality.TEXT) is Reason.BAD_TEXT


def test_a_sequence_and_a_traceparent_are_passed_on() -> None:
    frame = read_frame(with_headers(SOUND, ce_sequence=b"0000000012", traceparent=TRACEPARENT.encode()))
    assert (frame.sequence, frame.traceparent) == (12, TRACEPARENT)


@pytest.mark.parametrize(
    "value", [b"", b"00-x", TRACEPARENT.upper().encode(), b"ff" + TRACEPARENT[2:].encode(), b"00-" + b"0" * 52]
)
def test_a_traceparent_that_is_none_is_passed_over(value: bytes) -> None:
    assert read_frame(with_headers(SOUND, traceparent=value)).traceparent is None


def test_a_frame_keeps_its_headers_and_counts_them_into_its_size() -> None:
    frame = read_frame(replace(SOUND, headers=(*SOUND.headers, ("x", b"123"))))
    assert frame.headers == (*SOUND.headers, ("x", b"123"))
    assert frame.size_bytes == read_frame(SOUND).size_bytes + 4
    assert read_frame(replace(SOUND, headers=())).size_bytes == 640
    null: Any = None  # as Kafka allows
    assert replace(SOUND, headers=(("x", null), ("ce_y", b"12"))).headers_bytes == 1 + 6


def test_a_key_has_1_to_128_bytes_of_utf_8() -> None:
    assert read(replace(SOUND, key=b"k" * 128)).session == "k" * 128
    assert read(replace(SOUND, key="é".encode() * 64)).session == "é" * 64
    assert reason(replace(SOUND, key=None)) is Reason.NO_KEY
    for key in (b"", b"k" * 129, b"\xff", b"\xc3"):
        assert reason(replace(SOUND, key=key)) is Reason.BAD_KEY


def test_a_value_of_the_limit_is_read_and_one_byte_more_is_too_large() -> None:
    assert read_frame(replace(PICTURE, value=bytes(MAX_RECORD_BYTES)), Modality.VIDEO).payload
    assert reason(replace(PICTURE, value=bytes(MAX_RECORD_BYTES + 1)), Modality.VIDEO) is Reason.TOO_LARGE


@pytest.mark.parametrize("length", [0, 1, 2, 3, 5])
def test_a_sound_that_is_empty_or_ends_within_a_sample_has_a_bad_length(length: int) -> None:
    record = with_headers(replace(SOUND, value=bytes(length)), content_type=b"audio/L16;rate=16000;channels=2")
    assert reason(record) is Reason.BAD_LENGTH


@pytest.mark.parametrize("value", [None, b""])
def test_a_picture_without_bytes_is_bad_media(value: bytes | None) -> None:
    assert reason(replace(PICTURE, value=value), Modality.VIDEO) is Reason.BAD_MEDIA


@pytest.mark.parametrize("name", ["ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "content-type"])
@pytest.mark.parametrize("change", ["missing", "empty", "twice"])
def test_a_required_header_is_there_once_and_not_empty(name: str, change: str) -> None:
    others = tuple(header for header in SOUND.headers if header[0] != name)
    value = dict(SOUND.headers)[name]
    found = {"missing": (), "empty": ((name, b""),), "twice": ((name, value), (name, value))}[change]
    assert reason(replace(SOUND, headers=(*others, *found))) is Reason.BAD_HEADER


@pytest.mark.timeout(60)
def test_very_many_headers_are_read_in_time_that_grows_as_they_do() -> None:
    many = tuple((f"n{number}", b"") for number in range(200_000))
    assert read(replace(SOUND, headers=(*SOUND.headers, *many, ("n1", b"")))) == read(SOUND)


def test_a_foreign_header_may_come_twice_and_may_be_anything() -> None:
    record = replace(SOUND, headers=(*SOUND.headers, ("x", b"\xff"), ("x", b""), ("ce_subject", b"stage")))
    assert read(record) == read(SOUND)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ce_specversion", b"0.3"),
        ("ce_specversion", b"1.0 "),
        ("ce_id", b"\xff"),
        ("ce_source", b"\xc3("),
        ("ce_duration", b""),
        ("ce_duration", b"-1"),
        ("ce_duration", b"+1"),
        ("ce_duration", b"40.0"),
        ("ce_duration", b"4_0"),
        ("ce_duration", b"86400001"),
        ("ce_duration", b"9" * 5000),
        ("ce_sequence", b""),
        ("ce_sequence", b"12"),
        ("ce_sequence", b"00000000012"),
        ("ce_sequence", b"000000001x"),
        ("ce_sequence", b"-000000001"),
        ("content_type", b"image/jpeg"),
        ("content_type", b"audio/L16"),
    ],
)
def test_a_malformed_header_is_a_bad_header(name: str, value: bytes) -> None:
    assert reason(with_headers(SOUND, **{name: value})) is Reason.BAD_HEADER


def test_a_frame_of_a_known_source_is_refused_for_the_first_of_its_faults() -> None:
    read(SOUND)
    without_sequence = with_headers(SOUND, ce_sequence=b"1")
    without_samples = replace(without_sequence, value=b"x")
    without_time = with_headers(without_samples, ce_time=b"noon")
    without_id = with_headers(without_time, ce_id=b"\xff")
    assert reason(without_id) is Reason.BAD_HEADER
    assert reason(without_time) is Reason.BAD_TIME
    assert reason(without_samples) is Reason.BAD_LENGTH
    assert reason(without_sequence) is Reason.BAD_HEADER


def test_sources_are_known_again_only_in_a_bounded_number_and_length() -> None:
    sources = [b"/microphone/%d" % number for number in range(5_000)] + [b"x" * 100_000]
    before = [getrefcount(source) for source in sources]
    for number in range(len(sources)):
        read(with_headers(SOUND, ce_source=sources[number]))
    after = [getrefcount(source) for source in sources]
    *kept, long_kept = (now - then for then, now in zip(before, after, strict=True))
    assert 0 < sum(kept) <= 1_024
    assert long_kept == 0


def test_a_region_is_mouth_or_scene_and_is_asked_of_pictures_only() -> None:
    assert reason(with_headers(PICTURE, ce_region=b"Mouth"), Modality.VIDEO) is Reason.BAD_HEADER
    assert read_frame(with_headers(SOUND, ce_region=b"Mouth")).region == "scene"


@pytest.mark.parametrize("kind", [b"trivium.frame.v2", b"Trivium.frame.v1", b"com.example.other"])
def test_an_unknown_type_is_told_from_a_bad_header_even_without_a_time(kind: bytes) -> None:
    assert reason(with_headers(SOUND, ce_type=kind, ce_time=None)) is Reason.UNKNOWN_TYPE


@pytest.mark.parametrize(
    "value",
    [
        b"noon",
        b"2026-03-01T12:00:00",
        b"1969-12-31T23:59:59.999999999Z",
        b"2262-04-11T23:47:16.854775808Z",
        b"9999-12-31T23:59:59Z",
    ],
)
def test_a_time_that_is_malformed_or_absurd_is_a_bad_time(value: bytes) -> None:
    assert reason(with_headers(SOUND, ce_time=value)) is Reason.BAD_TIME


def test_a_frame_that_would_end_beyond_64_bits_has_a_bad_time() -> None:
    last = format_rfc3339(2**63 - 1).encode()
    assert reason(with_headers(SOUND, ce_time=last)) is Reason.BAD_TIME
    assert read(with_headers(replace(SOUND, value=None), ce_time=last, ce_type=b"trivium.end.v1")).time_ns == 2**63 - 1


def test_what_is_wrong_with_a_frame_is_said_in_one_short_line() -> None:
    with pytest.raises(RecordError) as caught:
        read(with_headers(SOUND, ce_type=b"x" * 10_000))
    message = str(caught.value)
    assert len(message) < 300
    assert "\n" not in message

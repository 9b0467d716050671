from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.content import TEXT, audio_l16
from stream.deadletter import dead_letter
from stream.errors import Reason, RecordError
from stream.forward import MAX_FORWARDED_BYTES, MAX_HEADERS_BYTES
from stream.frame import Frame, Modality, Record, parse
from stream.media import picture

MAX_RECORD_BYTES = 900_000
DEFAULTS = {Modality.AUDIO: audio_l16(16_000, 1), Modality.VIDEO: "image/png", Modality.TEXT: TEXT}
ERROR = RecordError(Reason.TOO_LARGE, "The value is too large; send less.")
PNG_OF_9_MEGAPIXELS = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x0b\xb8\x00\x00\x0b\xb8\x08\x02\x00\x00\x00"


def plain(key: bytes | None = b"studio", value: bytes | None = b"ab", **headers: bytes) -> Record:
    return Record("audio", 3, 17, 1_772_366_400_025, key, value, tuple(headers.items()))


def letter(record: Record, error: RecordError = ERROR, max_record_bytes: int = MAX_RECORD_BYTES) -> Record:
    return dead_letter(record, error, "dead-letters", max_record_bytes)


def added(record: Record) -> dict[str, bytes]:
    return {name: value for name, value in record.headers if name.startswith("trivium_")}


def event(event_type: bytes, time: bytes = b"2026-03-01T12:00:00Z") -> Record:
    return plain(ce_specversion=b"1.0", ce_id=b"1", ce_source=b"/m", ce_type=event_type, ce_time=time)


def read_and_decode(record: Record, modality: Modality) -> None:
    frame = parse(record, modality, DEFAULTS, MAX_RECORD_BYTES)
    assert isinstance(frame, Frame)
    picture(frame, max_pixels=4_000_000)


@pytest.mark.parametrize(
    ("modality", "record", "reason"),
    [
        (Modality.AUDIO, plain(key=None), "no_key"),
        (Modality.AUDIO, plain(key=b"\xff"), "bad_key"),
        (Modality.AUDIO, event(b"com.example.order"), "unknown_type"),
        (Modality.AUDIO, plain(ce_type=b"trivium.frame.v1"), "bad_header"),
        (Modality.AUDIO, event(b"trivium.bound.v1", b"1969-07-20T20:17:40Z"), "bad_time"),
        (Modality.AUDIO, plain(value=b"abc"), "bad_length"),
        (Modality.VIDEO, plain(value=b"no picture"), "bad_media"),
        (Modality.TEXT, plain(value=b"\xff"), "bad_text"),
        (Modality.AUDIO, plain(value=bytes(MAX_RECORD_BYTES + 2)), "too_large"),
        (Modality.VIDEO, plain(value=PNG_OF_9_MEGAPIXELS), "too_many_pixels"),
    ],
)
def test_each_reason_that_a_record_alone_can_give_is_given_by_some_record(
    modality: Modality, record: Record, reason: str
) -> None:
    with pytest.raises(RecordError) as caught:
        read_and_decode(record, modality)
    assert added(letter(record, caught.value))["trivium_reason"] == reason.encode()


def test_the_reasons_are_a_closed_set() -> None:
    assert " ".join(Reason) == (
        "no_key bad_key unknown_type bad_header bad_time bad_length bad_media bad_text too_large too_many_pixels overflow"
    )


def test_a_value_above_the_limit_is_left_out_and_one_of_the_limit_is_not() -> None:
    whole = letter(plain(value=bytes(MAX_RECORD_BYTES)))
    assert whole.value == bytes(MAX_RECORD_BYTES)
    assert "trivium_truncated" not in added(whole)
    without = letter(plain(value=bytes(MAX_RECORD_BYTES + 1), trace=b"kept"))
    assert without.value is None
    assert added(without)["trivium_truncated"] == b"true"
    assert (without.key, dict(without.headers)["trace"]) == (b"studio", b"kept")


def test_headers_beyond_32_kib_are_left_out() -> None:
    record = Record("audio", 3, 17, 0, b"studio", b"ab", (("a", b"1"), ("b", bytes(MAX_HEADERS_BYTES)), ("c", b"3")))
    found = letter(record)
    assert found.headers[0] == ("a", b"1")
    assert set(dict(found.headers)) == {"a", *added(found)}
    assert added(found)["trivium_truncated"] == b"true"
    assert found.value == b"ab"


def test_a_dead_letter_that_is_read_again_names_its_last_place_only() -> None:
    found = letter(letter(plain(trace=b"x")))
    assert [name for name, _ in found.headers].count("trivium_topic") == 1
    assert added(found)["trivium_topic"] == b"dead-letters"
    assert "trivium_truncated" not in added(found)


def test_a_long_message_is_cut_between_characters() -> None:
    found = added(letter(plain(), RecordError(Reason.BAD_TEXT, "x" + "ü" * 5000)))
    assert found["trivium_message"].decode() == "x" + "ü" * 499


def test_null_key_value_and_header_are_passed_on() -> None:
    headers: Any = (("x", None),)
    found = letter(Record("audio", 0, 1, 0, None, None, headers))
    assert (found.key, found.value, found.headers[:1]) == (None, None, headers)
    assert "trivium_truncated" not in added(found)


sizes = st.sampled_from([0, 1, 128, 32_768, 32_769, 100_000, 899_999, 900_000, 900_001, 1_000_000])


@given(sizes, sizes, st.sampled_from([900_000, 5_000_000]), st.lists(st.tuples(st.text(max_size=5), sizes), max_size=4))
def test_a_dead_letter_always_fits(
    key_bytes: int, value_bytes: int, max_record_bytes: int, headers: list[tuple[str, int]]
) -> None:
    many = tuple((name, bytes(size)) for name, size in headers)
    record = Record("audio", 3, 17, 0, bytes(key_bytes), bytes(value_bytes), many)
    found = letter(record, max_record_bytes=max_record_bytes)
    total = len(found.key or b"") + len(found.value or b"")
    total += sum(len(name.encode()) + len(value) + 10 for name, value in found.headers)
    assert total <= MAX_FORWARDED_BYTES + 100
    whole = (found.key, found.value) == (record.key, record.value) and found.headers[: len(many)] == many
    assert whole is ("trivium_truncated" not in added(found))

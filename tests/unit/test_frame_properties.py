from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from stream.content import TEXT, audio_l16
from stream.errors import Reason, RecordError
from stream.frame import LONGEST_PICTURE_NS, Bound, End, Frame, Modality, Record, parse, to_record
from stream.times import NS_PER_MS, NS_PER_SECOND

DEFAULTS = {Modality.AUDIO: audio_l16(16_000, 1), Modality.VIDEO: "image/jpeg", Modality.TEXT: TEXT}
VALID_HEADERS = {
    "ce_specversion": b"1.0",
    "ce_id": b"1",
    "ce_source": b"/microphone",
    "ce_type": b"trivium.frame.v1",
    "ce_time": b"2026-03-01T12:00:00Z",
    "content-type": b"audio/L16;rate=16000;channels=1",
}

written = st.text(st.characters(exclude_categories=["Cs"]), max_size=32)
durations_ns = st.none() | st.integers(1, 86_400_000).map(lambda ms: ms * NS_PER_MS)
texts = st.builds(
    Frame,
    session=written.filter(bool),
    modality=st.just(Modality.TEXT),
    time_ns=st.integers(0, 2**62),
    duration_ns=durations_ns,
    payload=written.map(str.encode),
    content_type=st.just(TEXT),
    sequence=st.none() | st.integers(0, 9_999_999_999),
    traceparent=st.none() | st.just("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    partition=st.integers(0, 500),
    offset=st.integers(0, 2**62),
    timestamp_ms=st.integers(0, 2**40),
)


def as_picture(text: Frame, payload: bytes, content_type: str, region: str) -> Frame:
    shown_ns = None if text.duration_ns is None else min(text.duration_ns, LONGEST_PICTURE_NS)
    return replace(
        text, modality=Modality.VIDEO, duration_ns=shown_ns, payload=payload, content_type=content_type, region=region
    )


def as_sound(text: Frame, count: int, rate_hz: int, channels: int) -> Frame:
    return replace(
        text,
        modality=Modality.AUDIO,
        duration_ns=round(count * NS_PER_SECOND / rate_hz),
        payload=b"\x01\x02" * channels * count,
        content_type=audio_l16(rate_hz, channels),
        rate_hz=rate_hz,
        channels=channels,
    )


def without_payload(frame: Frame, kind: type[Bound | End]) -> Bound | End:
    return kind(frame.session, frame.modality, frame.time_ns, frame.partition, frame.offset, frame.timestamp_ms)


pictures = st.builds(
    as_picture,
    texts,
    st.binary(min_size=1, max_size=50),
    st.sampled_from(["image/jpeg", "image/png"]),
    st.sampled_from(["mouth", "scene"]),
)
sounds = st.builds(as_sound, texts, st.integers(1, 60), st.integers(8_000, 48_000), st.integers(1, 2))
frames = texts | pictures | sounds
signals = st.builds(without_payload, frames, st.sampled_from([Bound, End]))

names = st.sampled_from([*VALID_HEADERS, "ce_duration", "ce_sequence", "ce_region", "traceparent", "x"])
some = st.sampled_from([*VALID_HEADERS.values(), b"trivium.end.v1", b"image/png", b"0", b"0000000001"])
values: st.SearchStrategy[Any] = st.none() | some | st.binary(max_size=30)
any_headers = st.lists(st.tuples(names, values), max_size=10).map(tuple)
changed_headers = st.dictionaries(names, values, max_size=2).map(lambda some: tuple({**VALID_HEADERS, **some}.items()))
added_headers = st.lists(st.tuples(names, values), max_size=2).map(lambda more: (*VALID_HEADERS.items(), *more))
records = st.builds(
    Record,
    topic=st.just("audio"),
    partition=st.integers(0, 7),
    offset=st.integers(0, 9),
    timestamp_ms=st.integers(-(2**63), 2**63 - 1),
    key=st.just(b"studio") | st.none() | st.binary(max_size=140),
    value=st.just(b"ab") | st.none() | st.binary(max_size=20),
    headers=any_headers | changed_headers | added_headers,
)


@given(frames | signals)
def test_what_is_written_is_read_as_the_same(item: Frame | Bound | End) -> None:
    assert parse(to_record(item, item.modality.value), item.modality, DEFAULTS, 900_000) == item


def outcome(record: Record, modality: Modality) -> Frame | Bound | End | tuple[Reason, str]:
    try:
        return parse(record, modality, DEFAULTS, 16)
    except RecordError as error:
        return error.reason, str(error)


@given(records, st.sampled_from(Modality), st.uuids())
def test_a_record_is_read_or_refused_alike_whether_its_source_is_known_or_new(
    record: Record, modality: Modality, source: UUID
) -> None:
    other = [
        (name, str(source).encode() if (name, value) == ("ce_source", VALID_HEADERS["ce_source"]) else value)
        for name, value in record.headers
    ]
    found = outcome(replace(record, headers=tuple(other)), modality)
    assert found == outcome(record, modality) == outcome(record, modality)


@given(records, st.sampled_from(Modality))
def test_any_record_is_read_or_refused_with_a_reason_and_nothing_else(record: Record, modality: Modality) -> None:
    try:
        item = parse(record, modality, DEFAULTS, 16)
        found: Reason | None = None
    except RecordError as error:
        found = error.reason
    assert found in Reason if found else 0 <= item.time_ns < 2**63

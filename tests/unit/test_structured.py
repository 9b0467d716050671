"""CloudEvents in structured JSON say what the same frame says as a Kafka record, and wrong ones have the same reasons."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.errors import Reason, RecordError
from stream.frame import Bound, End, Frame, Modality, Record, parse, to_record
from stream.structured import MAX_ATTRIBUTE_BYTES, Bounds, answer, read, record
from stream.times import MAX_NS, NS_PER_MS, parse_rfc3339
from tests.bombs import png_of

TOPICS = {modality: f"live-{modality}" for modality in Modality}
BOUNDS = Bounds(max_record_bytes=900_000, max_pixels=4_000_000)
SOUND: dict[str, Any] = {
    "specversion": "1.0",
    "id": "1",
    "source": "/live",
    "type": "trivium.frame.v1",
    "time": "2026-03-01T12:00:00.040Z",
    "sequence": "0000000007",
    "datacontenttype": "audio/L16;rate=16000;channels=1",
    "data_base64": base64.b64encode(bytes(1280)).decode(),
}


def taken(message: dict[str, Any], bounds: Bounds = BOUNDS) -> tuple[Record, Frame | Bound | End]:
    return record(read(json.dumps(message)), "somebody", TOPICS, 1_000, bounds)


def refused(message: str, bounds: Bounds = BOUNDS) -> RecordError:
    with pytest.raises(RecordError) as caught:
        record(read(message), "somebody", TOPICS, 1_000, bounds)
    return caught.value


def structured(kafka: Record) -> str:
    """The same event as a message."""
    names = {"content-type": "datacontenttype"}
    attributes: dict[str, Any] = {
        names.get(name, name.removeprefix("ce_")): value.decode() for name, value in kafka.headers
    }
    if "duration" in attributes:
        attributes["duration"] = int(attributes["duration"])
    if attributes.get("datacontenttype", "").startswith("text/"):
        return json.dumps({**attributes, "data": (kafka.value or b"").decode()})
    return json.dumps({**attributes, "data_base64": base64.b64encode(kafka.value or b"").decode()})


@given(
    time_ns=st.integers(0, MAX_NS // 2),
    samples=st.binary(min_size=1, max_size=400).map(lambda half: half * 2),
    sequence=st.none() | st.integers(0, 10**10 - 1),
    session=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=32),
)
def test_a_frame_of_sound_is_the_record_that_a_producer_would_have_sent(
    time_ns: int, samples: bytes, sequence: int | None, session: str
) -> None:
    frame = Frame(session, Modality.AUDIO, time_ns, None, samples, "audio/L16;rate=16000;channels=1", 16_000, 1)
    frame.sequence = sequence
    kafka = to_record(frame, TOPICS[Modality.AUDIO])
    made, item = record(read(structured(kafka)), session, TOPICS, kafka.timestamp_ms, BOUNDS)
    assert (made.topic, made.key, made.value) == (kafka.topic, kafka.key, kafka.value)
    assert dict(made.headers) == dict(kafka.headers)
    assert item == parse(kafka, Modality.AUDIO, {}, BOUNDS.max_record_bytes)


@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=200), duration_ms=st.integers(1, 10_000))
def test_typed_text_is_data_as_it_stands(text: str, duration_ms: int) -> None:
    frame = Frame("a", Modality.TEXT, 0, duration_ms * NS_PER_MS, text.encode(), "text/plain;charset=utf-8")
    made, item = record(read(structured(to_record(frame, "text"))), "a", TOPICS, 0, BOUNDS)
    assert made.topic == "live-text"
    assert isinstance(item, Frame)
    assert (item.payload.decode(), item.duration_ns) == (text, duration_ms * NS_PER_MS)


@pytest.mark.parametrize(("kind", "expected"), [("bound", Bound), ("end", End)])
def test_a_heartbeat_and_an_end_name_their_topic_by_modality(kind: str, expected: type) -> None:
    event = {name: SOUND[name] for name in ("specversion", "id", "source", "time")}
    made, item = taken({**event, "type": f"trivium.{kind}.v1", "modality": "video"})
    assert isinstance(item, expected)
    assert (made.topic, made.value, item.modality) == ("live-video", b"", Modality.VIDEO)
    assert "ce_modality" not in dict(made.headers)


def test_an_attribute_that_is_null_is_not_there() -> None:
    made, _ = taken({**SOUND, "sequence": None, "traceparent": None})
    assert not {"ce_sequence", "traceparent"} & set(dict(made.headers))


def test_a_trace_goes_on_under_its_own_name() -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    made, item = taken({**SOUND, "traceparent": trace})
    assert dict(made.headers)["traceparent"] == trace.encode()
    assert isinstance(item, Frame)
    assert item.traceparent == trace


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"specversion": None}, Reason.BAD_HEADER),
        ({"specversion": "0.3"}, Reason.BAD_HEADER),
        ({"id": None}, Reason.BAD_HEADER),
        ({"id": 1.5}, Reason.BAD_HEADER),
        ({"Capital": "x"}, Reason.BAD_HEADER),
        ({"far": "x" * MAX_ATTRIBUTE_BYTES}, Reason.BAD_HEADER),
        ({"type": "trivium.frame.v9"}, Reason.UNKNOWN_TYPE),
        ({"time": "yesterday"}, Reason.BAD_TIME),
        ({"time": "2299-01-01T00:00:00Z"}, Reason.BAD_TIME),
        ({"sequence": "7"}, Reason.BAD_HEADER),
        ({"datacontenttype": "audio/opus"}, Reason.BAD_HEADER),
        ({"datacontenttype": None}, Reason.BAD_HEADER),
        ({"modality": "video"}, Reason.BAD_HEADER),
        ({"modality": "smell"}, Reason.BAD_HEADER),
        ({"data_base64": "AAA"}, Reason.BAD_HEADER),
        ({"data_base64": "AAA="}, None),
        ({"data_base64": "AA\n=="}, Reason.BAD_HEADER),
        ({"data_base64": 7}, Reason.BAD_HEADER),
        ({"data_base64": "AAAA"}, Reason.BAD_LENGTH),
        ({"data_base64": None}, Reason.BAD_LENGTH),
        ({"data": "both"}, Reason.BAD_HEADER),
        ({"data_base64": None, "data": {"a": 1}}, Reason.BAD_HEADER),
        ({"datacontenttype": "image/jpeg"}, Reason.BAD_MEDIA),
        ({"type": "trivium.end.v1"}, Reason.BAD_LENGTH),
    ],
)
def test_what_is_wrong_with_an_event_has_its_reason(change: dict[str, Any], reason: Reason | None) -> None:
    message = {**SOUND, **change}
    if reason is None:
        taken(message)
    else:
        assert refused(json.dumps(message)).reason is reason


@pytest.mark.parametrize("message", ["", "{", "[]", '"text"', "null", '{"a":NaN}', '{"specversion":"\\ud800"}'])
def test_what_is_no_event_at_all_is_a_bad_header(message: str) -> None:
    assert refused(message).reason is Reason.BAD_HEADER


def test_a_payload_that_is_too_large_is_refused_before_it_is_decoded() -> None:
    message = {**SOUND, "data_base64": "?" * 2_000_000}
    assert refused(json.dumps(message)).reason is Reason.TOO_LARGE


def test_a_picture_of_too_many_pixels_is_refused_by_its_header() -> None:
    picture = base64.b64encode(png_of(4_000, 4_000, b"")).decode()
    message = {**SOUND, "datacontenttype": "image/png", "data_base64": picture}
    assert refused(json.dumps(message)).reason is Reason.TOO_MANY_PIXELS


def test_an_answer_is_an_event_of_its_own() -> None:
    event = json.loads(answer("trivium.error.v1", {"reason": Reason.BAD_TIME}))
    assert event["specversion"] == "1.0"
    assert (event["type"], event["data"]) == ("trivium.error.v1", {"reason": "bad_time"})
    assert parse_rfc3339(event["time"].encode()) > 0

"""Golden bytes: what other programs read and write must not move by itself."""

from __future__ import annotations

import pytest

from stream.content import TEXT, audio_l16
from stream.deadletter import dead_letter
from stream.errors import Reason, RecordError
from stream.frame import Bound, End, Frame, Modality, Record, parse, to_record
from stream.publish import (
    Counts,
    Input,
    ModalityResult,
    Model,
    Prediction,
    SessionRecord,
    Times,
    Word,
    prediction_record,
    session_record,
)

DEFAULTS = {Modality.AUDIO: audio_l16(16_000, 1), Modality.VIDEO: "image/jpeg", Modality.TEXT: TEXT}
NOON_NS = 1_772_366_400_000_000_000  # 2026-03-01T12:00:00Z
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

SOUND = Frame(
    session="studio",
    modality=Modality.AUDIO,
    time_ns=NOON_NS + 20_000_001,
    duration_ns=125_000,
    payload=b"\x00\x01\xff\xfe",
    content_type="audio/L16;rate=16000;channels=1",
    rate_hz=16_000,
    channels=1,
    sequence=12,
    traceparent=TRACEPARENT,
)
PICTURE = Frame(
    session="studio",
    modality=Modality.VIDEO,
    time_ns=NOON_NS,
    duration_ns=40_000_000,
    payload=b"\xff\xd8\xff\xe0",
    content_type="image/jpeg",
    region="mouth",
    sequence=0,
)
SHOWN = Frame(
    session="Bühne 1",
    modality=Modality.TEXT,
    time_ns=NOON_NS,
    duration_ns=None,
    payload="Grüße".encode(),
    content_type="text/plain;charset=utf-8",
)

GOLDEN_INPUTS: list[tuple[Frame | Bound | End, bytes, bytes, list[tuple[str, bytes]]]] = [
    (
        SOUND,
        b"studio",
        b"\x00\x01\xff\xfe",
        [
            ("ce_specversion", b"1.0"),
            ("ce_id", b"studio-audio-frame-12"),
            ("ce_source", b"/trivium/replay"),
            ("ce_type", b"trivium.frame.v1"),
            ("ce_time", b"2026-03-01T12:00:00.020000001Z"),
            ("ce_sequence", b"0000000012"),
            ("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
            ("content-type", b"audio/L16;rate=16000;channels=1"),
        ],
    ),
    (
        PICTURE,
        b"studio",
        b"\xff\xd8\xff\xe0",
        [
            ("ce_specversion", b"1.0"),
            ("ce_id", b"studio-video-frame-0"),
            ("ce_source", b"/trivium/replay"),
            ("ce_type", b"trivium.frame.v1"),
            ("ce_time", b"2026-03-01T12:00:00.000000000Z"),
            ("ce_duration", b"40"),
            ("ce_sequence", b"0000000000"),
            ("ce_region", b"mouth"),
            ("content-type", b"image/jpeg"),
        ],
    ),
    (
        SHOWN,
        b"B\xc3\xbchne 1",
        b"Gr\xc3\xbc\xc3\x9fe",
        [
            ("ce_specversion", b"1.0"),
            ("ce_id", b"B\xc3\xbchne 1-text-frame-1772366400000000000"),
            ("ce_source", b"/trivium/replay"),
            ("ce_type", b"trivium.frame.v1"),
            ("ce_time", b"2026-03-01T12:00:00.000000000Z"),
            ("content-type", b"text/plain;charset=utf-8"),
        ],
    ),
    (
        Bound("studio", Modality.AUDIO, NOON_NS + 1_000_000),
        b"studio",
        b"",
        [
            ("ce_specversion", b"1.0"),
            ("ce_id", b"studio-audio-bound-1772366400001000000"),
            ("ce_source", b"/trivium/replay"),
            ("ce_type", b"trivium.bound.v1"),
            ("ce_time", b"2026-03-01T12:00:00.001000000Z"),
        ],
    ),
    (
        End("studio", Modality.VIDEO, NOON_NS + 3_000_000_000),
        b"studio",
        b"",
        [
            ("ce_specversion", b"1.0"),
            ("ce_id", b"studio-video-end-1772366403000000000"),
            ("ce_source", b"/trivium/replay"),
            ("ce_type", b"trivium.end.v1"),
            ("ce_time", b"2026-03-01T12:00:03.000000000Z"),
        ],
    ),
]

HEARD = ModalityResult(status="present", counts=Counts(present=9, silent=1), weight=0.41004, frames=150, late=2, lost=0)
FINAL = Prediction(
    session="studio",
    segment=1_772_366_400_320,
    revision=3,
    epoch=12,
    is_final=True,
    stability=1,
    start_ms=1_772_366_400_320,
    end_ms=1_772_366_402_240,
    task="speech",
    text="place",
    words=[Word(word="place", start_ms=1_772_366_400_920, end_ms=1_772_366_401_200.0404, confidence=0.98)],
    confidence=0.95,
    modalities={Modality.AUDIO: HEARD},
    model=Model(name="speech", version="1", digest="sha256:00ff"),
    provider="cpu",
    batch=4,
    times=Times(
        captured_ms=1_772_366_402_880,
        ingested_ms=1_772_366_402_885.25,
        aligned_ms=1_772_366_402_890,
        inferred_ms=1_772_366_402_930,
        published_ms=1_772_366_402_931.5,
    ),
    inputs=[Input(topic="audio", partition=3, first_offset=17, cut=166)],
)
FINAL_JSON = (
    b'{"session":"studio","segment":1772366400320.0,"revision":3,"epoch":12,"is_final":true,"stability":1.0,'
    b'"start_ms":1772366400320.0,"end_ms":1772366402240.0,"task":"speech","text":"place",'
    b'"words":[{"word":"place","start_ms":1772366400920.0,"end_ms":1772366401200.04,"confidence":0.98}],'
    b'"label":null,"value":null,"confidence":0.95,"modalities":{"audio":{"status":"present","counts":'
    b'{"present":9,"late":0,"silent":1,"idle":0,"corrupt":0,"shed":0,"unusable":0},'
    b'"weight":0.41,"frames":150,"late":2,"lost":0}},"skew_ms":null,'
    b'"model":{"name":"speech","version":"1","digest":"sha256:00ff"},"provider":"cpu","batch":4,'
    b'"times":{"captured_ms":1772366402880.0,"ingested_ms":1772366402885.25,"aligned_ms":1772366402890.0,'
    b'"inferred_ms":1772366402930.0,"published_ms":1772366402931.5},'
    b'"inputs":[{"topic":"audio","partition":3,"first_offset":17,"cut":166}]}'
)
INTERIM = FINAL.model_copy(update={"is_final": False, "stability": 0.93})
STARTED = SessionRecord(session="studio", state="started", start_ms=1_772_366_400_000)
ENDED = SessionRecord(
    session="studio",
    state="ended",
    reason="timeout",
    finals=4,
    start_ms=1_772_366_400_000,
    end_ms=1_772_366_402_880.125,
)


@pytest.mark.parametrize(("item", "key", "value", "headers"), GOLDEN_INPUTS)
def test_a_frame_bound_or_end_has_these_bytes_both_ways(
    item: Frame | Bound | End, key: bytes, value: bytes, headers: list[tuple[str, bytes]]
) -> None:
    golden = Record(item.modality.value, 0, -1, 0, key, value, tuple(headers))
    assert to_record(item, item.modality.value) == golden
    assert parse(golden, item.modality, DEFAULTS, 900_000) == item


def test_a_final_has_these_bytes() -> None:
    assert prediction_record(FINAL, "predictions", 3, "/trivium/captions", TRACEPARENT) == Record(
        topic="predictions",
        partition=3,
        offset=-1,
        timestamp_ms=1_772_366_402_931,
        key=b"studio",
        value=FINAL_JSON,
        headers=(
            ("ce_specversion", b"1.0"),
            ("ce_id", b"30046833ac0a6752b2e42fe594af56d1"),
            ("ce_source", b"/trivium/captions"),
            ("ce_type", b"trivium.prediction.v1"),
            ("ce_time", b"2026-03-01T12:00:02.931500000Z"),
            ("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
            ("content-type", b"application/json"),
        ),
    )


def test_an_interim_has_these_bytes() -> None:
    record = prediction_record(INTERIM, "predictions", 3, "/trivium/captions")
    assert record.value == FINAL_JSON.replace(b'"is_final":true,"stability":1.0', b'"is_final":false,"stability":0.93')
    assert record.headers == (
        ("ce_specversion", b"1.0"),
        ("ce_id", b"1fd889ab256a69388cc5b534901e8fc8"),
        ("ce_source", b"/trivium/captions"),
        ("ce_type", b"trivium.prediction.v1"),
        ("ce_time", b"2026-03-01T12:00:02.931500000Z"),
        ("content-type", b"application/json"),
    )


def test_a_session_record_has_these_bytes_when_it_starts_and_when_it_ends() -> None:
    started = session_record(STARTED, "predictions", 3, "/trivium/captions")
    assert started.value == (
        b'{"session":"studio","state":"started","reason":null,"finals":0,"start_ms":1772366400000.0,"end_ms":null}'
    )
    assert started.headers == (
        ("ce_specversion", b"1.0"),
        ("ce_id", b"f67f2bd11ecea94e6a89071167ce6a83"),
        ("ce_source", b"/trivium/captions"),
        ("ce_type", b"trivium.session.v1"),
        ("ce_time", b"2026-03-01T12:00:00.000000000Z"),
        ("content-type", b"application/json"),
    )
    ended = session_record(ENDED, "predictions", 3, "/trivium/captions")
    assert ended.value == (
        b'{"session":"studio","state":"ended","reason":"timeout","finals":4,'
        b'"start_ms":1772366400000.0,"end_ms":1772366402880.125}'
    )
    assert dict(ended.headers)["ce_id"] == b"b45c0b032acb679103021c746ffe1d89"
    assert dict(ended.headers)["ce_time"] == b"2026-03-01T12:00:02.880125000Z"


def test_a_dead_letter_has_these_bytes() -> None:
    bad = Record("live.audio", 3, 17, 1_772_366_400_025, b"studio", b"\x00", (("ce_id", b"1"), ("x", b"\xff")))
    error = RecordError(Reason.BAD_HEADER, "ce_time is missing.")
    assert dead_letter(bad, error, "live.dead-letters", 900_000) == Record(
        topic="live.dead-letters",
        partition=3,
        offset=-1,
        timestamp_ms=1_772_366_400_025,
        key=b"studio",
        value=b"\x00",
        headers=(
            ("ce_id", b"1"),
            ("x", b"\xff"),
            ("trivium_topic", b"live.audio"),
            ("trivium_partition", b"3"),
            ("trivium_offset", b"17"),
            ("trivium_reason", b"bad_header"),
            ("trivium_message", b"ce_time is missing."),
        ),
    )

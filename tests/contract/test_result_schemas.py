from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from stream.errors import Reason, RecordError
from stream.frame import Record
from stream.publish import (
    Counts,
    Prediction,
    SessionRecord,
    prediction_record,
    read_result,
    schemas,
    session_record,
    to_json,
)

# The example of the reference, with its dots filled in.
PREDICTION: dict[str, Any] = json.loads("""
{ "session": "...", "segment": 1795514270009.0, "revision": 3, "epoch": 12, "is_final": true, "stability": 0.93,
  "start_ms": 1795514270009.0, "end_ms": 1795514272249.0, "task": "speech",
  "text": "place red at j zero now",
  "words": [{"word": "place", "start_ms": 1795514270589.125, "end_ms": 1795514270900.0, "confidence": 0.98}],
  "label": null, "value": null, "confidence": 0.95,
  "modalities": {
    "audio": {"status": "present", "weight": 0.41, "frames": 150, "late": 0, "lost": 0,
              "counts": {"present": 9, "silent": 0, "late": 0, "idle": 0, "corrupt": 0, "shed": 0, "unusable": 0}},
    "video": {"status": "unusable", "weight": 0.59, "frames": 75, "late": 0, "lost": 1,
              "counts": {"present": 1, "silent": 0, "late": 0, "idle": 0, "corrupt": 0, "shed": 0, "unusable": 8}},
    "text": {"status": "idle", "weight": 0, "frames": 0, "late": 0, "lost": 0,
             "counts": {"present": 0, "silent": 0, "late": 0, "idle": 9, "corrupt": 0, "shed": 0, "unusable": 0}}},
  "skew_ms": null,
  "model": {"name": "speech", "version": "1", "digest": "sha256:..."}, "provider": "cpu", "batch": 4,
  "times": {"captured_ms": 1795514272889.0, "ingested_ms": 1795514272890.5, "aligned_ms": 1795514272900.0,
            "inferred_ms": 1795514272940.0, "published_ms": 1795514272941.0},
  "inputs": [{"topic": "audio", "partition": 3, "first_offset": 17, "cut": 166}] }
""")
SESSION: dict[str, Any] = json.loads("""
{ "session": "...", "state": "ended", "reason": "end", "finals": 4,
  "start_ms": 1795514270000.0, "end_ms": 1795514280000.0 }
""")
EXAMPLES = {"trivium.prediction.v1": PREDICTION, "trivium.session.v1": SESSION}


def prediction(**changes: Any) -> Prediction:
    return Prediction.model_validate({**PREDICTION, **changes})


def event_id(record: Record) -> bytes:
    return dict(record.headers)["ce_id"]


def id_of(**changes: Any) -> bytes:
    return event_id(prediction_record(prediction(**changes), "predictions", 0, "/trivium"))


def ended(**changes: Any) -> SessionRecord:
    return SessionRecord.model_validate({**SESSION, **changes})


def session_id_of(**changes: Any) -> bytes:
    return event_id(session_record(ended(**changes), "predictions", 0, "/trivium"))


@pytest.mark.parametrize("event_type", EXAMPLES)
def test_the_example_of_the_reference_is_valid_by_schema_and_model_and_is_written_as_it_is(event_type: str) -> None:
    example = EXAMPLES[event_type]
    schema = schemas()[event_type]
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(example)
    model = (Prediction if event_type == "trivium.prediction.v1" else SessionRecord).model_validate(example)
    assert json.loads(to_json(model)) == example


@pytest.mark.parametrize("event_type", EXAMPLES)
def test_the_schema_knows_every_name_requires_it_and_allows_no_other(event_type: str) -> None:
    example, validator = EXAMPLES[event_type], Draft202012Validator(schemas()[event_type])
    for name in example:
        assert not validator.is_valid({key: value for key, value in example.items() if key != name}), name
    assert not validator.is_valid({**example, "more": 1})


@pytest.mark.parametrize(
    "changes",
    [
        {"stability": 1.1},
        {"confidence": -0.1},
        {"revision": -1},
        {"segment": "now"},
        {"inputs": None},
        {"modalities": {"smell": PREDICTION["modalities"]["audio"]}},
        {"modalities": {"audio": {**PREDICTION["modalities"]["audio"], "status": "asleep"}}},
        {"model": {**PREDICTION["model"], "digest": "00ff"}},
    ],
)
def test_what_the_schema_refuses_the_model_refuses_too(changes: dict[str, Any]) -> None:
    assert not Draft202012Validator(schemas()["trivium.prediction.v1"]).is_valid({**PREDICTION, **changes})
    with pytest.raises(ValidationError):
        prediction(**changes)


def test_a_number_that_is_none_is_refused() -> None:
    with pytest.raises(ValidationError):
        prediction(confidence=float("nan"))
    with pytest.raises(ValidationError):
        prediction(end_ms=float("inf"))


def test_a_share_that_is_past_one_by_rounding_only_is_one() -> None:
    assert prediction(confidence=1.0000001).confidence == 1.0


@given(st.floats(0, 2**43), st.floats(0, 1))
def test_milliseconds_have_at_most_three_decimals_and_shares_four(time_ms: float, share: float) -> None:
    written = json.loads(to_json(prediction(end_ms=time_ms, confidence=share)), parse_float=str)
    assert len(written["end_ms"].partition(".")[2]) <= 3
    assert len(written["confidence"].partition("e")[0].partition(".")[2]) <= 4
    assert abs(float(written["end_ms"]) - time_ms) <= 0.001


@pytest.mark.parametrize("session", ["studio", "Bühne 1", "\u0000", '"', "👄" * 32])
def test_results_are_read_back_as_they_were_written(session: str) -> None:
    said, over = prediction(session=session), ended(session=session, reason="clock")
    assert read_result(prediction_record(said, "predictions", 1, "/trivium")) == said
    assert read_result(session_record(over, "predictions", 1, "/trivium")) == over


@pytest.mark.parametrize(
    ("event_type", "value", "reason"),
    [
        (b"trivium.prediction.v2", b"{}", Reason.UNKNOWN_TYPE),
        (b"", b"{}", Reason.UNKNOWN_TYPE),
        (b"trivium.prediction.v1", None, Reason.BAD_TEXT),
        (b"trivium.prediction.v1", b"{", Reason.BAD_TEXT),
        (b"trivium.prediction.v1", b"[]", Reason.BAD_TEXT),
        (b"trivium.session.v1", b'{"session": "s"}', Reason.BAD_TEXT),
        (b"trivium.session.v1", b'"\xff"', Reason.BAD_TEXT),
    ],
)
def test_a_foreign_record_on_the_results_topic_is_refused(event_type: bytes, value: bytes, reason: Reason) -> None:
    record = session_record(ended(), "predictions", 0, "/trivium")
    headers = tuple((name, event_type if name == "ce_type" else value) for name, value in record.headers)
    with pytest.raises(RecordError) as caught:
        read_result(replace(record, headers=headers, value=value))
    assert caught.value.reason is reason


def test_a_final_has_one_id_whoever_makes_it_and_whatever_it_says() -> None:
    assert id_of() == id_of(epoch=13, revision=9, text="other", end_ms=0)
    assert len({id_of(), id_of(session="other"), id_of(segment=1.0), id_of(is_final=False)}) == 4


def test_an_interim_has_an_id_for_each_session_segment_epoch_and_revision() -> None:
    assert id_of(is_final=False) == id_of(is_final=False, text="other", stability=0)
    others: list[dict[str, Any]] = [
        {"session": "other"},
        {"segment": 1.0},
        {"epoch": 13},
        {"revision": 4},
        {"epoch": 3, "revision": 12},
    ]
    assert len({id_of(is_final=False), *(id_of(is_final=False, **other) for other in others)}) == 6


def test_a_session_record_has_an_id_for_each_session_state_and_start() -> None:
    assert session_id_of() == session_id_of(finals=9, reason="timeout", end_ms=0)
    others: list[dict[str, Any]] = [{"session": "other"}, {"state": "started"}, {"start_ms": 1.0}]
    assert len({session_id_of(), *(session_id_of(**other) for other in others)}) == 4


def test_the_status_is_the_most_frequent_the_first_of_equals_and_idle_of_none() -> None:
    assert Counts(present=1, unusable=8).most_frequent() == "unusable"
    assert Counts(silent=2, late=2).most_frequent() == "late"
    assert Counts().most_frequent() == "idle"

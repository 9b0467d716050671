"""Results to Kafka records and back: the last step of the path.

    [Prediction | SessionRecord] -> record

The models are the JSON of the `predictions` topic, name for name. Knows no Kafka client. The same result has
the same id wherever and however often it is made, so that a reader can drop what comes twice.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Annotated, Any, Literal, get_args

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from stream import headers as ce
from stream.errors import Reason, RecordError
from stream.frame import Modality, Record
from stream.times import from_ms

PREDICTION = b"trivium.prediction.v1"
SESSION = b"trivium.session.v1"
SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"

Status = Literal["present", "late", "silent", "idle", "corrupt", "shed", "unusable"]


def _rounded(places: int) -> Callable[[Any], Any]:
    return lambda value: round(value, places) if isinstance(value, float) else value


Ms = Annotated[float, BeforeValidator(_rounded(3))]
Share = Annotated[float, Field(ge=0, le=1), BeforeValidator(_rounded(4))]
Count = Annotated[int, Field(ge=0)]


class _Message(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        json_schema_serialization_defaults_required=True,  # every name is always written
    )


class Word(_Message):
    """One word of the text, when it was said and how sure the model is of it."""

    word: str
    start_ms: Ms
    end_ms: Ms
    confidence: Share


class Counts(_Message):
    """In how many hops of the segment a modality had which status."""

    present: Count = 0
    late: Count = 0
    silent: Count = 0
    idle: Count = 0
    corrupt: Count = 0
    shed: Count = 0
    unusable: Count = 0

    def most_frequent(self) -> Status:
        """The status that stands for all; idle if it never spoke, the first named of equals."""
        counts = self.model_dump()
        statuses: tuple[Status, ...] = get_args(Status)
        return max(statuses, key=counts.__getitem__) if any(counts.values()) else "idle"


class ModalityResult(_Message):
    """What one modality gave to a result."""

    status: Status
    counts: Counts
    weight: Share
    frames: Count
    late: Count
    lost: Count


class Model(_Message):
    """The bundle that made a result."""

    name: str
    version: str
    digest: Annotated[str, Field(pattern="^sha256:")]


class Times(_Message):
    """When a result's newest tick was captured and passed each step; all but the first on this machine's clock."""

    captured_ms: Ms
    ingested_ms: Ms
    aligned_ms: Ms
    inferred_ms: Ms
    published_ms: Ms


class Input(_Message):
    """What a result was made from: the session's frames of one topic in `[first_offset, cut)`."""

    topic: str
    partition: Count
    first_offset: Count
    cut: Count


class Prediction(_Message):
    """One revision of one segment; the final one is never changed."""

    session: str
    segment: Ms
    revision: Count
    epoch: Count
    is_final: bool
    stability: Share
    start_ms: Ms
    end_ms: Ms
    task: str
    text: str
    words: list[Word]
    label: str | None = None
    value: float | None = None
    confidence: Share
    modalities: dict[Modality, ModalityResult]
    skew_ms: Ms | None = None
    model: Model
    provider: str
    batch: Count
    times: Times
    inputs: list[Input]


class SessionRecord(_Message):
    """A session began, or it is over after so many finals."""

    session: str
    state: Literal["started", "ended"]
    reason: Literal["end", "timeout", "clock"] | None = None
    finals: Count = 0
    start_ms: Ms
    end_ms: Ms | None = None


def prediction_record(
    prediction: Prediction, topic: str, partition: int, source: str, traceparent: str | None = None
) -> Record:
    """A prediction for `topic`, its event time the moment of publication."""
    marks = ("final",) if prediction.is_final else (prediction.epoch, prediction.revision)
    event_id = _digest(prediction.session, prediction.segment, *marks)
    time_ms = prediction.times.published_ms
    return _record(prediction, PREDICTION, event_id, time_ms, topic, partition, source, traceparent)


def session_record(
    message: SessionRecord, topic: str, partition: int, source: str, traceparent: str | None = None
) -> Record:
    """A session record for `topic`, its event time the session's own start or end."""
    event_id = _digest(message.session, message.state, message.start_ms)
    time_ms = message.start_ms if message.end_ms is None else message.end_ms
    return _record(message, SESSION, event_id, time_ms, topic, partition, source, traceparent)


def read_result(record: Record) -> Prediction | SessionRecord:
    """Read back what `prediction_record` and `session_record` wrote.

    Raises
    ------
    RecordError
        `unknown_type` or `bad_text`: somebody else wrote to the topic, or another version did.
    """
    event_type = dict(record.headers).get("ce_type") or b""
    if event_type not in (PREDICTION, SESSION):
        message = f"ce_type is {ce.shown(event_type)}; {PREDICTION.decode()} or {SESSION.decode()} was expected."
        raise RecordError(Reason.UNKNOWN_TYPE, message)
    shape = Prediction if event_type == PREDICTION else SessionRecord
    try:
        return shape.model_validate_json(record.value or b"")
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the value"
        message = f"{where} of a {event_type.decode()} is wrong: {first['msg']}; see trivium schema."
        raise RecordError(Reason.BAD_TEXT, message) from error


def to_json(message: Prediction | SessionRecord) -> bytes:
    """One line of JSON, exactly the record's value."""
    return orjson.dumps(message.model_dump(mode="json"))


def schemas() -> dict[str, dict[str, Any]]:
    """The JSON Schema of each `ce_type` on the `predictions` topic."""
    shapes: dict[bytes, type[BaseModel]] = {PREDICTION: Prediction, SESSION: SessionRecord}
    return {
        event_type.decode(): {
            "$schema": SCHEMA_DIALECT,
            "$id": f"urn:{event_type.decode().replace('.', ':')}",
            **shape.model_json_schema(mode="serialization"),
        }
        for event_type, shape in shapes.items()
    }


def _record(
    message: Prediction | SessionRecord,
    event_type: bytes,
    event_id: str,
    time_ms: float,
    topic: str,
    partition: int,
    source: str,
    traceparent: str | None,
) -> Record:
    headers = ce.cloud_event(event_type, event_id, source, from_ms(time_ms), traceparent)
    return Record(
        topic=topic,
        partition=partition,
        offset=-1,
        timestamp_ms=int(time_ms),
        key=message.session.encode(),
        value=to_json(message),
        headers=(*headers, ("content-type", b"application/json")),
    )


def _digest(*parts: str | float) -> str:
    return blake2b(orjson.dumps(parts), digest_size=16).hexdigest()

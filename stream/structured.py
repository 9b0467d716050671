"""CloudEvents in structured JSON, one a WebSocket message: to the record that the contract describes, and answers back.

    message -> Event -> record

What a page sends and what another producer sends differ in how the event is written, not in what it says: attributes
become `ce_` headers, the data the value, and the code that reads records judges both. Knows no socket and no Kafka client.
"""

from __future__ import annotations

import binascii
import re
import time
from base64 import b64decode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import orjson

from stream import headers as ce
from stream.content import content_type
from stream.errors import Reason, RecordError
from stream.frame import Bound, End, Frame, Modality, Record, parse
from stream.media import checked_size
from stream.times import format_rfc3339

if TYPE_CHECKING:
    from collections.abc import Mapping

SUBPROTOCOL = "cloudevents.json"
SOURCE = "/trivium/frames"
MAX_ATTRIBUTE_BYTES = 8 * 1024  # of all attributes of an event together
HEADERS = {"datacontenttype": "content-type", "traceparent": "traceparent"}  # all others are ce_ and their name
MODALITY = "modality"  # the extension that says which topic an event is for, where no content type does

_NAME = re.compile(r"[a-z0-9]{1,20}")


def max_message_bytes(max_record_bytes: int) -> int:
    """The longest message that can be right: a payload in base64, its attributes, and the JSON around them."""
    return max_record_bytes * 4 // 3 + 2 * MAX_ATTRIBUTE_BYTES


@dataclass(frozen=True, slots=True)
class Event:
    """A CloudEvent as it came, its attributes as text."""

    attributes: dict[str, str]
    data: Any  # JSON's value; None where there is none
    data_base64: str | None

    @property
    def type(self) -> str:
        """Its `type`, empty where it names none."""
        return self.attributes.get("type", "")


def read(message: str) -> Event:
    """Take a message apart.

    Raises
    ------
    RecordError
        `bad_header`, if it is no CloudEvent in structured JSON.
    """
    try:
        found = orjson.loads(message)
    except orjson.JSONDecodeError as error:
        raise ce.bad_header(f"The message is no JSON ({error}); send one CloudEvent in structured mode.") from error
    if not isinstance(found, dict):
        raise ce.bad_header(f"The message is a {type(found).__name__}; send one CloudEvent, a JSON object.")
    data, encoded = found.pop("data", None), found.pop("data_base64", None)
    if encoded is not None and (data is not None or not isinstance(encoded, str)):
        raise ce.bad_header("data_base64 must be text and stand without data; send either.")
    attributes = {name: _text(name, value) for name, value in found.items() if value is not None}
    size = sum(len(name) + len(value.encode()) for name, value in attributes.items())
    if size > MAX_ATTRIBUTE_BYTES:
        raise ce.bad_header(f"The attributes have {size} bytes, {MAX_ATTRIBUTE_BYTES} are allowed; send fewer.")
    if "specversion" not in attributes:
        raise ce.bad_header("specversion is missing; send 1.0.")
    return Event(attributes, data, encoded)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a frame may measure, as the settings have it."""

    max_record_bytes: int
    max_pixels: int


def record(
    event: Event, session: str, topics: Mapping[Modality, str], now_ms: int, bounds: Bounds
) -> tuple[Record, Frame | Bound | End]:
    """The record that a producer of this frame, heartbeat or end would have sent, and what it says.

    Raises
    ------
    RecordError
        If it would be a dead letter, pictures too large to be decoded included.
    """
    modality = _modality(event)
    headers = [
        (HEADERS.get(name, f"ce_{name}"), value.encode())
        for name, value in event.attributes.items()
        if name != MODALITY
    ]
    value = _value(event, bounds.max_record_bytes)
    made = Record(topics[modality], 0, -1, now_ms, session.encode(), value, tuple(headers))
    item = parse(made, modality, {}, bounds.max_record_bytes)
    if isinstance(item, Frame) and modality is Modality.VIDEO:
        checked_size(item.payload, item.content_type, bounds.max_pixels)
    return made, item


def answer(event_type: str, data: Mapping[str, object], now_ns: int | None = None) -> str:
    """An event of the server's own, as a message."""
    event = {
        "specversion": ce.SPEC_VERSION.decode(),
        "id": uuid4().hex,
        "source": SOURCE,
        "type": event_type,
        "time": format_rfc3339(time.time_ns() if now_ns is None else now_ns),
        "datacontenttype": "application/json",
        "data": data,
    }
    return orjson.dumps(event).decode()


def _text(name: str, value: object) -> str:
    if not _NAME.fullmatch(name):
        raise ce.bad_header(f"An attribute is named {name[:40]!r}; names have 1 to 20 of the characters a-z 0-9.")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int):
        return str(value)
    raise ce.bad_header(f"{name} is a {type(value).__name__}; attributes are text, whole numbers, true or false.")


def _modality(event: Event) -> Modality:
    named = event.attributes.get(MODALITY)
    if named is None and "datacontenttype" in event.attributes:
        named = content_type(event.attributes["datacontenttype"].encode()).modality
    if named not in tuple(Modality):
        known = ", ".join(Modality)
        raise ce.bad_header(f"{MODALITY} is {named!r}; send one of {known}, or a frame with its datacontenttype.")
    return Modality(named)


def _value(event: Event, max_bytes: int) -> bytes:
    """The payload; its size is looked at before it is decoded."""
    if event.data_base64 is None:
        if event.data is not None and not isinstance(event.data, str):
            raise ce.bad_header(f"data is a {type(event.data).__name__}; send text, or bytes as data_base64.")
        return (event.data or "").encode()
    least_bytes = len(event.data_base64) // 4 * 3 - 2
    if least_bytes > max_bytes:
        message = f"data_base64 holds {least_bytes} bytes or more, {max_bytes} are allowed; send shorter frames."
        raise RecordError(Reason.TOO_LARGE, message)
    try:
        return b64decode(event.data_base64, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ce.bad_header(f"data_base64 does not read as base64 ({error}); send RFC 4648's.") from error

"""A record that could not be read, as it goes to the `dead-letters` topic: what it was, and why it was no frame."""

from __future__ import annotations

from dataclasses import dataclass

from stream.errors import RecordError
from stream.forward import WHY, forwarded
from stream.frame import Record

MAX_MESSAGE_BYTES = 1_000

_REASON, _MESSAGE, _ = WHY


@dataclass(slots=True)
class DeadLetter:
    """A record that could not be read, and why."""

    record: Record
    error: RecordError


def dead_letter(record: Record, error: RecordError, topic: str, max_record_bytes: int) -> Record:
    """The dead letter of `record`, for the same partition of `topic`; what is too large of it is left out."""
    message = str(error).encode(errors="replace")[:MAX_MESSAGE_BYTES].decode(errors="ignore")
    return forwarded(record, topic, {_REASON: error.reason.value, _MESSAGE: message}, max_record_bytes)

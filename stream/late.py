"""A frame that came after its final, as it goes to the `late` topic: what it was, and how late.

How late is measured against its own session, whatever the source's clock says: from the moment at which it would have come had
it kept up with the session's newest frame (as much before that one's arrival as it was captured before it) to its own arrival
on the lane's clock. So long somebody would have had to wait for it. It is negative for a frame that nobody believed because
it claims to be of the future.
"""

from __future__ import annotations

from dataclasses import dataclass

from stream.forward import WHY, forwarded
from stream.frame import Record
from stream.times import NS_PER_MS

_LATE_MS = WHY[-1]


@dataclass(slots=True)
class LateFrame:
    """A frame's record as it was, and how late it came."""

    record: Record
    late_ns: int


def late_record(late: LateFrame, topic: str, max_record_bytes: int) -> Record:
    """The frame for the same partition of `topic`, with how late it was in whole milliseconds."""
    return forwarded(late.record, topic, {_LATE_MS: str(round(late.late_ns / NS_PER_MS))}, max_record_bytes)

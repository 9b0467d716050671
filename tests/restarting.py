"""What outlives a lane that is killed: what the broker would keep of it, and who takes it over."""

from __future__ import annotations

from collections.abc import Iterable

from stream.frame import Modality, Record
from stream.lane import Lane, OpenSegment
from stream.progress import Offsets, restored
from tests.echo import CONTEXT_NS, EchoSegment, echo_lane


class Store:
    """What the broker would keep of one lane: committed offsets, and the newest record of each session."""

    def __init__(self, open_segment: OpenSegment = EchoSegment) -> None:
        self.offsets: Offsets = {}
        self.progress: dict[bytes, bytes | None] = {}
        self._open_segment = open_segment

    def commit(self, lane: Lane) -> None:
        saved, gone = lane.progress.unsaved(), lane.progress.outlived(self.offsets)
        offsets = lane.progress.offsets(lane.aligner.oldest_offsets())
        self.progress |= dict(saved) | dict.fromkeys(gone)
        self.offsets = offsets

    def successor(self) -> Lane:
        progress = restored(self.progress.items(), CONTEXT_NS)
        progress.positions = dict(self.offsets)
        return echo_lane(progress, open_segment=self._open_segment)

    def unread(self, records: Iterable[Record]) -> list[Record]:
        return [record for record in records if record.offset >= self.offsets.get(Modality(record.topic), 0)]

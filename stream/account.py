"""What became of frames: counted once each; those that nobody can read become dead letters, late ones go on to `late`.

Beside the path: the lane tells of what it rejects, the aligner of all other outcomes.
"""

from __future__ import annotations

from collections import Counter
from functools import cache

from stream import metrics
from stream.align import Aligner
from stream.deadletter import DeadLetter
from stream.errors import Reason, RecordError
from stream.frame import Frame, Modality, Record
from stream.hop import Outcome
from stream.late import LateFrame

_FRAMES = cache(metrics.FRAMES.labels)  # to find a series by its labels is slow


class Account:
    """The outcomes and dead letters of one lane since they were last asked for.

    Parameters
    ----------
    topics : dict
        The topic of each modality.
    """

    def __init__(self, topics: dict[Modality, str]) -> None:
        self._topics = topics
        self._letters: list[DeadLetter] = []
        self._corrupt: Counter[Modality] = Counter()
        self._shed = 0
        self._taken_back: Counter[tuple[Modality, Outcome]] = Counter()  # a count never falls: to come off what is next

    def reject(self, record: Record, error: RecordError) -> None:
        """The record cannot be read."""
        metrics.DEAD_LETTERS.labels(error.reason).inc()
        self._letters.append(DeadLetter(record, error))

    def reject_corrupt(self, frame: Frame, error: RecordError) -> None:
        """The frame has been in a hop and could not be decoded; one that came late is late and no more."""
        if frame.counted:
            return
        self._corrupt[frame.modality] += 1
        self.reject(self._original(frame), error)

    def shed(self, pictures: int) -> None:
        """So many pictures of hops were given up before anybody decoded them."""
        self._shed += pictures

    def close(self, aligner: Aligner) -> list[DeadLetter | LateFrame]:
        """Count everything since the last time, and give what is to be sent on."""
        if overflowed := aligner.drain_overflowed():
            held = f"{len(aligner.sessions)} sessions and {aligner.buffered_bytes} bytes"
            found = f"Its lane is full with {held}, or its session has all that it may have; send less."
            for frame in overflowed:
                self.reject(self._original(frame), RecordError(Reason.OVERFLOW, found))
        outcomes = aligner.drain_outcomes()
        if self._taken_back:
            outcomes.update(self._taken_back)
            self._taken_back.clear()
        for modality, count in self._corrupt.items():
            outcomes[modality, Outcome.CORRUPT] += count
            outcomes[modality, Outcome.USED] -= count  # as the aligner, which decodes nothing, has counted them
        if self._shed:
            outcomes[Modality.VIDEO, Outcome.SHED] += self._shed
            outcomes[Modality.VIDEO, Outcome.USED] -= self._shed
        for (modality, outcome), count in outcomes.items():
            _FRAMES(modality, outcome).inc(max(0, count))
            if count < 0:
                self._taken_back[modality, outcome] = count
        for modality, count in aligner.drain_lost().items():
            metrics.FRAMES_LOST.labels(modality).inc(count)
        self._corrupt.clear()
        self._shed = 0
        letters, self._letters = self._letters, []
        return [*letters, *(LateFrame(self._original(frame), late_ns) for frame, late_ns in aligner.drain_late())]

    def _original(self, frame: Frame) -> Record:
        return Record(
            topic=self._topics[frame.modality],
            partition=frame.partition,
            offset=frame.offset,
            timestamp_ms=frame.timestamp_ms,
            key=frame.session.encode(),
            value=frame.payload,
            headers=frame.headers,
            cut=frame.cut,
        )

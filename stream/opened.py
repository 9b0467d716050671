"""A session while it is open in a lane: what is known of it, its open segment, its story, what it leaves out.

    Hop -> [Opened] -> Caption

Beside `lane.py`, which says what is done with it when.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from stream.errors import RecordError
from stream.frame import Frame, Modality
from stream.hop import Hop
from stream.progress import SessionProgress
from stream.results import Story
from stream.skew import Skew
from stream.spare import Spared

if TYPE_CHECKING:
    from stream.caption import Caption


class Segment(Protocol):
    """The segment that is open in one session, then the next: `segment.OpenSegment`."""

    frontier_ns: int
    skew: Skew  # fixed when the open one began
    corrupt: list[tuple[Frame, RecordError]]  # frames that could not be decoded, for the lane to take out

    async def hop(self, hop: Hop) -> list[Caption]:
        """Add a hop."""

    async def close(self) -> list[Caption]:
        """Make final what is open."""


@dataclass(slots=True)
class Opened:
    """A session while it is open here."""

    known: SessionProgress
    segment: Segment
    story: Story = field(default_factory=Story)
    spared: Spared = field(default_factory=Spared)
    rejected: dict[tuple[Modality, int], int] = field(
        default_factory=dict
    )  # dead letters: where from, end of the last hop

    def newly_corrupt(self, end_ns: int) -> list[tuple[Frame, RecordError]]:
        """The frames of the hop that ends there that do not decode, each once: one may be in two hops, and in revisions."""
        corrupt, self.segment.corrupt[:] = list(self.segment.corrupt), []
        fresh = []
        for frame, error in corrupt:
            place = frame.modality, frame.offset
            if place not in self.rejected:
                fresh.append((frame, error))
            self.rejected[place] = max(end_ns, self.rejected.get(place, end_ns))
        return fresh

    def forget(self, before_ns: int) -> None:
        """Hops before `before_ns` are in no later result, and do not come again."""
        self.story.forget(before_ns)
        self.spared.forget(before_ns)
        self.rejected = {place: end_ns for place, end_ns in self.rejected.items() if end_ns > before_ns}

"""Where a subscription stands: the next offset of every partition in it, as an event's `id:` says it.

    predictions:0=17,1=4,2=0

Names topic, partitions and offsets, and nothing of this process: so any replica can go on from it exactly there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

LONGEST = 16_384  # characters; of a thousand partitions
_SHAPE = re.compile(r"([a-zA-Z0-9._-]+):(\d{1,10}=\d{1,19}(?:,\d{1,10}=\d{1,19})*)")


class CursorError(ValueError):
    """It names no place here: its text says what was expected."""


@dataclass(slots=True)
class Cursor:
    """A place in a topic.

    Attributes
    ----------
    offsets : dict of int to int
        Of each partition in the subscription, the offset of the first record that is still to come.
    """

    topic: str
    offsets: dict[int, int]

    def __str__(self) -> str:
        return place(self.topic, self.offsets)

    @classmethod
    def parse(cls, text: str, topic: str, partitions: int, *, one: bool) -> Cursor:
        """Read a `Last-Event-ID`.

        Parameters
        ----------
        one : bool
            Whether the subscription is of one session, which is in one partition: then that alone may be named. Else all
            are; those that a topic has been given since begin at their beginning.

        Raises
        ------
        CursorError
            If it is no such text, or of another topic or other partitions.
        """
        found = _SHAPE.fullmatch(text) if len(text) <= LONGEST else None
        if found is None or found[1] != topic:
            raise CursorError(f"Last-Event-ID: expected {topic}:PARTITION=OFFSET,..., as the id of an event has it")
        offsets = {int(number): int(offset) for number, _, offset in _pairs(found[2])}
        named, expected = sorted(offsets), list(range(len(offsets)))
        if max(named) >= partitions or (named != expected and not (one and len(named) == 1)):
            alone = ", or one of them for one session" if one else ""
            raise CursorError(f"Last-Event-ID: expected partitions 0 to {partitions - 1} of {topic}{alone}")
        if one and len(named) == 1:
            return cls(topic, offsets)
        return cls(topic, dict.fromkeys(range(partitions), 0) | offsets)

    def narrow(self, partition: int) -> None:
        """Keep one partition of it."""
        self.offsets = {partition: self.offsets[partition]}

    def is_past(self, partition: int, offset: int) -> bool:
        """Whether a record was before this place, or is in no partition of it."""
        return offset < self.offsets.get(partition, offset + 1)

    def move(self, offsets: Mapping[int, int]) -> None:
        """Go on to `offsets` where they are further on; a partition that is not in the subscription stays out of it."""
        for partition, offset in self.offsets.items():
            self.offsets[partition] = max(offset, offsets.get(partition, 0))


def place(topic: str, offsets: Mapping[int, int]) -> str:
    """Write a place as an id."""
    return f"{topic}:" + ",".join(f"{partition}={offset}" for partition, offset in offsets.items())


def _pairs(text: str) -> Iterable[tuple[str, str, str]]:
    return (pair.partition("=") for pair in text.split(","))

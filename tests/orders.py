"""One session's frames in any order of arrival, and what its hops say then."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from random import Random
from typing import Any, NamedTuple, Self

from stream.frame import Frame, Modality
from stream.hop import Event, Hop, Timing
from stream.times import NS_PER_MS
from tests.aligning import AUDIO, TEXT, VIDEO, Stage, audio, end, ms, starts_ms, text, video

LAST_MS = 1600
MOST_DELAY_MS = 150
TIMING = Timing(reorder_ns=200 * NS_PER_MS, deadline_ns=10_000 * NS_PER_MS)


class Script(NamedTuple):
    """A session's frames, each modality in its producer's order, with holes, and pictures of unknown length."""

    first_sound_ms: int
    first_picture_ms: int
    picture_ms: int | None
    texts_ms: frozenset[int]
    holes: frozenset[int]

    def frames(self) -> dict[Modality, list[Frame]]:
        sounds = [audio(at) for at in range(self.first_sound_ms, LAST_MS, 20)]
        pictures = [video(at, self.picture_ms) for at in range(self.first_picture_ms, LAST_MS, 33)]
        return {
            TEXT: [text(at) for at in sorted(self.texts_ms)],
            AUDIO: [frame for index, frame in enumerate(sounds) if index not in self.holes],
            VIDEO: [frame for index, frame in enumerate(pictures) if index + 7 not in self.holes],
        }

    def everything(self) -> list[Frame]:
        return [frame for items in self.frames().values() for frame in items]

    @classmethod
    def drawn(cls, random: Random) -> Self:
        texts, holes = random.randrange(5), random.randrange(30)
        return cls(
            random.randrange(100),
            random.randrange(100),
            random.choice([None, 33]),
            frozenset(random.randrange(LAST_MS) for _ in range(texts)),
            frozenset(random.randrange(LAST_MS // 20) for _ in range(holes)),
        )


def content(events: list[Event], session: str = "s") -> list[Any]:
    """Everything that a session's hops say, but for when they were made."""
    told: list[Any] = []
    for event in events:
        if event.session != session:
            continue
        if isinstance(event, Hop):
            held = {modality: starts_ms(event, modality) for modality in Modality}
            told.append((ms(event.start_ns), held, event.statuses, event.reason, event.revision))
        else:
            told.append(event)
    return told


def arrived(frames: Sequence[Frame], random: Random, most_ms: float) -> list[Event]:
    """What comes of frames each of which arrives by up to so much later than it was captured."""
    stage = Stage(timing=TIMING)
    arrivals = [(ms(frame.time_ns) + random.uniform(0, most_ms), frame) for frame in frames]
    for at_ms, frame in sorted(arrivals, key=itemgetter(0)):
        stage.hear(frame, at_ms=at_ms)
    stage.hear(*[end(modality, LAST_MS) for modality in Modality], at_ms=LAST_MS + 500)
    stage.until(LAST_MS + 11_000)
    return stage.events

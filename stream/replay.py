"""Clips -> sessions -> records, in the order in which live sources would send them.

    clip -> [Timed] -> Record

`send.py` puts the records into the topics, `recognize.py` hands the same ones to a lane. Knows no Kafka client and reads
no clock.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from stream.errors import ConfigError
from stream.frame import Modality, Record, to_record
from stream.scene import Scene, Take, Timed, takes, timed
from stream.times import NS_PER_MS

MAX_NAME_BYTES = 128  # of a session, which is a Kafka key


@dataclass(frozen=True, slots=True)
class Source:
    """Clips that are played as one session, or as several that are alike."""

    sessions: tuple[str, ...]
    laid: tuple[Take, ...]

    @property
    def length_ns(self) -> int:
        """How long it plays."""
        return self.laid[-1].end_ns


class Piece(NamedTuple):
    """What a source has to send, and when."""

    source: Source
    timed: Timed


class Clock(NamedTuple):
    """Where on the calendar the sessions' time 0 lies."""

    captured_ns: int  # for the stamps; a hop boundary
    produced_ns: int  # for the records' own timestamps


def sources(
    clips: Sequence[Path], scene: Scene, *, session: str | None = None, copies: int = 1, join: bool = False
) -> list[Source]:
    """Name the sessions that the clips make: one a clip, or one of all.

    Raises
    ------
    ConfigError
        If two sessions would have one name, a name is no Kafka key, or a file is no clip.
    """
    _check_stems(clips, join=join)
    if session is not None and len(clips) > 1 and not join:
        raise ConfigError(f"One session name was given for {len(clips)} clips: give one clip, or --join.")
    groups = [list(clips)] if join else [[path] for path in clips]
    return [Source(_names(session or group[0].stem, copies), tuple(takes(group, scene))) for group in groups]


def pieces(played: Sequence[Source], scene: Scene) -> Iterator[Piece]:
    """All that the sources have to send, over all of them in live order; made as it is asked for."""
    roads = [_pieces(source, scene) for source in played]
    return heapq.merge(*roads, key=lambda piece: piece.timed.available_ns)


def records(piece: Piece, clock: Clock, topics: dict[Modality, str]) -> Iterator[Record]:
    """The piece as one record for each of its source's sessions."""
    item = piece.timed.item
    for session in piece.source.sessions:
        stamped = replace(
            item,
            session=session,
            time_ns=clock.captured_ns + item.time_ns,
            timestamp_ms=(clock.produced_ns + piece.timed.available_ns) // NS_PER_MS,
        )
        yield to_record(stamped, topics[item.modality])


def on_hop(time_ns: int, hop_ns: int) -> int:
    """The first hop boundary that is not before a time."""
    return -(-time_ns // hop_ns) * hop_ns


def _pieces(source: Source, scene: Scene) -> Iterator[Piece]:
    return (Piece(source, each) for each in timed(source.laid, scene))


def _check_stems(clips: Sequence[Path], *, join: bool) -> None:
    stems = Counter(path.stem for path in clips)
    stem, count = stems.most_common(1)[0]
    if count > 1 and not join:
        paths = ", ".join(f"'{path}'" for path in clips if path.stem == stem)
        raise ConfigError(f"Clips {paths} would both be session '{stem}': rename one, or play them one by one.")


def _names(name: str, copies: int) -> tuple[str, ...]:
    names = tuple(f"{name}-{number}" for number in range(1, copies + 1)) if copies > 1 else (name,)
    if not 1 <= len(names[-1].encode()) <= MAX_NAME_BYTES:
        raise ConfigError(f"Session name '{names[-1]}' has not 1 to {MAX_NAME_BYTES} bytes: give another by --session.")
    return names

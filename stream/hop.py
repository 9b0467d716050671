"""What alignment hands on: hops and the news of a session, and the words for what became of frames.

    Frame -> [Hop] -> features

Types only: how they come about is said in `align.py`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from stream.frame import Frame, Modality


class Outcome(StrEnum):
    """What became of a frame: each one gets exactly one of these. A closed set."""

    USED = "used"
    LATE = "late"  # came after its final, or so far off its session's clock that it found no place
    REPLAYED = "replayed"  # read again after a recovery, already in a final
    SHED = "shed"
    CORRUPT = "corrupt"  # found out when it is decoded: used, as far as the aligner knows
    DUPLICATE = "duplicate"
    OVERFLOW = "overflow"


class Status(StrEnum):
    """What happened to one modality in one hop. The last two are found out when frames are decoded."""

    PRESENT = "present"  # its frames were there when the hop was first emitted
    LATE = "late"  # waited for in vain; in a later revision its frames may be there
    SILENT = "silent"  # said to have nothing: its bound is past the hop, or it has ended
    IDLE = "idle"  # not waited for: it never spoke, or not for long
    SHED = "shed"
    CORRUPT = "corrupt"
    UNUSABLE = "unusable"


class HopReason(StrEnum):
    """Why a hop was emitted when it was."""

    SETTLED = "settled"
    DEADLINE = "deadline"
    END = "end"


class EndReason(StrEnum):
    """Why a session ended."""

    END = "end"
    TIMEOUT = "timeout"
    CLOCK = "clock"


@dataclass(frozen=True, slots=True)
class Timing:
    """The settings that alignment follows, in nanoseconds."""

    tick_ns: int = 40_000_000
    hop_ns: int = 320_000_000
    reorder_ns: int = 0
    deadline_ns: int = 200_000_000
    idle_ns: int = 2_000_000_000
    session_end_ns: int = 30_000_000_000
    max_jump_ns: int = 60_000_000_000


@dataclass(slots=True)
class Hop:
    """A run of ticks `[start_ns, end_ns)` of one session, with every frame that overlaps it."""

    session: str
    start_ns: int  # a multiple of the hop since the epoch
    end_ns: int
    frames: dict[
        Modality, list[Frame]
    ]  # in time order; text: the one that holds at the start, and those that begin inside
    statuses: dict[Modality, Status]
    reason: HopReason
    revision: int  # 0 first; n > 0: emitted again because late frames touched it
    arrived_ns: int  # on the lane's clock: arrival of its newest frame
    aligned_ns: int  # on the lane's clock: when it was emitted
    late: dict[Modality, int] = field(default_factory=dict)  # frames beginning in it that came after revision 0
    lost: dict[Modality, int] = field(default_factory=dict)  # gaps of ce_sequence before frames beginning in it
    lags_ns: dict[Modality, int] = field(default_factory=dict)  # of those waited for: the lane's clock less their bound
    due_ns: int = field(default=0, compare=False)  # on the lane's clock: when what made it due came, or its deadline
    more: bool = field(
        default=False, compare=False
    )  # whether another that the same late frames touched follows at once


@dataclass(frozen=True, slots=True)
class Started:
    """A session's first hop is about to come."""

    session: str
    start_ns: int  # of its earliest frame


@dataclass(frozen=True, slots=True)
class Slept:
    """Nothing is waited for and no hop with frames is left: the open segment is to be finalised."""

    session: str
    end_ns: int  # end of the last hop emitted


@dataclass(frozen=True, slots=True)
class Ended:
    """The session is over, which implies `Slept`; a later frame of that name begins a new one."""

    session: str
    reason: EndReason
    start_ns: int
    end_ns: int  # of its last frame


Event = Started | Hop | Slept | Ended


@dataclass(slots=True)
class Checkpoint:
    """What a successor must know of a session's alignment: `Aligner.checkpoint` gives it, `restore` takes it."""

    start_ns: int
    frontier_ns: int
    keep_from_ns: int  # the frontier less the encoders' left context
    newest_ns: int  # the newest end of a frame: the session's timeline
    cuts: dict[Modality, int] = field(default_factory=dict)  # read positions at the last final; the lane's to fill in
    held_text: Frame | None = None  # the newest text that begins no later than the frontier
    heard_ns: dict[Modality, int] = field(default_factory=dict)  # on the lane's clock: arrival of the last record
    ended: frozenset[Modality] = frozenset()
    over: bool = False  # the session has ended: a record below the cuts is replayed, another begins a new one
    spoken: frozenset[Modality] = frozenset()  # had a frame before the frontier: silent from there on, and not idle
    bounds_ns: dict[Modality, int] = field(default_factory=dict)  # none beyond a frame that is to be read again
    newest_arrived_ns: int | None = None  # on the lane's clock: arrival of that newest frame; None: when last heard
    since: dict[Modality, int] = field(default_factory=dict)  # a record below is none of its: of another of its name


@dataclass(slots=True)
class Tally:
    """What became of frames, counted until somebody fetches the counts."""

    outcomes: Counter[tuple[Modality, Outcome]] = field(default_factory=Counter)
    lost: Counter[Modality] = field(default_factory=Counter)  # gaps of ce_sequence
    overflowed: list[Frame] = field(default_factory=list)  # to be dead letters
    late: list[tuple[Frame, int]] = field(default_factory=list)  # each with how late it came, in ns

    def count(self, frame: Frame, outcome: Outcome) -> Outcome:
        """Count one frame's outcome, and give it back."""
        self.outcomes[frame.modality, outcome] += 1
        return outcome

    def count_overflow(self, frame: Frame) -> Outcome:
        """Count a frame for which there was no room, and keep it until somebody fetches it."""
        self.overflowed.append(frame)
        return self.count(frame, Outcome.OVERFLOW)

    def count_late(self, frame: Frame, late_ns: int) -> Outcome:
        """Count a frame that came after its final, and keep it until somebody fetches it."""
        self.late.append((frame, late_ns))
        return self.count(frame, Outcome.LATE)

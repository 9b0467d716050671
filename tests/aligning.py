"""What the aligner's tests are written in: frames by the millisecond, and a lane that advances its clock by hand."""

from __future__ import annotations

from dataclasses import dataclass, field

from stream.align import Aligner
from stream.frame import Bound, End, Frame, Modality
from stream.hop import Event, Hop, Outcome, Slept, Timing
from stream.times import NS_PER_MS

TEXT, AUDIO, VIDEO = Modality
HOP_MS = 320
START_NS = 5_000_000 * HOP_MS * NS_PER_MS  # a hop boundary: the time 0 of all tests
PLENTY = 1 << 30


def ns(at_ms: float) -> int:
    """A moment of a test on the session's timeline and on the lane's clock, which agree."""
    return START_NS + round(at_ms * NS_PER_MS)


def ms(at_ns: int) -> float:
    return (at_ns - START_NS) / NS_PER_MS


def audio(at_ms: float, duration_ms: float | None = 20, session: str = "s", **more: int | None) -> Frame:
    return _frame(AUDIO, at_ms, duration_ms, session, **more)


def video(at_ms: float, duration_ms: float | None = 40, session: str = "s", **more: int | None) -> Frame:
    return _frame(VIDEO, at_ms, duration_ms, session, **more)


def text(at_ms: float, duration_ms: float | None = None, session: str = "s", **more: int | None) -> Frame:
    return _frame(TEXT, at_ms, duration_ms, session, **more)


def bound(modality: Modality, at_ms: float, session: str = "s") -> Bound:
    return Bound(session, modality, ns(at_ms))


def end(modality: Modality, at_ms: float, session: str = "s", offset: int = -1) -> End:
    return End(session, modality, ns(at_ms), offset=offset)


def _frame(
    modality: Modality,
    at_ms: float,
    duration_ms: float | None,
    session: str,
    *,
    sequence: int | None = None,
    offset: int | None = None,
    size_bytes: int | None = None,
) -> Frame:
    duration_ns = None if duration_ms is None else round(duration_ms * NS_PER_MS)
    payload = bytes(100 if size_bytes is None else size_bytes)
    frame = Frame(session, modality, ns(at_ms), duration_ns, payload, "", sequence=sequence)
    if offset is not None:
        frame.offset = offset
    return frame


@dataclass
class Stage:
    """An aligner and its caller: polls whenever the aligner asks for it, before and after what comes."""

    timing: Timing = field(default_factory=Timing)
    session_bytes: int = PLENTY
    lane_bytes: int = PLENTY
    behind: frozenset[Modality] = frozenset()
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.aligner = Aligner(self.timing, self.session_bytes, self.lane_bytes)

    def hear(self, *items: Frame | Bound | End, at_ms: float) -> list[Outcome | None]:
        """Take items that all arrive then, and do what is due."""
        self.until(at_ms)
        outcomes = [self.aligner.add(item, ns(at_ms)) for item in items]
        self._poll(ns(at_ms))
        return outcomes

    def until(self, at_ms: float) -> None:
        """Let the time pass, waking the aligner when it asks for it."""
        while (wake_ns := self.aligner.wake_ns()) is not None and wake_ns <= ns(at_ms):
            self._poll(wake_ns)
        self._poll(ns(at_ms))

    def live(self, *frames: Frame, delay_ms: float = 0) -> None:
        """Take frames as they are captured: each arrives at its end, or at its start while the end is unknown."""
        for frame in sorted(frames, key=captured_ns):
            self.hear(frame, at_ms=ms(captured_ns(frame)) + delay_ms)

    @property
    def hops(self) -> list[Hop]:
        return [event for event in self.events if isinstance(event, Hop)]

    @property
    def sleeps(self) -> list[Slept]:
        return [event for event in self.events if isinstance(event, Slept)]

    def emitted(self) -> list[tuple[float, float]]:
        """Of each hop in the order in which they came: its start, and when it came."""
        return [(ms(hop.start_ns), ms(hop.aligned_ns)) for hop in self.hops]

    def of(self, start_ms: float) -> Hop:
        """The newest revision of a hop."""
        return [hop for hop in self.hops if ms(hop.start_ns) == start_ms][-1]

    def _poll(self, now_ns: int) -> None:
        self.events += self.aligner.poll(now_ns, self.behind)


def starts_ms(hop: Hop, modality: Modality) -> list[float]:
    """Capture times of a hop's frames."""
    return [ms(frame.time_ns) for frame in hop.frames[modality]]


def speech(until_ms: float, from_ms: float = 0, session: str = "s") -> list[Frame]:
    """Sound and pictures without a gap."""
    steps = range(round(from_ms), round(until_ms), 20)
    return [audio(at, session=session) for at in steps] + [video(at, session=session) for at in steps if at % 40 == 0]


def captured_ns(frame: Frame) -> int:
    """When it can be there: at its end, or at its start while the end is unknown or a text's."""
    return frame.time_ns + (0 if frame.modality is TEXT else frame.duration_ns or 0)

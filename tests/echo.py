"""A lane that needs no model: its captions are the first bytes of the sound that it hears."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from stream.align import Aligner
from stream.caption import Caption, Word
from stream.errors import Reason, RecordError
from stream.frame import End, Frame, Modality, Record, to_record
from stream.hop import Hop, Timing
from stream.lane import Intake, Lane, OpenSegment, Output
from stream.overload import Overload
from stream.progress import Progress
from stream.publish import Model
from stream.results import Maker
from stream.skew import UNKNOWN, Skew

MS = 1_000_000
HOP_NS = 320 * MS
T0_NS = 5_610_982_094 * HOP_NS  # a hop boundary in 2026
CONTEXT_NS = 400 * MS
SOUND = "audio/L16;rate=8000;channels=1"
FRAME_MS = 100
SILENCE = "."
BROKEN = "?"
SECOND_BYTE = b"\x00"
DEFAULT_TIMING = Timing()
MAKER = Maker("speech", Model(name="echo", version="1", digest="sha256:0"), "cpu")
INTAKE = Intake({name: name for name in Modality}, dict.fromkeys(Modality, SOUND), 900_000)


class EchoSegment:
    """Each frame of sound that begins beyond the frontier is a word; a hop of silence makes them final."""

    def __init__(self, frontier_ns: int, revision: int = 0, skew: Skew = UNKNOWN) -> None:
        self.frontier_ns = frontier_ns
        self.skew = skew
        self.corrupt: list[tuple[Frame, RecordError]] = []
        self._revision = revision
        self._words: dict[int, str] = {}
        self._end_ns = frontier_ns

    async def hop(self, hop: Hop) -> list[Caption]:
        if hop.end_ns <= self.frontier_ns:
            return []  # context
        heard = {frame.time_ns: letter(frame) for frame in hop.frames[Modality.AUDIO]}
        self._find_corrupt(hop)
        self._words |= {at_ns: word for at_ns, word in heard.items() if at_ns >= self.frontier_ns and word.isalpha()}
        self._end_ns = hop.end_ns
        if any(word.isalpha() for word in heard.values()):
            self._revision += 1
            return [self._caption(hop.end_ns, is_final=False)]
        return self._final(hop.start_ns)

    async def close(self) -> list[Caption]:
        return self._final(self._end_ns)

    def _final(self, end_ns: int) -> list[Caption]:
        captions = [self._caption(end_ns, is_final=True)] if self._words else []
        self.frontier_ns, self._words = max(self.frontier_ns, end_ns), {}
        self._revision = 0 if captions else self._revision
        return captions

    def _find_corrupt(self, hop: Hop) -> None:
        for frame in hop.frames[Modality.AUDIO]:
            if letter(frame) == BROKEN:
                self.corrupt.append((frame, RecordError(Reason.BAD_MEDIA, "It is broken.")))

    def _caption(self, end_ns: int, *, is_final: bool) -> Caption:
        words = tuple(Word(word, at_ns, at_ns + MS, 1.0) for at_ns, word in sorted(self._words.items()))
        return Caption(
            start_ns=self.frontier_ns,
            end_ns=end_ns,
            revision=self._revision,
            is_final=is_final,
            stability=1.0,
            words=words,
            confidence=1.0,
            weights=dict.fromkeys(Modality, 1 / 3),
            counts={name: Counter() for name in Modality},
            frames=dict.fromkeys(Modality, 0),
            captured_ns=end_ns,
            inferred_ns=end_ns,
            batch=1,
        )


def letter(frame: Frame) -> str:
    return chr(frame.payload[0])


def echo_lane(
    progress: Progress,
    number: int = 0,
    intake: Intake = INTAKE,
    timing: Timing = DEFAULT_TIMING,
    open_segment: OpenSegment = EchoSegment,
    overload: Overload | None = None,
) -> Lane:
    aligner = Aligner(timing, 8 << 20, 64 << 20)
    return Lane(number, intake, aligner, open_segment, MAKER, progress, CONTEXT_NS, overload)


def sound(session: str, text: str, start_ms: int = 0) -> Iterator[Frame | End]:
    """A frame a letter, and the end."""
    end_ms = start_ms + FRAME_MS * len(text)
    for place, word in enumerate(text):
        payload = (word.encode() + SECOND_BYTE) * (8 * FRAME_MS)
        time_ns = T0_NS + (start_ms + FRAME_MS * place) * MS
        yield Frame(session, Modality.AUDIO, time_ns, FRAME_MS * MS, payload, SOUND)
    yield End(session, Modality.AUDIO, T0_NS + end_ms * MS)


def unseen(session: str) -> Iterator[Frame | End]:
    """One picture and no more, so that nobody waits for video."""
    yield Frame(session, Modality.VIDEO, T0_NS, 40 * MS, b"picture", "image/jpeg")
    yield End(session, Modality.VIDEO, T0_NS + 40 * MS)


def live(items: Iterable[Frame | End], number: int = 0) -> list[Record]:
    """Records in the order in which they become available live: each when it ends, offsets by topic."""
    offsets: Counter[str] = Counter()
    records = []
    for item in sorted(items, key=available_ns):
        record = to_record(item, item.modality)
        record.partition, record.offset = number, offsets[item.modality]
        record.timestamp_ms = -(-available_ns(item) // MS)
        offsets[item.modality] += 1
        records.append(record)
    return records


def available_ns(item: Frame | End) -> int:
    return item.time_ns + (item.duration_ns or 0) if isinstance(item, Frame) else item.time_ns


async def feed(lane: Lane, records: Iterable[Record]) -> list[Output]:
    """Let each record arrive when it was produced, and do in between what is due."""
    results: list[Output] = []
    for record in records:
        now_ns = record.timestamp_ms * MS
        results += await wake(lane, now_ns)
        lane.take(record, now_ns)
        results += await lane.advance(now_ns)
    return results


async def wake(lane: Lane, until_ns: int) -> list[Output]:
    """Advance at every moment that the lane asks for, up to one."""
    results: list[Output] = []
    while (wake_ns := lane.wake_ns()) is not None and wake_ns <= until_ns:
        results += await lane.advance(wake_ns)
    return results

"""Records as no good source sends them: each begins as a valid one of a live session and is changed in one way.

    seed -> [valid record -> one change] -> Mutant

The same seed gives the same changes in the same order.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from stream.content import TEXT
from stream.frame import End, Frame, Modality, to_record
from stream.scene import SOUND, Timed
from stream.times import NS_PER_MS, NS_PER_SECOND, format_rfc3339
from tests.bombs import bombs, jpeg_of, png_of
from tests.raw_records import Raw

SESSIONS = 4
HOUR_NS = 3_600 * NS_PER_SECOND
HEAVY_SHARE = 1 / 8  # of the changes that make a record large, against the others
TEXT_TYPE = TEXT.encode()
Change = Callable[["Draft", np.random.Generator], None]


@dataclass
class Draft:
    """A record while it is being changed."""

    modality: Modality
    session: str
    time_ns: int
    sequence: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[bytes, bytes | None]]
    timestamp_ms: int | None = None

    def set(self, name: bytes, value: bytes | None) -> None:
        """Give a header another value, or add it."""
        self.headers = [header for header in self.headers if header[0] != name]
        self.headers.append((name, value))


@dataclass(frozen=True, slots=True)
class Mutant:
    """A changed record, and what was done to it."""

    kind: str
    modality: Modality
    partition: int
    raw: Raw


class Mutator:
    """Draws valid records of a clip, stamped with the time of drawing, and changes them.

    Parameters
    ----------
    pieces : sequence of Timed
        What a session of the clip sends.
    """

    def __init__(self, pieces: Sequence[Timed], seed: int, partitions: int) -> None:
        self._random = np.random.default_rng(seed)
        frames = [piece.item for piece in pieces if isinstance(piece.item, Frame)]
        self._frames = {name: [frame for frame in frames if frame.modality is name] for name in Modality}
        self._frames[Modality.TEXT] += [_said(word) for word in ("place red at j zero now", "lay", "ünïcödé 😀")]
        self._partitions = partitions
        self._sent = dict.fromkeys(((session, name) for session in range(SESSIONS) for name in Modality), 0)
        kinds = list(changes())
        weights = np.array([HEAVY_SHARE if _is_heavy(kind) else 1.0 for kind in kinds])
        self._kinds, self._weights = kinds, weights / weights.sum()

    def __iter__(self) -> Iterator[Mutant]:
        """Go on for ever."""
        while True:
            yield self._mutant()

    def _mutant(self) -> Mutant:
        kind = self._kinds[self._random.choice(len(self._kinds), p=self._weights)]
        change, of = changes()[kind]
        modality = Modality(str(self._random.choice(of or list(Modality))))
        session = int(self._random.integers(SESSIONS))
        draft = self._valid(session, modality)
        change(draft, self._random)
        raw = Raw(draft.key, draft.value, tuple(draft.headers), draft.timestamp_ms)
        return Mutant(kind, modality, session % self._partitions, raw)

    def _valid(self, session: int, modality: Modality) -> Draft:
        frames, sequence = self._frames[modality], self._sent[session, modality]
        self._sent[session, modality] += 1
        frame = frames[sequence % len(frames)]
        time_ns = time.time_ns()
        known = Frame(
            f"odd-{session}", modality, time_ns, frame.duration_ns, frame.payload, frame.content_type, sequence=sequence
        )
        record = to_record(known, modality, "/odd")
        headers = [(name.encode(), value) for name, value in record.headers]
        return Draft(modality, known.session, time_ns, sequence, record.key, record.value, list(headers))


def _said(text: str) -> Frame:
    return Frame("", Modality.TEXT, 0, NS_PER_SECOND, text.encode(), TEXT)


# Headers


def _without_header(draft: Draft, random: np.random.Generator) -> None:
    del draft.headers[int(random.integers(len(draft.headers)))]


def _header_twice(draft: Draft, random: np.random.Generator) -> None:
    draft.headers.append(draft.headers[int(random.integers(len(draft.headers)))])


def _header_value(make: Callable[[bytes, np.random.Generator], bytes | None]) -> Change:
    def change(draft: Draft, random: np.random.Generator) -> None:
        place = int(random.integers(len(draft.headers)))
        name, value = draft.headers[place]
        draft.headers[place] = name, make(value or b"", random)

    return change


def _header(name: bytes, *values: bytes | None) -> Change:
    def change(draft: Draft, random: np.random.Generator) -> None:
        draft.set(name, values[int(random.integers(len(values)))])

    return change


def _more_headers(*headers: tuple[bytes, bytes | None]) -> Change:
    def change(draft: Draft, _: np.random.Generator) -> None:
        draft.headers += headers

    return change


def _plain(draft: Draft, _: np.random.Generator) -> None:
    draft.headers = []


def _signal(event_type: bytes, *, empty: bool) -> Change:
    def change(draft: Draft, _: np.random.Generator) -> None:
        draft.set(b"ce_type", event_type)
        draft.value = (b"", None)[draft.sequence % 2] if empty else draft.value

    return change


def _off(*by_ns: int) -> Change:
    """Another capture time."""

    def change(draft: Draft, random: np.random.Generator) -> None:
        time_ns = draft.time_ns + by_ns[int(random.integers(len(by_ns)))]
        draft.set(b"ce_time", format_rfc3339(time_ns).encode())

    return change


def _produced(*by_ms: int) -> Change:
    def change(draft: Draft, random: np.random.Generator) -> None:
        draft.timestamp_ms = draft.time_ns // NS_PER_MS + by_ms[int(random.integers(len(by_ms)))]

    return change


def _numbered(*by: int) -> Change:
    def change(draft: Draft, random: np.random.Generator) -> None:
        number = max(0, draft.sequence + by[int(random.integers(len(by)))])
        draft.set(b"ce_sequence", b"%010d" % number)

    return change


# Keys and values


def _key(*keys: bytes | None) -> Change:
    def change(draft: Draft, random: np.random.Generator) -> None:
        draft.key = keys[int(random.integers(len(keys)))]

    return change


def _value(*values: bytes | None) -> Change:
    def change(draft: Draft, random: np.random.Generator) -> None:
        draft.value = values[int(random.integers(len(values)))]

    return change


def _cut(draft: Draft, random: np.random.Generator) -> None:
    value = draft.value or b""
    draft.value = value[: int(random.integers(len(value) + 1))]


def _flipped(value: bytes, random: np.random.Generator) -> bytes:
    changed = bytearray(value)
    for place in random.integers(len(value), size=int(random.integers(1, 9))) if value else ():
        changed[place] ^= 1 << int(random.integers(8))
    return bytes(changed)


def _flip(draft: Draft, random: np.random.Generator) -> None:
    draft.value = _flipped(draft.value or b"", random)


def _noise(draft: Draft, random: np.random.Generator) -> None:
    draft.value = random.bytes(int(random.integers(2_000)))


def _pasted(draft: Draft, random: np.random.Generator) -> None:
    """Its own middle once more in its middle."""
    value = draft.value or b""
    begin, end = sorted(int(place) for place in random.integers(len(value) + 1, size=2))
    draft.value = value[:end] + value[begin:]


def _content(content_type: bytes, value: bytes) -> Change:
    def change(draft: Draft, _: np.random.Generator) -> None:
        draft.set(b"content-type", content_type)
        draft.value = value

    return change


def _rate(draft: Draft, random: np.random.Generator) -> None:
    rate_hz, channels = int(random.integers(8_000, 48_001)), int(random.integers(1, 3))
    draft.set(b"content-type", b"audio/L16;rate=%d;channels=%d" % (rate_hz, channels))


def _nothing(_: Draft, __: np.random.Generator) -> None:
    """Leave it valid."""


_SOUND, _SEEN, _READ = [Modality.AUDIO], [Modality.VIDEO], [Modality.TEXT]
_ANY: list[Modality] = []
_L16 = SOUND.encode()
_HEAVY = frozenset(
    (
        "a header has 300 kB",
        "value is too large",
        "sound of half a minute",
        "text is without an end",
        "text is one word without an end",
        "a picture as large as allowed",
        "large jpeg of 60 scans",
        "large png of too many rows",
        "jpeg of 20,000 scans",
    )
)


@cache
def changes() -> dict[str, tuple[Change, list[Modality]]]:
    """All kinds: what is done to a record, and of which modalities; none named, of any."""
    return {
        "none": (_nothing, _ANY),
        "a header is missing": (_without_header, _ANY),
        "a header is there twice": (_header_twice, _ANY),
        "a header is null": (_header_value(lambda *_: None), _ANY),
        "a header is empty": (_header_value(lambda *_: b""), _ANY),
        "a header's bits are flipped": (_header_value(_flipped), _ANY),
        "a header is noise": (_header_value(lambda _, random: random.bytes(20)), _ANY),
        "a header is cut": (_header_value(lambda value, _: value[:-1]), _ANY),
        "a header's name is no UTF-8": (_more_headers((b"\xff\xfe\x80", b"1"), (b"ce_\xc3", b"2")), _ANY),
        "a header's name is empty": (_more_headers((b"", None), (b"", b"")), _ANY),
        "a header's name has 20 kB": (_more_headers((b"n" * 20_000, b"1"), (b"\xff" * 20_000, b"1")), _ANY),
        "a header has 300 kB": (_more_headers((b"note", bytes(300_000))), _ANY),
        "there are 3,000 headers": (_more_headers(*[(b"n%d" % number, b"") for number in range(3_000)]), _ANY),
        "one header 3,000 times": (_more_headers(*[(b"ce_note", b"x")] * 3_000), _ANY),
        "no header": (_plain, _ANY),
        "specversion": (_header(b"ce_specversion", b"0.3", b"1.0 ", b"2"), _ANY),
        "type": (_header(b"ce_type", b"com.example.order", b"trivium.frame.v2", b"\xff"), _ANY),
        "structured mode": (_more_headers((b"content-type", b"application/cloudevents+json")), _ANY),
        "content type": (
            _header(b"content-type", b"audio/L16", b"image/gif", b"image/jpeg;", b"text/plain;charset=latin-1", b"/"),
            _ANY,
        ),
        "a content type without an end": (_header(b"content-type", b"image/jpeg;a=" + b'"' * 9_000), _ANY),
        "region": (_header(b"ce_region", b"nose", b"mouth", b"MOUTH"), _SEEN),
        "trace": (_header(b"traceparent", b"00", bytes(55), b"\xff" * 900), _ANY),
        "duration": (_header(b"ce_duration", b"-40", b"1e3", b"86400000", b"86400001", b"0", "٤".encode()), _ANY),
        "a heartbeat": (_signal(b"trivium.bound.v1", empty=True), _ANY),
        "a heartbeat with a value": (_signal(b"trivium.bound.v1", empty=False), _ANY),
        "an end": (_signal(b"trivium.end.v1", empty=True), _ANY),
        "an end with a value": (_signal(b"trivium.end.v1", empty=False), _ANY),
        "time is malformed": (
            _header(
                b"ce_time", b"now", b"2026-02-30T00:00:00Z", b"1795514270009", b"2026-03-01T12:00:00", b"\xff" * 30
            ),
            _ANY,
        ),
        "time is before 1970 or after 2262": (
            _header(b"ce_time", b"1969-12-31T23:59:59Z", b"9999-01-01T00:00:00Z"),
            _ANY,
        ),
        "time is an age off": (_header(b"ce_time", b"1970-01-01T00:00:00Z", b"2262-04-11T23:47:16Z"), _ANY),
        "time is an hour off": (_off(-HOUR_NS, HOUR_NS), _ANY),
        "time is seconds off": (_off(-5 * NS_PER_SECOND, -NS_PER_SECOND, 5 * NS_PER_SECOND), _ANY),
        "produced at another time": (_produced(-HOUR_NS // NS_PER_MS, -5_000, 5_000), _ANY),
        "sequence is malformed": (_header(b"ce_sequence", b"-000000001", b"12", b"99999999999", b"00000000x1"), _ANY),
        "sequence is as before": (_numbered(-1, -2), _ANY),
        "sequence is out of order": (_numbered(-40, -7, 7, 1_000, 9_999_000_000), _ANY),
        "no key": (_key(None), _ANY),
        "key": (_key(b"", b"\xff\xfe", b"k" * 129, b"k" * 10_000, b"odd-\0"), _ANY),
        "no value": (_value(None, b""), _ANY),
        "value is cut": (_cut, _ANY),
        "value's bits are flipped": (_flip, _ANY),
        "value is noise": (_noise, _ANY),
        "value is pasted": (_pasted, _ANY),
        "value is another modality's": (_value(b"place red at j zero now", jpeg_of(32, 32), bytes(640)), _ANY),
        "value is too large": (_value(bytes(950_000)), _ANY),
        "sound of any rate": (_rate, _SOUND),
        "sound of a wrong rate": (
            _header(b"content-type", b"audio/L16;rate=7999", b"audio/L16;rate=1;channels=3"),
            _SOUND,
        ),
        "sound of half a minute": (_content(_L16, bytes(890_000)), _SOUND),
        "sound of half a sample": (_content(_L16, bytes(641)), _SOUND),
        "text is no UTF-8": (_content(TEXT_TYPE, b"place \xff red"), _READ),
        "text is without an end": (_content(TEXT_TYPE, b"place red " * 80_000), _READ),
        "text is one word without an end": (_content(TEXT_TYPE, b"a'" * 400_000), _READ),
        "text is strange": (_content(TEXT_TYPE, "\0\ufeff\u202eİ\u0301 \U0010ffff".encode() * 40), _READ),
        "a picture of one pixel": (_content(b"image/jpeg", jpeg_of(1, 1)), _SEEN),
        "a picture as large as allowed": (_content(b"image/jpeg", jpeg_of(2000, 2000)), _SEEN),
        "a jpeg that is called png": (_header(b"content-type", b"image/png"), _SEEN),
        "a png without rows": (_content(b"image/png", png_of(64, 48, b"")), _SEEN),
        **{name: (_content(kind, value), _SEEN) for name, (kind, value) in bombs().items()},
    }


def _is_heavy(kind: str) -> bool:
    return kind in _HEAVY or ("inflate" in kind)


def ends(session: int, partitions: int) -> Iterator[Mutant]:
    """What ends a session on all its topics."""
    for modality in Modality:
        record = to_record(End(f"odd-{session}", modality, time.time_ns()), modality)
        headers = tuple((name.encode(), value) for name, value in record.headers)
        yield Mutant("the end", modality, session % partitions, Raw(record.key, record.value, headers))

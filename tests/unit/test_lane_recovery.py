"""A lane that is killed while a name is used again, and while heartbeats are all that comes: as if it had not been."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from stream.caption import Caption
from stream.frame import Bound, End, Frame, Modality, Record, to_record
from stream.hop import Hop
from stream.lane import Lane, Output
from stream.late import LateFrame
from stream.skew import UNKNOWN, Skew
from tests.echo import DEFAULT_TIMING, MS, T0_NS, EchoSegment, available_ns, feed, sound, wake
from tests.restarting import Store
from tests.unit.test_lane import FOREVER_NS, finals, pictures, session_records, shown

TEXT, AUDIO, VIDEO = Modality
Item = Frame | Bound | End
Timed = tuple[int, Item]  # with its arrival


@dataclass
class Life:
    """What owners of a lane, one after another, made of records."""

    outputs: list[Output] = field(default_factory=list)
    hops: list[Hop] = field(default_factory=list)

    def told(self, session: str) -> tuple[list[str], list[tuple[str, str | None]]]:
        """Finals of one session, and how those of its name began and ended."""
        records: list[tuple[str, str | None]] = [
            (one.state, one.reason) for one in session_records(self.outputs) if one.session == session
        ]
        return [text for name, text in finals(self.outputs) if name == session], records


def never(_: Life) -> bool:
    """It is let live."""
    return False


async def lives(records: Iterable[Record], *kills: Callable[[Life], bool]) -> Life:
    """The life of a lane whose owner is killed as soon as each of these is so."""
    life = Life()

    class NotingSegment(EchoSegment):
        async def hop(self, hop: Hop) -> list[Caption]:
            life.hops.append(hop)
            return await super().hop(hop)

    def noting(frontier_ns: int, revision: int = 0, skew: Skew = UNKNOWN) -> EchoSegment:
        return NotingSegment(frontier_ns, revision, skew)

    store, records = Store(noting), list(records)
    for killed in (*kills, never):
        lane = store.successor()
        for record in store.unread(records):
            life.outputs += await feed(lane, [record])
            store.commit(lane)
            if killed(life):
                break
    life.outputs += await wake(lane, FOREVER_NS)
    return life


def live(items: Iterable[Item], late_ms: int = 0) -> list[Timed]:
    """Each as soon as it can be there, by a clock that is late by so much."""
    return [((item.time_ns if isinstance(item, Bound) else available_ns(item)) + late_ms * MS, item) for item in items]


def in_order(*spoken: list[Timed]) -> list[Record]:
    """Records in the order of arrival, offsets by topic."""
    offsets: Counter[Modality] = Counter()
    records = []
    for at_ns, item in sorted((one for said in spoken for one in said), key=lambda one: one[0]):
        record = to_record(item, item.modality)
        record.offset, record.timestamp_ms = offsets[item.modality], -(-at_ns // MS)
        offsets[item.modality] += 1
        records.append(record)
    return records


def host(letters: int = 110) -> list[Timed]:
    """Talks without a pause, so that no offset is passed."""
    seconds = letters // 10 + 1
    texts = [shown("host", at) for at in range(50, 1000 * seconds, 200)]
    return live([*sound("host", "a" * letters), *pictures("host", seconds), *texts])


def beats(modality: Modality, from_ms: int, until_ms: int, step_ms: int, session: str = "a") -> list[Bound]:
    return [Bound(session, modality, T0_NS + at_ms * MS) for at_ms in range(from_ms, until_ms, step_ms)]


def frames(items: Iterable[Frame | End]) -> list[Frame]:
    return [item for item in items if isinstance(item, Frame)]


def began(times: int) -> Callable[[Life], bool]:
    """Whether sessions of the guest have begun so often."""
    return lambda life: life.told("guest")[1].count(("started", None)) == times


def after(count: int) -> Callable[[Life], bool]:
    """Whether its owner has read so many records."""
    read = itertools.count(1)
    return lambda _: next(read) >= count


def said(text: str) -> Callable[[Life], bool]:
    return lambda life: text in life.told("guest")[0]


async def last_wake_ns(lane: Lane) -> int:
    """When the last of its sessions ends if no record comes."""
    last_ns = 0
    while (wake_ns := lane.wake_ns()) is not None:
        last_ns = wake_ns
        await lane.advance(wake_ns)
    return last_ns


SECOND = "you.........there........."


@pytest.mark.parametrize("kills", [[began(2)], [said("y o u")], [began(2), said("y o u")], [said("t h e r e")]])
async def test_a_guest_whose_clock_was_set_back_between_two_sessions_is_heard_once(
    kills: list[Callable[[Life], bool]],
) -> None:
    first = live(sound("guest", "hello....", start_ms=2500))
    second = live(sound("guest", SECOND, start_ms=2000), late_ms=2000)
    records = in_order(host(), first, second)
    wanted = (await lives(records)).told("guest")
    assert wanted == (["h e l l o", "y o u", "t h e r e"], [("started", None), ("ended", "end")] * 2)
    assert (await lives(records, *kills)).told("guest") == wanted


async def test_a_text_of_the_session_before_is_not_shown_in_the_next_of_its_name() -> None:
    written: list[Item] = [shown("guest", 600), End("guest", TEXT, T0_NS + 1400 * MS)]
    first = live([*sound("guest", "hello....", start_ms=500), *written])
    second = live(sound("guest", SECOND, start_ms=3000))
    life = await lives(in_order(host(), first, second), said("y o u"))
    assert life.told("guest")[0] == ["h e l l o", "y o u", "t h e r e"]
    shows = [hop.start_ns for hop in life.hops if hop.session == "guest" and hop.frames[TEXT]]
    assert shows
    assert max(shows) < T0_NS + 2000 * MS


@settings(max_examples=15)
@given(
    late_ms=st.integers(0, 2000),
    written=st.booleans(),
    counts=st.lists(st.integers(1, 250), max_size=3),
)
async def test_kills_at_any_record_change_nothing_of_sessions_of_one_name(
    late_ms: int,
    written: bool,  # noqa: FBT001
    counts: list[int],
) -> None:
    first = [*sound("guest", "hello....", start_ms=500), *([shown("guest", 600)] if written else [])]
    first += [End("guest", TEXT, T0_NS + 1400 * MS)] if written else []
    second = live(sound("guest", SECOND, start_ms=2000 - late_ms), late_ms=late_ms)
    records = in_order(host(60), live(first), second, live(beats(VIDEO, 1700, 5000, 200, "guest")))
    whole = await lives(records)
    assume(not any(isinstance(one, LateFrame) for one in whole.outputs))  # else a deadline says what is heard
    assert (await lives(records, *map(after, counts))).told("guest") == whole.told("guest")


async def test_where_a_session_began_is_forgotten_once_it_is_read_past() -> None:
    store = Store()
    lane = store.successor()
    records = in_order(host(), live(sound("guest", "hello....", start_ms=500)))
    await feed(lane, records[:200])
    store.commit(lane)
    lane = store.successor()
    assert lane.aligner._past.keys() == {"host", "guest"}
    await feed(lane, store.unread(records)[:200])
    assert not lane.aligner._past


async def test_a_sleeping_session_that_heartbeats_keep_alive_ends_no_sooner_after_a_kill() -> None:
    store = Store()
    lane = store.successor()
    heard = live([*frames(sound("a", "hello....")), *beats(VIDEO, 10_000, 60_000, 10_000)])
    await feed(lane, in_order(heard))
    store.commit(lane)
    end_ns = T0_NS + 50_000 * MS + DEFAULT_TIMING.session_end_ns
    assert await last_wake_ns(lane) == end_ns
    assert await last_wake_ns(store.successor()) == end_ns


async def test_a_camera_that_pauses_with_heartbeats_is_silent_after_a_kill_too() -> None:
    seen = live([*frames(pictures("a", 1)), *beats(VIDEO, 1000, 9000, 40)])
    records = in_order(live(sound("a", "hello....." * 4 + "a" * 40)), seen)
    late = T0_NS + 7500 * MS
    wanted = {hop.start_ns: (hop.statuses[VIDEO], hop.reason) for hop in (await lives(records)).hops}
    life = await lives(records, lambda life: bool(life.hops) and life.hops[-1].end_ns > late)
    first = next(place for place, hop in enumerate(life.hops) if hop.end_ns > late)
    again = {hop.start_ns: (hop.statuses[VIDEO], hop.reason) for hop in life.hops[first + 1 :]}
    assert min(again) < T0_NS + 4500 * MS
    assert again == {start_ns: found for start_ns, found in wanted.items() if start_ns >= min(again)}

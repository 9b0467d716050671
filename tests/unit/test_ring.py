"""Recent events: where a reader begins, what is dropped, and which interims are left out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stream.cursor import Cursor
from stream.event import Event, Kind, without_superseded
from stream.ring import OVERHEAD_BYTES, Ring

TOPIC = "predictions"
BODY = b"event: x\ndata: y\n"
EVENT_BYTES = len(BODY) + OVERHEAD_BYTES


def event(session: str, kind: Kind, segment: float = 0.0, partition: int = 0, offset: int = 0) -> Event:
    return Event(partition, offset, session, kind, "speech", segment, BODY, 0.0)


def ring_of(*places: tuple[int, int], partitions: int = 2, events: int = 100) -> Ring:
    """A ring of some finals, each of a session named after its partition."""
    ring = Ring(TOPIC, events * EVENT_BYTES)
    ring.open(dict.fromkeys(range(partitions), 0))
    for partition, offset in places:
        ring.append(event(f"session {partition}", Kind.FINAL, offset, partition, offset))
    return ring


def places(ring: Ring, number: int, session: str | None = None) -> list[tuple[int, int]]:
    return [(kept.event.partition, kept.event.offset) for kept in ring.since(number, session)]


def test_events_are_given_in_the_order_in_which_they_were_read() -> None:
    ring = ring_of((0, 0), (1, 0), (0, 1), (1, 5))
    assert places(ring, 0) == [(0, 0), (1, 0), (0, 1), (1, 5)]
    assert places(ring, 2) == [(0, 1), (1, 5)]
    assert places(ring, 1, "session 1") == [(1, 0), (1, 5)]
    assert places(ring, 0, "nobody") == []


def test_an_id_names_every_partition_as_far_as_it_was_read() -> None:
    ring = ring_of((0, 4), (1, 7), (0, 5))
    assert [kept.id(TOPIC) for kept in ring.since(0)] == [
        b"predictions:0=5,1=0",
        b"predictions:0=5,1=8",
        b"predictions:0=6,1=8",
    ]


def test_what_was_read_and_is_no_news_moves_the_place_of_the_next_event() -> None:
    ring = ring_of((0, 0))
    ring.move(1, 30)
    ring.append(event("a", Kind.FINAL, partition=0, offset=1))
    assert next(ring.since(1)).id(TOPIC) == b"predictions:0=2,1=30"


def test_the_oldest_make_room_and_it_is_known_from_where_on_all_is_there() -> None:
    ring = ring_of((0, 0), (0, 1), (1, 0), (1, 1), events=2)
    assert (places(ring, 0), ring.low) == ([(1, 0), (1, 1)], {0: 2, 1: 0})
    assert ring.kept_bytes == 2 * EVENT_BYTES
    assert places(ring, 0, "session 0") == []
    assert ring.has_all_from(Cursor(TOPIC, {0: 2, 1: 0}))
    assert ring.has_all_from(Cursor(TOPIC, {1: 0}))
    assert not ring.has_all_from(Cursor(TOPIC, {0: 1, 1: 2}))


@given(
    st.lists(st.integers(0, 2), max_size=30),
    st.lists(st.integers(0, 12), min_size=3, max_size=3),
    st.integers(1, 30),
)
def test_who_begins_at_a_place_gets_exactly_what_comes_after_it(
    partitions: list[int], place: list[int], events: int
) -> None:
    read = [(partition, partitions[:at].count(partition)) for at, partition in enumerate(partitions)]
    ring = ring_of(*read, partitions=3, events=events)
    cursor = Cursor(TOPIC, dict(enumerate(place)))
    given_ = [one for one in places(ring, ring.number_at(cursor)) if not cursor.is_past(*one)]
    expected = [(partition, offset) for partition, offset in read if offset >= place[partition]]
    assert given_ == expected[len(expected) - len(given_) :]
    if ring.has_all_from(cursor):
        assert given_ == expected


def test_of_a_segments_interims_the_newest_is_left() -> None:
    first, second = event("a", Kind.INTERIM, 1, offset=0), event("a", Kind.INTERIM, 1, offset=1)
    other = event("b", Kind.INTERIM, 1, offset=2)
    assert without_superseded([first, second, other]) == [second, other]


def test_an_interim_gives_way_to_the_final_of_its_segment_or_a_later_one() -> None:
    interim, last = event("a", Kind.INTERIM, 1), event("a", Kind.FINAL, 1)
    assert without_superseded([interim, last]) == [last]
    later = event("a", Kind.FINAL, 2)
    assert without_superseded([interim, later]) == [later]


def test_an_interim_of_the_next_segment_stands_beside_a_final_that_overtook_it() -> None:
    interim, last = event("a", Kind.INTERIM, 2), event("a", Kind.FINAL, 1)
    assert without_superseded([interim, last]) == [interim, last]


def test_an_interim_gives_way_to_the_end_of_its_session() -> None:
    interim, end = event("a", Kind.INTERIM, 1), event("a", Kind.SESSION)
    assert without_superseded([interim, end]) == [end]


@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.sampled_from([Kind.INTERIM, Kind.FINAL, Kind.SESSION]), st.integers(1, 3))
    )
)
def test_finals_and_session_records_are_never_left_out_and_the_order_is_kept(
    said: list[tuple[str, Kind, int]],
) -> None:
    events = [event(*one, offset=offset) for offset, one in enumerate(said)]
    left = without_superseded(events)
    assert [one for one in left if one.kind is not Kind.INTERIM] == [
        one for one in events if one.kind is not Kind.INTERIM
    ]
    assert [one.offset for one in left] == sorted(one.offset for one in left)

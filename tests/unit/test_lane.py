"""The main path without models: what a lane makes of records, and of a restart at any of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from hypothesis import example, given, settings
from hypothesis import strategies as st

from stream import metrics
from stream.deadletter import DeadLetter
from stream.errors import Reason
from stream.frame import End, Frame, Modality, Record
from stream.lane import Lane, Output
from stream.progress import Progress
from stream.publish import Prediction, SessionRecord
from stream.results import Result
from tests.echo import CONTEXT_NS, FRAME_MS, MS, T0_NS, echo_lane, feed, live, sound, wake
from tests.restarting import Store

Outputs = list[Output]
FOREVER_NS = 1 << 62
HEADERS = (("ce_note", b"kept"),)


def finals(outputs: Outputs) -> list[tuple[str, str]]:
    return [(found.session, found.text) for found in predictions(outputs) if found.is_final]


def predictions(outputs: Outputs) -> list[Prediction]:
    return [found.message for found in outputs if isinstance(found, Result) and isinstance(found.message, Prediction)]


def session_records(outputs: Outputs) -> list[SessionRecord]:
    return [
        found.message for found in outputs if isinstance(found, Result) and isinstance(found.message, SessionRecord)
    ]


def letters(outputs: Outputs) -> list[DeadLetter]:
    return [found for found in outputs if isinstance(found, DeadLetter)]


async def run(lane: Lane, records: Iterable[Record]) -> Outputs:
    return await feed(lane, records) + await wake(lane, FOREVER_NS)


async def test_a_session_starts_speaks_and_ends() -> None:
    outputs = await run(echo_lane(Progress()), live(sound("a", "hello.....you")))
    assert finals(outputs) == [("a", "h e l l o"), ("a", "y o u")]
    started, ended = session_records(outputs)
    assert (started.state, started.session, started.end_ms) == ("started", "a", None)
    assert (ended.state, ended.reason, ended.finals) == ("ended", "end", 2)
    assert ended.end_ms == (T0_NS + 13 * FRAME_MS * MS) / MS


async def test_interims_come_before_their_final_with_growing_revisions() -> None:
    found = predictions(await run(echo_lane(Progress()), live(sound("a", "hello..........you"))))
    first = [one for one in found if one.segment == found[0].segment]
    assert [one.is_final for one in first] == [False] * (len(first) - 1) + [True]
    assert [one.revision for one in first[:-1]] == list(range(1, len(first)))


async def test_sessions_of_one_lane_do_not_touch_each_other() -> None:
    both = live([*sound("a", "hello.....you"), *sound("b", ".....there....", start_ms=70)])
    outputs = await run(echo_lane(Progress()), both)
    assert sorted(finals(outputs)) == [("a", "h e l l o"), ("a", "y o u"), ("b", "t h e r e")]


async def test_a_session_that_just_stops_ends_by_timeout() -> None:
    silent = [item for item in sound("a", "hello") if isinstance(item, Frame)]
    outputs = await run(echo_lane(Progress()), live(silent))
    assert finals(outputs) == [("a", "h e l l o")]
    assert session_records(outputs)[-1].reason == "timeout"


async def test_a_record_that_cannot_be_read_is_a_dead_letter_and_the_stream_goes_on() -> None:
    records = live(sound("a", "hello"))
    records[2] = replace(records[2], key=None)
    outputs = await run(echo_lane(Progress()), records)
    assert [(letter.record, letter.error.reason) for letter in letters(outputs)] == [(records[2], Reason.NO_KEY)]
    assert finals(outputs) == [("a", "h e l o")]


async def test_a_frame_that_does_not_decode_is_one_dead_letter_with_its_own_headers_and_counted_corrupt() -> None:
    records = live(sound("a", "hel?o"))
    records[3] = replace(records[3], headers=records[3].headers + HEADERS)
    corrupt = metrics.FRAMES.labels(Modality.AUDIO, "corrupt")._value.get()
    outputs = await run(echo_lane(Progress()), records)
    assert [(letter.record, letter.error.reason) for letter in letters(outputs)] == [(records[3], Reason.BAD_MEDIA)]
    assert metrics.FRAMES.labels(Modality.AUDIO, "corrupt")._value.get() == corrupt + 1
    assert finals(outputs) == [("a", "h e l o")]


async def test_places_of_frames_that_did_not_decode_are_forgotten_with_their_hops() -> None:
    lane = echo_lane(Progress())
    records = live(sound("a", "a?b......" * 20))
    outputs = await feed(lane, records[:-1])
    assert len(letters(outputs)) == 20
    assert len(lane._sessions["a"].rejected) < 3


async def test_without_a_broker_there_is_no_epoch_and_no_input() -> None:
    found = predictions(await run(echo_lane(Progress()), live(sound("a", "hello"))))
    assert {(one.epoch, len(one.inputs)) for one in found} == {(0, 0)}


async def test_inputs_name_the_first_frame_in_the_left_context_and_the_read_position() -> None:
    first, second = [
        one
        for one in predictions(await run(echo_lane(Progress(epoch=3)), live(sound("a", "hello.....you"))))
        if one.is_final
    ]
    assert [(given.topic, given.first_offset) for given in first.inputs] == [("audio", 0)]
    from_ns = round(second.start_ms * MS) - CONTEXT_NS
    assert second.inputs[0].first_offset == (from_ns - T0_NS) // (FRAME_MS * MS)
    assert (second.epoch, second.inputs[0].cut) == (3, 14)


async def test_a_frame_that_came_late_but_before_its_final_is_in_it_and_counted() -> None:
    records = live(sound("a", "abcdefghij"))
    late = records.pop(1)
    records.insert(7, replace(late, timestamp_ms=records[7].timestamp_ms))
    [final] = [one for one in predictions(await run(echo_lane(Progress()), records)) if one.is_final]
    assert final.text == "a b c d e f g h i j"
    assert final.modalities[Modality.AUDIO].late == 1


async def test_frames_missing_from_their_sequence_are_told() -> None:
    items = [
        replace(item, sequence=place) if isinstance(item, Frame) else item
        for place, item in enumerate(sound("a", "abcdef"))
        if place not in {2, 3}
    ]
    [final] = [one for one in predictions(await run(echo_lane(Progress()), live(items))) if one.is_final]
    assert final.text == "a b e f"
    assert final.modalities[Modality.AUDIO].lost == 2


async def test_the_newest_traceparent_is_passed_on() -> None:
    traced = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    items = [replace(item, traceparent=traced) if isinstance(item, Frame) else item for item in sound("a", "ab")]
    outputs = await run(echo_lane(Progress()), live(items))
    found = [one.traceparent for one in outputs if isinstance(one, Result) and isinstance(one.message, Prediction)]
    assert set(found) == {traced}


async def test_a_lane_given_up_has_no_active_sessions() -> None:
    before = metrics.SESSIONS_ACTIVE._value.get()
    lane = echo_lane(Progress())
    await feed(lane, live(sound("a", "hello"))[:-1])
    assert metrics.SESSIONS_ACTIVE._value.get() == before + 1
    lane.close()
    assert metrics.SESSIONS_ACTIVE._value.get() == before


LETTERS = st.text("ab.", min_size=1, max_size=40)


def pictures(session: str, seconds: int) -> list[Frame | End]:
    frames: list[Frame | End] = [
        Frame(session, Modality.VIDEO, T0_NS + at_ms * MS, 200 * MS, b"picture", "image/jpeg")
        for at_ms in range(0, 1_000 * seconds, 200)
    ]
    return [*frames, End(session, Modality.VIDEO, T0_NS + 1_000 * seconds * MS)]


def shown(session: str, at_ms: int) -> Frame:
    return Frame(session, Modality.TEXT, T0_NS + at_ms * MS, None, b"shown", "text/plain;charset=utf-8")


@settings(max_examples=60)
@given(
    spoken=st.dictionaries(st.sampled_from(["a", "b", "c"]), st.tuples(LETTERS, st.integers(0, 900)), min_size=1),
    seen=st.booleans(),
    stops=st.lists(st.floats(0, 1), max_size=3),
)
@example(spoken={"a": ("aa.........bb", 0), "b": ("......a........b", 30)}, seen=True, stops=[0.5])
async def test_a_restart_at_any_record_gives_the_finals_of_a_run_without_one(
    spoken: Mapping[str, tuple[str, int]],
    seen: bool,  # noqa: FBT001
    stops: list[float],
) -> None:
    items = [item for session, (text, start_ms) in spoken.items() for item in sound(session, text, start_ms)]
    if seen:
        items += [*pictures("a", 2), shown("a", 100), shown("b", 700)]
    records = live(items)
    wanted = finals(await run(echo_lane(Progress()), records))

    store, found = Store(), []
    for stop in sorted(round(share * len(records)) for share in stops):
        lane = store.successor()
        below = records[:stop]
        for record in store.unread(below):
            found += finals(await feed(lane, [record]))
            store.commit(lane)
    found += finals(await run(store.successor(), store.unread(records)))
    assert sorted(found) == sorted(wanted)


async def test_a_restart_just_after_a_clock_was_set_loses_nothing_of_the_session_that_begins_anew() -> None:
    hour_ms = 3_600_000
    before, after = sound("a", "hello"), sound("a", "world", start_ms=hour_ms)
    records = live(item for item in [*before, *after] if isinstance(item, Frame))
    for place, record in enumerate(records):
        record.timestamp_ms = records[0].timestamp_ms + FRAME_MS * place
    store, lane = Store(), echo_lane(Progress())
    found = await feed(lane, records[:5])
    now_ns = records[5].timestamp_ms * MS
    for record in records[5:9]:  # one batch: three that agree on the new time, and one more
        lane.take(record, now_ns)
    found += await lane.advance(now_ns)
    store.commit(lane)
    found += await run(store.successor(), store.unread(records))
    assert finals(found) == [("a", "h e l l o"), ("a", "w o r l d")]


@settings(max_examples=40)
@given(text=st.text("ab.", min_size=1, max_size=60))
async def test_nothing_is_read_again_that_lies_wholly_before_every_left_context(text: str) -> None:
    store, lane = Store(), echo_lane(Progress())
    for record in (records := live(sound("a", text))):
        await feed(lane, [record])
        store.commit(lane)
        frontier_ns = lane.progress.sessions["a"].checkpoint.frontier_ns if lane.progress.sessions else T0_NS
        needed = [one.offset for one in records if end_ns(one) > frontier_ns - CONTEXT_NS]
        assert store.offsets[Modality.AUDIO] == min([*needed, lane.progress.positions[Modality.AUDIO]])


def end_ns(record: Record) -> int:
    return T0_NS + FRAME_MS * MS * (record.offset + 1)

"""Frames that came after their final: each goes to `late` once, as it was, with how late it came."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stream import metrics
from stream.frame import Frame, Modality, Record, to_record
from stream.hop import Checkpoint, Outcome
from stream.lane import Lane, Output
from stream.late import LateFrame, late_record
from stream.progress import Progress
from tests.aligning import AUDIO, VIDEO, Stage, audio, end, ns, speech, video
from tests.echo import FRAME_MS, MS, echo_lane, feed, live, sound

SECOND_NS = 1_000_000_000


def late_ms(stage: Stage) -> list[float]:
    return [late_ns / MS for _, late_ns in stage.aligner.drain_late()]


def late_of(outputs: list[Output]) -> list[LateFrame]:
    return [one for one in outputs if isinstance(one, LateFrame)]


def test_a_frame_is_as_late_as_it_is_behind_the_newest_frame_of_its_session() -> None:
    stage = Stage()
    stage.live(*speech(6000))
    stage.aligner.settle("s", ns(5600), ns(5500))
    assert stage.hear(video(1000, 40), at_ms=6040) == [Outcome.LATE]
    assert late_ms(stage) == [5000]


@pytest.mark.parametrize("ahead_ms", [-3_600_000, 0, 7_040])
def test_how_late_a_frame_is_does_not_depend_on_what_the_sources_clock_says(ahead_ms: int) -> None:
    stage = Stage()
    for frame in speech(2000, from_ms=0):
        stage.hear(replace(frame, time_ns=frame.time_ns + ahead_ms * MS), at_ms=(frame.time_ns - ns(0)) / MS + 40)
    stage.aligner.settle("s", ns(1600 + ahead_ms), ns(1500 + ahead_ms))
    stage.hear(video(500 + ahead_ms, 40), at_ms=2500)
    assert late_ms(stage) == pytest.approx([1960], abs=21)


def test_a_frame_that_is_context_for_what_follows_is_late_all_the_same() -> None:
    stage = Stage()
    stage.live(*[audio(at) for at in range(0, 1000, 20)])
    stage.aligner.settle("s", ns(640), ns(560))
    stage.hear(video(580), at_ms=1001)
    assert len(late_ms(stage)) == 1
    assert stage.hops[-1].revision == 1


def test_a_late_frame_is_given_out_once() -> None:
    stage = Stage()
    stage.live(*speech(1000))
    stage.aligner.settle("s", ns(900), ns(800))
    stage.hear(audio(100, 10), at_ms=1000)
    assert len(stage.aligner.drain_late()) == 1
    stage.hear(end(AUDIO, 1000), end(VIDEO, 1000), at_ms=1010)
    assert stage.aligner.drain_late() == []


def test_what_is_read_again_after_a_recovery_is_not_late() -> None:
    stage = Stage()
    stage.aligner.restore("s", Checkpoint(ns(0), ns(700), ns(600), ns(1000), {AUDIO: 100}, heard_ns={AUDIO: ns(1000)}))
    stage.hear(audio(560, offset=99), audio(620, offset=98), at_ms=1000)
    assert stage.aligner.drain_late() == []
    stage.hear(audio(560, offset=100), at_ms=1000)
    assert len(stage.aligner.drain_late()) == 1


def test_a_frame_of_the_future_that_nobody_believes_is_late_by_less_than_nothing() -> None:
    stage = Stage()
    stage.live(*speech(1000))
    stage.hear(audio(3_600_000), at_ms=1000)
    stage.live(*speech(1040, from_ms=1000))
    assert late_ms(stage) == pytest.approx([-3_599_000], abs=50)
    assert stage.aligner.drain_outcomes()[AUDIO, Outcome.LATE] == 1


def test_every_frame_counted_late_is_given_out() -> None:
    stage = Stage(session_bytes=30 * 2148)
    for frame in speech(3000):
        stage.live(frame)
        for again in (audio(0, 15, sequence=frame.time_ns), video(40, 41, sequence=frame.time_ns)):
            stage.hear(again, at_ms=3100)
    stage.hear(end(AUDIO, 3000), end(VIDEO, 3000), at_ms=3200)
    counted = stage.aligner.drain_outcomes()
    assert counted[AUDIO, Outcome.LATE] + counted[VIDEO, Outcome.LATE] == len(stage.aligner.drain_late()) > 0


async def said(lane: Lane, text: str) -> tuple[list[Record], list[Output]]:
    """A lane that has heard a text, and not its end."""
    records = live(item for item in sound("a", text) if isinstance(item, Frame))
    return records, await feed(lane, records)


async def test_a_lane_gives_the_record_of_a_late_frame_as_it_came() -> None:
    lane, before = echo_lane(Progress()), metrics.FRAMES.labels(Modality.AUDIO, "late")._value.get()
    records, outputs = await said(lane, "hello..........")
    note = (("ce_note", b"kept"), *records[0].headers)
    again = replace(records[0], offset=len(records), headers=note, timestamp_ms=records[-1].timestamp_ms)
    outputs += await feed(lane, [again])
    [late] = late_of(outputs)
    assert late.record == again
    assert late.late_ns == (len(records) - 1) * FRAME_MS * MS
    assert metrics.FRAMES.labels(Modality.AUDIO, "late")._value.get() == before + 1


async def test_a_long_text_that_comes_late_is_marked_as_cut() -> None:
    lane = echo_lane(Progress())
    records, outputs = await said(lane, "hello..........")
    at_ns = records[0].timestamp_ms * MS
    long = Frame("a", Modality.TEXT, at_ns, FRAME_MS * MS, b"x" * 5_000, "text/plain;charset=utf-8")
    outputs += await feed(lane, [replace(to_record(long, "text"), offset=0, timestamp_ms=records[-1].timestamp_ms)])
    [late] = late_of(outputs)
    found = late_record(late, "t-late", 900_000)
    assert found.value == b"x" * 1_000
    assert found.headers[-1] == ("trivium_truncated", b"true")


async def test_a_flood_of_late_frames_is_gone_with_each_advance() -> None:
    lane = echo_lane(Progress())
    records, _ = await said(lane, "hello" + "." * 20)
    now_ns = records[-1].timestamp_ms * MS
    held_bytes = lane.aligner.buffered_bytes
    for round_ in range(50):
        for place in range(64):
            offset = len(records) + 64 * round_ + place
            lane.take(replace(records[place % 5], offset=offset), now_ns)
        assert len(late_of(await lane.advance(now_ns))) == 64
        assert lane.aligner.drain_late() == []
        assert lane.aligner.buffered_bytes == held_bytes


def test_the_record_names_its_place_and_how_late_it_was_in_whole_milliseconds() -> None:
    original = Record("t-audio", 3, 17, 1_772_366_400_025, b"studio", b"ab", (("ce_id", b"1"),))
    found = late_record(LateFrame(original, 5_000_400_000), "t-late", 900_000)
    assert (found.topic, found.partition, found.key, found.value) == ("t-late", 3, b"studio", b"ab")
    assert found.headers == (
        ("ce_id", b"1"),
        ("trivium_topic", b"t-audio"),
        ("trivium_partition", b"3"),
        ("trivium_offset", b"17"),
        ("trivium_late_ms", b"5000"),
    )


def test_a_late_frame_that_is_read_again_names_its_last_place_only() -> None:
    original = Record("audio", 3, 17, 0, b"studio", b"ab", ())
    once = late_record(LateFrame(original, SECOND_NS), "late", 900_000)
    twice = late_record(LateFrame(replace(once, offset=4), 2 * SECOND_NS), "late", 900_000)
    assert dict(twice.headers)["trivium_late_ms"] == b"2000"
    assert len(twice.headers) == 4

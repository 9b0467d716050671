"""Streams that are too fast, late, or on a clock that jumps or drifts: nothing stalls or grows, each frame is counted once."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from operator import attrgetter

import pytest

from stream.frame import Bound, Frame, Record, to_record
from stream.hop import HopReason, Status
from tests.echo import FRAME_MS, HOP_NS, MS, T0_NS, live
from tests.heard import (
    AUDIO,
    DEADLINE_NS,
    HOUR_NS,
    IDLE_NS,
    SECOND_NS,
    SETTLED_NS,
    VIDEO,
    Heard,
    heard,
    seen,
)

# Haste


async def test_a_stream_ten_times_too_fast_stays_within_its_bytes_and_disturbs_nobody() -> None:
    alone = await Heard().hears(*heard(), *seen(), until_s=6)
    fast = [faster(record, 10) for record in live([*heard(0, 60, "b"), *seen(0, 60, "b")])]
    both = sorted([*live([*heard(), *seen()]), *fast], key=attrgetter("timestamp_ms"))
    lane = await Heard().receives(both, until_s=6)
    assert lane.finals() == alone.finals()
    mine = [(hop.start_ns, hop.aligned_ns, hop.statuses) for hop in lane.hops if hop.session == "a"]
    assert mine == [(hop.start_ns, hop.aligned_ns, hop.statuses) for hop in alone.hops]
    assert lane.finals("b") == ["h e y"] * 60
    assert lane.most_bytes < 2 * alone.most_bytes * 2
    await lane.receives([])
    assert sum(lane.new("FRAMES").values()) == len(both)
    assert {outcome for _, outcome in lane.new("FRAMES")} == {"used"}


async def test_one_modality_ten_times_too_fast_is_not_waited_for_by_the_other_for_more_than_a_deadline() -> None:
    slow, fast = heard(), [faster(record, 10) for record in live(seen(0, 60))]
    records = sorted([*live(slow), *fast], key=attrgetter("timestamp_ms"))
    lane = await Heard().receives(records)
    late = [one.record.topic for one in lane.late()]
    frames = lane.new("FRAMES")
    assert sum(frames.values()) == len(records)
    assert {outcome for _, outcome in frames} == {"used", "late"}
    assert Counter(late) == {"audio": frames["audio", "late"]}
    assert lane.most_bytes < 1 << 20


def faster(record: Record, times: int) -> Record:
    """The record when it is produced so many times too fast."""
    start_ms = T0_NS // MS
    return replace(record, timestamp_ms=start_ms + (record.timestamp_ms - start_ms) // times)


# Lateness


async def test_frames_five_seconds_late_delay_no_final_and_go_to_the_topic_late() -> None:
    late = live(seen(0, 12))
    for record in late:
        record.timestamp_ms += 5000
    records = sorted([*live(heard(0, 12)), *late], key=attrgetter("timestamp_ms"))
    lane = await Heard().receives(records)
    assert lane.finals() == ["h e y"] * 12
    assert max(lane.waits_ns()) <= SETTLED_NS + DEADLINE_NS
    frames = lane.new("FRAMES")
    assert frames["audio", "used"] == 120
    assert frames.get(("video", "used"), 0) + frames["video", "late"] == len(late)
    told_ms = [one.late_ns / MS for one in lane.late() if one.record.timestamp_ms < late[-1].timestamp_ms - 5000]
    assert told_ms == pytest.approx([5000] * len(told_ms), abs=FRAME_MS)
    assert len(lane.late()) == frames["video", "late"] > 200


# Clocks


@pytest.mark.parametrize("hours", [1, -1])
async def test_a_clock_that_jumps_by_an_hour_either_way_ends_the_session_as_such_and_begins_it_anew(hours: int) -> None:
    after = [
        replace(item, time_ns=item.time_ns + hours * HOUR_NS)
        for item in [*heard(3, 6), *seen(3, 6)]
        if isinstance(item, Frame)
    ]
    records = live([*heard(0, 3), *seen(0, 3)])
    moved = live([replace(item, time_ns=item.time_ns - hours * HOUR_NS) for item in after])
    for record, there in zip(moved, live(after), strict=True):
        record.headers, record.offset = there.headers, there.offset + 1000
    lane = await Heard().receives([*records, *moved])
    assert lane.finals() == ["h e y"] * 6
    assert lane.ended() == ["clock", "timeout"]
    assert lane.new("SESSIONS_ENDED") == {("clock",): 1, ("timeout",): 1}
    assert sum(lane.new("FRAMES").values()) == len(records) + len(moved)
    assert {outcome for _, outcome in lane.new("FRAMES")} == {"used"}
    arrived_ns = [hop.aligned_ns - hop.arrived_ns for hop in lane.hops]
    assert max(arrived_ns) <= IDLE_NS + DEADLINE_NS


@pytest.mark.parametrize("drift", [0.01, -0.01])
async def test_a_capture_clock_that_drifts_by_a_hundredth_for_minutes_is_no_jump_and_delays_nothing(
    drift: float,
) -> None:
    minutes = 5
    records = live([*heard(0, 60 * minutes), *seen(0, 60 * minutes)])
    for record in records:
        gone_ms = record.timestamp_ms - T0_NS // MS
        record.timestamp_ms = T0_NS // MS + round(gone_ms / (1 + drift))
    lane = await Heard().receives(records)
    assert lane.ended() == ["timeout"]
    assert lane.finals() == ["h e y"] * 60 * minutes
    assert {hop.reason for hop in lane.hops[:-8]} == {HopReason.SETTLED}
    assert max(hop.aligned_ns - hop.arrived_ns for hop in lane.hops[:-8]) <= DEADLINE_NS
    assert lane.new("FRAMES") == {("audio", "used"): 600 * minutes, ("video", "used"): 1500 * minutes}
    assert lane.late() == []


@pytest.mark.parametrize("drift", [0.01, -0.01])
async def test_when_a_drifting_session_loses_its_pictures_deadlines_still_run_in_arrival_time(drift: float) -> None:
    records = live([*heard(0, 120), *seen(0, 100)])
    for record in records:
        record.timestamp_ms = T0_NS // MS + round((record.timestamp_ms - T0_NS // MS) / (1 + drift))
    lane = await Heard().receives(records, until_s=118 / (1 + drift))
    lost = [hop for hop in lane.hops if hop.statuses[VIDEO] is Status.LATE]
    assert len(lost) in range(4, 8)
    for hop in lost:  # its sound settled it
        assert hop.aligned_ns - hop.arrived_ns == DEADLINE_NS
    assert lane.finals()[-1:] == ["h e y"]


async def test_a_clock_that_drifts_while_only_heartbeats_come_is_no_jump() -> None:
    lane = await Heard().hears(*heard(0, 1), *seen(0, 1), until_s=1)
    start_ms, drift = T0_NS // MS, 1.01
    beats = []
    for second in range(2, 3 * 3600, 10):
        beat = to_record(Bound("a", AUDIO, T0_NS + round(second * drift * SECOND_NS)), AUDIO)
        beats.append(replace(beat, offset=100 + second, timestamp_ms=start_ms + 1000 * second))
    await lane.receives(beats, until_s=3 * 3600)
    assert lane.ended() == []
    assert lane.lane.aligner.sessions == {"a"}


async def test_a_session_that_wakes_every_hour_takes_no_more_memory_each_time() -> None:
    lane = Heard()
    held = []
    for hour in range(5):
        at_s = 3600 * hour
        await lane.hears(*heard(at_s, at_s + 3), *seen(at_s, at_s + 3), until_s=at_s + 3500)
        held.append(lane.lane.aligner.buffered_bytes)
    assert lane.ended() == ["timeout"] * 5
    assert held == [0] * 5
    assert len(lane.hops) < 5 * (5 * SECOND_NS // HOP_NS + 2)

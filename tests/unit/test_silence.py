"""Modalities that are silent, fall silent, come back or say that they are: finals come in time, each case has its status."""

from __future__ import annotations

from dataclasses import replace
from operator import attrgetter

import pytest

from stream.frame import Bound, Frame, Modality, to_record
from stream.hop import HopReason, Status
from tests.echo import MS, T0_NS, live, sound
from tests.heard import (
    AUDIO,
    DEADLINE_NS,
    IDLE_NS,
    SECOND_NS,
    SETTLED_NS,
    TEXT,
    VIDEO,
    Heard,
    heard,
    read,
    seen,
)
from tests.pressed import PICTURE_MS


@pytest.mark.parametrize("silent", [{AUDIO}, {VIDEO}, {TEXT}, {AUDIO, VIDEO}, {AUDIO, TEXT}, {VIDEO, TEXT}])
async def test_modalities_that_never_speak_hold_up_nothing_and_are_idle(silent: set[Modality]) -> None:
    spoken = {AUDIO: heard(), VIDEO: seen(), TEXT: read()}
    given = [item for name, items in spoken.items() if name not in silent for item in items]
    lane = await Heard().hears(*given, until_s=10)
    for modality in silent:
        assert lane.statuses(modality) == {Status.IDLE}
    most_ns = SECOND_NS if AUDIO in silent and VIDEO in silent else DEADLINE_NS  # texts come once a second
    assert max(lane.waits_ns()) <= most_ns + DEADLINE_NS
    assert lane.finals() == ([] if AUDIO in silent else ["h e y"] * 6)
    assert lane.new("FRAMES") == {
        (str(name), "used"): len(items) for name, items in spoken.items() if name not in silent
    }


@pytest.mark.parametrize("silent", [{AUDIO}, {VIDEO}, {AUDIO, VIDEO}])
async def test_modalities_that_fall_silent_delay_hops_by_the_deadline_until_they_are_idle(
    silent: set[Modality],
) -> None:
    spoken = {AUDIO: [*heard(0, 3)], VIDEO: [*seen(0, 3)], TEXT: read(0, 12)}
    spoken |= {
        name: [*spoken[name], *more]
        for name, more in ((AUDIO, heard(3, 12)), (VIDEO, seen(3, 12)))
        if name not in silent
    }
    lane = await Heard().hears(*[item for items in spoken.values() for item in items], until_s=13)
    for modality in silent:
        assert lane.statuses(modality) == {Status.PRESENT, Status.LATE, Status.IDLE}
    if silent != {AUDIO, VIDEO}:
        assert max(lane.waits_ns()) <= SETTLED_NS + DEADLINE_NS
        idle_ns, end_ns = T0_NS + 3 * SECOND_NS + IDLE_NS, T0_NS + 11 * SECOND_NS
        after = [
            wait_ns for wait_ns, hop in zip(lane.waits_ns(), lane.hops, strict=True) if idle_ns < hop.end_ns < end_ns
        ]
        assert max(after) <= SETTLED_NS
        assert lane.new("HOPS")["deadline",] in range(6, 10)  # those of two seconds, and the last
    assert lane.finals() == ["h e y"] * (3 if AUDIO in silent else 12)


async def test_when_all_fall_silent_what_is_open_becomes_final_and_the_session_times_out() -> None:
    lane = await Heard().hears(*[item for item in sound("a", "hey") if isinstance(item, Frame)], *seen(0, 1), until_s=4)
    assert lane.finals() == ["h e y"]
    assert lane.ended() == []
    await lane.receives([])
    assert lane.ended() == ["timeout"]
    assert lane.new("SESSIONS_ENDED") == {("timeout",): 1}
    assert lane.lane.wake_ns() is None
    assert lane.lane.aligner.buffered_bytes == 0


async def test_a_modality_that_comes_back_is_waited_for_again_and_present() -> None:
    lane = await Heard().hears(*heard(0, 9), *seen(0, 2), *seen(6, 9), until_s=10)
    after = [
        hop.statuses[VIDEO] for hop in lane.hops if T0_NS + 6 * SECOND_NS <= hop.start_ns < T0_NS + 8.5 * SECOND_NS
    ]
    assert set(after) == {Status.PRESENT}
    assert lane.statuses(VIDEO) == {Status.PRESENT, Status.LATE, Status.IDLE}
    assert lane.finals() == ["h e y"] * 9
    assert {outcome for _, outcome in lane.new("FRAMES")} == {"used"}


async def test_heartbeats_make_a_quiet_modality_silent_and_nobody_waits_for_it() -> None:
    beats = [to_record(Bound("a", VIDEO, T0_NS + at * PICTURE_MS * MS), VIDEO) for at in range(1, 151)]
    for offset, beat in enumerate(beats):
        beat.offset, beat.timestamp_ms = offset + 1, T0_NS // MS + (offset + 1) * PICTURE_MS
    first = [replace(item, duration_ns=PICTURE_MS * MS) for item in seen(0, 1)[:1] if isinstance(item, Frame)]
    records = sorted([*live([*heard(), *first]), *beats], key=attrgetter("timestamp_ms"))
    lane = await Heard().receives(records, until_s=6)
    assert [hop.statuses[VIDEO] for hop in lane.hops[1:]] == [Status.SILENT] * (len(lane.hops) - 1)
    assert {hop.reason for hop in lane.hops} == {HopReason.SETTLED}
    assert max(lane.waits_ns()) <= SETTLED_NS
    assert lane.finals() == ["h e y"] * 6

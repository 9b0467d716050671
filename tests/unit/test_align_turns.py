"""Many hops of one session that are due at once: with turns they go out in parts, and other sessions' between them."""

from __future__ import annotations

from stream.hop import Ended, Hop, Timing
from stream.schedule import FEWEST_HOPS, TURNS
from stream.watermark import FOREVER_NS
from tests.aligning import AUDIO, HOP_MS, VIDEO, Stage, audio, bound, end, ns, speech, video

LONG_MS = 50 * HOP_MS


def parts(stage: Stage, at_ms: float) -> list[list[Hop]]:
    """What goes out poll by poll, until nothing is left that is due."""
    found = []
    while stage.aligner.stirred:
        events = stage.aligner.poll(ns(at_ms), in_turns=True)
        stage.events += events
        found.append([event for event in events if isinstance(event, Hop)])
    return found


def long_sound(hops: int = 50) -> Stage:
    """A session whose one record of sound settles so many hops."""
    stage = Stage(Timing(max_jump_ns=FOREVER_NS))
    stage.aligner.add(audio(0, hops * HOP_MS, session="long"), ns(hops * HOP_MS))
    stage.aligner.add(bound(VIDEO, hops * HOP_MS, session="long"), ns(hops * HOP_MS))
    return stage


def test_a_turn_is_four_hops_and_more_only_if_it_would_take_too_many_turns() -> None:
    assert [len(part) for part in parts(long_sound(), LONG_MS)] == [FEWEST_HOPS] * 12 + [2]
    many = [len(part) for part in parts(long_sound(hops=500), 500 * HOP_MS)]
    assert many[0] == 500 // TURNS
    assert min(many[:-1]) == FEWEST_HOPS
    assert sum(many) == 500


def test_in_turns_the_very_same_hops_go_out_as_at_once() -> None:
    at_once, stage = long_sound(), long_sound()
    at_once.until(LONG_MS)
    assert [hop for part in parts(stage, LONG_MS) for hop in part] == at_once.hops


def test_another_session_has_its_hop_in_between() -> None:
    stage = long_sound()
    first = stage.aligner.poll(ns(LONG_MS), in_turns=True)
    for frame in speech(LONG_MS + HOP_MS, from_ms=LONG_MS, session="other"):
        stage.aligner.add(frame, ns(LONG_MS + HOP_MS))
    second = stage.aligner.poll(ns(LONG_MS + HOP_MS), in_turns=True)
    assert {event.session for event in first} == {"long"}
    assert {event.session for event in second if isinstance(event, Hop)} == {"long", "other"}
    assert stage.aligner.stirred


def test_a_hop_that_waited_for_its_turn_is_due_from_then_on() -> None:
    stage = long_sound()
    stage.aligner.poll(ns(LONG_MS), in_turns=True)
    later = [event for event in stage.aligner.poll(ns(LONG_MS + 90), in_turns=True) if isinstance(event, Hop)]
    assert {hop.due_ns for hop in later} == {ns(LONG_MS)}
    last = [event for event in stage.aligner.poll(ns(LONG_MS + 100), in_turns=True) if isinstance(event, Hop)]
    assert {hop.due_ns for hop in last} == {ns(LONG_MS + 90)}


def test_a_session_ends_only_after_the_last_turn() -> None:
    stage = long_sound()
    for modality in (AUDIO, VIDEO):
        stage.aligner.add(end(modality, LONG_MS, session="long"), ns(LONG_MS))
    found = parts(stage, LONG_MS)
    stage.until(LONG_MS + 1000)
    assert len(found) > 1
    assert isinstance(stage.events[-1], Ended)
    assert len(stage.hops) == 50


def test_heartbeats_that_run_ahead_for_ever_leave_no_growing_number_of_hops_to_be_made() -> None:
    stage = Stage()
    stage.aligner.add(audio(0), ns(0))
    counts = []
    for minute in range(1, 120):
        for modality in (AUDIO, VIDEO):
            stage.aligner.add(bound(modality, 59_000 * minute), ns(minute))
        counts.append(sum(isinstance(event, Hop) for event in stage.aligner.poll(ns(minute), in_turns=True)))
    assert counts[-1] > 0.9 * 59_000 / HOP_MS


def test_of_hops_that_one_late_frame_touched_all_but_the_last_say_that_more_follow() -> None:
    stage = Stage()
    stage.live(*speech(5 * HOP_MS))
    stage.hear(video(HOP_MS + 10, 3 * HOP_MS - 20), at_ms=5 * HOP_MS)
    revised = [hop for hop in stage.hops if hop.revision]
    assert [hop.more for hop in revised] == [True, True, False]
    assert not any(hop.more for hop in stage.hops if not hop.revision)

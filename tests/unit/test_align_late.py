"""Frames that come after their hop, after their final, twice, or with a clock that was set."""

from __future__ import annotations

from stream.frame import Frame
from stream.hop import Ended, EndReason, Outcome, Slept, Started, Status
from tests.aligning import AUDIO, HOP_MS, TEXT, VIDEO, Stage, audio, bound, ms, ns, speech, starts_ms, text, video


def only_sound(until_ms: float, from_ms: float = 0) -> list[Frame]:
    return [audio(at) for at in range(round(from_ms), round(until_ms), 20)]


def test_late_frames_bring_their_hop_again_with_the_next_revision() -> None:
    stage = Stage()
    stage.live(*speech(300), *only_sound(660, from_ms=300))
    assert stage.aligner.add(video(320), ns(661)) is None
    stage.until(661)
    assert not stage.hops[1:]  # its hop is still open
    stage.hear(video(280, 40, sequence=7), at_ms=662)
    again = stage.hops[-1]
    assert (ms(again.start_ns), again.revision, ms(again.aligned_ns)) == (0, 1, 662)
    assert starts_ms(again, VIDEO) == list(range(0, 300, 40)) or starts_ms(again, VIDEO)[-1] == 280
    assert again.late == {VIDEO: 1}
    assert starts_ms(again, AUDIO) == list(range(0, 320, 20))


def test_late_frames_that_came_together_bring_a_hop_again_once() -> None:
    stage = Stage()
    stage.live(*speech(320), *only_sound(880, from_ms=320))
    stage.hear(*[video(at) for at in range(320, 680, 40)], at_ms=881)
    assert [(ms(hop.start_ns), hop.revision) for hop in stage.hops] == [(0, 0), (320, 0), (320, 1)]
    assert stage.of(320).statuses[VIDEO] is Status.LATE
    assert len(stage.of(320).frames[VIDEO]) == 8


def test_a_late_frame_brings_all_hops_that_it_overlaps() -> None:
    stage = Stage()
    stage.live(*only_sound(1000))
    stage.hear(video(300, 400), at_ms=1001)
    assert [(ms(hop.start_ns), hop.revision) for hop in stage.hops[3:]] == [(0, 1), (320, 1), (640, 1)]


def test_a_hop_that_comes_again_still_says_what_is_missing_in_it() -> None:
    stage = Stage()
    stage.live(*[audio(at, sequence=at // 20) for at in range(0, 700, 20) if at not in {100, 120, 140}])
    assert stage.of(0).lost == {AUDIO: 3}
    stage.hear(audio(120, sequence=6), at_ms=701)
    assert (stage.of(0).revision, stage.of(0).lost) == (1, {AUDIO: 2})
    assert stage.aligner.drain_lost() == {AUDIO: 3}


def test_a_late_text_holds_from_its_start_on() -> None:
    stage = Stage()
    stage.live(*speech(980))
    stage.hear(text(400), at_ms=1000)
    assert [(ms(hop.start_ns), hop.revision) for hop in stage.hops[3:]] == [(320, 1), (640, 1)]
    assert stage.of(640).statuses[TEXT] is Status.LATE


def test_a_frame_wholly_before_the_frontier_is_late() -> None:
    stage = Stage()
    stage.live(*only_sound(1000))
    stage.aligner.settle("s", ns(640), ns(560))
    assert stage.hear(video(300), at_ms=1001) == [Outcome.LATE]
    assert len(stage.hops) == 3
    assert stage.aligner.drain_outcomes()[VIDEO, Outcome.LATE] == 1


def test_a_late_frame_in_the_left_context_is_context_for_what_follows() -> None:
    stage = Stage()
    stage.live(*only_sound(1000))
    stage.aligner.settle("s", ns(640), ns(560))
    assert stage.hear(video(580), at_ms=1001) == [Outcome.LATE]
    assert (ms(stage.hops[-1].start_ns), stage.hops[-1].revision) == (320, 1)
    assert starts_ms(stage.hops[-1], VIDEO) == [580]
    assert stage.aligner.open_frames == 2  # the sound of the open hop


def test_a_frame_that_reaches_beyond_the_frontier_enters() -> None:
    stage = Stage()
    stage.live(*only_sound(1000))
    stage.aligner.settle("s", ns(700), ns(620))
    assert stage.hear(video(680), at_ms=1001) == [None]
    assert (ms(stage.hops[-1].start_ns), stage.hops[-1].revision) == (640, 1)


def test_what_ends_before_the_left_context_is_forgotten() -> None:
    stage = Stage()
    stage.live(*speech(1000))
    held = stage.aligner.buffered_bytes
    stage.aligner.settle("s", ns(960), ns(880))
    frames = 25 + 50
    assert stage.aligner.buffered_bytes == held * (3 + 6) // frames


def test_the_text_that_holds_at_the_frontier_is_kept() -> None:
    stage = Stage()
    stage.hear(text(10), at_ms=10)
    stage.live(*speech(1000))
    stage.aligner.settle("s", ns(960), ns(880))
    stage.live(*speech(1300, from_ms=1000))
    assert starts_ms(stage.of(960), TEXT) == [10]


def test_a_frame_with_a_sequence_that_was_there_is_a_duplicate() -> None:
    stage = Stage()
    outcomes = stage.hear(audio(0, sequence=1), audio(20, sequence=2), audio(20, sequence=2), at_ms=40)
    assert outcomes == [None, None, Outcome.DUPLICATE]
    stage.live(*speech(340, from_ms=40))
    assert starts_ms(stage.of(0), AUDIO) == list(range(0, 320, 20))
    assert stage.aligner.drain_outcomes()[AUDIO, Outcome.DUPLICATE] == 1


def test_the_same_record_read_twice_is_a_duplicate_without_a_sequence() -> None:
    stage = Stage()
    assert stage.hear(video(0, offset=5), video(0, offset=5), video(0, offset=6), at_ms=40)[1:] == [
        Outcome.DUPLICATE,
        None,
    ]


def test_frames_of_the_same_time_are_ordered_by_sequence_however_they_come() -> None:
    for numbers in ([1, 2, 3], [3, 1, 2]):
        stage = Stage()
        stage.hear(*[video(0, sequence=number) for number in numbers], at_ms=40)
        stage.live(*speech(340, from_ms=40))
        assert [frame.sequence for frame in stage.of(0).frames[VIDEO]][:3] == [1, 2, 3]


def test_one_frame_far_off_the_timeline_moves_no_bound() -> None:
    stage = Stage()
    stage.live(*speech(500))
    stage.hear(audio(3_600_000), at_ms=500)
    stage.live(*speech(700, from_ms=500))
    assert stage.emitted() == [(0, 320), (320, 640)]
    assert stage.aligner.drain_outcomes()[AUDIO, Outcome.LATE] == 1


def test_a_heartbeat_far_off_the_timeline_moves_no_bound() -> None:
    stage = Stage()
    stage.live(*speech(500))
    stage.hear(bound(AUDIO, 3_600_000), bound(VIDEO, 3_600_000), at_ms=500)
    stage.live(*speech(700, from_ms=500))
    assert stage.emitted() == [(0, 320), (320, 640)]


def test_several_frames_that_agree_on_another_time_begin_the_session_anew() -> None:
    stage = Stage()
    stage.live(*speech(500))
    hour = 3_600_000
    stage.hear(audio(hour), video(hour), audio(hour + 20), at_ms=540)
    stage.until(1100)
    ended, started = (
        event for event in stage.events if isinstance(event, (Ended, Started)) and event is not stage.events[0]
    )
    assert ended == Ended("s", EndReason.CLOCK, ns(0), ns(520))
    assert [ms(hop.start_ns) for hop in stage.hops] == [0, 320, hour]
    assert started == Started("s", ns(hour))
    counted = stage.aligner.drain_outcomes()
    assert sum(counted.values()) + stage.aligner.open_frames == 25 + 13 + 3


def test_a_clock_may_be_set_back() -> None:
    stage = Stage()
    stage.live(*speech(500))
    stage.hear(audio(-90_000), video(-90_000), audio(-89_980), at_ms=540)
    stage.until(1000)
    assert [event.reason for event in stage.events if isinstance(event, Ended)] == [EndReason.CLOCK]
    assert ms(stage.hops[-1].start_ns) < -89_000


def test_frames_far_off_that_do_not_agree_end_nothing() -> None:
    stage = Stage()
    stage.live(*speech(500))
    stage.hear(audio(3_600_000), audio(-3_600_000), audio(7_200_000), video(9_000_000), at_ms=500)
    stage.live(*speech(700, from_ms=500))
    assert not [event for event in stage.events if isinstance(event, Ended)]
    assert stage.aligner.drain_outcomes()[AUDIO, Outcome.LATE] == 3


def test_a_picture_that_says_it_lasts_a_day_makes_no_day_of_hops() -> None:
    stage = Stage()
    stage.live(*speech(500))
    stage.hear(video(520, 86_400_000), at_ms=520)
    stage.until(1500)
    assert len(stage.hops) < 62_000 / HOP_MS  # no further than a jump


def test_a_pause_that_the_lane_saw_pass_is_no_jump() -> None:
    stage = Stage()
    stage.live(*speech(500))
    stage.hear(bound(AUDIO, 29_000), at_ms=29_000)
    stage.hear(bound(AUDIO, 58_000), at_ms=58_000)
    stage.live(*speech(88_000, from_ms=87_000))
    assert not [event for event in stage.events if isinstance(event, Ended)]
    assert Slept in {type(event) for event in stage.events}

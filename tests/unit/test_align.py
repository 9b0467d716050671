"""When a hop is emitted, and what it holds."""

from __future__ import annotations

from stream.hop import HopReason, Started, Status, Timing
from tests.aligning import AUDIO, TEXT, VIDEO, Stage, audio, bound, ms, ns, speech, starts_ms, text, video


def test_a_hop_is_emitted_once_audio_and_video_have_settled_it() -> None:
    stage = Stage()
    stage.live(*speech(700))
    assert stage.emitted() == [(0, 320), (320, 640)]
    assert {hop.reason for hop in stage.hops} == {HopReason.SETTLED}
    assert {hop.revision for hop in stage.hops} == {0}


def test_a_hop_holds_all_frames_that_overlap_it_in_time_order() -> None:
    stage = Stage()
    stage.live(*speech(660, from_ms=0))
    assert starts_ms(stage.of(320), AUDIO) == list(range(320, 640, 20))
    assert starts_ms(stage.of(320), VIDEO) == list(range(320, 640, 40))


def test_a_frame_that_overlaps_several_hops_is_in_each() -> None:
    stage = Stage()
    stage.hear(audio(100, duration_ms=600), video(300), video(340, duration_ms=400), at_ms=740)
    assert [starts_ms(hop, AUDIO) for hop in stage.hops] == [[100], [100]]
    assert [starts_ms(hop, VIDEO) for hop in stage.hops] == [[300], [300, 340]]


def test_hop_boundaries_are_multiples_of_the_hop_since_the_epoch() -> None:
    stage = Stage()
    stage.live(*speech(1000, from_ms=500))
    assert [hop.start_ns % stage.timing.hop_ns for hop in stage.hops] == [0, 0]
    assert stage.emitted() == [(320, 640), (640, 960)]
    assert starts_ms(stage.of(320), AUDIO)[0] == 500


def test_a_session_starts_just_before_its_first_hop_with_its_earliest_frame() -> None:
    stage = Stage()
    stage.hear(video(80), at_ms=120)
    stage.hear(audio(40), at_ms=121)
    stage.live(*speech(640, from_ms=120))
    assert stage.events[0] == Started("s", ns(40))


def test_a_picture_without_a_duration_lasts_until_the_next() -> None:
    stage = Stage()
    stage.hear(*[audio(at) for at in range(0, 320, 20)], at_ms=320)
    stage.hear(*[video(at, None) for at in range(10, 330, 50)], at_ms=320)
    assert not stage.hops  # the one at 310 may yet end before or after the hop
    stage.hear(video(360, None), at_ms=360)
    assert stage.emitted() == [(0, 360)]
    assert starts_ms(stage.of(0), VIDEO)[-1] == 310


def test_a_picture_without_a_duration_lasts_two_ticks_at_most() -> None:
    stage = Stage()
    stage.hear(video(200, None), video(239, None), video(600, None), video(700, None), at_ms=700)
    stage.hear(audio(0, duration_ms=700), at_ms=700)
    assert starts_ms(stage.of(0), VIDEO) == [200, 239]
    assert starts_ms(stage.of(320), VIDEO) == [600]


def test_a_text_holds_until_the_next_text() -> None:
    stage = Stage()
    stage.hear(text(100), at_ms=100)
    stage.live(*speech(700))
    stage.hear(text(700), at_ms=700)
    stage.live(*speech(1300, from_ms=700))
    assert [starts_ms(hop, TEXT) for hop in stage.hops] == [[100], [100], [100, 700], [700]]
    assert {hop.statuses[TEXT] for hop in stage.hops} == {Status.PRESENT}


def test_a_text_with_a_duration_is_gone_after_it() -> None:
    stage = Stage()
    stage.hear(text(100, duration_ms=200), at_ms=100)
    stage.live(*speech(700))
    assert [starts_ms(hop, TEXT) for hop in stage.hops] == [[100], []]
    assert stage.of(320).statuses[TEXT] is Status.SILENT


def test_text_is_not_waited_for() -> None:
    stage = Stage()
    stage.hear(text(0), at_ms=0)
    stage.live(*speech(340))
    assert stage.emitted() == [(0, 320)]


def test_a_text_that_is_shown_for_long_settles_nothing_beyond_its_start() -> None:
    stage = Stage()
    stage.hear(text(0, duration_ms=5000), at_ms=0)
    stage.live(*speech(700), delay_ms=150)
    assert stage.emitted() == [(0, 470), (320, 790)]


def test_the_deadline_runs_from_the_first_modality_that_settled_the_hop() -> None:
    stage = Stage()
    stage.live(*speech(280))
    stage.live(*[audio(at) for at in range(280, 700, 20)])
    assert stage.emitted() == [(0, 520)]
    assert stage.of(0).reason is HopReason.DEADLINE
    assert stage.of(0).statuses[VIDEO] is Status.PRESENT  # what had come


def test_without_any_that_settled_it_the_deadline_runs_from_when_the_hop_should_have_ended() -> None:
    stage = Stage()
    stage.live(*speech(200))
    stage.until(519)
    assert not stage.hops
    stage.until(520)
    assert stage.emitted() == [(0, 520)]


def test_a_modality_that_is_waited_for_in_vain_is_late() -> None:
    stage = Stage()
    stage.live(*speech(320))
    stage.live(*[audio(at) for at in range(320, 700, 20)])
    stage.until(840)
    assert stage.of(320).statuses == {TEXT: Status.IDLE, AUDIO: Status.PRESENT, VIDEO: Status.LATE}


def test_a_heartbeat_settles_a_hop_and_makes_it_silent() -> None:
    stage = Stage()
    stage.live(*speech(320))
    stage.hear(bound(VIDEO, 640), at_ms=640)
    stage.live(*[audio(at) for at in range(320, 660, 20)])
    assert stage.of(320).statuses[VIDEO] is Status.SILENT
    assert stage.emitted()[-1] == (320, 640)


def test_a_bound_never_moves_backwards() -> None:
    stage = Stage()
    stage.live(*speech(320))
    stage.hear(bound(VIDEO, 640), at_ms=340)
    stage.hear(bound(VIDEO, 100), at_ms=350)
    stage.live(*[audio(at) for at in range(340, 660, 20)])
    assert stage.emitted()[-1] == (320, 640)


def test_frames_out_of_order_are_waited_for_as_long_as_reorder_says() -> None:
    stage = Stage(timing=Timing(reorder_ns=ns(60) - ns(0)))
    stage.hear(*speech(300), at_ms=300)
    stage.hear(audio(320), video(320), at_ms=360)
    stage.hear(audio(300), audio(340), at_ms=361)
    assert not stage.hops
    stage.hear(video(340, 40), audio(360), at_ms=380)
    assert stage.emitted() == [(0, 380)]
    assert starts_ms(stage.of(0), AUDIO) == list(range(0, 320, 20))


def test_for_the_deadline_after_its_first_frame_a_session_waits_for_audio_and_video() -> None:
    stage = Stage()
    stage.hear(*[audio(at) for at in range(0, 660, 20)], at_ms=50)
    stage.until(249)
    assert not stage.hops
    stage.until(250)
    assert stage.emitted() == [(0, 250), (320, 250)]
    assert stage.of(0).statuses[VIDEO] is Status.IDLE


def test_after_that_a_modality_that_never_spoke_is_not_waited_for() -> None:
    stage = Stage()
    stage.live(*[audio(at) for at in range(0, 660, 20)])
    assert stage.emitted() == [(0, 320), (320, 640)]


def test_a_modality_leaves_the_wait_when_it_is_quiet_for_long() -> None:
    stage = Stage()
    stage.live(*speech(640))
    stage.live(*[audio(at) for at in range(640, 4000, 20)])
    waited = [ms(hop.aligned_ns) - ms(hop.end_ns) for hop in stage.hops]
    assert waited == [0, 0, 200, 200, 200, 200, 200, 80, 0, 0, 0, 0]
    assert stage.of(640).statuses[VIDEO] is Status.LATE
    assert stage.of(3200).statuses[VIDEO] is Status.IDLE


def test_it_rejoins_at_the_next_hop_when_it_speaks_again() -> None:
    stage = Stage()
    stage.live(*speech(640), *[audio(at) for at in range(640, 4000, 20)], *speech(4200, from_ms=4000))
    stage.live(*[audio(at) for at in range(4200, 4700, 20)])
    assert stage.emitted()[-2:] == [(3840, 4160), (4160, 4680)]


def test_an_empty_hop_between_frames_is_emitted_too() -> None:
    stage = Stage()
    stage.live(*speech(320), *speech(1000, from_ms=660))
    assert [start for start, _ in stage.emitted()] == [0, 320, 640]
    assert stage.of(320).frames == {TEXT: [], AUDIO: [], VIDEO: []}
    assert stage.of(320).statuses[AUDIO] is Status.SILENT


def test_capture_times_may_run_faster_than_the_arrival_clock() -> None:
    stage = Stage()
    stage.hear(*speech(3200), at_ms=50)
    assert [start for start, _ in stage.emitted()] == list(range(0, 3200, 320))
    assert {hop.reason for hop in stage.hops} == {HopReason.SETTLED}


def test_a_lost_frame_is_counted_by_its_sequence() -> None:
    stage = Stage()
    stage.hear(*[audio(at, sequence=at // 20) for at in range(0, 700, 20) if at not in {100, 120, 400}], at_ms=700)
    stage.hear(*[video(at) for at in range(0, 700, 40)], at_ms=700)
    assert [hop.lost for hop in stage.hops] == [{AUDIO: 2}, {AUDIO: 1}]
    assert stage.aligner.drain_lost() == {AUDIO: 3}


def test_a_hop_says_when_its_newest_frame_arrived_and_how_far_bounds_lag() -> None:
    stage = Stage()
    stage.hear(*[audio(at) for at in range(0, 320, 20)], at_ms=330)
    stage.hear(*[video(at) for at in range(0, 320, 40)], at_ms=350)
    hop = stage.of(0)
    assert (ms(hop.arrived_ns), ms(hop.aligned_ns)) == (350, 350)
    assert hop.lags_ns == {AUDIO: ns(350) - ns(320), VIDEO: ns(350) - ns(320)}

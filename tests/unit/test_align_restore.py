"""What a new owner of a lane takes over, and what it reads again."""

from __future__ import annotations

from stream.frame import Modality
from stream.hop import Checkpoint, Ended, EndReason, HopReason, Outcome, Started, Status
from tests.aligning import AUDIO, TEXT, VIDEO, Stage, audio, bound, end, ms, ns, speech, starts_ms, text, video

CUTS = {AUDIO: 100, VIDEO: 50}


def restored(frontier_ms: float = 700, context_ms: float = 100, heard_ms: float = 1000, **more: object) -> Stage:
    stage = Stage()
    known = Checkpoint(
        start_ns=ns(0),
        frontier_ns=ns(frontier_ms),
        keep_from_ns=ns(frontier_ms - context_ms),
        newest_ns=ns(1000),
        cuts=CUTS,
        heard_ns={AUDIO: ns(heard_ms), VIDEO: ns(heard_ms)},
    )
    for name, value in more.items():
        setattr(known, name, value)
    stage.aligner.restore("s", known)
    return stage


def test_what_ends_before_the_left_context_and_below_the_cut_is_replayed() -> None:
    stage = restored()
    assert stage.hear(audio(560, offset=99), at_ms=1000) == [Outcome.REPLAYED]
    assert stage.hear(audio(560, offset=100), at_ms=1000) == [Outcome.LATE]
    assert stage.aligner.buffered_bytes == 0


def test_what_lies_in_the_left_context_is_context() -> None:
    stage = restored()
    frames = [audio(at, offset=at // 20) for at in range(600, 980, 20)]
    assert stage.hear(*frames, at_ms=1000) == [Outcome.REPLAYED] * 5 + [None] * 14
    stage.until(1500)
    assert [(ms(hop.start_ns), starts_ms(hop, AUDIO)[0]) for hop in stage.hops[:3]] == [
        (320, 600),
        (640, 640),
        (960, 960),
    ]
    assert {hop.revision for hop in stage.hops} == {0}
    assert stage.aligner.drain_outcomes() == {(AUDIO, Outcome.REPLAYED): 5, (AUDIO, Outcome.USED): 14}


def test_a_restored_session_does_not_start_again() -> None:
    stage = restored()
    stage.live(*speech(1400, from_ms=700))
    assert stage.hops
    assert not [event for event in stage.events if isinstance(event, Started)]


def test_a_record_above_the_cut_that_lies_before_the_frontier_is_late_and_not_replayed() -> None:
    stage = restored()
    assert stage.hear(video(640, 40, offset=50), at_ms=1000) == [Outcome.LATE]


def test_a_restored_session_ends_when_it_would_have_ended() -> None:
    stage = restored()
    stage.until(30_999)
    assert not stage.events
    stage.until(31_000)
    assert stage.events == [Ended("s", EndReason.TIMEOUT, ns(0), ns(1000))]


def test_of_a_session_that_nobody_knows_when_it_was_heard_time_begins_with_its_next_frame() -> None:
    stage = restored(heard_ns={})
    stage.until(100_000)
    assert not stage.events
    stage.hear(*speech(101_000, from_ms=100_000), at_ms=101_000)
    stage.until(140_000)
    assert [ms(hop.start_ns) for hop in stage.hops][:2] == [99_840, 100_160]
    assert stage.events[-1] == Ended("s", EndReason.TIMEOUT, ns(0), ns(101_000))


def test_what_ended_before_stays_ended() -> None:
    stage = restored(ended=frozenset({AUDIO}))
    stage.hear(end(VIDEO, 1000), at_ms=1010)
    assert stage.events == [Ended("s", EndReason.END, ns(0), ns(1000))]


def test_the_held_text_is_shown_until_the_next_and_is_not_read_again() -> None:
    stage = restored(held_text=text(500, offset=3))
    assert stage.hear(text(500, offset=3), at_ms=1000) == [Outcome.DUPLICATE]
    stage.live(*speech(1300, from_ms=700), text(1100))
    assert [starts_ms(hop, TEXT) for hop in stage.hops] == [[500], [500, 1100]]
    assert TEXT not in stage.aligner.oldest_offsets() or stage.aligner.oldest_offsets()[TEXT] != 3


def test_records_of_a_session_that_had_ended_are_replayed_and_others_begin_it_anew() -> None:
    stage = restored(over=True)
    assert stage.hear(audio(0, offset=99), end(AUDIO, 20, offset=99), at_ms=2000) == [Outcome.REPLAYED, None]
    assert not stage.aligner.sessions
    assert stage.hear(audio(2000, offset=100), at_ms=2020) == [None]
    assert stage.hear(video(960, offset=49), at_ms=2020) == [Outcome.REPLAYED]
    assert stage.aligner.sessions == {"s"}


def test_what_lies_before_a_session_that_goes_on_is_replayed_though_it_reaches_beyond_the_frontier() -> None:
    stage = restored(since={AUDIO: 40, TEXT: 7})
    earlier = audio(900, offset=39), text(900, offset=6), end(AUDIO, 920, offset=39)
    assert stage.hear(*earlier, at_ms=1000) == [Outcome.REPLAYED, Outcome.REPLAYED, None]
    stage.until(2000)
    assert not stage.events
    assert stage.hear(audio(900, offset=40), text(900, offset=7), at_ms=2000) == [None, None]


def test_who_has_read_past_all_sessions_that_had_ended_forgets_where_they_did() -> None:
    stage = restored(since={AUDIO: 40})
    stage.aligner.has_read({AUDIO: 39})
    assert stage.hear(audio(900, offset=39), at_ms=1000) == [Outcome.REPLAYED]
    stage.aligner.has_read({AUDIO: 40})
    assert stage.hear(audio(900, offset=39), at_ms=1000) == [None]


def test_what_an_earlier_session_of_the_name_left_on_another_clock_does_not_end_this_one() -> None:
    stage = restored()
    hour = 3_600_000
    earlier = [audio(hour + at, offset=at // 20) for at in range(0, 100, 20)]
    assert stage.hear(*earlier, at_ms=1000) == [None] * 5
    stage.live(*[audio(at, offset=100 + at // 20) for at in range(1000, 1400, 20)])
    assert not [event for event in stage.events if isinstance(event, Ended)]
    assert stage.aligner.drain_outcomes()[AUDIO, Outcome.REPLAYED] == 5


def test_who_has_spoken_before_the_frontier_is_silent_after_a_recovery_too_and_not_idle() -> None:
    for spoken, status in ((frozenset({TEXT}), Status.SILENT), (frozenset[Modality](), Status.IDLE)):
        stage = restored(spoken=spoken)
        stage.live(*speech(1400, from_ms=700))
        assert {hop.statuses[TEXT] for hop in stage.hops} == {status}


def test_who_has_spoken_only_beyond_the_frontier_is_not_said_to_have_spoken() -> None:
    stage = Stage()
    stage.live(*speech(700), text(660, offset=1))
    stage.aligner.settle("s", ns(640), ns(560))
    assert stage.aligner.checkpoint("s").spoken == {AUDIO, VIDEO}


def test_heartbeats_read_before_a_recovery_make_a_modality_silent_after_it() -> None:
    for bounds_ns, status, reason, at_ms in (
        ({VIDEO: ns(1400)}, Status.SILENT, HopReason.SETTLED, 960),
        ({}, Status.LATE, HopReason.DEADLINE, 1160),
    ):
        stage = restored(heard_ms=1400, newest_ns=ns(1400), spoken=frozenset({AUDIO, VIDEO}), bounds_ns=bounds_ns)
        stage.live(*[audio(at) for at in range(700, 1400, 20)])
        hop = stage.of(640)
        assert (hop.statuses[VIDEO], hop.reason, ms(hop.aligned_ns)) == (status, reason, at_ms)


def test_heartbeats_read_before_a_recovery_let_no_hop_go_before_its_frames_are_read_again() -> None:
    stage = restored(heard_ms=5000, newest_ns=ns(5000), ended=frozenset({AUDIO}), bounds_ns={VIDEO: ns(5000)})
    stage.live(text(750), text(900))
    stage.until(3000)
    assert [(starts_ms(hop, TEXT), hop.revision) for hop in stage.hops if ms(hop.start_ns) == 640] == [([750, 900], 0)]


def test_a_sleeper_kept_awake_by_heartbeats_is_still_on_its_clock_after_a_recovery() -> None:
    stage = restored(heard_ms=90_000, newest_arrived_ns=ns(1010))
    assert stage.hear(audio(100_000, offset=100), audio(900, offset=101), at_ms=100_020) == [None, None]
    stage.until(101_000)
    assert not [event for event in stage.events if isinstance(event, Ended)]
    assert [starts_ms(hop, AUDIO) for hop in stage.hops if hop.frames[AUDIO]][-1] == [100_000]


def test_a_bound_is_kept_as_far_as_no_frame_that_is_read_again_tells_it() -> None:
    stage = Stage()
    stage.live(*[video(at) for at in range(0, 400, 40)], *[audio(at) for at in range(0, 700, 20)])
    stage.hear(bound(VIDEO, 900), bound(AUDIO, 900), at_ms=900)
    stage.aligner.settle("s", ns(640), ns(560))
    assert stage.aligner.checkpoint("s").bounds_ns == {AUDIO: ns(560), VIDEO: ns(900)}


def test_a_bound_of_before_a_recovery_is_not_lost_to_the_next() -> None:
    stage = restored(bounds_ns={VIDEO: ns(1400)}, heard_ms=1400, newest_ns=ns(1400))
    stage.live(audio(700), audio(720))
    assert stage.aligner.checkpoint("s").bounds_ns[VIDEO] == ns(1400)


def test_a_checkpoint_says_what_restore_needs() -> None:
    stage = Stage()
    stage.hear(text(100, offset=1), at_ms=100)
    stage.live(*speech(700))
    stage.hear(end(VIDEO, 720), at_ms=730)
    stage.aligner.settle("s", ns(640), ns(560))
    assert stage.aligner.checkpoint("s") == Checkpoint(
        start_ns=ns(0),
        frontier_ns=ns(640),
        keep_from_ns=ns(560),
        newest_ns=ns(720),
        held_text=text(100, offset=1),
        heard_ns={TEXT: ns(100), AUDIO: ns(700), VIDEO: ns(730)},
        ended=frozenset({VIDEO}),
        spoken=frozenset({TEXT, AUDIO, VIDEO}),
        bounds_ns={TEXT: ns(100), AUDIO: ns(560), VIDEO: ns(560)},
        newest_arrived_ns=ns(720),
    )


def test_the_oldest_offsets_are_those_of_frames_still_needed() -> None:
    stage = Stage()
    stage.hear(text(100, offset=1), at_ms=100)
    stage.hear(*[audio(at, offset=at // 20) for at in range(0, 700, 20)], at_ms=700)
    stage.hear(*[video(at, offset=at // 40) for at in range(0, 640, 40)], at_ms=700)
    assert stage.aligner.oldest_offsets() == {TEXT: 1, AUDIO: 0, VIDEO: 0}
    stage.aligner.settle("s", ns(640), ns(560))
    assert stage.aligner.oldest_offsets() == {AUDIO: 28, VIDEO: 14}


def test_recovery_gives_the_hops_that_follow_the_frontier() -> None:
    frames = [*speech(3000)]
    for index, frame in enumerate(frames):
        frame.offset = index
    before, after = (
        Stage(),
        restored(frontier_ms=1600, heard_ms=3000, newest_ns=ns(3000), cuts={AUDIO: 150, VIDEO: 225}),
    )
    before.live(*frames)
    after.live(*[frame for frame in frames if frame.time_ns >= ns(1400)])
    expected = [(hop.start_ns, hop.frames) for hop in before.hops if hop.end_ns > ns(1600)]
    assert [(hop.start_ns, hop.frames) for hop in after.hops if hop.end_ns > ns(1600)] == expected

"""Bounds in bytes: what pauses, what is let go, and that nothing ever stands still."""

from __future__ import annotations

from stream.frame import Modality
from stream.hop import Outcome
from stream.room import MOST_SESSIONS
from stream.timeline import OVERHEAD_BYTES
from tests.aligning import AUDIO, TEXT, VIDEO, Stage, audio, end, ms, speech, starts_ms, video
from tests.backlog import Backlog, Item

FRAME_BYTES = 100 + OVERHEAD_BYTES


def produced(items: list[Item], delay_ms: float = 0) -> list[tuple[Item, float]]:
    return [(item, ms(item.time_ns) + delay_ms) for item in items]


def topics(
    *sessions: str, until_ms: float = 3000, video_delay_ms: float = 0
) -> dict[Modality, list[tuple[Item, float]]]:
    found: dict[Modality, list[tuple[Item, float]]] = {modality: [] for modality in Modality}
    for session in sessions:
        frames: list[Item] = [*speech(until_ms, session=session)]
        ends: list[Item] = [end(modality, until_ms, session) for modality in (AUDIO, VIDEO)]
        for item in frames + ends:
            delay_ms = video_delay_ms if item.modality is VIDEO else 0
            found[item.modality] += produced([item], delay_ms)
    return {modality: sorted(items, key=lambda pair: pair[1]) for modality, items in found.items()}


def test_nothing_pauses_while_there_is_room() -> None:
    stage = Stage(behind=frozenset({VIDEO}))
    stage.hear(*[audio(at) for at in range(0, 1000, 20)], at_ms=0)
    assert stage.aligner.ahead(stage.behind) == set()


def test_what_the_oldest_open_hop_has_enough_of_pauses_and_what_it_waits_for_does_not() -> None:
    stage = Stage(session_bytes=80 * FRAME_BYTES, behind=frozenset({AUDIO, VIDEO, TEXT}))
    stage.hear(*[audio(at) for at in range(0, 1000, 20)], at_ms=0)
    assert stage.aligner.ahead(stage.behind) == {AUDIO}


def test_a_hop_that_waits_for_time_alone_pauses_nothing() -> None:
    stage = Stage(session_bytes=80 * FRAME_BYTES)
    stage.hear(*[audio(at) for at in range(0, 1000, 20)], at_ms=0)
    assert stage.aligner.ahead(frozenset({AUDIO})) == set()


def test_when_full_the_frames_of_hops_that_went_out_are_forgotten_first() -> None:
    stage = Stage(session_bytes=30 * FRAME_BYTES)
    stage.live(*speech(6000))
    assert len(stage.hops) == 18
    assert stage.aligner.buffered_bytes <= 30 * FRAME_BYTES
    assert set(stage.aligner.drain_outcomes()) == {(AUDIO, Outcome.USED), (VIDEO, Outcome.USED)}
    assert stage.hear(video(1000), at_ms=6001) == [Outcome.LATE]


def test_what_is_forgotten_early_is_still_read_again_by_a_successor() -> None:
    stage = Stage(session_bytes=30 * FRAME_BYTES)
    frames = [audio(at, offset=at // 20) for at in range(0, 6000, 20)]
    stage.live(*frames)
    assert stage.aligner.oldest_offsets() == {AUDIO: 0}
    stage.aligner.settle("s", frames[200].time_ns, frames[190].time_ns)
    assert stage.aligner.oldest_offsets() == {AUDIO: 190}


def test_in_history_the_oldest_hop_is_emitted_as_at_its_deadline() -> None:
    stage = Stage(session_bytes=40 * FRAME_BYTES, behind=frozenset({VIDEO}))
    for at in range(0, 2000, 20):
        stage.aligner.add(audio(at), stage.hops[-1].aligned_ns if stage.hops else 0, history=True)
        stage.events += stage.aligner.poll(0, stage.behind)
        assert stage.aligner.buffered_bytes <= 40 * FRAME_BYTES
    assert [hop.reason for hop in stage.hops] == ["deadline"] * 4
    assert set(stage.aligner.drain_outcomes()) == {(AUDIO, Outcome.USED)}


def test_live_the_newest_pictures_are_shed_first() -> None:
    stage = Stage(session_bytes=60_000, behind=frozenset({TEXT}))
    stage.hear(*[video(at, size_bytes=5000) for at in range(0, 320, 40)], at_ms=0)
    stage.hear(audio(0), audio(20), audio(40), at_ms=0)
    assert stage.aligner.buffered_bytes <= 60_000
    counted = stage.aligner.drain_outcomes()
    assert counted == {(VIDEO, Outcome.SHED): 1}
    stage.behind = frozenset()
    stage.hear(end(AUDIO, 60), end(VIDEO, 320), at_ms=1)
    assert len(stage.hops[0].frames[AUDIO]) == 3
    assert starts_ms(stage.hops[0], VIDEO) == list(range(0, 280, 40))


def test_live_with_no_picture_left_frames_overflow() -> None:
    stage = Stage(session_bytes=10 * FRAME_BYTES, behind=frozenset({TEXT}))
    stage.hear(*[audio(at) for at in range(0, 300, 20)], at_ms=0)
    overflowed = stage.aligner.drain_overflowed()
    assert [frame.time_ns for frame in overflowed] == [audio(at).time_ns for at in range(200, 300, 20)]
    assert stage.aligner.drain_outcomes() == {(AUDIO, Outcome.OVERFLOW): 5}
    assert stage.aligner.buffered_bytes == 10 * FRAME_BYTES


def test_the_session_over_its_share_gives_way_and_not_the_others() -> None:
    stage = Stage(session_bytes=20 * FRAME_BYTES, lane_bytes=24 * FRAME_BYTES, behind=frozenset({TEXT}))
    stage.hear(*[audio(at) for at in range(0, 400, 20)], at_ms=0)
    stage.hear(*[audio(at, session="small") for at in range(0, 200, 20)], at_ms=0)
    overflowed = stage.aligner.drain_overflowed()
    assert {frame.session for frame in overflowed} == {"s"}
    assert stage.aligner.buffered_bytes <= 24 * FRAME_BYTES


def test_many_small_sessions_take_nothing_from_a_larger_one_while_the_lane_has_room() -> None:
    stage = Stage(session_bytes=20 * FRAME_BYTES, lane_bytes=100 * FRAME_BYTES, behind=frozenset({TEXT}))
    stage.hear(*[audio(at) for at in range(0, 200, 20)], at_ms=0)
    stage.hear(*[audio(0, session=f"small-{number}") for number in range(30)], at_ms=0)
    stage.hear(*[audio(at) for at in range(200, 400, 20)], at_ms=0)
    assert stage.aligner.drain_outcomes() == {}
    assert stage.aligner.buffered_bytes == 50 * FRAME_BYTES


def test_a_backlog_with_one_modality_far_behind_is_read_within_the_bounds() -> None:
    backlog = Backlog(topics("a", "b", "c", video_delay_ms=2000), 60 * FRAME_BYTES, 150 * FRAME_BYTES)
    backlog.run()
    assert backlog.most_bytes <= 150 * FRAME_BYTES
    assert {outcome for _, outcome in backlog.outcomes} <= {Outcome.USED, Outcome.LATE}
    assert backlog.outcomes.total() == 3 * (150 + 75)


def test_a_backlog_in_step_needs_no_pause_and_loses_nothing() -> None:
    backlog = Backlog(topics("a", "b"), 60 * FRAME_BYTES, 150 * FRAME_BYTES)
    backlog.run()
    assert backlog.paused == 0
    assert backlog.outcomes == {(AUDIO, Outcome.USED): 300, (VIDEO, Outcome.USED): 150}
    assert {hop.reason for hop in backlog.hops} == {"settled", "end"}


def test_what_was_shed_leaves_its_mark_in_the_hop() -> None:
    stage = Stage(session_bytes=18_000, behind=frozenset({TEXT}))
    stage.hear(video(0, size_bytes=5000), video(40, size_bytes=5000), *[audio(at) for at in range(0, 120, 20)], at_ms=0)
    stage.behind = frozenset()
    stage.hear(end(AUDIO, 120), end(VIDEO, 80), at_ms=1)
    assert stage.hops[0].statuses[VIDEO] == "shed"


def test_of_more_names_than_a_lane_takes_the_rest_overflows_until_sessions_have_ended() -> None:
    stage = Stage()
    names = [f"name-{number}" for number in range(MOST_SESSIONS + 3)]
    outcomes = stage.hear(*[audio(0, session=name) for name in names], at_ms=20)
    assert outcomes == [None] * MOST_SESSIONS + [Outcome.OVERFLOW] * 3
    assert [frame.session for frame in stage.aligner.drain_overflowed()] == names[-3:]
    stage.hear(*[end(AUDIO, 20, name) for name in names[:3]], at_ms=30)
    stage.until(1000)
    assert stage.hear(audio(960, session=names[-1]), at_ms=1001) == [None]

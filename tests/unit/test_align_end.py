"""How a session sleeps, wakes and ends."""

from __future__ import annotations

from stream.hop import Ended, EndReason, HopReason, Slept, Status
from tests.aligning import AUDIO, TEXT, VIDEO, Stage, audio, bound, end, ms, ns, speech, starts_ms, text, video


def ends(stage: Stage) -> list[Ended]:
    return [event for event in stage.events if isinstance(event, Ended)]


def test_a_heartbeat_or_an_end_begins_no_session() -> None:
    stage = Stage()
    stage.hear(bound(AUDIO, 0), end(VIDEO, 0), at_ms=0)
    stage.until(100_000)
    assert stage.events == []
    assert not stage.aligner.sessions


def test_the_last_partial_hop_is_emitted_when_all_have_ended() -> None:
    stage = Stage()
    stage.live(*speech(400))
    stage.hear(end(AUDIO, 400), end(VIDEO, 400), at_ms=401)
    assert stage.emitted() == [(0, 320), (320, 401)]
    assert stage.of(320).reason is HopReason.END
    assert stage.events[-1] == Ended("s", EndReason.END, ns(0), ns(400))
    assert not stage.aligner.sessions
    assert stage.aligner.buffered_bytes == 0


def test_the_last_partial_hop_is_emitted_at_its_deadline_without_an_end() -> None:
    stage = Stage()
    stage.live(*speech(400))
    stage.until(5000)
    assert stage.emitted()[1] == (320, 840)
    assert stage.of(320).reason is HopReason.DEADLINE


def test_a_modality_that_ended_is_not_waited_for() -> None:
    stage = Stage()
    stage.live(*speech(320))
    stage.hear(end(VIDEO, 320), at_ms=320)
    stage.live(*[audio(at) for at in range(320, 700, 20)])
    assert stage.emitted() == [(0, 320), (320, 640)]
    assert stage.of(320).statuses[VIDEO] is Status.SILENT


def test_a_modality_that_ended_may_speak_again() -> None:
    stage = Stage()
    stage.live(*speech(320))
    stage.hear(end(VIDEO, 320), at_ms=320)
    stage.live(*speech(600, from_ms=320), *[audio(at) for at in range(600, 700, 20)])
    assert stage.emitted() == [(0, 320)]
    stage.hear(end(AUDIO, 700), at_ms=700)
    assert not ends(stage)


def test_a_session_falls_asleep_when_nothing_is_waited_for_any_more() -> None:
    stage = Stage()
    stage.live(*speech(640))
    stage.until(2639)
    assert not stage.sleeps
    assert [start for start, _ in stage.emitted()] == [0, 320, 640, 960, 1280, 1600, 1920]
    stage.until(2640)
    assert stage.events[-1] == Slept("s", ns(2240))


def test_hops_that_fall_due_in_one_long_step_are_the_same() -> None:
    slow, fast = Stage(), Stage()
    for stage in slow, fast:
        stage.live(*speech(640))
    for at_ms in range(640, 40_000, 10):
        slow.until(at_ms)
    fast.aligner.poll(ns(640))
    fast.events += fast.aligner.poll(ns(40_000))
    for event in [*slow.hops, *fast.hops]:
        event.aligned_ns = 0
    assert fast.events == slow.events


def test_after_a_sleep_the_next_hop_is_the_one_that_holds_the_next_frame() -> None:
    stage = Stage()
    stage.live(*speech(640), *speech(10_500, from_ms=10_000))
    assert [start for start, _ in stage.emitted()][-2:] == [1920, 9920]
    assert starts_ms(stage.hops[-1], AUDIO)[0] == 10_000


def test_a_heartbeat_keeps_a_sleeping_session_but_does_not_wake_it() -> None:
    stage = Stage()
    stage.live(*speech(640))
    for at_ms in range(3000, 60_000, 1000):
        stage.hear(bound(AUDIO, at_ms), bound(VIDEO, at_ms), at_ms=at_ms)
    assert len(stage.sleeps) == 0 or not ends(stage)
    assert stage.aligner.sessions == {"s"}


def test_a_quiet_session_ends_after_its_time() -> None:
    stage = Stage()
    stage.live(*speech(640))
    stage.until(30_639)
    assert not ends(stage)
    stage.until(30_640)
    assert ends(stage) == [Ended("s", EndReason.TIMEOUT, ns(0), ns(640))]
    assert stage.aligner.wake_ns() is None


def test_a_session_of_sound_alone_ends_a_deadline_after_its_end() -> None:
    stage = Stage()
    stage.live(*[audio(at) for at in range(0, 640, 20)])
    stage.hear(end(AUDIO, 640), at_ms=650)
    assert stage.sleeps == [Slept("s", ns(640))]
    stage.until(849)
    assert not ends(stage)
    stage.until(850)
    assert ends(stage)[0].reason is EndReason.END


def test_a_text_that_has_not_ended_keeps_the_session() -> None:
    stage = Stage()
    stage.hear(text(0), at_ms=0)
    stage.live(*speech(640))
    stage.hear(end(AUDIO, 640), end(VIDEO, 640), at_ms=640)
    assert not ends(stage)
    stage.hear(end(TEXT, 640), at_ms=700)
    assert ends(stage)[0].reason is EndReason.END


def test_texts_alone_make_a_session() -> None:
    stage = Stage()
    stage.hear(text(100), at_ms=100)
    stage.hear(text(200), at_ms=200)
    stage.until(519)
    assert not stage.hops
    stage.until(520)
    assert [starts_ms(hop, TEXT) for hop in stage.hops] == [[100, 200]]
    assert len(stage.sleeps) == 1


def test_a_name_that_ended_may_begin_again() -> None:
    stage = Stage()
    stage.live(*speech(320))
    stage.hear(end(AUDIO, 320), end(VIDEO, 320), at_ms=320)
    stage.live(*speech(1300, from_ms=900))
    assert [(ms(hop.start_ns), hop.revision) for hop in stage.hops] == [(0, 0), (640, 0), (960, 0)]


def test_sessions_do_not_disturb_each_other() -> None:
    alone, together = Stage(), Stage()
    alone.live(*speech(2000))
    together.live(*speech(2000), *speech(900, from_ms=100, session="other"))
    mine = [(hop.start_ns, hop.aligned_ns, hop.frames) for hop in together.hops if hop.session == "s"]
    assert mine == [(hop.start_ns, hop.aligned_ns, hop.frames) for hop in alone.hops]


def test_a_picture_beyond_the_last_sound_is_in_the_last_hop() -> None:
    stage = Stage()
    stage.live(*speech(620), video(640, 40))
    stage.hear(end(AUDIO, 620), end(VIDEO, 680), at_ms=700)
    assert starts_ms(stage.hops[-1], VIDEO) == [640]

"""Unread is not silent: what a partition that is behind holds up, and for how long."""

from __future__ import annotations

from stream.hop import Ended, HopReason
from tests.aligning import AUDIO, TEXT, VIDEO, Stage, audio, bound, end, speech, starts_ms, text, video


def test_a_hop_waits_for_a_modality_whose_partition_is_behind() -> None:
    stage = Stage(behind=frozenset({VIDEO}))
    stage.hear(*[audio(at) for at in range(0, 700, 20)], at_ms=50)
    stage.until(240)
    assert not stage.hops
    stage.hear(*[video(at) for at in range(0, 700, 40)], at_ms=240)
    assert stage.emitted() == [(0, 240), (320, 240)]


def test_it_waits_even_for_text() -> None:
    stage = Stage(behind=frozenset({TEXT}))
    stage.hear(*speech(700), at_ms=0)
    assert not stage.hops
    stage.hear(text(50), text(650), at_ms=0)
    assert [starts_ms(hop, TEXT) for hop in stage.hops] == [[50], [50]]


def test_it_waits_until_the_partition_is_caught_up() -> None:
    stage = Stage(behind=frozenset({TEXT}))
    stage.hear(*speech(700), at_ms=0)
    stage.behind = frozenset()
    stage.until(0)
    assert stage.emitted() == [(0, 0), (320, 0)]


def test_it_waits_no_longer_than_a_deadline_beyond_the_arrival_of_its_newest_frame() -> None:
    stage = Stage(behind=frozenset({TEXT}))
    stage.live(*speech(320))
    stage.until(519)
    assert not stage.hops
    stage.until(520)
    assert stage.emitted() == [(0, 520)]
    assert stage.hops[0].reason is HopReason.SETTLED


def test_a_bound_past_the_hop_is_waited_for_no_more() -> None:
    stage = Stage(behind=frozenset({TEXT}))
    stage.hear(*speech(700), at_ms=0)
    stage.hear(bound(TEXT, 400), at_ms=0)
    assert stage.emitted() == [(0, 0)]


def test_while_the_clock_stands_still_nothing_is_silent() -> None:
    stage = Stage(behind=frozenset({AUDIO, VIDEO, TEXT}))
    stage.hear(audio(0), at_ms=0)
    for _ in range(1000):
        stage.until(0)
    assert not stage.events


def test_a_session_does_not_end_before_every_partition_is_read_past_its_end() -> None:
    stage = Stage(behind=frozenset({TEXT}))
    stage.hear(*speech(320), end(AUDIO, 320), end(VIDEO, 320), at_ms=100)
    stage.hear(text(50), at_ms=100)
    assert not [event for event in stage.events if isinstance(event, Ended)]
    stage.hear(end(TEXT, 320), at_ms=100)
    assert starts_ms(stage.hops[0], TEXT) == [50]
    assert not [event for event in stage.events if isinstance(event, Ended)]
    stage.until(101)
    assert [event for event in stage.events if isinstance(event, Ended)]


def test_an_end_alone_does_not_put_to_sleep_what_may_be_unread() -> None:
    stage = Stage(behind=frozenset({VIDEO}))
    stage.hear(*[audio(at) for at in range(0, 320, 20)], end(AUDIO, 320), at_ms=300)
    assert not stage.sleeps
    stage.hear(*[video(at) for at in range(0, 320, 40)], end(VIDEO, 320), at_ms=300)
    assert [len(hop.frames[VIDEO]) for hop in stage.hops] == [8]

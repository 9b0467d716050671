"""When steps are taken and taken back, and what counts as a hop's wait."""

from __future__ import annotations

from stream.frame import Modality
from stream.hop import Hop, HopReason
from stream.overload import STEPS, Hurry, Lag, Overload, Step
from tests.aligning import audio, ns, text, video
from tests.echo import MS

SECOND = 1_000_000_000
HOUR = 3_600 * SECOND
START = 1_795_000_000 * SECOND


def judged(overload: Overload, waits: dict[float, float]) -> list[int]:
    """The level after each of these waits, all in seconds, by when it was told."""
    return [
        overload.judge(round(wait * SECOND), START + round(at_seconds * SECOND)) for at_seconds, wait in waits.items()
    ]


def steady(wait: float, from_seconds: float, until_seconds: float) -> dict[float, float]:
    return {from_seconds + 0.1 * index: wait for index in range(round((until_seconds - from_seconds) * 10))}


def overloaded(steps: int = len(STEPS)) -> Overload:
    overload = Overload()
    assert judged(overload, {float(at): 2.0 for at in range(-steps, 0)})[-1:] == [steps] * bool(steps)
    return overload


def test_the_order_of_degradation_is_interims_then_half_the_pictures_then_all() -> None:
    assert STEPS == (Step.INTERIMS, Step.HALF_VIDEO, Step.NO_VIDEO)


def test_nothing_is_given_up_while_no_hop_waits_for_more_than_a_second() -> None:
    assert judged(Overload(), steady(1.0, 0, 60))[-1] == 0


def test_a_hop_that_has_waited_longer_takes_one_step_and_the_next_not_before_a_second_is_over() -> None:
    assert judged(Overload(), {0: 1.01, 0.1: 1.2, 0.9: 1.9, 1.0: 2.0, 1.5: 2.0, 2.0: 2.0, 9.0: 2.0}) == [
        1,
        1,
        1,
        2,
        2,
        3,
        3,
    ]


def test_a_step_that_suffices_is_the_last() -> None:
    assert judged(Overload(), {0: 1.1, 1: 0.9, 2: 0.8, 3: 0.5, 60: 0.3}) == [1] * 5


def test_steps_are_taken_back_one_by_one_when_the_wait_has_been_short_for_a_while() -> None:
    levels = judged(overloaded(), steady(0.1, 0, 20))
    assert [levels.index(level) for level in (2, 1, 0)] == [40, 90, 140]  # 5 s after the last change each


def test_a_wait_that_is_neither_long_nor_short_takes_nothing_back() -> None:
    assert judged(overloaded(), steady(0.3, 0, 60))[-1] == 3


def test_one_hop_that_waits_begins_the_while_anew() -> None:
    overload = overloaded(1)
    assert judged(overload, steady(0.0, 0, 3.9) | {3.9: 0.4} | steady(0.0, 4, 8.8))[-1] == 1
    assert judged(overload, {9: 0.0}) == [0]


def test_a_step_that_was_taken_back_too_soon_stays_twice_as_long_the_next_time() -> None:
    overload = overloaded(1)
    assert judged(overload, {4: 0.0, 6: 1.5}) == [0, 1]
    assert judged(overload, steady(0.0, 6.1, 16))[-1] == 1
    assert judged(overload, {16.1: 0.0}) == [0]


def test_it_never_stays_for_more_than_80_seconds() -> None:
    overload, now = overloaded(1), 0.0
    stayed = []
    for _ in range(8):
        began = now
        while overload.level:
            now += 0.5
            judged(overload, {now: 0.0})
        stayed.append(now - began)
        judged(overload, {now + 1: 1.5})
        now += 1
    assert stayed[0] < 6
    assert 79 < max(stayed) <= 81


def test_after_a_long_good_time_it_is_as_quick_as_at_first() -> None:
    overload = overloaded(1)
    judged(overload, {5: 0.0, 6: 1.5, 17: 0.0})  # now a step would stay for 10 s
    assert judged(overload, {100: 1.5, 104: 0.0, 105.1: 0.0}) == [1, 1, 0]


def test_time_without_any_hop_counts_as_short_waits() -> None:
    assert judged(overloaded(), {120: 0.0}) == [0]


def hop(due_ns: int, offset: int = 10) -> Hop:
    frames = {Modality.AUDIO: [audio(0, offset=offset)], Modality.VIDEO: [video(0, offset=offset)]}
    return Hop("s", ns(0), ns(320), frames, {}, HopReason.SETTLED, 0, due_ns, due_ns, due_ns=due_ns)


def waited(
    lag: Lag, machine_ns: int, now_ns: int, due_ns: int, *, idle: bool = False, overloaded: bool = False
) -> float:
    lag.note(Hurry(machine_ns, idle), now_ns, overloaded=overloaded)
    found = lag.waited_ns(hop(due_ns))
    assert found is not None
    return found / SECOND


def test_a_lane_that_has_taken_all_there_was_makes_no_hop_wait_however_far_its_clock_is_behind() -> None:
    for behind_ns in (0, 50 * MS, HOUR):
        assert waited(Lag(), START, START - behind_ns, START - behind_ns, idle=True) == 0


def test_a_lane_that_cannot_take_all_makes_its_hops_wait_as_long_as_its_clock_is_behind() -> None:
    for clock_ns in (0, HOUR):  # a source whose clock is an hour behind waits no longer
        lag = Lag()
        waited(lag, START, START - clock_ns, START - clock_ns, idle=True)
        assert waited(lag, START + 3 * SECOND, START + SECOND - clock_ns, START + SECOND - clock_ns) == 2


def test_a_hop_that_was_due_long_before_the_lane_looked_has_waited_since() -> None:
    lag = Lag()
    waited(lag, START, START, START, idle=True)
    assert waited(lag, START + 5 * SECOND, START + 5 * SECOND, START + 2 * SECOND, idle=True) == 3


def test_what_kafka_kept_back_has_not_waited_for_the_predictor() -> None:
    lag = Lag()
    for second in range(30):  # the broker answers nothing, the lane's clock stands still
        waited(lag, START + second * SECOND, START, START, idle=True)
    for step in range(10):  # then it is read as fast as it goes: 3 s of it in each second
        machine_ns, now_ns = START + (30 + step) * SECOND, START + 3 * step * SECOND
        assert waited(lag, machine_ns, now_ns, now_ns) <= 1


def test_a_lane_that_falls_behind_while_it_reads_that_makes_its_hops_wait() -> None:
    lag = Lag()
    waited(lag, START + 30 * SECOND, START, START, idle=True)
    assert waited(lag, START + 40 * SECOND, START + 8 * SECOND, START + 8 * SECOND) == 2


def test_history_is_not_judged() -> None:
    lag = Lag()
    lag.took_history(Modality.AUDIO, 10)
    lag.note(Hurry(START, idle=False), START - HOUR, overloaded=False)
    assert lag.waited_ns(hop(START - HOUR)) is None
    assert lag.waited_ns(hop(START - HOUR, offset=11)) is not None


def test_a_text_of_history_that_still_holds_makes_no_hop_history() -> None:
    lag = Lag()
    lag.took_history(Modality.TEXT, 10)
    lag.note(Hurry(START, idle=True), START, overloaded=False)
    newer = hop(START, offset=0)
    newer.frames[Modality.TEXT] = [text(0, offset=10)]
    assert lag.waited_ns(newer) == 0


def test_what_piled_up_while_history_was_read_is_no_overload() -> None:
    lag = Lag()
    lag.took_history(Modality.AUDIO, 5)
    lag.note(Hurry(START, idle=False), START - 4 * SECOND, overloaded=False)
    assert waited(lag, START + SECOND, START - 3 * SECOND, START - 3 * SECOND) == 0
    assert waited(lag, START + 5 * SECOND, START - SECOND, START - SECOND) == 2  # but what comes on top of it is


def test_once_overloaded_all_that_piled_up_counts_until_it_is_worked_off() -> None:
    lag = Lag()
    lag.took_history(Modality.AUDIO, 5)
    lag.note(Hurry(START, idle=False), START - 4 * SECOND, overloaded=False)
    assert waited(lag, START + SECOND, START - 3 * SECOND, START - 3 * SECOND, overloaded=True) == 4


def test_where_nobody_tells_of_the_machine_nothing_waits() -> None:
    lag = Lag()
    lag.note(None, START, overloaded=False)
    assert lag.waited_ns(hop(START - HOUR)) is None

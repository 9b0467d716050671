"""What a page may send in a second, and how much of it may come at once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stream.allowance import BURST_SECONDS, Allowance


def test_what_was_not_used_may_come_at_once_and_no_more() -> None:
    allowance = Allowance(10, 0.0)
    assert all(allowance.take(1, 0.0) for _ in range(int(10 * BURST_SECONDS)))
    assert not allowance.take(1, 0.0)


def test_a_steady_source_at_its_rate_is_never_refused() -> None:
    allowance = Allowance(50, 0.0)
    assert all(allowance.take(1, number / 50) for number in range(1_000))


def test_what_is_refused_takes_nothing() -> None:
    allowance = Allowance(10, 0.0)
    assert not allowance.take(1_000, 0.0)
    assert allowance.take(10 * BURST_SECONDS, 0.0)


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0, 100)), max_size=50))
def test_over_any_time_no_more_than_the_rate_and_one_burst_is_taken(asked: list[tuple[float, float]]) -> None:
    allowance, now_seconds, taken = Allowance(20, 0.0), 0.0, 0.0
    for pause_seconds, amount in asked:
        now_seconds += pause_seconds
        taken += amount if allowance.take(amount, now_seconds) else 0
    assert taken <= 20 * (now_seconds + BURST_SECONDS) + 1e-6

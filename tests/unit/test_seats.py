"""Seats of the sessions that pages talk in: as many as there are, kept until a session has ended, given back to whoever had it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stream.seats import SEATS_A_SOURCE, Seats

END_SECONDS = 30.0


def test_a_new_session_finds_no_seat_until_another_has_ended() -> None:
    seats = Seats(1, END_SECONDS)
    for number in range(SEATS_A_SOURCE):
        assert seats.take(f"guest {number}", number)
        seats.leave(f"guest {number}", number)
    assert not seats.take("one more", END_SECONDS - 0.1)
    assert seats.take("one more", END_SECONDS)


def test_who_comes_back_finds_their_seat_though_all_are_taken() -> None:
    seats = Seats(1, END_SECONDS)
    for number in range(SEATS_A_SOURCE):
        assert seats.take(f"guest {number}", 0)
    seats.leave("guest 1", 1)
    assert seats.take("guest 1", 2)
    assert seats.take("guest 1", 2)  # and once more, beside
    seats.leave("guest 1", 3)
    assert not seats.take("another", 3 + END_SECONDS)  # one of the two still talks


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.booleans(), st.floats(0, 40)), max_size=60))
def test_there_are_never_more_sessions_than_seats(moves: list[tuple[str, bool, float]]) -> None:
    seats, now = Seats(1, END_SECONDS), 0.0
    talking: list[str] = []
    ended: dict[str, float] = {}
    for session, comes, seconds in moves:
        now += seconds
        open_still = set(talking) | {name for name, at in ended.items() if at > now}
        if comes:
            is_let_in = seats.take(session, now)
            assert is_let_in == (session in open_still or len(open_still) < SEATS_A_SOURCE)
            talking += [session] * is_let_in
        elif session in talking:
            talking.remove(session)
            seats.leave(session, now)
            ended[session] = now + END_SECONDS

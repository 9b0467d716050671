"""Which sessions there are, as results tell."""

from __future__ import annotations

from stream.board import SESSIONS, Board
from stream.event import Event, Kind
from stream.publish import Prediction, SessionRecord
from tests.watching import T0_MS, ended, final, prediction, started


def told(*messages: Prediction | SessionRecord) -> Board:
    board = Board()
    for offset, message in enumerate(messages):
        kind, segment = Kind.SESSION, 0.0
        if isinstance(message, Prediction):
            kind, segment = Kind.FINAL if message.is_final else Kind.INTERIM, message.segment
        board.note(Event(3, offset, message.session, kind, None, segment, b"", 0.0), message)
    return board


def shown(board: Board) -> list[tuple[object, object, object]]:
    rows = [row.shown() for row in board.rows()]
    return [(row["session"], row["state"], row["text"]) for row in rows]


def test_a_session_is_live_from_its_start_to_its_end() -> None:
    (row,) = told(started("a")).rows()
    assert row.shown() == {
        "session": "a",
        "state": "live",
        "reason": None,
        "partition": 3,
        "start_ms": T0_MS,
        "end_ms": None,
        "finals": 0,
        "task": None,
        "text": None,
        "is_final": None,
        "published_ms": None,
        "modalities": {},
    }
    (row,) = told(started("a"), final("a", 0, "word"), ended("a", 1)).rows()
    assert (row.shown()["state"], row.shown()["reason"], row.finals) == ("ended", "end", 1)


def test_the_last_words_are_shown_final_or_not() -> None:
    assert shown(told(final("a", 0, "one"), prediction("a", 1, "two"))) == [("a", "live", "two")]


def test_whoever_spoke_last_comes_first_and_who_is_gone_last() -> None:
    board = told(final("a", 0), final("b", 0), ended("c", 0), final("a", 1))
    assert [name for name, _, _ in shown(board)] == ["a", "b", "c"]


def test_a_name_that_is_used_again_is_a_session_of_its_own() -> None:
    board = told(started("a"), final("a", 0), ended("a", 1), started("a", T0_MS + 1))
    (row,) = board.rows()
    assert (row.first_offset, row.finals, row.is_ended, [*row.latest]) == (3, 0, False, [Kind.SESSION])


def test_what_stands_is_the_last_final_and_what_is_open_behind_it() -> None:
    board = told(started("a"), prediction("a", 0, "x"), final("a", 0), prediction("a", 1, "y"), prediction("a", 1, "z"))
    row = board.get("a")
    assert row is not None
    assert {kind: event.offset for kind, event in row.latest.items()} == {
        Kind.SESSION: 0,
        Kind.FINAL: 2,
        Kind.INTERIM: 4,
    }


def test_an_interim_that_is_final_by_now_or_of_a_session_that_ended_does_not_stand() -> None:
    for last in (final("a", 0), ended("a", 0)):
        row = told(prediction("a", 0, "x"), last).get("a")
        assert row is not None
        assert Kind.INTERIM not in row.latest


def test_who_was_silent_longest_is_forgotten() -> None:
    board = told(*(started(str(number)) for number in range(SESSIONS + 1)))
    assert board.get("0") is None
    assert len([*board.rows()]) == SESSIONS

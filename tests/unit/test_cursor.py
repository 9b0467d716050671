"""Where a subscription stands, as the id of an event says it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.cursor import Cursor, CursorError

TOPIC = "test.predictions"


def parsed(text: str, partitions: int = 3, *, one: bool = False) -> dict[int, int]:
    return Cursor.parse(text, TOPIC, partitions, one=one).offsets


def test_an_id_names_topic_partitions_and_offsets() -> None:
    assert str(Cursor(TOPIC, {0: 17, 1: 0, 2: 4})) == "test.predictions:0=17,1=0,2=4"


@given(st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=70))
def test_an_id_is_read_back_as_it_was_written(offsets: list[int]) -> None:
    cursor = Cursor(TOPIC, dict(enumerate(offsets)))
    assert Cursor.parse(str(cursor), TOPIC, len(offsets), one=False) == cursor


def test_partitions_that_a_topic_was_given_since_begin_at_their_beginning() -> None:
    assert parsed("test.predictions:0=5,1=6", 4) == {0: 5, 1: 6, 2: 0, 3: 0}


def test_the_id_of_one_session_may_name_its_partition_alone() -> None:
    assert parsed("test.predictions:2=5", one=True) == {2: 5}


@pytest.mark.parametrize(
    "text", ["test.predictions:2=5", "test.predictions:0=5,2=6", "test.predictions:0=1,1=1,2=1,3=1"]
)
def test_an_id_of_other_partitions_is_refused(text: str) -> None:
    with pytest.raises(CursorError, match=r"expected partitions 0 to 2 of test\.predictions$"):
        parsed(text)


@pytest.mark.parametrize(
    "text", ["", "17", "predictions:0=1", "test.predictions:", "test.predictions:0=x", "test.predictions:0=-1", "é" * 9]
)
def test_what_is_no_id_of_this_topic_is_refused(text: str) -> None:
    with pytest.raises(CursorError, match=r"expected test\.predictions:PARTITION=OFFSET"):
        parsed(text)


def test_an_id_that_is_far_too_long_is_refused() -> None:
    with pytest.raises(CursorError):
        parsed("test.predictions:" + ",".join(f"{number}=1" for number in range(5_000)), 5_000)


def test_a_place_is_past_what_came_before_it_and_past_all_other_partitions() -> None:
    cursor = Cursor(TOPIC, {1: 10})
    assert [cursor.is_past(1, 9), cursor.is_past(1, 10), cursor.is_past(0, 99)] == [True, False, True]


def test_a_place_only_moves_on_and_only_in_its_own_partitions() -> None:
    cursor = Cursor(TOPIC, {0: 10, 1: 10})
    cursor.move({0: 12, 1: 8, 2: 5})
    assert cursor.offsets == {0: 12, 1: 10}

"""The lane's memory: what it writes it reads, and the committed offset is exactly the lowest that is needed again."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.errors import BrokerError
from stream.frame import End, Frame, Modality
from stream.progress import EPOCH_KEY, HeldText, Progress, SessionProgress, epoch_value, restored

MS = 1_000_000
TICK_NS = 40 * MS
CONTEXT_NS = 80 * MS
T0_NS = 1_795_514_270_009 * MS


def frame(
    offset: int, start_ms: int, duration_ms: int | None, modality: Modality = Modality.AUDIO, session: str = "a"
) -> Frame:
    duration_ns = None if duration_ms is None else duration_ms * MS
    return Frame(session, modality, T0_NS + start_ms * MS, duration_ns, b"word", "text/plain", offset=offset)


def read(progress: Progress, *items: Frame | End) -> None:
    for item in items:
        progress.read(item.modality, item.offset)
        progress.note(item)


def fresh() -> Progress:
    return Progress(TICK_NS, CONTEXT_NS)


def test_a_session_comes_back_from_json_as_it_was() -> None:
    known = SessionProgress(
        session="a",
        start_ns=T0_NS,
        frontier_ns=T0_NS + 320 * MS,
        newest_ns=T0_NS + 400 * MS,
        cuts={Modality.AUDIO: 17, Modality.TEXT: 2},
        floors={Modality.AUDIO: 3},
        text=HeldText("place red", T0_NS - 5 * MS, None, 1),
        revision=4,
        finals=2,
        last={Modality.AUDIO: 40},
    )
    assert SessionProgress.from_json("a", known.to_json(epoch=7)) == known


def test_the_position_is_committed_when_no_frame_is_needed_again() -> None:
    progress = fresh()
    read(progress, frame(0, 0, 100), frame(1, 100, 100))
    progress.start("a", T0_NS)
    progress.move("a", T0_NS + 400 * MS)
    assert progress.offsets() == {Modality.AUDIO: 2}


def test_a_frame_in_the_left_context_of_the_frontier_is_read_again() -> None:
    progress = fresh()
    read(progress, frame(0, 0, 100), frame(1, 100, 100), frame(2, 200, 100))
    progress.start("a", T0_NS)
    progress.move("a", T0_NS + 250 * MS)
    assert progress.offsets() == {Modality.AUDIO: 1}


def test_frames_of_a_session_that_has_not_started_are_read_again() -> None:
    progress = fresh()
    read(progress, frame(5, 0, 100), frame(6, 100, 100))
    assert progress.offsets() == {Modality.AUDIO: 5}


def test_the_slowest_session_of_a_lane_decides_what_is_committed() -> None:
    progress = fresh()
    read(progress, frame(0, 0, 100, session="a"), frame(1, 0, 100, session="b"), frame(2, 100, 100, session="a"))
    progress.start("a", T0_NS)
    progress.start("b", T0_NS)
    progress.move("a", T0_NS + 900 * MS)
    assert progress.offsets() == {Modality.AUDIO: 1}


def test_the_text_that_holds_at_the_frontier_is_kept_and_pins_nothing() -> None:
    progress = fresh()
    read(progress, frame(3, 0, None, Modality.TEXT), frame(0, 0, 100))
    progress.start("a", T0_NS)
    progress.move("a", T0_NS + 500 * MS)
    assert progress.offsets() == {Modality.TEXT: 4, Modality.AUDIO: 1}
    assert progress.sessions["a"].text == HeldText("word", T0_NS, None, 3)


def test_a_text_that_another_replaced_is_no_longer_held() -> None:
    progress = fresh()
    read(progress, frame(0, 0, None, Modality.TEXT), frame(1, 300, None, Modality.TEXT))
    progress.start("a", T0_NS)
    progress.move("a", T0_NS + 320 * MS)
    assert progress.sessions["a"].text == HeldText("word", T0_NS + 300 * MS, None, 1)
    assert progress.offsets() == {Modality.TEXT: 0}  # the first reaches into the left context
    progress.move("a", T0_NS + 640 * MS)
    assert progress.offsets() == {Modality.TEXT: 2}


def test_a_text_with_an_end_is_not_held_beyond_it() -> None:
    progress = fresh()
    read(progress, frame(0, 0, 100, Modality.TEXT))
    progress.start("a", T0_NS)
    progress.move("a", T0_NS + 320 * MS)
    assert progress.sessions["a"].text is None


def test_a_held_text_outlives_a_restart_until_the_next_one() -> None:
    progress = fresh()
    read(progress, frame(3, 0, None, Modality.TEXT))
    progress.start("a", T0_NS)
    progress.move("a", T0_NS + 500 * MS)
    again = restored(progress.unsaved(), TICK_NS, CONTEXT_NS)
    again.move("a", T0_NS + 900 * MS)
    assert again.sessions["a"].text == HeldText("word", T0_NS, None, 3)
    assert again.first_offset("a", Modality.TEXT, T0_NS + 500 * MS) == 3


def test_an_ended_session_is_remembered_until_every_committed_offset_has_passed_it() -> None:
    progress = fresh()
    read(progress, frame(7, 0, 100), frame(2, 0, 40, Modality.VIDEO))
    progress.start("a", T0_NS)
    progress.end("a")
    assert progress.offsets() == {Modality.AUDIO: 8, Modality.VIDEO: 3}
    assert progress.outlived({Modality.AUDIO: 8, Modality.VIDEO: 2}) == []
    assert progress.outlived({Modality.AUDIO: 8, Modality.VIDEO: 3}) == [b"a"]
    assert progress.sessions == {}


def test_records_of_an_ended_session_are_told_from_those_of_a_new_one_of_its_name() -> None:
    progress = fresh()
    read(progress, frame(7, 0, 100))
    progress.start("a", T0_NS)
    progress.end("a")
    again = restored(progress.unsaved(), TICK_NS, CONTEXT_NS)
    assert again.is_earlier(frame(7, 0, 100))
    assert not again.is_earlier(frame(8, 5_000, 100))
    again.start("a", T0_NS + 5_000 * MS)
    assert again.is_earlier(frame(7, 0, 100))
    assert not again.is_earlier(frame(8, 5_000, 100))


def test_the_epoch_is_read_from_under_the_empty_key() -> None:
    assert restored([(EPOCH_KEY, epoch_value(4)), (EPOCH_KEY, epoch_value(5))], TICK_NS, CONTEXT_NS).epoch == 5


def test_a_removed_session_is_not_restored() -> None:
    progress = fresh()
    progress.start("a", T0_NS)
    assert restored([*progress.unsaved(), (b"a", None)], TICK_NS, CONTEXT_NS).sessions == {}


def test_a_foreign_record_in_progress_is_an_error_that_names_it() -> None:
    with pytest.raises(BrokerError, match="b'hello' under b'a'"):
        restored([(b"a", b"hello")], TICK_NS, CONTEXT_NS)


def test_a_session_is_written_once_a_change() -> None:
    progress = fresh()
    progress.start("a", T0_NS)
    assert [key for key, _ in progress.unsaved()] == [b"a"]
    assert progress.unsaved() == []
    progress.move("a", T0_NS + MS)
    assert [key for key, _ in progress.unsaved()] == [b"a"]


FRAMES = st.lists(
    st.tuples(
        st.sampled_from(["a", "b"]),
        st.sampled_from(list(Modality)),
        st.integers(0, 2_000),
        st.one_of(st.none(), st.integers(1, 300)),
    ),
    max_size=30,
)
MOVES = st.dictionaries(st.sampled_from(["a", "b"]), st.integers(0, 2_500), max_size=2)


@settings(max_examples=100, deadline=None)
@given(frames=FRAMES, moves=MOVES)
def test_the_committed_offset_is_the_lowest_that_is_needed(
    frames: list[tuple[str, Modality, int, int | None]], moves: dict[str, int]
) -> None:
    progress = fresh()
    taken = [
        frame(offset, start_ms, duration_ms, modality, session)
        for offset, (session, modality, start_ms, duration_ms) in enumerate(frames)
    ]
    read(progress, *taken)
    for session, frontier_ms in moves.items():
        progress.start(session, T0_NS)
        progress.move(session, T0_NS + frontier_ms * MS)
    for modality, committed in progress.offsets().items():
        needed = [item.offset for item in taken if item.modality is modality and is_needed(item, taken, progress)]
        assert committed == min(needed, default=progress.positions[modality])


def is_needed(item: Frame, taken: list[Frame], progress: Progress) -> bool:
    known = progress.sessions.get(item.session)
    if known is None:
        return True
    if known.text is not None and known.text.offset == item.offset and item.modality is Modality.TEXT:
        return False
    return end_ns(item, taken) > known.frontier_ns - CONTEXT_NS


def end_ns(item: Frame, taken: list[Frame]) -> float:
    if item.duration_ns is not None:
        return item.time_ns + item.duration_ns
    if item.modality is not Modality.TEXT:
        return item.time_ns + 2 * TICK_NS
    later = [
        other.time_ns
        for other in taken
        if other.session == item.session and other.modality is Modality.TEXT and other.time_ns > item.time_ns
    ]
    return min(later, default=float("inf"))

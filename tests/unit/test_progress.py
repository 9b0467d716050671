"""A lane's memory: what it writes it reads, and it forgets no sooner than it may."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.content import TEXT
from stream.errors import BrokerError
from stream.frame import Frame, Modality
from stream.hop import Checkpoint
from stream.progress import EPOCH_KEY, Progress, SessionProgress, epoch_value, from_json, restored, to_json
from stream.skew import Skew

MS = 1_000_000
CONTEXT_NS = 80 * MS
T0_NS = 1_795_514_270_009 * MS
AUDIO, VIDEO, SHOWN = Modality.AUDIO, Modality.VIDEO, Modality.TEXT

OFFSETS = st.integers(0, 2**40)
TIMES_NS = st.integers(0, 4 * 10**15).map(lambda time_us: time_us * 1_000)  # what milliseconds with 3 decimals hold
TEXTS = st.builds(
    Frame,
    session=st.just("a"),
    modality=st.just(SHOWN),
    time_ns=TIMES_NS,
    duration_ns=st.none() | st.integers(1, 10**6).map(lambda duration_ms: duration_ms * MS),
    payload=st.text(max_size=20).map(str.encode),
    content_type=st.just(TEXT),
    partition=st.integers(0, 7),
    offset=OFFSETS,
)


def checkpoint(frontier_ns: int = T0_NS) -> Checkpoint:
    return Checkpoint(T0_NS, frontier_ns, frontier_ns - CONTEXT_NS, newest_ns=frontier_ns)


def ended(session: str, positions: dict[Modality, int]) -> Progress:
    progress = Progress()
    progress.positions = positions
    progress.start(session, checkpoint(), {})
    progress.end(session, {})
    return progress


@given(
    frontier_ns=TIMES_NS,
    cuts=st.dictionaries(st.sampled_from(Modality), OFFSETS),
    held=st.none() | TEXTS,
    heard_ns=st.dictionaries(st.sampled_from(Modality), TIMES_NS),
    gone=st.frozensets(st.sampled_from(Modality)),
    over=st.booleans(),
    spoken=st.frozensets(st.sampled_from(Modality)),
    bounds_ns=st.dictionaries(st.sampled_from(Modality), TIMES_NS),
    arrived_ns=st.none() | TIMES_NS,
    since=st.dictionaries(st.sampled_from(Modality), OFFSETS),
    skew_ms=st.none() | st.integers(-520, 520),
    steady=st.booleans(),
)
def test_a_session_comes_back_from_json_as_it_was(
    frontier_ns: int,
    cuts: dict[Modality, int],
    held: Frame | None,
    heard_ns: dict[Modality, int],
    gone: frozenset[Modality],
    over: bool,  # noqa: FBT001
    spoken: frozenset[Modality],
    bounds_ns: dict[Modality, int],
    arrived_ns: int | None,
    since: dict[Modality, int],
    skew_ms: int | None,
    steady: bool,  # noqa: FBT001
) -> None:
    skew = Skew(None if skew_ms is None else skew_ms * MS, steady)
    keep_from_ns = frontier_ns - CONTEXT_NS
    heard = (heard_ns, gone, over, spoken, bounds_ns, arrived_ns)
    at = Checkpoint(T0_NS, frontier_ns, keep_from_ns, T0_NS, cuts, held, *heard, since)
    known = SessionProgress("a", at, revision=4, finals=2, skew=skew)
    assert from_json("a", to_json(known, epoch=7), CONTEXT_NS) == known


def test_what_a_version_before_did_not_write_is_not_known() -> None:
    found = orjson.loads(to_json(SessionProgress("a", checkpoint()), epoch=1))
    for name in ("bounds_ms", "arrived_ms", "since", "spoken", "skew_ms", "skew_steady"):
        del found[name]
    assert from_json("a", orjson.dumps(found), CONTEXT_NS) == SessionProgress("a", checkpoint())


def test_a_new_bundle_s_context_counts_and_not_the_last_owner_s() -> None:
    written = to_json(SessionProgress("a", checkpoint(T0_NS)), epoch=1)
    assert from_json("a", written, context_ns=CONTEXT_NS * 2).checkpoint.keep_from_ns == T0_NS - CONTEXT_NS * 2


def test_the_lowest_offset_that_is_needed_is_committed_and_the_position_where_none_is() -> None:
    progress = Progress()
    progress.positions = {AUDIO: 20, VIDEO: 30, SHOWN: 0}
    assert progress.offsets({AUDIO: 12}) == {AUDIO: 12, VIDEO: 30, SHOWN: 0}


def test_the_cuts_are_the_read_positions_when_the_frontier_moves() -> None:
    progress = Progress()
    progress.start("a", checkpoint(), {})
    progress.positions = {AUDIO: 20}
    progress.move("a", checkpoint(T0_NS + MS))
    progress.positions = {AUDIO: 25}
    progress.touch("a", checkpoint(T0_NS + MS))
    assert progress.sessions["a"].checkpoint.cuts == {AUDIO: 20}


def test_an_ended_session_is_remembered_until_all_committed_offsets_have_passed_it() -> None:
    progress = ended("a", {AUDIO: 8, VIDEO: 3})
    assert progress.outlived({AUDIO: 8, VIDEO: 2}) == []
    assert progress.outlived({AUDIO: 8, VIDEO: 3}) == [b"a"]
    assert progress.sessions == {}


def test_a_session_that_is_open_is_never_forgotten() -> None:
    progress = Progress()
    progress.start("a", checkpoint(), {})
    assert progress.outlived({AUDIO: 1_000}) == []


def test_what_was_read_of_an_ended_session_stays_read_when_another_of_its_name_begins() -> None:
    progress = ended("a", {AUDIO: 8})
    known = progress.start("a", checkpoint(T0_NS + 5_000 * MS), {})
    assert known.checkpoint.cuts == {AUDIO: 8}
    assert not known.checkpoint.over


def test_where_a_session_began_stays_known_while_it_goes_on() -> None:
    progress = ended("a", {AUDIO: 8, VIDEO: 3})
    progress.positions = {AUDIO: 12, VIDEO: 4}
    progress.start("a", checkpoint(), {AUDIO: 10})
    progress.positions = {AUDIO: 20, VIDEO: 30}
    progress.move("a", checkpoint(T0_NS + MS))
    progress.touch("a", checkpoint(T0_NS + MS))
    assert progress.sessions["a"].checkpoint.cuts == {AUDIO: 20, VIDEO: 30}
    assert progress.sessions["a"].checkpoint.since == {AUDIO: 10, VIDEO: 4}


def test_a_session_begins_no_sooner_than_another_of_its_name_has_ended() -> None:
    progress = ended("a", {AUDIO: 8, VIDEO: 3})
    progress.positions = {AUDIO: 9, VIDEO: 1}  # of an owner that reads the pictures again
    assert progress.start("a", checkpoint(), {AUDIO: 8}).checkpoint.since == {AUDIO: 8, VIDEO: 3}


def test_a_cut_does_not_move_back_while_records_are_read_again() -> None:
    progress = Progress()
    progress.start("a", checkpoint(), {})
    progress.positions = {AUDIO: 20, VIDEO: 30}
    progress.move("a", checkpoint(T0_NS + MS))
    progress.positions = {AUDIO: 15, VIDEO: 31}
    progress.move("a", checkpoint(T0_NS + 2 * MS))
    assert progress.sessions["a"].checkpoint.cuts == {AUDIO: 20, VIDEO: 31}
    progress.positions = {AUDIO: 16, VIDEO: 32}
    progress.end("a", {})
    assert progress.sessions["a"].checkpoint.cuts == {AUDIO: 20, VIDEO: 32}


def test_what_the_next_of_the_name_needs_is_not_cut_off_with_a_session_that_ends() -> None:
    progress = Progress()
    progress.positions = {AUDIO: 20, VIDEO: 30}
    progress.start("a", checkpoint(), {})
    progress.move("a", checkpoint(T0_NS + MS))
    progress.end("a", {AUDIO: 18})
    assert progress.sessions["a"].checkpoint.cuts == {AUDIO: 18, VIDEO: 30}


def test_a_session_is_written_once_a_change() -> None:
    progress = Progress()
    progress.start("a", checkpoint(), {})
    assert [key for key, _ in progress.unsaved()] == [b"a"]
    assert progress.unsaved() == []
    progress.move("a", checkpoint(T0_NS + MS))
    assert [key for key, _ in progress.unsaved()] == [b"a"]


def test_the_newest_record_of_a_key_counts() -> None:
    progress = ended("a", {AUDIO: 8})
    written = progress.unsaved()
    epochs = [(EPOCH_KEY, epoch_value(4)), (EPOCH_KEY, epoch_value(5))]
    assert restored([*written, *epochs], CONTEXT_NS).epoch == 5
    assert restored(written, CONTEXT_NS).sessions.keys() == {"a"}
    assert restored([*written, (b"a", None)], CONTEXT_NS).sessions == {}


@pytest.mark.parametrize("value", [b"hello", b"{}", b"[]", b'{"epoch": 1}'])
def test_a_foreign_record_in_progress_is_an_error_that_names_it(value: bytes) -> None:
    with pytest.raises(BrokerError, match="under the key b'a'"):
        restored([(b"a", value)], CONTEXT_NS)

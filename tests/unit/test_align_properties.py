"""What holds whatever comes: outcomes, bounds, bytes, deadlines."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from stream.frame import Frame, Modality
from stream.hop import Ended, Hop, Outcome, Slept, Started
from stream.timeline import Timeline
from stream.times import NS_PER_MS
from tests.aligning import (
    AUDIO,
    TEXT,
    VIDEO,
    Stage,
    audio,
    bound,
    captured_ns,
    end,
    ms,
    ns,
    speech,
    text,
    video,
)
from tests.backlog import Item

MODALITIES = st.sampled_from(list(Modality))


class Step(NamedTuple):
    """What comes next, and what is so when it comes."""

    kind: str
    modality: Modality
    session: str
    at_ms: int
    duration_ms: int | None
    sequence: int | None
    size_bytes: int
    wait_ms: int
    history: bool
    behind: frozenset[Modality]

    def item(self) -> Item:
        if self.kind == "bound":
            return bound(self.modality, self.at_ms, self.session)
        if self.kind == "end":
            return end(self.modality, self.at_ms, self.session)
        make = {TEXT: text, AUDIO: audio, VIDEO: video}[self.modality]
        duration_ms = 20 if self.modality is AUDIO and self.duration_ms is None else self.duration_ms
        return make(self.at_ms, duration_ms, self.session, sequence=self.sequence, size_bytes=self.size_bytes)


STEPS = st.lists(
    st.builds(
        Step,
        st.sampled_from(["frame"] * 10 + ["bound", "end"]),
        MODALITIES,
        st.sampled_from(["a", "b"]),
        st.one_of(st.integers(0, 3000), st.sampled_from([-90_000, 200_000, 200_020])),
        st.sampled_from([None, 40, 700]),
        st.one_of(st.none(), st.integers(0, 5)),
        st.sampled_from([100, 3000]),
        st.integers(0, 400),
        st.booleans(),
        st.frozensets(MODALITIES),
    ),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(STEPS, st.sampled_from([40_000, 80_000, 10_000_000]))
def test_every_frame_has_exactly_one_outcome_and_memory_stays_within_its_bounds(
    steps: list[Step], lane_bytes: int
) -> None:
    stage = Stage(session_bytes=lane_bytes // 2, lane_bytes=lane_bytes)
    outcomes: dict[Outcome, int] = defaultdict(int)
    frames, now_ms, overflowed = 0, 0, 0
    for step in steps:
        item = step.item()
        now_ms += step.wait_ms
        stage.behind = step.behind
        stage.until(now_ms)
        stage.aligner.add(item, ns(now_ms), history=step.history)
        stage.until(now_ms)
        frames += isinstance(item, Frame)
        if stage.hops and step.wait_ms % 3 == 0:
            newest = stage.hops[-1]
            stage.aligner.settle(newest.session, newest.start_ns, newest.start_ns - 80 * NS_PER_MS)
        for (_, outcome), count in stage.aligner.drain_outcomes().items():
            outcomes[outcome] += count
        overflowed += len(stage.aligner.drain_overflowed())
        assert sum(outcomes.values()) + stage.aligner.open_frames == frames
        assert 0 <= stage.aligner.buffered_bytes <= lane_bytes
    assert overflowed == outcomes[Outcome.OVERFLOW]
    stage.behind = frozenset()
    stage.until(now_ms + 400_000)
    assert not stage.aligner.sessions
    assert stage.aligner.buffered_bytes == 0
    assert sum(outcomes.values()) + stage.aligner.drain_outcomes().total() == frames


@settings(max_examples=100, deadline=None)
@given(STEPS)
def test_hops_come_once_in_order_within_their_session_and_sessions_begin_and_end_properly(steps: list[Step]) -> None:
    stage = Stage()
    now_ms = 0
    for step in steps:
        now_ms += step.wait_ms
        stage.behind = step.behind
        stage.hear(step.item(), at_ms=now_ms)
    stage.behind = frozenset()
    stage.until(now_ms + 400_000)
    open_: dict[str, dict[int, int]] = {}
    asleep: set[str] = set()
    for event in stage.events:
        if isinstance(event, Started):
            assert event.session not in open_
            open_[event.session] = {}
        elif isinstance(event, Hop):
            revisions = open_[event.session]
            assert event.start_ns % stage.timing.hop_ns == 0
            if event.revision == 0:
                assert event.start_ns > max(revisions, default=-1)
            assert event.revision == revisions.get(event.start_ns, -1) + 1
            revisions[event.start_ns] = event.revision
            asleep.discard(event.session)
        elif isinstance(event, Slept):
            assert event.session not in asleep
            asleep.add(event.session)
        elif isinstance(event, Ended):
            del open_[event.session]
            asleep.discard(event.session)
    assert not open_


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_bounds_never_run_backwards(steps: list[Step]) -> None:
    stage = Stage()
    now_ms = 0
    before: dict[Timeline, int] = {}
    for step in steps:
        now_ms += step.wait_ms
        stage.hear(step.item(), at_ms=now_ms)
        for session in stage.aligner._sessions.values():
            for line in session.wait.lines.values():
                assert line.bound_ns >= before.get(line, line.bound_ns)
                before[line] = line.bound_ns


@settings(max_examples=60, deadline=None)
@given(st.sets(MODALITIES), st.integers(0, 1500), st.integers(0, 150))
def test_a_silent_modality_delays_no_hop_beyond_its_deadline(
    silent: set[Modality], from_ms: int, delay_ms: int
) -> None:
    stage = Stage()
    frames: list[Frame] = [*speech(2400), *[text(at) for at in range(0, 2400, 400)]]
    stage.live(
        *[frame for frame in frames if frame.modality not in silent or ms(frame.time_ns) < from_ms], delay_ms=delay_ms
    )
    stage.until(6000)
    spoken = [frame for frame in frames if frame.modality not in silent or ms(frame.time_ns) < from_ms]
    for hop in stage.hops:
        settled_ns = [told for frame in spoken if (told := captured_ns(frame)) >= hop.end_ns]
        assert ms(hop.aligned_ns) <= ms(min(settled_ns, default=hop.end_ns)) + delay_ms + 200
    assert stage.aligner.drain_outcomes() == Counter((frame.modality, Outcome.USED) for frame in spoken)

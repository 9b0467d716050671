"""What holds whatever comes, in whatever order."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import chain
from operator import itemgetter
from random import Random
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from stream.frame import Frame, Modality
from stream.hop import Ended, Event, Hop, Outcome, Slept, Started, Timing
from stream.timeline import Timeline
from stream.times import NS_PER_MS
from tests.aligning import (
    AUDIO,
    PLENTY,
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
    starts_ms,
    text,
    video,
)
from tests.backlog import Backlog, Item

LAST_MS = 1600
SEEDS = st.integers(0, 1 << 32)
MODALITIES = st.sampled_from(list(Modality))


class Script(NamedTuple):
    """A session's frames, each modality in its producer's order, with holes, and pictures of unknown length."""

    first_sound_ms: int
    first_picture_ms: int
    picture_ms: int | None
    texts_ms: frozenset[int]
    holes: frozenset[int]

    def frames(self) -> dict[Modality, list[Frame]]:
        sounds = [audio(at) for at in range(self.first_sound_ms, LAST_MS, 20)]
        pictures = [video(at, self.picture_ms) for at in range(self.first_picture_ms, LAST_MS, 33)]
        return {
            TEXT: [text(at) for at in sorted(self.texts_ms)],
            AUDIO: [frame for index, frame in enumerate(sounds) if index not in self.holes],
            VIDEO: [frame for index, frame in enumerate(pictures) if index + 7 not in self.holes],
        }


SCRIPTS = st.builds(
    Script,
    st.integers(0, 100),
    st.integers(0, 100),
    st.sampled_from([None, 33]),
    st.frozensets(st.integers(0, LAST_MS), max_size=4),
    st.frozensets(st.integers(0, LAST_MS // 20), max_size=30),
)


def content(events: list[Event], session: str = "s") -> list[Any]:
    """Everything that a session's hops say, but for when they were made."""
    told: list[Any] = []
    for event in events:
        if event.session != session:
            continue
        if isinstance(event, Hop):
            held = {modality: starts_ms(event, modality) for modality in Modality}
            told.append((ms(event.start_ns), held, event.statuses, event.reason, event.revision))
        else:
            told.append(event)
    return told


@settings(max_examples=40, deadline=None)
@given(SCRIPTS, SEEDS)
def test_however_three_topics_are_read_while_unread_ones_are_behind_the_hops_are_the_same(
    script: Script, seed: int
) -> None:
    random, frames, told = Random(seed), script.frames(), []
    for shuffled in (False, True):
        stage = Stage()
        queues: dict[Modality, list[Item]] = {
            modality: [*items, end(modality, LAST_MS)] for modality, items in frames.items()
        }
        turns = [modality for modality, queue in queues.items() for _ in queue]
        if shuffled:
            random.shuffle(turns)
        stage.hear(audio(200), at_ms=0)  # the session has begun, or an end that is read first would be of none
        for modality in turns:
            stage.behind = frozenset(name for name, queue in queues.items() if queue)
            stage.hear(queues[modality].pop(0), at_ms=0)
        stage.behind = frozenset()
        stage.until(1000)
        told.append(content(stage.events))
        counted = stage.aligner.drain_outcomes()
        assert {outcome for _, outcome in counted} == {Outcome.USED}
        assert counted.total() == 1 + sum(len(items) for items in frames.values())
    assert told[0] == told[1]


@settings(max_examples=40, deadline=None)
@given(SCRIPTS, SEEDS)
def test_any_arrival_order_within_the_bounds_gives_the_same_hops(script: Script, seed: int) -> None:
    random, frames = Random(seed), script.frames()
    timing = Timing(reorder_ns=200 * NS_PER_MS, deadline_ns=10_000 * NS_PER_MS)
    everything = [frame for items in frames.values() for frame in items]
    told = []
    for most_ms in (0, 150):
        stage = Stage(timing=timing)
        arrivals = [(ms(frame.time_ns) + random.uniform(0, most_ms), frame) for frame in everything]
        for at_ms, frame in sorted(arrivals, key=itemgetter(0)):
            stage.hear(frame, at_ms=at_ms)
        stage.hear(*[end(modality, LAST_MS) for modality in Modality], at_ms=LAST_MS + 500)
        stage.until(LAST_MS + 11_000)
        told.append(content(stage.events))
    assert told[0] == told[1]


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


class Part(NamedTuple):
    """What one modality of one session leaves in its topic."""

    modality: Modality
    session: str
    begins_ms: int
    lasts_ms: int
    delay_ms: int
    size_bytes: int
    ends: bool

    def items(self) -> list[tuple[Item, float]]:
        make, step, lasts = {TEXT: (text, 500, 0), AUDIO: (audio, 20, 20), VIDEO: (video, 40, 40)}[self.modality]
        until_ms = self.begins_ms + self.lasts_ms
        times = range(self.begins_ms, until_ms, step)
        items: list[Item] = [make(at, session=self.session, size_bytes=self.size_bytes) for at in times]
        produced = [at + lasts + self.delay_ms for at in times]
        if self.ends:
            items.append(end(self.modality, until_ms, self.session))
            produced.append(until_ms + lasts + self.delay_ms)
        return list(zip(items, produced, strict=True))


PARTS = st.builds(
    Part,
    MODALITIES,
    st.sampled_from("abcd"),
    st.integers(0, 3000),
    st.integers(200, 3000),
    st.sampled_from([0, 0, 50, 1000, 4000]),
    st.sampled_from([100, 4000]),
    st.booleans(),
)
READING = st.fixed_dictionaries(
    {
        "session_bytes": st.sampled_from([60_000, 200_000]),
        "lane_bytes": st.sampled_from([100_000, 400_000]),
        "history": st.booleans(),
        "fetched": st.sampled_from([1, 7, 50]),
        "batch": st.sampled_from([1, 10, 100]),
        "keep_hops": st.integers(0, 3),
    }
)


@settings(max_examples=60, deadline=None)
@given(st.lists(PARTS, max_size=8), READING)
def test_no_pausing_ever_deadlocks_and_memory_stays_within_its_bounds(
    parts: list[Part], reading: dict[str, Any]
) -> None:
    topics: dict[Modality, list[tuple[Item, float]]] = {modality: [] for modality in Modality}
    for part in parts:
        topics[part.modality] += part.items()
    backlog = Backlog({modality: sorted(items, key=itemgetter(1)) for modality, items in topics.items()}, **reading)
    backlog.run()
    frames = sum(isinstance(item, Frame) for items in topics.values() for item, _ in items)
    assert backlog.outcomes.total() == frames
    assert backlog.most_bytes <= backlog.lane_bytes
    if backlog.history:
        assert {outcome for _, outcome in backlog.outcomes} <= {Outcome.USED, Outcome.LATE}


def spoken(events: list[Event]) -> dict[tuple[str, int], dict[Modality, list[Frame]]]:
    """What the hops held in the end, if it was anything."""
    hops = [event for event in events if isinstance(event, Hop)]
    return {(hop.session, hop.start_ns): hop.frames for hop in hops if hop.frames[AUDIO] or hop.frames[VIDEO]}


@settings(max_examples=20, deadline=None)
@given(st.lists(PARTS, max_size=8, unique_by=lambda part: (part.session, part.modality)), READING)
def test_running_through_a_backlog_gives_what_a_live_run_would_have_given(
    parts: list[Part], reading: dict[str, Any]
) -> None:
    topics: dict[Modality, list[tuple[Item, float]]] = {modality: [] for modality in Modality}
    for part in parts:
        in_time = part._replace(delay_ms=min(part.delay_ms, 100))
        later = in_time._replace(begins_ms=part.begins_ms + 40_000)  # a session lasts no longer without a word
        topics[part.modality] += in_time.items() + later.items()
    reading |= {"session_bytes": PLENTY, "lane_bytes": PLENTY}
    backlog = Backlog({modality: sorted(items, key=itemgetter(1)) for modality, items in topics.items()}, **reading)
    backlog.run()
    live = Stage()
    for item, produced_ms in sorted(chain.from_iterable(backlog.topics.values()), key=itemgetter(1)):
        live.hear(item, at_ms=produced_ms)
    live.until(100_000)
    assert spoken(backlog.events) == spoken(live.events)
    for kind in (Started, Ended):
        assert {event for event in backlog.events if isinstance(event, kind)} == {
            event for event in live.events if isinstance(event, kind)
        }

"""In whatever order records are read, the hops are the same, and reading never stands still."""

from __future__ import annotations

from itertools import chain
from operator import itemgetter
from random import Random
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from stream.frame import Frame, Modality
from stream.hop import Ended, Event, Hop, Outcome, Started
from tests.aligning import (
    AUDIO,
    PLENTY,
    TEXT,
    VIDEO,
    Stage,
    audio,
    end,
    text,
    video,
)
from tests.backlog import Backlog, Item
from tests.orders import LAST_MS, MOST_DELAY_MS, Script, arrived, content

SEEDS = st.integers(0, 1 << 32)
MODALITIES = st.sampled_from(list(Modality))


SCRIPTS = st.builds(
    Script,
    st.integers(0, 100),
    st.integers(0, 100),
    st.sampled_from([None, 33]),
    st.frozensets(st.integers(0, LAST_MS), max_size=4),
    st.frozensets(st.integers(0, LAST_MS // 20), max_size=30),
)


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
    frames = script.everything()
    assert content(arrived(frames, Random(seed), 0)) == content(arrived(frames, Random(seed), MOST_DELAY_MS))


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


def heard_and_seen(events: list[Event]) -> dict[tuple[str, int], tuple[list[Frame], list[Frame]]]:
    """What sound and pictures the hops held in the end, if any; a backlog holds a hop up for text, a live run does not."""
    hops = [event for event in events if isinstance(event, Hop)]
    held = [((hop.session, hop.start_ns), (hop.frames[AUDIO], hop.frames[VIDEO])) for hop in hops]
    # A text that comes when all else has ended begins a new session live, whose first hop may be at the same place.
    return {key: frames for key, frames in held if any(frames)}


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
    reading |= {"session_bytes": PLENTY, "lane_bytes": PLENTY, "keep_hops": 10_000}  # nothing is final
    backlog = Backlog({modality: sorted(items, key=itemgetter(1)) for modality, items in topics.items()}, **reading)
    backlog.run()
    live = Stage()
    for item, produced_ms in sorted(chain.from_iterable(backlog.topics.values()), key=itemgetter(1)):
        live.hear(item, at_ms=produced_ms)
    live.until(100_000)
    assert heard_and_seen(backlog.events) == heard_and_seen(live.events)
    told = {part.session for part in parts if part.modality is TEXT}
    for kind in (Started, Ended):
        read = {event for event in backlog.events if isinstance(event, kind) and event.session not in told}
        assert read == {event for event in live.events if isinstance(event, kind) and event.session not in told}

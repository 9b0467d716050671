"""A session takes the next frame of a line by a short way: it must be where the long one leads."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from stream.frame import Bound, End, Frame, Modality
from stream.hop import Checkpoint, Event, Hop, Tally, Timing
from stream.session import Session
from stream.timeline import Timeline
from tests.aligning import AUDIO, TEXT, VIDEO, audio, bound, end, ns, text, video
from tests.backlog import Item

TIMING = Timing()
KNOWN = Checkpoint(ns(0), ns(1500), ns(320), ns(1520), heard_ns={AUDIO: ns(1520)}, bounds_ns={VIDEO: ns(1480)})


def sent(modality: Modality, at_ms: int, sequence: int | None = None) -> Frame:
    """A frame as its modality has it."""
    make, duration_ms = {AUDIO: (audio, 20), VIDEO: (video, None), TEXT: (text, None)}[modality]
    return make(at_ms, duration_ms, sequence=sequence)


class LongWay(Session):
    """Asks of every frame what is asked of an odd one."""

    def _goes_on(self, line: Timeline, frame: Frame) -> bool:  # noqa: ARG002
        return False


MODALITIES = st.sampled_from([TEXT, AUDIO, VIDEO])
MOMENTS_MS = st.one_of(st.integers(0, 24).map(lambda place: 40 * place), st.sampled_from([-90_000, 200_000]))
ODD = st.one_of(
    st.builds(sent, MODALITIES, MOMENTS_MS, st.sampled_from([None, 1, 2])),
    st.builds(bound, MODALITIES, MOMENTS_MS),
    st.builds(end, MODALITIES, MOMENTS_MS),
)
ONWARD = st.tuples(MODALITIES, st.integers(-3, 6), st.integers(1, 10))  # from where its modality has come, and how many
WAITS_MS = st.sampled_from([0, 10, 40, 80, 2_500])


def resolved(runs: list[tuple[Item | tuple[Modality, int, int], int]]) -> list[tuple[Item, int]]:
    """Each record, with how long after the one before it comes."""
    come: dict[Modality, int] = {}
    items: list[tuple[Item, int]] = []
    for run, wait_ms in runs:
        if not isinstance(run, tuple):
            items.append((run, wait_ms))
            continue
        modality, gap, count = run
        first = come.get(modality, 8) + gap
        items += [(sent(modality, 40 * place, place), wait_ms) for place in range(first, first + count)]
        come[modality] = first + count
    return items


def heard(session: Session, items: list[tuple[Item, int]]) -> list[object]:
    """All that can be seen of it from outside after each record."""
    seen: list[object] = []
    now_ns = ns(0)
    for item, wait_ms in items:
        now_ns += ns(wait_ms) - ns(0)
        if isinstance(item, Frame):
            seen.append(session.take(item, now_ns))
        elif isinstance(item, Bound):
            session.take_bound(item, now_ns)
        elif isinstance(item, End):
            session.take_end(item, now_ns)
        events: list[Event] = []
        if session.stirred or session.wake_ns <= now_ns:
            events = session.advance(now_ns, frozenset())
        for hop in events:
            if isinstance(hop, Hop) and wait_ms % 3 == 0:
                session.settle(hop.end_ns, hop.start_ns)
        seen += [events, session.wake_ns, session.stirred, session.held.bytes, session.checkpoint()]
        if session.over:
            break
    return seen


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.one_of(ONWARD, ODD), WAITS_MS), max_size=16).map(resolved), st.booleans())
def test_the_short_way_of_a_frame_leads_where_the_long_one_does(
    items: list[tuple[Item, int]],
    restored: bool,  # noqa: FBT001
) -> None:
    short, long = Session("s", TIMING, Tally()), LongWay("s", TIMING, Tally())
    if restored:
        short.restore(KNOWN)
        long.restore(KNOWN)
    assert heard(short, items) == heard(long, items)
    assert short._tally == long._tally

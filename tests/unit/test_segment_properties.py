import re
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.spelling import (
    ENDPOINT_TICKS,
    HOP_NS,
    SECOND,
    TICK_NS,
    Speller,
    captions,
    finals,
    hops,
    segment,
    words_of,
)

SPEECH = st.lists(
    st.tuples(st.sampled_from("...abc"), st.integers(2, 30)).map(lambda run: run[0] * run[1]), min_size=1, max_size=12
).map("".join)


@settings(max_examples=50)
@given(SPEECH)
async def test_whatever_is_said_comes_out_as_finals_in_order_and_once(letters: str) -> None:
    said = await captions(letters, max_segment_ns=3600 * SECOND)
    assert " ".join(finals(said)).split() == words_of(letters)
    spans = [(caption.start_ns, caption.end_ns) for caption in said if caption.is_final]
    assert all(before[1] <= after[0] for before, after in pairwise(spans))


@settings(max_examples=50)
@given(SPEECH)
async def test_finals_are_parted_where_silence_is_as_long_as_the_endpoint_and_nowhere_else(letters: str) -> None:
    said = await captions(letters, max_segment_ns=3600 * SECOND)
    expected = [words_of(part) for part in re.split(rf"\.{{{ENDPOINT_TICKS},}}", letters) if words_of(part)]
    assert [final.split() for final in finals(said)] == expected


@settings(max_examples=50)
@given(SPEECH, st.integers(20, 60))
async def test_no_segment_is_longer_than_allowed_by_more_than_a_hop(letters: str, longest: int) -> None:
    said = await captions(letters, max_segment_ns=longest * TICK_NS)
    assert all(caption.end_ns - caption.start_ns < longest * TICK_NS + HOP_NS for caption in said)


@settings(max_examples=50)
@given(SPEECH, st.integers(0, 40))
async def test_a_successor_that_begins_at_the_frontier_gives_the_finals_that_were_to_come(
    letters: str, place: int
) -> None:
    opened, all_hops = segment(Speller()), list(hops(letters))
    taken = place % len(all_hops)
    for one in all_hops[: taken + 1]:
        await opened.hop(one)
    successor = segment(Speller(), frontier_ns=opened.frontier_ns)
    again = [one for one in all_hops[: taken + 1] if one.end_ns > opened.frontier_ns - opened.context_ns]
    for one in again:
        await successor.hop(one)
    for one in all_hops[taken + 1 :]:
        expected, found = await opened.hop(one), await successor.hop(one)
        assert [(final.text, final.words) for final in found if final.is_final] == [
            (final.text, final.words) for final in expected if final.is_final
        ]
    assert finals(await successor.close()) == finals(await opened.close())
    assert successor.frontier_ns == opened.frontier_ns

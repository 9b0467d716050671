from itertools import groupby

import pytest

from stream.features import Features, Fused
from stream.frame import Modality
from stream.hop import Hop, Status
from stream.raster import MODALITIES, HopInput
from tests.spelling import (
    CLEARLY,
    HOP_NS,
    HOP_TICKS,
    SECOND,
    TICK_NS,
    VOCABULARY,
    Speller,
    captions,
    finals,
    frame,
    hop,
    hops,
    segment,
    words_of,
)


async def test_words_become_one_final_once_silence_has_trailed_them_for_the_endpoint() -> None:
    said = await captions("..aaabbb" + "." * 40)
    (final,) = [caption for caption in said if caption.is_final]
    assert [(word.word, word.start_ns // TICK_NS, word.end_ns // TICK_NS) for word in final.words] == [
        ("a", 2, 5),
        ("b", 5, 8),
    ]
    assert final.end_ns // TICK_NS == 3 * HOP_TICKS + 5  # the first view that shows 15 ticks of silence after tick 8
    assert final.stability == 1
    assert final.confidence == pytest.approx(1, abs=1e-3)


async def test_a_final_comes_with_the_hop_in_which_the_endpoint_is_in_view_and_not_before() -> None:
    opened = segment(Speller())
    came = [[caption.is_final for caption in await opened.hop(one)] for one in hops("..aaabbb" + "." * 24)]
    assert came == [[False], [False], [], [True]]  # first "a", then "a b" once its context has settled


async def test_an_interim_is_shown_only_when_its_text_changes() -> None:
    said = await captions("a" * 24 + "b" * 24 + "." * 24)
    assert [(caption.text, caption.is_final) for caption in said] == [("a", False), ("a b", False), ("a b", True)]


async def test_revisions_count_up_within_a_segment_and_begin_anew_with_the_next() -> None:
    said = await captions(("aaaabbbbcccc" + "." * 20) * 2)
    by_segment = {start: [one.revision for one in many] for start, many in groupby(said, lambda one: one.start_ns)}
    assert len(by_segment) == 2
    assert all(revisions == list(range(1, len(revisions) + 1)) for revisions in by_segment.values())


async def test_a_segment_that_goes_on_after_a_restart_counts_on() -> None:
    opened = segment(Speller())
    opened._revision = 4
    (interim,) = await opened.hop(hop(0, "aaaaaaaa"))
    assert interim.revision == 5


async def test_a_newest_word_that_is_heard_badly_is_not_shown_before_it_is_over() -> None:
    said = await captions("aaaaCCCCCCCCCC........")
    assert [caption.text for caption in said] == ["a", "a c", "a c"]
    assert said[1].end_ns >= 16 * TICK_NS


async def test_silence_publishes_nothing_and_moves_the_frontier() -> None:
    opened, before = segment(Speller()), 0
    for number in range(40):
        assert await opened.hop(hop(number, "........")) == []
        view_ns = (number + 1) * HOP_NS - 3 * TICK_NS
        assert before <= opened.frontier_ns <= view_ns
        assert view_ns - opened.frontier_ns < 3 * SECOND + HOP_NS  # what is open is bounded
        before = opened.frontier_ns
    assert opened.frontier_ns > 8 * SECOND


async def test_a_gap_as_long_as_the_endpoint_parts_two_finals_though_both_words_are_in_view() -> None:
    assert finals(await captions("aaa" + "." * 15 + "bbb" + "." * 30)) == ["a", "b"]
    assert finals(await captions("aaa" + "." * 14 + "bbb" + "." * 30)) == ["a b"]


async def test_a_segment_that_is_too_long_ends_before_its_unfinished_word() -> None:
    letters = "aabbcc" * 20
    said = await captions(letters, max_segment_ns=50 * TICK_NS)
    assert " ".join(finals(said)).split() == words_of(letters)
    assert all(caption.end_ns - caption.start_ns < 50 * TICK_NS + HOP_NS for caption in said)


async def test_a_single_endless_word_is_cut_at_the_longest_segment() -> None:
    assert finals(await captions("a" * 100, max_segment_ns=50 * TICK_NS))[:2] == ["a", "a"]


async def test_a_segment_that_is_too_long_is_not_cut_before_a_word_that_fills_most_of_it() -> None:
    said = await captions("aa" + "b" * 200, max_segment_ns=50 * TICK_NS)
    assert finals(said)[0] == "a b"


async def test_closing_makes_final_what_is_open_to_its_last_tick() -> None:
    opened = segment(Speller())
    await opened.hop(hop(0, "..aaaabb"))
    (final,) = await opened.close()
    assert (final.text, final.is_final, final.end_ns) == ("a b", True, HOP_NS)
    assert opened.frontier_ns == HOP_NS
    assert await opened.close() == []


async def test_closing_what_never_had_a_hop_says_nothing() -> None:
    opened = segment(Speller(), frontier_ns=5 * HOP_NS)
    assert await opened.close() == []
    assert opened.frontier_ns == 5 * HOP_NS


async def test_after_a_close_the_next_hop_begins_a_segment_where_it_begins() -> None:
    opened = segment(Speller())
    await opened.hop(hop(0, "aaaaaaaa"))
    await opened.close()
    await opened.hop(hop(9, "..bbbbbb"))
    (final,) = await opened.close()
    assert (final.text, final.start_ns) == ("b", 9 * HOP_NS)


async def test_hops_left_out_close_the_open_segment() -> None:
    opened = segment(Speller())
    await opened.hop(hop(0, "aaaaaaaa"))
    said = await opened.hop(hop(7, "bbbbbbbb"))
    assert [(caption.text, caption.is_final) for caption in said] == [("a", True), ("b", False)]
    assert said[1].start_ns == 7 * HOP_NS


async def test_the_first_hop_sets_the_frontier_if_it_begins_later() -> None:
    opened = segment(Speller(), frontier_ns=3 * HOP_NS)
    await opened.hop(hop(5, "aaaaaaaa"))
    assert opened.frontier_ns == 5 * HOP_NS


async def test_context_before_the_frontier_is_heard_and_said_nothing_of() -> None:
    speller = Speller()
    opened = segment(speller, frontier_ns=3 * HOP_NS)
    assert await opened.hop(hop(2, "xxxxxuvw")) == []
    (interim,) = await opened.hop(hop(3, "aaaaaaaa"))
    assert (interim.text, interim.start_ns) == ("a", 3 * HOP_NS)
    assert speller.windows == ["xxxuvwaaaaaaaa"]


async def test_a_revised_hop_is_seen_in_the_next_interim() -> None:
    opened = segment(Speller())
    for one in hops("aaaaaaaa........bbbbbbbb"):
        await opened.hop(one)
    (interim,) = await opened.hop(hop(1, ".cccccc.", revision=1))
    assert interim.text == "a c b"


async def test_a_revised_hop_that_is_final_changes_no_final() -> None:
    opened = segment(Speller())
    said = [caption for one in hops("aaaaaaaa" + "." * 40) for caption in await opened.hop(one)]
    assert finals(said) == ["a"]
    assert await opened.hop(hop(0, "bbbbbbbb", revision=1)) == []


async def test_words_that_were_shown_and_turn_out_to_be_none_are_taken_back() -> None:
    opened = segment(Speller())
    (shown,) = await opened.hop(hop(0, "aaaaaaaa"))
    (taken,) = await opened.hop(hop(0, "........", revision=1))
    assert (shown.text, taken.text) == ("a", "")
    assert (taken.is_final, taken.revision, taken.start_ns) == (False, 2, shown.start_ns)


async def test_words_are_taken_back_when_the_segment_moves_on_without_them() -> None:
    opened = segment(Speller())
    for one in hops("aaaaaaaa" + "." * 8):
        await opened.hop(one)
    opened_again = [caption.text for caption in await opened.hop(hop(0, "........", revision=1))]
    assert opened_again == [""]
    assert [one for number in range(2, 6) for one in await opened.hop(hop(number, "........"))] == []


async def test_a_caption_counts_the_frames_that_begin_in_it_and_the_statuses_of_its_hops() -> None:
    opened = segment(Speller())
    late = dict.fromkeys(Modality, Status.PRESENT) | {Modality.TEXT: Status.IDLE, Modality.AUDIO: Status.LATE}
    pictures = {Modality.VIDEO: [frame(Modality.VIDEO, tick * TICK_NS, b"x") for tick in range(-1, 8)]}
    await opened.hop(hop(0, "aaaaaaaa", frames=pictures))
    await opened.hop(hop(1, "aaaaaaaa", statuses=late))
    (final,) = await opened.close()
    assert final.frames == {Modality.TEXT: 0, Modality.AUDIO: 2, Modality.VIDEO: 8}
    assert final.counts[Modality.AUDIO] == {Status.PRESENT: 1, Status.LATE: 1}
    assert final.counts[Modality.TEXT] == {Status.PRESENT: 1, Status.IDLE: 1}
    assert final.counts[Modality.VIDEO] == {Status.UNUSABLE: 1, Status.PRESENT: 1}
    assert final.weights[Modality.AUDIO] == 1


async def test_pictures_that_do_not_decode_are_collected_and_the_status_says_so() -> None:
    opened = segment(Speller())
    broken = frame(Modality.VIDEO, 0, b"")
    await opened.hop(hop(0, "aaaaaaaa", frames={Modality.VIDEO: [broken]}))
    (final,) = await opened.close()
    assert [one for one, _ in opened.corrupt] == [broken]
    assert final.counts[Modality.VIDEO] == {Status.CORRUPT: 1}


async def test_of_hops_that_come_again_together_none_is_looked_at_before_all_are_there() -> None:
    opened = segment(Speller())
    for one in hops("aaaaaaaa" * 3):
        await opened.hop(one)
    silent = [await opened.hop(hop(number, "." * HOP_TICKS, revision=1, more=number < 2)) for number in range(3)]
    assert [[caption.text for caption in said] for said in silent] == [[], [], [""]]


class Misled(Speller):
    """Sees pictures in all hops that have some, and reads nothing but the word x off them."""

    async def prepare(self, hop: Hop) -> HopInput:
        placed = await super().prepare(hop)
        placed.mask[:, MODALITIES.index(Modality.VIDEO)] = bool(hop.frames.get(Modality.VIDEO))
        return placed

    async def fuse(self, features: Features) -> tuple[Fused, int]:
        fused, batch = await super().fuse(features)
        if features.has(Modality.VIDEO) and not features.has(Modality.AUDIO):
            fused.logits[:] = 0
            fused.logits[:, VOCABULARY.index("x")] = CLEARLY
        return fused, batch


async def test_pictures_of_other_words_are_left_out_of_a_final_also_where_they_are_held_from_hop_to_hop() -> None:
    opened, shown = segment(Misled()), frame(Modality.VIDEO, 0, b"x")  # one for three hops
    said = []
    for number, letters in enumerate(["..aaaaaa", "bbbbbbcc", "cccc....", "........", "........"]):
        said += await opened.hop(hop(number, letters, frames={Modality.VIDEO: [shown]} if number < 3 else {}))
    (final,) = [caption for caption in said if caption.is_final]
    assert final.text == "a b c"
    assert final.weights[Modality.VIDEO] == 0
    assert final.counts[Modality.VIDEO][Status.UNUSABLE] == 3
    assert not any(Status.UNUSABLE in caption.counts[Modality.VIDEO] for caption in said if not caption.is_final)

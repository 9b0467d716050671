from typing import cast

from hypothesis import given, settings
from hypothesis import strategies as st

from stream.blocks import Blocks
from stream.features import Features
from stream.frame import Modality
from stream.predict import Predictor
from tests.spelling import CONTEXT_TICKS, HOP_NS, HOP_TICKS, TICK_NS, Speller, hop, hops, placed, segment

ALPHABET = "abcdefghijklmnopqrstuvwxyz"


def said(features: Features) -> str:
    return "".join(chr(int(code)) if code else " " for code in features.parts[Modality.AUDIO][:, 0])


async def filled(blocks: Blocks, letters: str, first: int = 0) -> None:
    """Take hop after hop and encode what each settles, from the first on."""
    for number in range(len(letters) // HOP_TICKS):
        blocks.put((first + number) * HOP_NS, placed(letters[number * HOP_TICKS : (number + 1) * HOP_TICKS], []))
        await blocks.encode(first * HOP_NS)


async def test_each_block_is_encoded_once_with_its_whole_context() -> None:
    speller = Speller()
    await filled(Blocks(cast("Predictor", speller)), ALPHABET[:24])
    assert speller.windows == ["      abcdefgh", "cdefghijklmnop", "klmnopqrstuvwx"]


async def test_a_block_is_encoded_only_when_its_right_context_is_there() -> None:
    blocks = Blocks(cast("Predictor", Speller()))
    assert blocks.end_ns == 0
    await filled(blocks, ALPHABET[:16])
    assert blocks.end_ns == 16 * TICK_NS
    assert blocks.settled_ns == (16 - CONTEXT_TICKS) * TICK_NS
    assert said(blocks.features(0, blocks.settled_ns)) == ALPHABET[:13]


async def test_at_the_end_the_last_ticks_are_encoded_with_nothing_to_their_right() -> None:
    speller = Speller()
    blocks = Blocks(cast("Predictor", speller))
    await filled(blocks, ALPHABET[:16])
    await blocks.encode(0, nothing_follows=True)
    assert speller.windows[-1] == "klmnop        "
    assert said(blocks.features(0, blocks.end_ns)) == ALPHABET[:16]


@settings(max_examples=30)
@given(st.integers(0, 20), st.integers(1, 21))
async def test_any_stretch_of_what_is_settled_reads_as_it_was_said(first: int, length: int) -> None:
    blocks = Blocks(cast("Predictor", Speller()))
    await filled(blocks, ALPHABET[:24])
    last = min(first + length, 21)
    assert said(blocks.features(first * TICK_NS, last * TICK_NS)) == ALPHABET[first:last]


@settings(max_examples=30)
@given(st.integers(0, 4), st.integers(5, 7))
async def test_a_revised_hop_encodes_anew_the_blocks_that_hear_it_and_no_other(revised: int, count: int) -> None:
    speller = Speller()
    opened = segment(speller)
    for one in hops("abcdefgh" * count):
        await opened.hop(one)
    assert len(speller.windows) == count
    await opened.hop(hop(revised, "zzzzzzzz", revision=1))
    assert len(speller.windows) == count + (2 if revised + 1 < count else 1)  # the last hop's successor is not there
    assert all("z" in window for window in speller.windows[count:])


@settings(max_examples=30)
@given(st.integers(0, 23))
async def test_what_is_forgotten_before_the_frontier_is_not_missed_after_it(frontier: int) -> None:
    whole, speller = Speller(), Speller()
    kept, blocks = Blocks(cast("Predictor", whole)), Blocks(cast("Predictor", speller))
    await filled(kept, ALPHABET[:24])
    await filled(blocks, ALPHABET[:24])
    blocks.forget_before(frontier * TICK_NS)
    for one in (kept, blocks):
        one.put(3 * HOP_NS, placed("12345678", []))
        await one.encode(frontier * TICK_NS)
        await one.encode(frontier * TICK_NS, nothing_follows=True)
    assert whole.windows == speller.windows
    assert said(kept.features(frontier * TICK_NS, kept.end_ns)) == said(
        blocks.features(frontier * TICK_NS, blocks.end_ns)
    )


async def test_hops_and_features_do_not_pile_up_behind_the_frontier() -> None:
    blocks = Blocks(cast("Predictor", Speller()))
    for number in range(50):
        blocks.put(number * HOP_NS, placed("abcdefgh", []))
        await blocks.encode(blocks.settled_ns - HOP_NS)
        blocks.forget_before(blocks.settled_ns)
    assert len(blocks._hops) <= 4  # pictures may be shifted by half a second
    assert len(blocks._features) <= 1


async def test_a_hop_that_is_missing_is_heard_as_nothing() -> None:
    speller = Speller()
    blocks = Blocks(cast("Predictor", speller))
    blocks.put(0, placed("aaaaaaaa", []))
    blocks.put(2 * HOP_NS, placed("bbbbbbbb", []))
    await blocks.encode(0)
    assert speller.windows == ["      aaaaaaaa", "aaaaaa        ", "      bbbbbbbb"]

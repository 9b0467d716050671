"""Pictures out of step with the sound are taken from other ticks, waited for, or left out."""

from dataclasses import dataclass, field
from typing import cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.blocks import Blocks
from stream.features import Features, Window
from stream.frame import Modality
from stream.hop import Status
from stream.motion import AUDIO, VIDEO
from stream.predict import Predictor
from stream.raster import HopInput
from stream.skew import Skew
from tests.spelling import CONTEXT_TICKS, HOP_NS, HOP_TICKS, TICK_NS, Speller, finals, frame, hop, placed, segment

HOPS = 6


def skew(ticks: int) -> Skew:
    return Skew(ticks * TICK_NS)


@dataclass
class Seer(Speller):
    """Remembers what it was asked to encode."""

    seen: list[Window] = field(default_factory=list)

    async def encode(self, window: Window) -> Features:
        self.seen.append(window)
        return await super().encode(window)


def filmed(number: int) -> HopInput:
    """A hop whose every tick is heard, and seen unless its number is a multiple of 5; its crops are those numbers."""
    found = placed("a" * HOP_TICKS, [])
    ticks = np.arange(number * HOP_TICKS, (number + 1) * HOP_TICKS)
    found.crops[:, 0, 0] = ticks
    found.mask[:, VIDEO] = ticks % 5 > 0
    return found


async def encoded(applied: Skew) -> tuple[Blocks, list[Window]]:
    seer = Seer()
    blocks = Blocks(cast("Predictor", seer))
    blocks.apply(applied)
    for number in range(HOPS):
        blocks.put(number * HOP_NS, filmed(number))
    await blocks.encode(2 * HOP_NS)
    return blocks, seer.seen


@settings(max_examples=25)
@given(st.integers(-12, 12).filter(lambda ticks: ticks not in range(-4, 3)))
async def test_each_tick_has_the_picture_that_is_so_many_ticks_later_and_its_own_sound(ticks: int) -> None:
    blocks, windows = await encoded(skew(ticks))
    first = blocks._block_of(2 * HOP_NS) // TICK_NS - CONTEXT_TICKS
    for number, window in enumerate(windows):
        at = first + number * HOP_TICKS + ticks
        expected = [
            tick if 0 <= tick < HOPS * HOP_TICKS else 0 for tick in range(at, at + HOP_TICKS + 2 * CONTEXT_TICKS)
        ]
        assert window.crops[:, 0, 0].tolist() == expected
        inside = expected[CONTEXT_TICKS:-CONTEXT_TICKS]
        assert (window.mask[:, VIDEO] > 0).tolist() == [tick % 5 > 0 for tick in inside]
        assert window.mask[:, AUDIO].all()


@pytest.mark.parametrize(("ticks", "ahead"), [(0, 0), (-8, 0), (4, 4), (12, 12)])
async def test_later_pictures_are_waited_for_like_right_context(ticks: int, ahead: int) -> None:
    blocks, _ = await encoded(skew(ticks))
    assert blocks.settled_ns == (HOPS * HOP_TICKS - CONTEXT_TICKS - ahead) * TICK_NS
    assert len(blocks.features(2 * HOP_NS, blocks.settled_ns)) == blocks.settled_ns // TICK_NS - 2 * HOP_TICKS


async def test_a_hop_still_settles_exactly_one_block_when_pictures_are_late() -> None:
    seer = Seer()
    blocks = Blocks(cast("Predictor", seer))
    blocks.apply(skew(5))
    for number in range(HOPS):
        blocks.put(number * HOP_NS, filmed(number))
        await blocks.encode(0)
        assert len(seer.seen) == number  # the first waits for pictures of the second hop


async def test_pictures_that_are_left_out_are_masked_and_the_sound_is_not() -> None:
    _, windows = await encoded(Skew(200_000_000, steady=False))
    assert windows
    assert not any(window.mask[:, VIDEO].any() for window in windows)
    assert all(window.mask[:, AUDIO].all() for window in windows)


async def test_only_another_shift_encodes_anew() -> None:
    blocks, windows = await encoded(skew(4))
    blocks.apply(Skew(4 * TICK_NS + 5_000_000))
    await blocks.encode(2 * HOP_NS)
    before = len(windows)
    blocks.apply(skew(5))
    await blocks.encode(2 * HOP_NS)
    assert len(windows) > before > 0


@pytest.mark.parametrize("ticks", [-12, -5, 4, 12])
async def test_a_revised_hop_encodes_anew_every_block_that_takes_a_picture_or_sound_from_it(ticks: int) -> None:
    blocks, windows = await encoded(skew(ticks))
    before = [window.crops.copy() for window in windows]
    revised = filmed(3)
    revised.crops += 100
    windows.clear()
    blocks.put(3 * HOP_NS, revised)
    await blocks.encode(2 * HOP_NS)
    again = {window.crops[:, 0, 0].tobytes() for window in windows}
    stale = [crops for crops in before if np.isin(crops, range(3 * HOP_TICKS, 4 * HOP_TICKS)).any()]
    assert len(again) >= len(stale) > 0


async def test_what_is_forgotten_is_missed_by_no_shift() -> None:
    frontier_ns = 4 * HOP_NS
    for ticks in (-12, 12):
        kept, windows = await encoded(skew(ticks))
        windows.clear()
        kept.forget_before(frontier_ns)
        kept.forget_features()
        await kept.encode(frontier_ns, nothing_follows=True)
        first = kept._block_of(frontier_ns) // TICK_NS - CONTEXT_TICKS + ticks
        assert windows[0].crops[:, 0, 0].tolist() == [
            tick if tick < HOPS * HOP_TICKS else 0 for tick in range(first, first + HOP_TICKS + 2 * CONTEXT_TICKS)
        ]


async def test_a_segment_goes_by_the_skew_that_was_known_when_it_began() -> None:
    opened = segment(Speller())
    said = await opened.hop(hop(0, "aaaaaaaa"))
    opened._meter.skew = skew(4)
    said += [caption for number in range(1, 5) for caption in await opened.hop(hop(number, "........"))]
    assert [caption.skew for caption in said if caption.is_final] == [Skew()]
    assert opened.skew == skew(4)
    await opened.hop(hop(5, "bbbbbbbb"))
    (final,) = await opened.close()
    assert (final.text, final.skew) == ("b", skew(4))


async def test_a_shift_that_begins_while_more_is_in_view_loses_and_doubles_no_word() -> None:
    for ticks in (-12, 12):
        opened, said = segment(Speller()), []
        for number, letters in enumerate(["aaaaaaaa", "........", "........", ".bbbbbbb", "........", "..cccccc"]):
            said += await opened.hop(hop(number, letters))
            opened._meter.skew = skew(ticks if number % 2 else 0)
        said += await opened.close()
        assert finals(said) == ["a", "b c"]


async def test_pictures_that_are_left_out_are_unusable_in_the_caption() -> None:
    opened = segment(Speller())
    opened.skew = Skew(200_000_000, steady=False)
    shown = {Modality.VIDEO: [frame(Modality.VIDEO, tick * TICK_NS, b"x") for tick in range(8)]}
    await opened.hop(hop(0, "aaaaaaaa", frames=shown))
    (final,) = await opened.close()
    assert final.counts[Modality.VIDEO] == {Status.UNUSABLE: 1}
    assert final.counts[Modality.AUDIO] == {Status.PRESENT: 1}

"""A final is a pure function of what its `inputs` name: with the shipped bundle, each is computed once more from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from stream.assembly import LaneMaker, context_ns, lane_maker
from stream.config import Settings
from stream.frame import Modality, Record
from stream.hop import Checkpoint
from stream.predict import Predictor
from stream.progress import Progress
from stream.publish import Prediction
from stream.replay import Clock, pieces, records, sources
from stream.results import Result
from stream.scene import Scene
from stream.skew import Skew
from stream.times import NS_PER_MS, from_ms
from tests.echo import T0_NS, feed, wake
from tests.synthetic_clips import SyntheticClip

FOREVER_NS = 1 << 62
TOPICS = {modality: str(modality) for modality in Modality}


@pytest.fixture(scope="module")
def predictor() -> Iterator[Predictor]:
    with closing(Predictor.load(Settings(provider="cpu", max_batch=1))) as loaded:
        yield loaded


def played(clip: SyntheticClip, video_late_ms: float = 0) -> list[Record]:
    """The clip's records, with the offsets that a topic would give them."""
    offsets: Counter[str] = Counter()
    found = []
    scene = Scene(skew_ms={Modality.VIDEO: video_late_ms})
    for piece in pieces(sources([clip.path], scene), scene):
        for record in records(piece, Clock(T0_NS, T0_NS), TOPICS):
            found.append(replace(record, offset=offsets[record.topic]))
            offsets[record.topic] += 1
    return found


async def finals(make_lane: LaneMaker, progress: Progress, given: list[Record]) -> list[Prediction]:
    lane = make_lane(0, progress)
    outputs = await feed(lane, given) + await wake(lane, FOREVER_NS)
    messages = [output.message for output in outputs if isinstance(output, Result)]
    return [message for message in messages if isinstance(message, Prediction) and message.is_final]


async def test_finals_come_again_from_their_inputs(predictor: Predictor, synthetic_clip: SyntheticClip) -> None:
    make_lane, given = lane_maker(Settings(), predictor), played(synthetic_clip)
    first = await finals(make_lane, Progress(epoch=1), given)
    assert first
    await assert_they_come_again(first, given, predictor, make_lane)


@pytest.mark.parametrize("late_ms", [200, -320])
async def test_finals_of_a_session_out_of_step_come_again_from_their_inputs_and_the_skew(
    late_ms: int, predictor: Predictor, synthetic_clip: SyntheticClip
) -> None:
    make_lane, given = lane_maker(Settings(), predictor), played(synthetic_clip, late_ms)
    known, start_ns = Progress(epoch=1), T0_NS + min(late_ms, 0) * NS_PER_MS
    at = Checkpoint(start_ns, start_ns, start_ns - context_ns(predictor), start_ns)
    known.start("synthetic", at, {}).skew = Skew(late_ms * NS_PER_MS)
    first = await finals(make_lane, known, given)
    assert {final.skew_ms for final in first} == {late_ms}
    await assert_they_come_again(first, given, predictor, make_lane)


async def assert_they_come_again(
    first: list[Prediction], given: list[Record], predictor: Predictor, make_lane: LaneMaker
) -> None:
    for final in first:
        cuts = {one.topic: (one.first_offset, one.cut) for one in final.inputs}
        named = [one for one in given if one.topic in cuts and cuts[one.topic][0] <= one.offset < cuts[one.topic][1]]
        frontier_ns = from_ms(final.start_ms)
        keep_from_ns = frontier_ns - context_ns(predictor)
        heard_ns = {Modality(topic): keep_from_ns for topic in cuts}
        progress = Progress(epoch=2)
        at = Checkpoint(T0_NS, frontier_ns, keep_from_ns, frontier_ns, heard_ns=heard_ns)
        progress.start(final.session, at, {}).skew = Skew(None if final.skew_ms is None else from_ms(final.skew_ms))
        again = (await finals(make_lane, progress, named))[0]
        assert said(again) == said(final)
        assert again.skew_ms == final.skew_ms
        assert again.confidence == pytest.approx(final.confidence, abs=0.001)


def said(final: Prediction) -> tuple[object, ...]:
    return final.start_ms, final.end_ms, [(word.word, word.start_ms, word.end_ms) for word in final.words]

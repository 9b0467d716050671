"""A hundred random orders of arrival within the bounds, with the shipped bundle: the finals are those of the order of capture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from operator import attrgetter
from random import Random

import pytest

from stream.assembly import lane_maker
from stream.config import Settings
from stream.frame import Modality, Record
from stream.predict import Predictor
from stream.progress import Progress
from stream.publish import Prediction
from stream.replay import Clock, pieces, records, sources
from stream.results import Result
from stream.scene import Scene
from tests.echo import T0_NS, feed, wake
from tests.synthetic_clips import SyntheticClip

ORDERS = 100
MOST_DELAY_MS = 150
FOREVER_NS = 1 << 62
TOPICS = {modality: str(modality) for modality in Modality}
SETTINGS = Settings(
    provider="cpu", max_batch=1, max_segment_ms=3000, reorder_ms=200, deadline_ms=10_000, idle_ms=10_000
)


@pytest.fixture(scope="module")
def predictor() -> Iterator[Predictor]:
    with closing(Predictor.load(SETTINGS)) as loaded:
        yield loaded


def played(clip: SyntheticClip, until_ms: int) -> list[Record]:
    """The clip's frames up to a time, each arriving when it is captured, then the ends."""
    scene = Scene()
    found = [
        record
        for piece in pieces(sources([clip.path], scene), scene)
        for record in records(piece, Clock(T0_NS, T0_NS), TOPICS)
    ]
    start_ms = found[0].timestamp_ms
    frames = [one for one in found if one.value and one.timestamp_ms < start_ms + until_ms]
    ends = [replace(one, timestamp_ms=start_ms + until_ms + 1000) for one in found if not one.value]
    return frames + ends


def arriving(given: list[Record], random: Random, most_ms: float) -> list[Record]:
    """The records in the order in which they arrive, each with the offset that it then has."""
    delayed = [replace(one, timestamp_ms=one.timestamp_ms + round(random.uniform(0, most_ms))) for one in given]
    offsets: Counter[str] = Counter()
    for record in sorted(delayed, key=attrgetter("timestamp_ms")):
        record.offset = offsets[record.topic]
        offsets[record.topic] += 1
    return sorted(delayed, key=attrgetter("timestamp_ms"))


async def finals(predictor: Predictor, given: list[Record]) -> list[Prediction]:
    lane = lane_maker(SETTINGS, predictor)(0, Progress())
    outputs = await feed(lane, given) + await wake(lane, FOREVER_NS)
    messages = [output.message for output in outputs if isinstance(output, Result)]
    return [message for message in messages if isinstance(message, Prediction) and message.is_final]


async def test_a_hundred_random_arrival_orders_give_identical_finals(
    predictor: Predictor, synthetic_clip: SyntheticClip
) -> None:
    given = played(synthetic_clip, until_ms=2000)
    wanted = await finals(predictor, arriving(given, Random(0), 0))
    assert any(final.words for final in wanted)
    for seed in range(ORDERS):
        found = await finals(predictor, arriving(given, Random(seed), MOST_DELAY_MS))
        assert [told(final) for final in found] == [told(final) for final in wanted]
        assert [final.confidence for final in found] == pytest.approx([final.confidence for final in wanted], abs=0.001)


def told(final: Prediction) -> tuple[object, ...]:
    words = [(word.word, word.start_ms, word.end_ms) for word in final.words]
    gave = {name: (one.status, one.counts, one.frames, one.lost) for name, one in final.modalities.items()}
    return final.session, final.start_ms, final.end_ms, final.text, words, gave

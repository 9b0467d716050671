import asyncio
import threading
from collections.abc import Iterator, Sequence
from typing import cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models import bundle
from models.manifest import FUSION, HEARD
from stream import clip, metrics
from stream.config import Settings
from stream.decode import spoken
from stream.features import Features, Fused, Window
from stream.frame import Frame, Modality
from stream.hop import Hop, HopReason
from stream.predict import Predictor, padded_ticks
from stream.provider import Arrays, Models
from stream.raster import MAX_TOKENS, MODALITIES
from tests.synthetic_clips import SyntheticClip

SPEECH = bundle.load("speech")
VOCABULARY, LANGUAGE = SPEECH.manifest.vocabulary, SPEECH.language()


@pytest.fixture(scope="module")
def predictor() -> Iterator[Predictor]:
    made = Predictor(SPEECH, Models(SPEECH, "cpu"), threads=2)
    yield made
    made.close()


class Gated:
    """Models that answer only when the gate is open, and remember who called."""

    provider, fell_back = "cpu", None

    def __init__(self) -> None:
        self.models = Models(SPEECH, "cpu")
        self.gate, self.begun = threading.Event(), threading.Semaphore(0)
        self.threads: set[int] = set()

    def run(self, graph: str, inputs: Arrays, outputs: Sequence[str] | None = None) -> Arrays:
        self.threads.add(threading.get_ident())
        self.begun.release()
        assert self.gate.wait(10)
        return self.models.run(graph, inputs, outputs)


def window(seed: int, mask: Sequence[int] = (1, 1, 1)) -> Window:
    """A random block with its context; `mask` says which modalities are there."""
    generator = np.random.default_rng(seed)
    ticks, block = SPEECH.left_ticks + SPEECH.manifest.hop_ticks + SPEECH.right_ticks, SPEECH.manifest.hop_ticks
    return Window(
        (0.1 * generator.standard_normal(ticks * 640)).astype(np.float32),
        generator.integers(0, 256, (ticks, 40, 56), dtype=np.uint8),
        generator.integers(0, len(VOCABULARY), (block, MAX_TOKENS)),
        np.tile(np.array(mask, dtype=np.float32), (block, 1)),
    )


def features(ticks: int, seed: int) -> Features:
    """Random features of a segment, some modalities absent at some ticks."""
    generator = np.random.default_rng(seed)
    parts = {
        m: generator.standard_normal((ticks, SPEECH.manifest.encoders[m].features)).astype(np.float32)
        for m in MODALITIES
    }
    mask = generator.integers(0, 2, (ticks, 3)).astype(np.float32)
    return Features(parts, mask, generator.integers(0, len(VOCABULARY), (ticks, MAX_TOKENS)))


def same(one: Fused, other: Fused) -> bool:
    """Whether logits, shares and words agree."""
    close = bool(np.abs(one.logits - other.logits).max() < 1e-4)
    shares = all(abs(one.shares[m] - other.shares[m]) < 1e-4 for m in MODALITIES)
    return close and shares and words(one.logits) == words(other.logits)


def words(logits: NDArray[np.float32]) -> list[tuple[str, int, int]]:
    return [(word.word, word.first, word.last) for word in spoken(logits, LANGUAGE)]


@given(st.integers(1, 1000))
def test_a_bucket_holds_its_segment_with_little_to_spare(ticks: int) -> None:
    padded = padded_ticks(ticks)
    assert ticks <= padded < ticks + (8 if ticks <= 96 else 32)
    assert padded_ticks(padded) == padded
    assert padded_ticks(ticks + 1) >= padded


def test_a_long_segment_needs_few_buckets() -> None:
    assert len({padded_ticks(ticks) for ticks in range(1, 376)}) <= 24


@pytest.mark.parametrize("graph", [FUSION, HEARD])
@given(lengths=st.lists(st.integers(1, 130), min_size=1, max_size=4), seed=st.integers(0, 99))
@settings(max_examples=12)
def test_a_segment_reads_the_same_alone_and_in_any_batch_and_bucket(
    predictor: Predictor, graph: str, lengths: list[int], seed: int
) -> None:
    segments = [features(length, seed + place) for place, length in enumerate(lengths)]
    together = predictor._fuse(graph, segments)
    alone = [predictor._fuse(graph, [segment])[0] for segment in segments]
    longer = predictor._fuse(graph, [*segments, features(200, seed)])
    assert all(same(one, other) for one, other in zip(together, alone, strict=True))
    assert all(same(one, other) for one, other in zip(longer, alone, strict=False))
    assert [len(fused.logits) for fused in together] == lengths


@given(st.lists(st.tuples(*[st.integers(0, 1)] * 3), min_size=2, max_size=5))
@settings(max_examples=12)
def test_a_block_encodes_the_same_alone_and_in_any_batch(
    predictor: Predictor, masks: list[tuple[int, int, int]]
) -> None:
    windows = [window(seed, mask) for seed, mask in enumerate(masks)]
    for one, found in zip(windows, predictor._encode(windows), strict=True):
        (alone,) = predictor._encode([one])
        for place, modality in enumerate(MODALITIES):
            assert np.abs(found.parts[modality] - alone.parts[modality]).max() < 1e-4
            assert found.parts[modality].any() == bool(one.mask[0, place])


async def test_requests_of_many_sessions_share_their_batches(predictor: Predictor) -> None:
    segments = [features(20, seed) for seed in range(12)]
    answers = await asyncio.gather(*(predictor.fuse(segment) for segment in segments))
    assert max(shared for _, shared in answers) > 1
    assert all(shared <= predictor.max_batch for _, shared in answers)
    for segment, (found, _) in zip(segments, answers, strict=True):
        assert same(found, predictor._fuse(FUSION, [segment])[0])


async def test_sound_without_pictures_is_answered_by_its_own_head_whatever_is_shown(predictor: Predictor) -> None:
    segment = features(20, 0)
    heard = segment.without(Modality.VIDEO)
    own, fused = (predictor._fuse(graph, [heard])[0] for graph in (HEARD, FUSION))
    assert not same(own, fused)
    assert same((await predictor.fuse(heard))[0], own)
    assert same((await predictor.fuse(segment.without(Modality.VIDEO, Modality.TEXT)))[0], own)
    assert own.shares[Modality.AUDIO] == pytest.approx(1)
    for other in (segment, segment.without(Modality.AUDIO), segment.without(Modality.AUDIO, Modality.VIDEO)):
        assert same((await predictor.fuse(other))[0], predictor._fuse(FUSION, [other])[0])


async def test_models_run_in_worker_threads_while_the_event_loop_goes_on() -> None:
    models = Gated()
    predictor = Predictor(SPEECH, cast("Models", models), threads=2)
    asked = [asyncio.create_task(predictor.encode(window(0))), asyncio.create_task(predictor.fuse(features(9, 0)))]
    for _ in asked:  # both are being answered, and yet the loop turns
        assert await asyncio.to_thread(models.begun.acquire, timeout=10)
    assert not any(task.done() for task in asked)
    models.gate.set()
    await asyncio.gather(*asked)
    assert threading.get_ident() not in models.threads
    predictor.close()


async def test_media_are_decoded_in_worker_threads(predictor: Predictor, synthetic_clip: SyntheticClip) -> None:
    callers: set[int] = set()
    place = predictor.raster.hop

    class Noting:
        def hop(self, *arguments: object) -> object:
            callers.add(threading.get_ident())
            return place(*arguments)  # type: ignore[arg-type]

    other = Predictor(SPEECH, Models(SPEECH, "cpu"), threads=1)
    other.raster = Noting()  # type: ignore[assignment]
    placed = await other.prepare(hop(synthetic_clip))
    assert placed.mask[:, 2].all()
    assert callers
    assert threading.get_ident() not in callers
    other.close()


async def test_what_decoding_takes_is_measured(predictor: Predictor, synthetic_clip: SyntheticClip) -> None:
    def measured() -> float:
        return metrics.REGISTRY.get_sample_value("trivium_decode_seconds_count", {"modality": Modality.VIDEO}) or 0

    before = measured()
    await predictor.prepare(hop(synthetic_clip))
    assert measured() == before + 1


def hop(synthetic: SyntheticClip) -> Hop:
    """The first hop of the clip's pictures."""
    shown = [picture for picture in clip.pictures(synthetic.path) if picture.time_ns < 320_000_000]
    frames = [Frame("s", Modality.VIDEO, one.time_ns, one.duration_ns, one.jpeg, "image/jpeg") for one in shown]
    return Hop("s", 0, 320_000_000, {Modality.VIDEO: frames}, {}, HopReason.SETTLED, 0, 0, 0)


def test_loading_runs_every_shape_that_a_service_of_these_settings_meets() -> None:
    settings_ = Settings.load(environ={}, provider="cpu", threads=1, max_batch=2, max_segment_ms=800)
    loaded = Predictor.load(settings_)
    assert (loaded.provider, loaded.max_batch) == ("cpu", 2)
    assert loaded.bundle.digest == SPEECH.digest
    loaded.close()


def test_blocks_join_and_part_again() -> None:
    blocks = [features(8, seed) for seed in range(3)]
    joined = Features.joined(blocks)
    assert len(joined) == 24
    part = joined.ticks(8, 16)
    assert np.array_equal(part.mask, blocks[1].mask)
    assert all(np.array_equal(part.parts[m], blocks[1].parts[m]) for m in MODALITIES)
    assert np.array_equal(part.tokens, blocks[1].tokens)


def test_words_are_shown_at_the_ticks_at_which_text_is_there() -> None:
    segment = features(6, 0)
    read = segment.mask[:, MODALITIES.index(Modality.TEXT)] > 0
    assert segment.shown() == {*segment.tokens[read].flat} - {0}
    assert segment.without(Modality.TEXT).shown() == set()

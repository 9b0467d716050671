"""The Predictor: hops of all sessions to features, open segments to logits. Knows nothing about Kafka.

    Hop -> HopInput          decoded and placed on the tick grid
    Window -> Features       one block of ticks with its context, encoded
    Features -> Fused        the open segment, projected, to logits

One Predictor serves all lanes; requests of different sessions are batched, in shapes that a GPU has met beforehand.
"""

from __future__ import annotations

import asyncio
import os
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Self

import numpy as np

from models.bundle import load
from models.manifest import ENCODERS
from stream import metrics
from stream.batch import Batcher
from stream.decoder import Shapes
from stream.decoders import Decoders
from stream.features import Features, Fused, Window, answering
from stream.frame import Modality
from stream.provider import Models
from stream.raster import MAX_TOKENS, MODALITIES, HopInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from models.bundle import Bundle
    from stream.config import Settings
    from stream.hop import Hop

INPUTS = {Modality.TEXT: "tokens", Modality.AUDIO: "samples", Modality.VIDEO: "crops"}
FINE_TICKS, COARSE_TICKS, FINE_UP_TO_TICKS = 8, 32, 96  # segment lengths are padded to multiples of these


class Predictor:
    """Decodes, encodes and fuses for all lanes.

    Parameters
    ----------
    threads : int or None
        Worker threads; None for one a usable core.
    decoders : int
        Processes that place hops with pictures; 0: the worker threads do.
    """

    def __init__(
        self,
        bundle: Bundle,
        models: Models,
        *,
        threads: int | None = None,
        decoders: int = 0,
        max_batch: int = 8,
        max_batch_delay_seconds: float = 0.0,
        max_pixels: int = 4_000_000,
    ) -> None:
        manifest = bundle.manifest
        self.bundle = bundle
        self.language = bundle.language()
        self.provider = models.provider
        self.fell_back = models.fell_back
        self.max_batch = max_batch
        self.models = models
        self._dims = {m: manifest.encoders[m].features for m in MODALITIES}
        shapes = Shapes(
            bundle.tick_ns,
            manifest.rate_hz,
            tuple(manifest.vocabulary),
            manifest.crop_height_px,
            manifest.crop_width_px,
            manifest.finder.digest,
            max_pixels,
        )
        self.raster = shapes.raster()
        workers = threads or usable_cores()
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="predict")
        self._decoders = Decoders(decoders, shapes) if decoders else None
        self._placing = ThreadPoolExecutor(decoders, thread_name_prefix="place") if decoders else self._executor
        self._encoding = Batcher(self._encode, self._executor, workers, max_batch, max_batch_delay_seconds)
        self._fusing = {
            graph: Batcher(partial(self._fuse, graph), self._executor, workers, max_batch, max_batch_delay_seconds)
            for graph in manifest.graphs.keys() - {*ENCODERS}
        }

    @classmethod
    def load(cls, settings: Settings, decoders: int = 0) -> Self:
        """Verify the bundle, prove it on the provider, warm it; takes some seconds, blocks.

        Raises
        ------
        BundleError, ProviderError
            As `models.bundle.load` and `stream.provider.Models` say.
        """
        bundle = load(settings.bundle)
        predictor = cls(
            bundle,
            Models(bundle, settings.provider),
            threads=settings.threads,
            decoders=decoders,
            max_batch=settings.max_batch,
            max_batch_delay_seconds=settings.max_batch_delay_ms / 1000,
            max_pixels=settings.max_pixels,
        )
        predictor.warm(round(settings.max_segment_ms * 1e6) // bundle.tick_ns)
        predictor.report()
        return predictor

    def report(self) -> None:
        """Say in the metrics what runs and where."""
        manifest = self.bundle.manifest
        metrics.PROVIDER_INFO.labels(self.provider).set(1)
        metrics.BUNDLE_INFO.labels(manifest.name, manifest.version, self.bundle.digest).set(1)
        if self._decoders is not None:
            metrics.DECODERS_RESIDENT_MEMORY_BYTES.set_function(self._decoders.resident_bytes)
        metrics.SVD_RANK.set(manifest.svd_rank)
        metrics.SVD_EXPLAINED_ENERGY_RATIO.set(manifest.svd_explained_energy_ratio)

    def warm(self, segment_ticks: int) -> None:
        """Run what is to come once, so that nobody waits for it later; see that all processes have started.

        A GPU has to prepare for every shape. A CPU prepares for none (the first run of a shape takes as long as the next), but
        for memory: the largest of all, of one length and of one size have reserved what the others need.
        """
        longest = padded_ticks(segment_ticks + 2 * self.bundle.manifest.hop_ticks)
        lengths = {padded_ticks(ticks) for ticks in range(1, longest + 1)}
        sizes = {*range(1, self.max_batch + 1)}
        if self.provider == "cpu":
            lengths, sizes = {min(lengths), longest}, {1, self.max_batch}
        for size, ticks in product(sorted(sizes), sorted(lengths)):
            self.rehearse(size, ticks)
        if self._decoders is not None:
            self._decoders.wait()

    def rehearse(self, batch: int, ticks: int) -> None:
        """Do what `batch` sessions ask for at a hop: encode a block each, fuse a segment of `ticks` each."""
        features = self._encode([self._blank_window()] * batch)
        blocks = -(-ticks // self.bundle.manifest.hop_ticks)
        for graph in self._fusing:
            self._fuse(graph, [Features.joined([block] * blocks).ticks(0, ticks) for block in features])

    def close(self) -> None:
        """Let the worker threads and processes go."""
        self._placing.shutdown(wait=True, cancel_futures=True)
        self._executor.shutdown(wait=True, cancel_futures=True)
        if self._decoders is not None:
            self._decoders.close()

    async def prepare(self, hop: Hop) -> HopInput:
        """Decode a hop's media and place it on the tick grid: pictures in a process of their own, if there is one."""
        place = self.raster.hop
        if self._decoders is not None and hop.frames.get(Modality.VIDEO):
            place = self._decoders.hop
        loop = asyncio.get_running_loop()
        placed = await loop.run_in_executor(self._placing, place, hop.frames, hop.start_ns, hop.end_ns)
        for modality, seconds in placed.seconds.items():
            metrics.DECODE_SECONDS.labels(modality).observe(seconds)
        return placed

    async def encode(self, window: Window) -> Features:
        """Features of one block of ticks."""
        features, _ = await self._encoding.submit(window)
        return features

    async def fuse(self, features: Features) -> tuple[Fused, int]:
        """Logits of an open segment, and how many segments shared the batch."""
        return await self._fusing[answering(features.mask, self._fusing)].submit(features)

    def _blank_window(self) -> Window:
        manifest = self.bundle.manifest
        ticks = self.bundle.left_ticks + manifest.hop_ticks + self.bundle.right_ticks
        return Window(
            np.zeros(ticks * self.raster.tick_samples, dtype=np.float32),
            np.zeros((ticks, manifest.crop_height_px, manifest.crop_width_px), dtype=np.uint8),
            np.zeros((manifest.hop_ticks, MAX_TOKENS), dtype=np.int64),
            np.ones((manifest.hop_ticks, len(MODALITIES)), dtype=np.float32),
        )

    def _encode(self, windows: Sequence[Window]) -> list[Features]:
        """A modality that a block has nothing of is not computed: its features are masked out anyway."""
        ticks = len(windows[0].mask)
        parts = {m: np.zeros((len(windows), ticks, size), dtype=np.float32) for m, size in self._dims.items()}
        for place, modality in enumerate(MODALITIES):
            rows = [row for row, window in enumerate(windows) if window.mask[:, place].any()]
            if rows:
                started = time.perf_counter()
                name = INPUTS[modality]
                stacked = np.stack([getattr(windows[row], name) for row in rows])
                parts[modality][rows] = self.models.run(modality, {name: stacked})["features"]
                metrics.ENCODE_SECONDS.labels(modality).observe(time.perf_counter() - started)
        return [
            Features({m: parts[m][row] for m in MODALITIES}, window.mask, window.tokens)
            for row, window in enumerate(windows)
        ]

    def _fuse(self, graph: str, segments: Sequence[Features]) -> list[Fused]:
        started = time.perf_counter()
        longest = padded_ticks(max(len(segment) for segment in segments))
        inputs = {str(m): _padded([segment.parts[m] for segment in segments], longest) for m in MODALITIES}
        inputs["mask"] = _padded([segment.mask for segment in segments], longest)
        inputs["lengths"] = np.array([len(segment) for segment in segments], dtype=np.int64)
        outputs = self.models.run(graph, inputs, ("logits", "shares"))
        metrics.FUSE_SECONDS.observe(time.perf_counter() - started)
        return [
            Fused(outputs["logits"][row, : len(segment)], dict(zip(MODALITIES, map(float, shares), strict=True)))
            for row, (segment, shares) in enumerate(zip(segments, outputs["shares"], strict=True))
        ]


def usable_cores() -> int:
    """How many cores this process may run on."""
    return len(os.sched_getaffinity(0))


def padded_ticks(ticks: int) -> int:
    """The bucket of a segment length."""
    step = FINE_TICKS if ticks <= FINE_UP_TO_TICKS else COARSE_TICKS
    return max(step, -(-ticks // step) * step)


def _padded(rows: Sequence[NDArray[np.float32]], ticks: int) -> NDArray[np.float32]:
    """Rows [ticks of each, columns] as one [rows, ticks, columns], zeros after each row's end."""
    padded = np.zeros((len(rows), ticks, rows[0].shape[1]), dtype=np.float32)
    for place, row in enumerate(rows):
        padded[place, : len(row)] = row
    return padded

"""The decode and ONNX Runtime calls of the service, noted while it runs, to be made again with nothing around them."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

from stream import metrics, startup
from stream.config import Settings
from stream.face import FaceFinder
from stream.frame import Frame, Modality
from stream.hop import Hop
from stream.media import picture, samples
from stream.predict import Predictor
from stream.provider import Models
from stream.raster import HopInput, nearest_frames
from stream.service import serve

if TYPE_CHECKING:
    from models.bundle import Bundle
    from stream.provider import Arrays

LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Call:
    """One call, ready to be made: what it is, how many rows it has, and the function with its arguments."""

    name: str  # decode, text, audio, video or fusion
    rows: int
    make: Callable[[], object]
    make_whole: Callable[[], object]  # of a hop's media, also what is neither decoding nor a model: place, follow, crop


@dataclass(frozen=True, slots=True)
class Cost:
    """What making all calls took."""

    seconds: float
    cpu_seconds: float


class NotingPredictor(Predictor):
    """A Predictor that notes every call with its very input."""

    newest: ClassVar[Self | None] = None

    def __init__(self, bundle: Bundle, models: Models, **options: Any) -> None:
        super().__init__(bundle, models, **options)
        self.calls: list[Call] = []
        self.models = cast("Models", _NotingModels(models, self.calls))
        self._finder = FaceFinder(bundle.manifest.finder.digest)
        self._max_pixels: int = options["max_pixels"]
        NotingPredictor.newest = self

    @classmethod
    def load(cls, settings: Settings, decoders: int = 0) -> Self:
        """As ever; what it takes to get warm is not noted."""
        predictor = super().load(settings, decoders)
        predictor.calls.clear()
        return predictor

    async def prepare(self, hop: Hop) -> HopInput:
        """As ever; noted is what is decoded, not how the crops are cut from it."""
        ticks = (hop.end_ns - hop.start_ns) // self.bundle.tick_ns
        video = hop.frames.get(Modality.VIDEO, [])
        nearest = nearest_frames(video, hop.start_ns, ticks, self.bundle.tick_ns)
        pictures = [video[index] for index in sorted({index for index in nearest if index is not None})]
        decode = partial(_decode, self._finder, hop.frames.get(Modality.AUDIO, []), pictures, self._max_pixels)
        whole = partial(self.raster.hop, hop.frames, hop.start_ns, hop.end_ns)
        self.calls.append(Call("decode", 1, decode, whole))
        return await super().prepare(hop)


class _NotingModels:
    """In the place of `Models`."""

    def __init__(self, models: Models, calls: list[Call]) -> None:
        self._models = models
        self._calls = calls

    def run(self, graph: str, inputs: Arrays, outputs: Sequence[str] | None = None) -> Arrays:
        run = partial(self._models.run, graph, inputs, outputs)
        self._calls.append(Call(str(graph), len(next(iter(inputs.values()))), run, run))
        return run()


async def noted(settings: Settings, sessions: int) -> list[Call]:
    """Serve in this process until so many sessions have ended; all calls that were made, in order."""
    startup.Predictor = NotingPredictor  # type: ignore[attr-defined]  # it has no other seam
    serving = asyncio.create_task(serve(settings))
    while _ended() < sessions and not serving.done():  # noqa: ASYNC110 - a counter wakes nobody
        await asyncio.sleep(LOOK_SECONDS)
    if not serving.done():
        os.kill(os.getpid(), signal.SIGTERM)
    await serving
    if NotingPredictor.newest is None:
        raise RuntimeError("The service has made no predictor; see stream/startup.py.")
    return NotingPredictor.newest.calls


def make_all(calls: Sequence[Call], threads: int, *, whole: bool = False) -> Cost:
    """Make the calls in their order, in as many threads as the service computes with."""
    made = [call.make_whole if whole else call.make for call in calls]
    began, cpu_began = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(_make, made):
            pass
    return Cost(time.perf_counter() - began, time.process_time() - cpu_began)


def told(calls: Sequence[Call]) -> dict[str, object]:
    """How many calls of each kind there are, and how many by their rows."""
    names = sorted({call.name for call in calls})
    by_rows = {name: Counter(call.rows for call in calls if call.name == name) for name in names}
    return {
        name: {"calls": counts.total(), "by_rows": {str(rows): counts[rows] for rows in sorted(counts)}}
        for name, counts in by_rows.items()
    }


def _make(call: Callable[[], object]) -> None:
    call()


def _decode(finder: FaceFinder, sound: Sequence[Frame], pictures: Sequence[Frame], max_pixels: int) -> None:
    """Samples, pictures, and the face finder on the first picture that has a face."""
    for frame in sound:
        samples(frame)
    images = [picture(frame, max_pixels) for frame in pictures]
    for image in images:
        if finder.find(image) is not None:
            return


def _ended() -> float:
    found = (sample for family in metrics.SESSIONS_ENDED.collect() for sample in family.samples)
    return sum(sample.value for sample in found)

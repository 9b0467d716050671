"""The main path in one process and without a broker: a lane is handed the very records that `replay` would send."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from stream.assembly import lane_maker
from stream.config import Settings
from stream.deadletter import DeadLetter
from stream.frame import Modality
from stream.lane import Lane, Output
from stream.predict import Predictor
from stream.progress import Progress
from stream.publish import Prediction, SessionRecord
from stream.replay import Clock, Source, on_hop, pieces, records
from stream.results import Result
from stream.scene import Scene

Shown = Callable[[Prediction | SessionRecord], None]
ALONE = frozenset[Modality]()  # no partition is ever behind


async def recognize(
    settings: Settings, played: Sequence[Source], scene: Scene, show: Shown, done: Callable[[int], None]
) -> None:
    """Recognise the sources one after another; `done` is told how far into them, in ns.

    Raises
    ------
    BundleError
        If the bundle is not what its manifest says.
    """
    predictor = Predictor.load(settings)
    before_ns = 0
    for source in played:
        await recognize_one(settings, predictor, source, scene, show, partial(_after, before_ns, done))
        before_ns += source.length_ns


async def recognize_one(
    settings: Settings,
    predictor: Predictor,
    source: Source,
    scene: Scene,
    show: Shown,
    done: Callable[[int], None] = lambda _: None,
) -> None:
    """Recognise one source with a predictor that others may use at the same time."""
    start_ns = on_hop(time.time_ns() - source.length_ns, predictor.bundle.hop_ns)
    topics = {modality: settings.topic_prefix + modality for modality in Modality}
    lane, offsets = lane_maker(settings, predictor)(0, Progress()), Counter[str]()
    for piece in pieces([source], scene):
        arrival_ns = start_ns + piece.timed.available_ns
        await _catch_up(lane, arrival_ns, show)
        for record in records(piece, Clock(start_ns, start_ns), topics):
            lane.take(replace(record, offset=offsets[record.topic]), arrival_ns)
            offsets[record.topic] += 1
        _show(await lane.advance(arrival_ns, ALONE), show)
        done(piece.timed.available_ns)
    await _catch_up(lane, None, show)


def _after(before_ns: int, done: Callable[[int], None], into_ns: int) -> None:
    done(before_ns + into_ns)


async def _catch_up(lane: Lane, until_ns: int | None, show: Shown) -> None:
    """Do what falls due before the next record, at the time when it would have been done live."""
    while (wake_ns := lane.wake_ns()) is not None and (until_ns is None or wake_ns <= until_ns):
        _show(await lane.advance(wake_ns, ALONE), show)


def _show(outputs: Sequence[Output], show: Shown) -> None:
    for output in outputs:
        if isinstance(output, DeadLetter):
            raise output.error
        if isinstance(output, Result):
            show(output.message)

"""An uninterrupted run of the very same records: what the finals of a drill are held against.

    records of a lane, each arriving when it was produced -> the lane of the service -> finals

No process dies here, nothing is read late, and no broker has a say.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import closing

from stream.assembly import LaneMaker, lane_maker
from stream.config import Settings
from stream.predict import Predictor
from stream.progress import Progress
from stream.publish import Prediction
from stream.results import Result
from tests.benchmarks.report import progress
from tests.drilling.told import read_inputs
from tests.echo import feed, wake

AT_ONCE = 2  # lanes
FOREVER_NS = 1 << 62


async def uninterrupted(settings: Settings, lanes: Iterable[int]) -> list[tuple[int, Prediction]]:
    """All finals, with their lanes."""
    with closing(Predictor.load(settings)) as predictor:
        make_lane, room = lane_maker(settings, predictor), asyncio.Semaphore(AT_ONCE)

        async def run(number: int) -> list[tuple[int, Prediction]]:
            async with room:
                finals = [(number, final) for final in await _finals(settings, make_lane, number)]
            progress(f"without interruption: lane {number}, {len(finals)} finals")
            return finals

        found = await asyncio.gather(*map(run, sorted(lanes)))
    return [final for finals in found for final in finals]


async def _finals(settings: Settings, make_lane: LaneMaker, number: int) -> list[Prediction]:
    lane = make_lane(number, Progress(epoch=1))
    outputs = await feed(lane, await read_inputs(settings, number)) + await wake(lane, FOREVER_NS)
    messages = [output.message for output in outputs if isinstance(output, Result)]
    return [message for message in messages if isinstance(message, Prediction) and message.is_final]

"""Two workers swap lanes under load: one leaves, is killed or is paused past its group session, the other has all; then it is back.

The other lives through all of it, so what it holds open must come back to what it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle, islice

from deploy.broker import Broker
from tests.benchmarks.report import progress
from tests.drilling.course import Act, Outcome, compare, run, wait_for_lanes
from tests.drilling.stage import LANES, Order, Set, wait
from tests.drilling.talk import Talk
from tests.drilling.worker import Worker

DRILL = "lanes swapped"
BETWEEN_SECONDS = 4.0  # at most


def drill(where: Broker | str, order: Order) -> Outcome:
    """Swap so often as the order says; half of the times either is the one that stays."""
    return run(DRILL, where, order, act)


def act(_set: Set, order: Order, cast: Sequence[Worker], _talk: Talk) -> Act:
    """First the second worker goes and comes back, then the first."""
    done = Act()
    moments = order.random(DRILL)
    for leaver, stayer in ((cast[1], cast[0]), (cast[0], cast[1])):
        before = stayer.held()
        for way in islice(cycle(("leave", "die", "sleep")), order.swaps // 2):
            wait(moments.uniform(0, BETWEEN_SECONDS))
            _go(leaver, way, done)
            wait_for_lanes([stayer], LANES)
            wait(moments.uniform(0, BETWEEN_SECONDS))
            _come_back(leaver, way)
            wait_for_lanes(cast, LANES // len(cast))
            done.events += 1
            progress(f"{DRILL}: {done.events} of {order.swaps}, {leaver.name} came back after it did {way}")
        wait(BETWEEN_SECONDS)
        done.leaks += compare(stayer, before, stayer.held())
    return done


def _go(leaver: Worker, way: str, done: Act) -> None:
    if way == "leave":
        leaver.stop()
    elif way == "die":
        done.kills.append(leaver.kill())
    else:
        leaver.pause()


def _come_back(leaver: Worker, way: str) -> None:
    if way == "sleep":
        leaver.wake()
    else:
        leaver.start()
        leaver.wait_ready()

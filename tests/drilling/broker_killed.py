"""SIGKILL of the broker while everybody talks; it is started again in its folder, at its address."""

from __future__ import annotations

import time
from collections.abc import Sequence

from deploy.broker import Broker
from tests.drilling.course import Act, Outcome, compare, run
from tests.drilling.stage import Order, Set, wait
from tests.drilling.talk import Talk
from tests.drilling.worker import Worker

DRILL = "broker killed"
KILLS = 3
AWAY_SECONDS = 3.0  # at most, beside the time that it takes to start
BETWEEN_SECONDS = (10.0, 20.0)


def drill(where: Broker | str, order: Order) -> Outcome:
    """Kill it three times."""
    return run(DRILL, where, order, act)


def act(found: Set, order: Order, cast: Sequence[Worker], _talk: Talk) -> Act:
    """Kill, wait, start, wait."""
    done = Act()
    moments = order.random(DRILL)
    before = [worker.held() for worker in cast]
    for _ in range(KILLS):
        wait(moments.uniform(0, AWAY_SECONDS))
        began_ms = time.time() * 1000
        found.kill_broker()
        wait(moments.uniform(0, AWAY_SECONDS))
        found.restart_broker()
        done.outages.append((began_ms, time.time() * 1000))
        done.events += 1
        wait(moments.uniform(*BETWEEN_SECONDS))
        for worker in cast:
            worker.check()
    done.leaks += [
        leak for worker, held in zip(cast, before, strict=True) for leak in compare(worker, held, worker.held())
    ]
    return done

"""SIGSTOP of the broker: it is there, holds all connections and answers nothing, then goes on as if nothing had been."""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence

from deploy.broker import Broker
from tests.drilling.course import Act, Outcome, compare, run
from tests.drilling.stage import Order, Set, wait
from tests.drilling.talk import Talk
from tests.drilling.worker import Worker

DRILL = "broker stopped"
AFTER_SECONDS = 20.0


def drill(where: Broker | str, order: Order) -> Outcome:
    """Stop it for as long as the order says."""
    return run(DRILL, where, order, act)


def act(found: Set, order: Order, cast: Sequence[Worker], _talk: Talk) -> Act:
    """Stop, wait, go on."""
    before = [worker.held() for worker in cast]
    began_ms = time.time() * 1000
    found.signal_broker(signal.SIGSTOP)
    try:
        wait(order.stop_seconds)
    finally:
        found.signal_broker(signal.SIGCONT)
    done = Act(1, outages=[(began_ms, time.time() * 1000)])
    wait(AFTER_SECONDS)
    done.leaks += [
        leak for worker, held in zip(cast, before, strict=True) for leak in compare(worker, held, worker.held())
    ]
    return done

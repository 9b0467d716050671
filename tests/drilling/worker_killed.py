"""SIGKILL of a worker, again and again, at moments that are drawn; each time it is started again at once.

For two thirds of the kills the workers have an `instance_id`: whoever comes back gets its lanes back at once. For the rest
they have none: the group first waits for the dead one's session to run out, and all lanes move.
"""

from __future__ import annotations

from collections.abc import Sequence

from deploy.broker import Broker
from tests.benchmarks.report import progress
from tests.drilling.course import Act, Outcome, run
from tests.drilling.stage import Order, Set, wait
from tests.drilling.talk import Talk
from tests.drilling.worker import Worker

DRILL = "worker killed"
FIXED_SHARE = 2 / 3
FIXED_SECONDS = 6.0  # from ready to the kill, at most
FREE_SECONDS = 15.0  # the same where the group must first give the dead one up


def drill(where: Broker | str, order: Order) -> Outcome:
    """Kill so often as the order says."""
    return run(DRILL, where, order, act)


def act(_set: Set, order: Order, cast: Sequence[Worker], _talk: Talk) -> Act:
    """First the kills with an `instance_id`, then those without."""
    done = Act()
    moments = order.random(DRILL)
    with_id = round(order.kills * FIXED_SHARE)
    for kills, fixed, seconds in ((with_id, True, FIXED_SECONDS), (order.kills - with_id, False, FREE_SECONDS)):
        _begin_anew(cast, fixed=fixed)
        for number in range(kills):
            victim = cast[number % len(cast)]
            victim.wait_ready()
            wait(moments.uniform(0, seconds))
            done.kills.append(victim.kill())
            done.events += 1
            victim.start(fixed=fixed)
            if done.events % 10 == 0:
                progress(f"{DRILL}: {done.events} of {order.kills}")
    for worker in cast:
        worker.wait_ready()
    return done


def _begin_anew(cast: Sequence[Worker], *, fixed: bool) -> None:
    """Let them leave the group, and come back as other members of it."""
    for worker in cast:
        worker.wait_ready()
        worker.stop()
        worker.start(fixed=fixed)
    for worker in cast:
        worker.wait_ready()

"""The course that every drill takes: workers serve, people talk, something dies, all is said to its end, all is judged.

workers ready -> talk -> [act] -> talk ends -> lanes at rest -> verdict
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from deploy.broker import Broker
from tests.benchmarks.report import progress
from tests.drilling.again import uninterrupted
from tests.drilling.judge import Verdict, judge
from tests.drilling.recovery import Recovery, recoveries
from tests.drilling.stage import LANES, Order, Set, stage, until, wait
from tests.drilling.talk import Talk, talking
from tests.drilling.told import read_to_rest
from tests.drilling.worker import Held, Kill, Worker

REST_SECONDS = 180.0  # from the end of the talk until everything is committed
WARM_SECONDS = 12.0  # of talk, before anything dies
ASSIGNED_SECONDS = 180.0  # where there is much else to compute; 15 s is usual
MORE_FILES = 2  # a connection that the client opens when it first needs it
MORE_THREADS = 4  # of the pool that decodes, which grows with its work up to a bound


@dataclass
class Act:
    """What a drill did.

    Attributes
    ----------
    events : int
        How often something died, stopped or moved.
    kills : list
        Those of workers.
    outages : list
        Of the broker: begin and end, Unix ms.
    leaks : list
        What a process that lived through it held more of than before.
    """

    events: int = 0
    kills: list[Kill] = field(default_factory=list)
    outages: list[tuple[float, float]] = field(default_factory=list)
    leaks: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Outcome:
    """What came of a drill."""

    drill: str
    act: Act
    verdict: Verdict
    recoveries: dict[str, Recovery]  # by what died
    seconds: float
    sessions: int
    more: dict[str, object] = field(default_factory=dict)  # that only this drill tells


def run(
    drill: str, where: Broker | str, order: Order, act: Callable[[Set, Order, Sequence[Worker], Talk], Act]
) -> Outcome:
    """One drill with two workers."""
    began = time.monotonic()
    with stage(where, delivery=order.delivery) as found, workers(found) as cast, talking(found, order) as talk:
        wait(WARM_SECONDS)
        done = act(found, order, cast, talk)
        progress(f"{drill}: {done.events} times; the talk goes on to its end")
        talk.end()
        return conclude(drill, found, done, cast, talk, began)


def conclude(drill: str, found: Set, done: Act, cast: Sequence[Worker], talk: Talk, began: float) -> Outcome:
    """Wait until the lanes are at rest, let the workers end, judge."""
    settings = found.settings()
    told = asyncio.run(read_to_rest(settings, talk.sessions, REST_SECONDS))
    for worker in cast:
        worker.stop()
    lanes = {lane for (_, lane), end in told.ends.items() if end}
    progress(f"{drill}: {len(told.finals())} finals of {len(talk.sessions)} sessions; now without interruption")
    again = asyncio.run(uninterrupted(settings, lanes))
    verdict = judge(told, talk.sessions, again, done.outages)
    verdict.leaks += done.leaks
    recovered = recoveries(done.kills, done.outages, told, again)
    return Outcome(drill, done, verdict, recovered, time.monotonic() - began, talk.sessions.total())


@contextmanager
def workers(found: Set, *, fixed: bool = False, count: int = 2) -> Iterator[list[Worker]]:
    """Workers that are ready, a share of the lanes each."""
    cast = [Worker(found, f"worker{number + 1}") for number in range(count)]
    try:
        for worker in cast:
            worker.start(fixed=fixed)
        for worker in cast:
            worker.wait_ready()
        wait_for_lanes(cast, LANES // count)
        yield cast
    finally:
        for worker in cast:
            worker.gone()


def wait_for_lanes(cast: Sequence[Worker], count: int) -> None:
    """Wait until each of them has so many lanes.

    Raises
    ------
    RuntimeError
        One has ended by itself, which says more than that the lanes did not come.
    TimeoutError
        They did not have them in time.
    """
    names = ", ".join(worker.name for worker in cast)
    until(lambda: all(_has_lanes(worker, count) for worker in cast), ASSIGNED_SECONDS, f"{names} had {count} lanes")


def _has_lanes(worker: Worker, count: int) -> bool:
    worker.check()
    return len(worker.lanes()) == count


def compare(worker: Worker, before: Held, after: Held) -> list[str]:
    """What a worker holds more of than it may."""
    leaks = []
    if after.files > before.files + MORE_FILES:
        leaks.append(f"{worker.name} had {before.files} files open, then {after.files}")
    if after.threads > before.threads + MORE_THREADS:
        leaks.append(f"{worker.name} had {before.threads} threads, then {after.threads}")
    return leaks

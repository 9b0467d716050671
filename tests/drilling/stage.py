"""Where a drill runs: a broker, topics that nobody else uses, the real commands as processes; nothing is left behind.

    stage -> [workers, talk] -> told -> verdict

A drill that kills or stops its broker has one of its own, in a folder of its own; the one of this machine is never touched.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from deploy.broker import Broker
from stream import topics
from tests.benchmarks.processes import ROOT, Stage

LANES = 16  # eight a worker, with two of them
LOOK_SECONDS = 0.05


@dataclass(frozen=True)
class Order:
    """What was asked for."""

    kills: int = 100
    seed: int = 0
    swaps: int = 6
    stop_seconds: float = 30.0
    rooms: int = 2  # in which people talk
    copies: int = 3  # sessions of a room that talk at once
    clips: int = 8  # of each session
    delivery: str = "exactly-once"
    records: int = 100_000  # mutated ones
    per_second: float = 100.0  # of them

    def random(self, drill: str) -> random.Random:
        """The same seed draws the same moments, in each drill its own."""
        return random.Random(f"{drill} {self.seed}")


@dataclass(frozen=True)
class Set(Stage):
    """A stage with its broker, which can be killed and stopped, if it is ours."""

    broker: Broker | None = field(default=None, repr=False)

    def kill_broker(self) -> None:
        """SIGKILL, and wait until the process is gone."""
        self.signal_broker(signal.SIGKILL)
        until(lambda: self._own().running() is None, 30, "the broker is gone")

    def restart_broker(self) -> None:
        """Start it again in its folder, at the address that everybody knows."""
        address = self._own().start(attached=True)
        if address != self.address:
            raise RuntimeError(f"the broker came back at {address}, expected {self.address}: who took its port?")

    def signal_broker(self, number: signal.Signals) -> None:
        """Send the broker's process a signal."""
        running = self._own().running()
        if running is None:
            raise RuntimeError("the broker of the drill does not run: see broker.log in the drill's folder")
        os.kill(running.pid, number)

    def _own(self) -> Broker:
        if self.broker is None:
            raise RuntimeError("this drill kills its broker and must have one of its own: run tests/drills")
        return self.broker


@contextmanager
def own_broker() -> Iterator[Broker]:
    """A broker in a folder of its own, on a port of its own; both are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="trivium-drill-") as folder:
        broker = Broker(Path(folder), ROOT / ".cache" / "kafka" / "jars")
        broker.start(attached=True)
        try:
            yield broker
        finally:
            if (running := broker.running()) is not None:
                os.kill(running.pid, signal.SIGCONT)
            broker.stop()


@contextmanager
def stage(where: Broker | str, lanes: int = LANES, **settings: str | int) -> Iterator[Set]:
    """Topics with a prefix of their own at a broker of ours, or at another's address; settings for all that runs there."""
    broker, address = (where, _address(where)) if isinstance(where, Broker) else (None, where)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="trivium-drill-")))
        prefix = f"drill-{uuid.uuid4().hex[:8]}-"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TRIVIUM_")}
        named = {
            "KAFKA_BOOTSTRAP_SERVERS": address,
            "TRIVIUM_TOPIC_PREFIX": prefix,
            "TRIVIUM_PARTITIONS": str(lanes),
            "TRIVIUM_LOG_FORMAT": "json",
            **{f"TRIVIUM_{name.upper()}": str(value) for name, value in settings.items()},
        }
        set_stage = Set(address, prefix, folder, {**kept, **named}, broker)
        if broker is None:  # of ours nothing is left anyway
            stack.callback(set_stage.remove_topics)
        asyncio.run(topics.prepare(set_stage.settings()))
        yield set_stage


def until(is_so: Callable[[], bool], seconds: float, what: str) -> None:
    """Look again and again until it is so.

    Raises
    ------
    TimeoutError
        It was not so in time.
    """
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds:.0f} s in vain until {what}")
        time.sleep(LOOK_SECONDS)


def wait(seconds: float) -> None:
    """Let so much time pass: what dies, dies at a moment that was drawn."""
    time.sleep(seconds)


def _address(broker: Broker) -> str:
    running = broker.running()
    if running is None:
        raise RuntimeError(f"the broker in {broker.folder} does not run: start it first")
    return running.address

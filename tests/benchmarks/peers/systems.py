"""What is measured: each system with the settings that it runs with, and the command that starts it.

`default` is as its authors ship it; `tuned` is the best of the settings tried, each documented by its authors but for the one
that is named so.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.benchmarks.peers.environment import Environment

MODULE = "tests.benchmarks.peers"
GRACE_MS = 200  # how long Kafka Streams waits for what is late: as long as Trivium's deadline
HEAP = "-Xmx2g"  # no slower than with the 6 GiB that Java takes by default on 24 GiB
# The last is not documented: without it a join emits what has found no partner at most once a second.
QUICK = {
    "set.poll.ms": "5",
    "set.main.consumer.fetch.max.wait.ms": "10",
    "set.__emit.interval.ms.kstreams.outer.join.spurious.results.fix__": "0",
}


@dataclass(frozen=True)
class System:
    """One system with one set of settings.

    Attributes
    ----------
    kind : str
        Which program it is: trivium, raw, quix or streams.
    """

    name: str
    kind: str
    options: Mapping[str, str] = field(default_factory=dict)

    def command(self, environment: Environment, given: Mapping[str, str], state: Path) -> Sequence[str]:
        """How it is started; `state` is a folder of its own."""
        arguments = [f"{name}={value}" for name, value in {**given, **self.options, "state": str(state)}.items()]
        match self.kind:
            case "trivium" | "raw":
                return [sys.executable, "-m", f"{MODULE}.{self.kind}", *arguments]
            case "quix":
                return [str(environment.python), "-W", "ignore", "-m", f"{MODULE}.quix", *arguments]
        java, *class_path = environment.java
        return [java, HEAP, *class_path, "KafkaStreams", *arguments]


TRIVIUM = System("trivium", "trivium")
BACKLOG = (
    TRIVIUM,
    System("raw-consumer", "raw"),
    System("quix", "quix", {"how": "inner"}),
    System("quix-tuned", "quix", {"how": "inner", "commit_seconds": "0.1"}),
    System("streams-changelog", "streams", {"how": "inner", "changelog": "true", "grace_ms": str(GRACE_MS)}),
    System("streams-memory", "streams", {"how": "inner", "changelog": "false", "grace_ms": str(GRACE_MS)}),
)
LIVE = (
    TRIVIUM,
    System("quix", "quix", {"how": "left"}),
    System("quix-tuned", "quix", {"how": "left", "poll_seconds": "0.01", "buffer_records": "50", "fetch_wait_ms": "5"}),
    System("streams", "streams", {"how": "left", "changelog": "false", "grace_ms": str(GRACE_MS)}),
    System("streams-tuned", "streams", {"how": "left", "changelog": "false", "grace_ms": str(GRACE_MS), **QUICK}),
)

"""One worker: `trivium serve` as a process that may be killed at any moment and started again.

Its log says which lanes it has, /proc what it holds open.
"""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import orjson

from tests.benchmarks.processes import TRIVIUM, Service, raise_ended, stop
from tests.drilling.stage import Set, until

READY_SECONDS = 120.0
ASSIGNED = re.compile(r"lanes assigned: \[(.*)\]")
TAKEN = "lane taken over"


@dataclass(frozen=True)
class Kill:
    """A worker's death: when, in Unix ms, and the lanes that it had."""

    at_ms: float
    worker: str
    lanes: frozenset[int]
    fixed: bool  # it came back under the same `instance_id`


@dataclass(frozen=True)
class Held:
    """What a process holds open."""

    threads: int
    files: int


class Worker:
    """A place for one process at a time."""

    def __init__(self, stage: Set, name: str) -> None:
        self.name = name
        self.starts = 0
        self._stage = stage
        self._fixed = False
        self._process: subprocess.Popen[bytes] | None = None
        self._address = ""
        self._log = Path()

    def start(self, *, fixed: bool = False) -> None:
        """Start it, and wait for nothing.

        Parameters
        ----------
        fixed : bool
            With an `instance_id`, always the same.
        """
        self.starts += 1
        self._fixed = fixed
        self._address = _free_address()
        self._log = self._stage.folder / f"{self.name}-{self.starts}.log"
        member = ["--instance-id", f"{self._stage.prefix}{self.name}"] if fixed else []
        command = [*TRIVIUM, "serve", *member, "--http", self._address]
        self._process = self._stage.start(command, self._log.name)

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process of now."""
        if self._process is None:
            raise RuntimeError(f"worker {self.name} was never started")
        return self._process

    @property
    def service(self) -> Service:
        """Its metrics."""
        return Service(self.process, self._address, self._log, 0.0)

    def wait_ready(self) -> None:
        """Wait until /readyz says so."""
        until(self.is_ready, READY_SECONDS, f"worker {self.name} is ready")

    def is_ready(self) -> bool:
        """Whether /readyz says so; raise if it has ended by itself."""
        self.check()
        try:
            with urllib.request.urlopen(f"http://{self._address}/readyz", timeout=10):
                return True
        except (urllib.error.URLError, OSError):
            return False

    def check(self) -> None:
        """Raise if it has ended by itself."""
        if self.process.poll() is not None:
            raise_ended(f"worker {self.name}", self.process, self._log)

    def kill(self) -> Kill:
        """SIGKILL."""
        self.check()
        lanes = self.lanes()
        at_ms = time.time() * 1000
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        return Kill(at_ms, self.name, lanes, self._fixed)

    def stop(self) -> None:
        """SIGTERM; it must drain and end well.

        Raises
        ------
        RuntimeError
            It had to be killed, or its exit code was not 0.
        """
        stop(self.process)
        if self.process.returncode:
            raise_ended(f"worker {self.name}", self.process, self._log)

    def pause(self) -> None:
        """SIGSTOP: it lives and does nothing, as a machine that was suspended."""
        self.process.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        """SIGCONT."""
        self.process.send_signal(signal.SIGCONT)

    def gone(self) -> None:
        """Be rid of it, whatever state it is in."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def lanes(self) -> frozenset[int]:
        """The lanes that the group has given it last."""
        numbers = [found[1] for line in self._lines() if (found := ASSIGNED.search(line))]
        return frozenset(map(int, filter(None, numbers[-1].split(", ")))) if numbers else frozenset()

    def taken_over(self) -> list[int]:
        """The lanes that it has taken over, in order, again each time."""
        return [line["lane"] for line in map(orjson.loads, self._lines()) if line["message"] == TAKEN]

    def held(self) -> Held:
        """What /proc says that it holds open."""
        place = Path(f"/proc/{self.process.pid}")
        return Held(len(list((place / "task").iterdir())), len(list((place / "fd").iterdir())))

    def _lines(self) -> list[str]:
        """The log's lines that are whole, of this start."""
        if not self._log.exists():
            return []
        text = self._log.read_text(errors="replace")
        return [line for line in text[: text.rfind("\n") + 1].splitlines() if line.startswith("{")]


def _free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"

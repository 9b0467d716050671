"""Where the benchmarks run: a broker, topics of their own, the real commands as processes; nothing is left behind.

stage -> [serving -> Service] -> figures
"""

from __future__ import annotations

import asyncio
import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from aiokafka.admin import AIOKafkaAdminClient
from prometheus_client.parser import text_string_to_metric_families

from stream.config import Settings
from tests.benchmarks.report import progress
from tests.benchmarks.usage import cpu_seconds_of, started_by

ROOT = Path(__file__).parents[2]
KAFKA = ROOT / "deploy" / "kafka"
TRIVIUM = (sys.executable, "-m", "stream")
READY_SECONDS = 180.0
STOP_SECONDS = 30.0
LOOK_SECONDS = 0.02


@dataclass(frozen=True)
class Stage:
    """A broker, a topic prefix that nobody else uses, and a folder that is removed again."""

    address: str
    prefix: str
    folder: Path
    environment: dict[str, str] = field(repr=False)

    def settings(self, **more: str | float) -> Settings:
        """What the processes here run with."""
        return Settings.load(None, self.environment, **more)

    def start(self, command: Sequence[str], log: str, output: Path | None = None) -> subprocess.Popen[bytes]:
        """A process whose standard error goes to a file of that name; no Ctrl-C reaches it."""
        with (self.folder / log).open("wb") as errors, (output or Path(os.devnull)).open("wb") as lines:
            return subprocess.Popen(
                command,
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=lines,
                stderr=errors,
                start_new_session=True,
            )

    def remove_topics(self, *names: str) -> None:
        """Remove these topics of the prefix, or all of them."""
        asyncio.run(_remove(self.address, self.prefix, names))


@dataclass(frozen=True)
class Service:
    """`trivium serve` while it runs."""

    process: subprocess.Popen[bytes]
    address: str
    log: Path
    ready_at: float  # Unix time at which /readyz first said so

    def metrics(self) -> dict[str, float]:
        """All of /metrics, summed over the labels; a histogram's buckets with theirs, `name_bucket{le=0.3}`."""
        sums: dict[str, float] = {}
        for family in text_string_to_metric_families(_get(self.address, "/metrics")[1]):
            for sample in family.samples:
                name = f"{sample.name}{{le={sample.labels['le']}}}" if "le" in sample.labels else sample.name
                sums[name] = sums.get(name, 0.0) + sample.value
        return sums

    def wait_until_ended(self, sessions: int, timeout_seconds: float) -> dict[str, float]:
        """The metrics once so many sessions have ended; looks seldom, since looking costs the service time."""
        until = time.monotonic() + timeout_seconds
        while (found := self.metrics())["trivium_sessions_ended_total"] < sessions:
            self.check()
            if time.monotonic() > until:
                ended = found["trivium_sessions_ended_total"]
                raise TimeoutError(f"{ended:.0f} of {sessions} sessions ended within {timeout_seconds:.0f} s")
            time.sleep(0.5)
        return found

    def cpu_seconds(self) -> float:
        """Processor time so far of the service's process and of those that it has started and that still run."""
        return sum(map(cpu_seconds_of, self.process_ids()))

    def process_ids(self) -> list[int]:
        """Of the service's process and of those that it has started and that still run."""
        return [self.process.pid, *started_by(self.process.pid)]

    def check(self) -> None:
        """Raise if it has ended by itself."""
        if self.process.poll() is not None:
            raise_ended("trivium serve", self.process, self.log)


@contextmanager
def stage() -> Iterator[Stage]:
    """Set the stage, and leave nothing of it: SIGTERM ends a benchmark like Ctrl-C."""
    exit_on_sigterm()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="trivium-benchmark-")))
        address = stack.enter_context(_broker())
        prefix = f"bench-{uuid.uuid4().hex[:8]}-"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TRIVIUM_")}
        named = {"KAFKA_BOOTSTRAP_SERVERS": address, "TRIVIUM_TOPIC_PREFIX": prefix}
        set_stage = Stage(address, prefix, folder, {**kept, **named})
        stack.callback(set_stage.remove_topics)
        yield set_stage


@contextmanager
def serving(stage: Stage, *options: str, command: Sequence[str] = (*TRIVIUM, "serve")) -> Iterator[Service]:
    """`trivium serve`, or another command that serves, from the moment it is ready on; stopped by SIGTERM."""
    address = _free_address()
    log = f"serve-{uuid.uuid4().hex[:4]}.log"
    with running(stage, [*command, *options, "--http", address], log) as process:
        yield _ready(process, address, stage.folder / log)


@contextmanager
def running(
    stage: Stage, command: Sequence[str], log: str, output: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is stopped, if it has not ended, when the block ends."""
    process = stage.start(command, log, output)
    try:
        yield process
    finally:
        stop(process)


def exit_on_sigterm() -> None:
    """Let SIGTERM end this process like Ctrl-C, so that it leaves nothing behind."""
    signal.signal(signal.SIGTERM, _exit)


def finish(process: subprocess.Popen[bytes], what: str, log: Path, timeout_seconds: float) -> None:
    """Wait for a process that is to end well."""
    if process.wait(timeout_seconds):
        raise_ended(what, process, log)


def stop(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM lets it drain; if that takes too long it is killed."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def raise_ended(what: str, process: subprocess.Popen[bytes], log: Path) -> NoReturn:
    """Raise with the last lines that a process wrote."""
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-10:])
    raise RuntimeError(f"{what} ended with exit code {process.returncode}:\n{tail}")


@contextmanager
def _broker() -> Iterator[str]:
    """The broker that is set; else the one of this machine, stopped again if it did not run."""
    if address := os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        yield address
        return
    ran = subprocess.run([KAFKA, "status"], capture_output=True, check=False).returncode == 0
    try:
        progress("starting Kafka" if not ran else "using the Kafka that runs")
        started = subprocess.run([KAFKA, "start"], stdout=subprocess.PIPE, text=True, check=True)
        yield started.stdout.strip().partition("=")[2]
    finally:
        if not ran:
            subprocess.run([KAFKA, "stop"], stdout=subprocess.DEVNULL, check=False)


async def _remove(address: str, prefix: str, names: Sequence[str]) -> None:
    client = AIOKafkaAdminClient(bootstrap_servers=address)
    await client.start()
    try:
        wanted = {prefix + name for name in names}
        there = [topic for topic in await client.list_topics() if topic in wanted or not names]
        ours = [topic for topic in there if topic.startswith(prefix)]
        if ours:
            await client.delete_topics(ours)
        while set(ours) & set(await client.list_topics()):  # noqa: ASYNC110 - a broker tells only who asks
            await asyncio.sleep(0.1)
    finally:
        await client.close()


def _ready(process: subprocess.Popen[bytes], address: str, log: Path) -> Service:
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            raise_ended("trivium serve", process, log)
        try:
            if _get(address, "/readyz")[0] == http.client.OK:
                return Service(process, address, log, time.time())
        except OSError:
            pass
        time.sleep(LOOK_SECONDS)
    raise TimeoutError(f"trivium serve was not ready within {READY_SECONDS:.0f} s: see its last lines in {log}")


def _get(address: str, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(address, timeout=10)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def _free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def _exit(number: int, _: object) -> None:
    sys.exit(128 + number)

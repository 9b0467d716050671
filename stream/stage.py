"""What the demo stands on: a broker, the service as a process of its own, and that both stop again, whatever happens."""

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
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from stream.config import Settings
from stream.errors import BrokerError, ConfigError, JobError

KAFKA = Path(__file__).parent.parent / "deploy" / "kafka"
READY_SECONDS = 120.0
STOP_SECONDS = 25.0  # it ends by itself within 20
LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Service:
    """The service while it runs."""

    process: subprocess.Popen[bytes]
    http: str
    log: Path

    async def watched(self) -> None:
        """Return never.

        Raises
        ------
        JobError
            When the service ends by itself.
        """
        while self.process.poll() is None:  # noqa: ASYNC110 - a process of no event loop must be asked
            await asyncio.sleep(LOOK_SECONDS)
        raise _ended(self.process, self.log)


@asynccontextmanager
async def broker(settings: Settings, *, keep: bool) -> AsyncIterator[str]:
    """Kafka's address: the one that is set, else one of this machine, which is stopped again if it was not running."""
    if "bootstrap_servers" in settings.model_fields_set:
        yield settings.bootstrap_servers
        return
    if not KAFKA.exists():
        raise ConfigError(f"'{KAFKA}' is not there to start a broker: set KAFKA_BOOTSTRAP_SERVERS to one that runs.")
    code, _ = await _kafka("status", quiet=True)
    ran, kept = code == 0, False
    try:
        code, line = await _kafka("start")
        if code:
            raise BrokerError("deploy/kafka start brought up no broker: see deploy/kafka logs.")
        yield line.partition("=")[2]
        kept = keep
    finally:
        if not (ran or kept):
            with undisturbed():
                await _kafka("stop")


@asynccontextmanager
async def service(settings: Settings, config: Path | None, *, keep: bool) -> AsyncIterator[Service]:
    """`trivium serve`, from the moment it is ready on.

    Raises
    ------
    JobError
        If it ends before, or is not ready in time; with the last line of its log.
    """
    address = _free_address(settings.http)
    log = Path(tempfile.gettempdir()) / f"trivium-demo-{os.getpid()}.log"
    process = _start(settings, address, config, log)
    kept = False
    try:
        await _ready(process, address, log)
        yield Service(process, address, log)
        kept = keep
        if not kept:
            await _stop(process)
            log.unlink()
    finally:
        if not kept:
            with undisturbed():
                await _stop(process)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Deaf to a second Ctrl-C: what is being stopped is stopped to its end, which is bounded."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


async def _kafka(command: str, *, quiet: bool = False) -> tuple[int, str]:
    """Exit code and output of `deploy/kafka`; ended with this process's task, in a session that no Ctrl-C reaches."""
    process = await asyncio.create_subprocess_exec(
        str(KAFKA), command, stdout=PIPE, stderr=subprocess.DEVNULL if quiet else None, start_new_session=True
    )
    try:
        output, _ = await process.communicate()
    except asyncio.CancelledError:
        with undisturbed(), suppress(ProcessLookupError):
            process.terminate()
            await process.wait()
        raise
    return process.returncode or 0, output.decode().strip()


def _start(settings: Settings, address: str, config: Path | None, log: Path) -> subprocess.Popen[bytes]:
    """No asyncio process: that would be killed with the event loop, also when it is to be kept."""
    command = [sys.executable, "-m", "stream", "serve", "--http", address]
    command += ["--bootstrap-servers", settings.bootstrap_servers]
    command += ["--config", str(config)] if config else []
    with log.open("wb") as file:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=file, start_new_session=True
        )


async def _ready(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            raise _ended(process, log)
        if await asyncio.to_thread(_is_ready, address):
            return
        await asyncio.sleep(LOOK_SECONDS)
    raise JobError(f"trivium serve was not ready within {READY_SECONDS:g} s: {_last_line(log)} (all of it: {log})")


def _is_ready(address: str) -> bool:
    connection = http.client.HTTPConnection(address, timeout=1)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()


async def _stop(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM lets it drain; if that takes too long it is killed."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        await asyncio.to_thread(process.wait, STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        await asyncio.to_thread(process.wait)


def _ended(process: subprocess.Popen[bytes], log: Path) -> JobError:
    return JobError(f"trivium serve ended with exit code {process.returncode}: {_last_line(log)} (all of it: {log})")


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()
    return lines[-1].removeprefix("trivium: ") if lines else "it said nothing"


def _free_address(wanted: str) -> str:
    """The address that is set, or another port of it where that is taken."""
    host, _, port = wanted.rpartition(":")
    for candidate in (int(port), 0):
        with socket.socket() as probe, suppress(OSError):
            probe.bind((host, candidate))
            return f"{host}:{probe.getsockname()[1]}"
    return wanted

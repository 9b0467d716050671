"""One Apache Kafka node in one folder: started, found again, stopped. Behind `deploy/kafka`.

Whoever holds the lock on `FOLDER/lock` owns the folder. The starter takes it and leaves it to the Java process as an
open file: so it is held for exactly as long as that process lives, however it ends, and no stale number of a process
is ever believed. `FOLDER/broker.json` says which process it is and where it listens.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from deploy.jars import class_path, read_pins
from deploy.java import OPTIONS, find_java
from deploy.probe import answers
from stream.errors import BrokerError

HOST = "127.0.0.1"
PORT = 9092
START_SECONDS = 120
TERM_SECONDS = 20
KILL_SECONDS = 10
POLL_SECONDS = 0.05
LOG_TAIL_LINES = 40
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Running:
    """What `broker.json` holds."""

    pid: int
    address: str


class Broker:
    """The broker of one folder: its data, its log and whether it runs.

    Parameters
    ----------
    folder : Path
        Made when missing.
    jars : Path
        Where the jars are kept; shared by all folders.
    """

    def __init__(self, folder: Path, jars: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder.resolve()
        self.jars = jars
        self.log = self.folder / "broker.log"
        self._lock = self.folder / "lock"
        self._state = self.folder / "broker.json"

    def start(self, *, attached: bool = False) -> str:
        """Address of the broker, which answers; one that runs already is found again.

        Parameters
        ----------
        attached : bool
            Keep it in the caller's process group, so that it ends with the group. Otherwise it outlives its shell.

        Raises
        ------
        BrokerError
            It ended at once or did not answer in time; its log is printed.
        """
        for _ in _until(START_SECONDS):
            lock = self._take()
            if lock is not None:
                return self._launch(lock, attached=attached)
            running = self.running()
            if running and answers(running.address):
                return running.address
        raise BrokerError(f"the broker in {self.folder} runs but does not answer: deploy/kafka logs, deploy/kafka stop")

    def stop(self) -> None:
        """End the broker for certain: SIGTERM, and SIGKILL if that is not enough. None running is fine."""
        for signum, seconds in ((signal.SIGTERM, TERM_SECONDS), (signal.SIGKILL, KILL_SECONDS)):
            running = self.running()
            if running:
                _signal(running.pid, signum)
            if self._wait_free(seconds):
                return
        raise BrokerError(f"the broker in {self.folder} cannot be stopped: its lock is still held after SIGKILL")

    def running(self) -> Running | None:
        """The process and address of a broker whose process lives, whether it answers or not."""
        if self._is_free() or not self._state.exists():
            return None
        return Running(**json.loads(self._state.read_text()))

    def _launch(self, lock: int, *, attached: bool) -> str:
        """Start Java with the lock as an open file, and wait until Kafka answers."""
        process = None
        try:
            port = self._last_port()
            self._state.unlink(missing_ok=True)
            jars = class_path(self.jars, read_pins())
            address, properties = self._configure(port)
            self._format(jars, properties)
            process = self._spawn(jars, properties, lock, attached=attached)
            self._remember(Running(process.pid, address))
            self._await_answer(process, address)
        except BaseException:
            if process:
                process.kill()
                process.wait()
            raise
        finally:
            os.close(lock)
        return address

    def _last_port(self) -> int:
        """Where its clients know it: a broker that was killed comes back there, if nobody else has come."""
        if not self._state.exists():
            return PORT
        return int(Running(**json.loads(self._state.read_text())).address.rpartition(":")[2])

    def _configure(self, port: int) -> tuple[str, Path]:
        """Choose ports, that one if it is free, and write this start's settings."""
        address, controller = f"{HOST}:{_free_port(port)}", f"{HOST}:{_free_port(0)}"
        lines = (
            (HERE / "kafka.properties").read_text(),
            f"listeners=PLAINTEXT://{address},CONTROLLER://{controller}",
            f"advertised.listeners=PLAINTEXT://{address}",
            f"controller.quorum.voters=1@{controller}",
            f"log.dirs={self.folder / 'data'}\n",
        )
        properties = self.folder / "server.properties"
        properties.write_text("\n".join(lines))
        return address, properties

    def _format(self, jars: list[Path], properties: Path) -> None:
        """Give a new data folder its cluster id; the first output in the log is this step's."""
        with self.log.open("wb") as log:
            if (self.folder / "data" / "meta.properties").exists():
                return
            cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
            command = _java(
                jars, "kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", f"--config={properties}"
            )
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False)
        if done.returncode:
            raise BrokerError(f"Kafka could not format {self.folder / 'data'}:\n{self.tail()}")

    def _spawn(self, jars: list[Path], properties: Path, lock: int, *, attached: bool) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                _java(jars, "kafka.Kafka", str(properties)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                pass_fds=(lock,),
                start_new_session=not attached,
            )

    def _await_answer(self, process: subprocess.Popen[bytes], address: str) -> None:
        for _ in _until(START_SECONDS):
            if process.poll() is not None:
                raise BrokerError(f"Kafka ended at its start with exit code {process.returncode}:\n{self.tail()}")
            if answers(address):
                return
        raise BrokerError(f"Kafka did not answer within {START_SECONDS} s at {address}:\n{self.tail()}")

    def tail(self) -> str:
        """The last lines of the log."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(lines[-LOG_TAIL_LINES:])

    def _remember(self, running: Running) -> None:
        fresh = self._state.with_suffix(".new")
        fresh.write_text(json.dumps(asdict(running)))
        fresh.replace(self._state)

    def _take(self) -> int | None:
        """The lock as an open file that a child may inherit, or None if somebody holds it."""
        lock = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return None
        return lock

    def _is_free(self) -> bool:
        lock = self._take()
        if lock is None:
            return False
        os.close(lock)
        return True

    def _wait_free(self, seconds: float) -> bool:
        return any(self._is_free() for _ in _until(seconds))


def _java(jars: list[Path], *arguments: str) -> list[str]:
    logging = f"-Dlog4j2.configurationFile={HERE / 'kafka-log4j2.properties'}"
    return [str(find_java()), *OPTIONS, logging, "-cp", ":".join(map(str, jars)), *arguments]


def _free_port(wanted: int) -> int:
    """The port wanted if nobody listens there, else one that the system picks."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, wanted))
        except OSError:
            probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _signal(pid: int, signum: signal.Signals) -> None:
    try:
        os.kill(pid, signum)
    except ProcessLookupError:
        return


def _until(seconds: float) -> Iterator[None]:
    """Tick at least once, then every `POLL_SECONDS` until the time is over."""
    end = time.monotonic() + seconds
    yield
    while time.monotonic() < end:
        time.sleep(POLL_SECONDS)
        yield

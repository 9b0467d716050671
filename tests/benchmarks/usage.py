"""Which processes there are and how much of the processors each has used, as /proc tells."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

LISTENING = "0A"  # a state in /proc/net/tcp
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


def cpu_seconds_of(number: int) -> float:
    """Processor time of a process so far; 0 if there is none."""
    fields = _stat(number)
    return (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND if fields else 0.0


def started_by(number: int) -> list[int]:
    """The processes that a process has started and that still run."""
    numbers = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
    return [other for other in numbers if (fields := _stat(other)) and int(fields[1]) == number]


def cpu_seconds_by(numbers: Mapping[str, Sequence[int]]) -> dict[str, float]:
    """Processor time so far of several processes each."""
    return {who: sum(map(cpu_seconds_of, its)) for who, its in numbers.items()}


def listening_at(address: str) -> list[int]:
    """The processes that listen at an address, where they are of this machine."""
    port = f":{int(address.rpartition(':')[2]):04X}"
    sockets = [
        line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
    ]
    links = {f"socket:[{fields[9]}]" for fields in sockets if fields[1].endswith(port) and fields[3] == LISTENING}
    found: list[int] = []
    for folder in Path("/proc").glob("[0-9]*/fd"):
        with suppress(OSError):  # it has ended, or is somebody else's
            if any(str(link.readlink()) in links for link in folder.iterdir()):
                found.append(int(folder.parent.name))
    return found


def _stat(number: int) -> list[str]:
    """The fields of /proc/NUMBER/stat from the third on, none if the process has ended."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []

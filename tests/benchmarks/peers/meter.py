"""What a measured process says of itself when it is done: one line of JSON. The standard library only: a peer has no more.

The clock runs from the first record to the last, so that neither an interpreter's start nor a group's is in it.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

STATUS = Path("/proc/self/status")


class Meter:
    """Records and outputs as they are counted, and what they took.

    Attributes
    ----------
    outputs : list
        Live: of each output the moment in ms at which the newest sound in it had been captured whole, and how many ms
        later it came.
    """

    def __init__(self) -> None:
        self.outputs: list[tuple[float, float]] = []
        self._began: tuple[float, float] | None = None
        self._ended: tuple[float, float] | None = None

    def begin(self) -> None:
        """The first record is here."""
        self._began = self._began or _now()

    def end(self) -> None:
        """The last record is done."""
        self._ended = self._ended or _now()

    def came(self, captured_ms: float) -> None:
        """An output is here, live."""
        self.outputs.append((captured_ms, round(time.time() * 1000 - captured_ms, 1)))

    def tell(self, records: int, outputs: int, **more: object) -> None:
        """Write the line."""
        began, ended = self._began or _now(), self._ended or _now()
        told: dict[str, object] = {
            "records": records,
            "outputs": outputs,
            "seconds": ended[0] - began[0],
            "cpu_seconds": ended[1] - began[1],
            "peak_mib": _peak_mib(),
            "live": self.outputs,
        }
        sys.stdout.write(json.dumps(told | more) + "\n")
        sys.stdout.flush()


def given(arguments: list[str]) -> dict[str, str]:
    """Arguments of the form name=value."""
    return dict(argument.split("=", 1) for argument in arguments)


def _now() -> tuple[float, float]:
    """Wall clock and processor time of this process and the children that it has waited for."""
    cpu_seconds = 0.0
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        used = resource.getrusage(who)
        cpu_seconds += used.ru_utime + used.ru_stime
    return time.perf_counter(), cpu_seconds


def _peak_mib() -> float:
    """The most that was ever resident; `ru_maxrss` would count what the parent had before the start."""
    found = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(found.split()[1]) / 1024

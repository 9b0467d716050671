"""What every benchmark prints: how far it is, on standard error, and one JSON object as its last line."""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
import orjson

CPU_INFO = Path("/proc/cpuinfo")
PACKAGES = ("aiokafka", "av", "numpy", "onnxruntime", "trivium")
COPIED_BYTES = 64 << 20
NAMED = 200_000
LOOKS = 5


def benchmark_parser(description: str | None) -> argparse.ArgumentParser:
    """What every benchmark can be asked for; its docstring is its help."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="the report is always JSON; taken for likeness")
    return parser


def progress(text: str) -> None:
    """Say how far it is."""
    print(text, file=sys.stderr, flush=True)


def spread(values: Sequence[float]) -> dict[str, object]:
    """How far the runs lie apart."""
    return {
        "runs": [_short(value) for value in values],
        "least": _short(min(values)),
        "median": _short(statistics.median(values)),
        "most": _short(max(values)),
    }


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of all does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


def report(benchmark: str, figures: dict[str, object]) -> None:
    """Print the figures with where and with what they were measured."""
    where = {"machine": machine(), "versions": versions()}
    print(orjson.dumps({"benchmark": benchmark, **figures, **where}).decode(), flush=True)


def machine() -> dict[str, object]:
    """This machine, as far as a figure depends on it."""
    lines = CPU_INFO.read_text().splitlines() if CPU_INFO.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "cpu": models[0] if models else platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "system": f"{platform.system()} {platform.release()}",
        "load_1_minute": round(os.getloadavg()[0], 2),
        "speed": speed(),
    }


def speed() -> dict[str, float]:
    """What the machine does by now, medians: a host's other guests slow down a virtual machine's memory, and no load shows it.

    `copy_gb_per_second` of memory that is there already, `names_ms` for a dictionary of 200,000 new strings.
    """
    block = np.ones(COPIED_BYTES, dtype=np.uint8)
    copied = block.copy()
    copy_seconds = statistics.median(_seconds(lambda: np.copyto(copied, block)) for _ in range(LOOKS))
    names_seconds = statistics.median(_seconds(lambda: {str(n): n for n in range(NAMED)}) for _ in range(LOOKS))
    return {"copy_gb_per_second": _short(COPIED_BYTES / copy_seconds / 1e9), "names_ms": _short(names_seconds * 1e3)}


def _seconds(do: Callable[[], object]) -> float:
    began = time.perf_counter()
    do()
    return time.perf_counter() - began


def versions() -> dict[str, str]:
    """Python and the packages that do the work."""
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


def _short(value: float) -> float:
    return float(f"{value:.4g}")

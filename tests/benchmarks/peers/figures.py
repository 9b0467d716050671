"""Figures of the runs: medians, ratios against the bars, percentiles of delays; and whether what came out is plausible."""

from __future__ import annotations

import statistics
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from stream.hop import Timing
from stream.times import NS_PER_MS
from tests.benchmarks.peers.environment import Environment
from tests.benchmarks.peers.records import Scene
from tests.benchmarks.peers.runs import Live, Told
from tests.benchmarks.report import machine, percentile, spread, versions

Backlog = Mapping[str, Sequence[tuple[Told, Scene]]]

# Trivium's records a second over theirs
BARS = {"quix": 5.0, "quix-tuned": 5.0, "streams-changelog": 3.0, "streams-memory": 1.0}
LEAST_SHARE = 0.99  # of the outputs that are expected; the last ones may still be open when the last record is read
LIVE_BARS_MS = {"speaking": 30.0, "video_silent": 15.0}  # p95; without pictures beyond the deadline
DEADLINE_MS = Timing().deadline_ns / NS_PER_MS
PERCENTILES = (0.5, 0.95, 0.99)


def backlog_figures(told: Backlog) -> dict[str, object]:
    """Of each system its medians and how far the runs lie apart."""
    return {name: _backlog(name, runs) for name, runs in told.items()}


def _backlog(name: str, runs: Sequence[tuple[Told, Scene]]) -> dict[str, object]:
    for one, scene in runs:
        _check_outputs(name, one, scene)
    lines = [one.line for one, _ in runs]
    values = {
        "records_per_second": [line["records"] / line["seconds"] for line in lines],
        "cpu_us_per_record": [line["cpu_seconds"] / line["records"] * 1e6 for line in lines],
        "whole_cpu_us_per_record": [one.whole_cpu_seconds / one.line["records"] * 1e6 for one, _ in runs],
        "whole_seconds": [one.whole_seconds for one, _ in runs],
        "peak_mib": [line["peak_mib"] for line in lines],
    }
    return {
        **{key: round(statistics.median(runs_values), 2) for key, runs_values in values.items()},
        "records": lines[0]["records"],
        "outputs": [line["outputs"] for line in lines],
        "spread": {key: spread(runs_values) for key, runs_values in values.items()},
    }


def _check_outputs(name: str, one: Told, scene: Scene) -> None:
    """A join pairs every sound once; hops hold every frame of sound and pictures."""
    counted, expected = one.line["outputs"], scene.sounds()
    if name == "trivium":
        counted, expected = one.line["frames"], scene.frames()
    elif name == "raw-consumer":
        expected = scene.count()
    if not LEAST_SHARE * expected <= counted <= expected:
        raise RuntimeError(f"{name} put out {counted}, expected nearly all of {expected}: what it did is not the task.")


def ratios(told: Backlog) -> dict[str, object]:
    """Trivium's records a second over those of each peer; the same of records a second of processor time."""
    rates, cpu_rates = (
        {name: statistics.median(_value(one, part) for one, _ in runs) for name, runs in told.items()}
        for part in ("seconds", "cpu_seconds")
    )
    if "trivium" not in rates:
        return {}
    found: dict[str, object] = {}
    for peer, bar in BARS.items():
        if peer in rates:
            ratio = rates["trivium"] / rates[peer]
            cpu_ratio = cpu_rates["trivium"] / cpu_rates[peer]
            found[peer] = {
                "ratio": round(ratio, 2),
                "cpu_ratio": round(cpu_ratio, 2),
                "bar": bar,
                "passes": ratio >= bar,
            }
    return found


def _value(one: Told, part: str) -> float:
    """Records over seconds, of the wall clock or of processor time."""
    return float(one.line["records"] / one.line[part])


def live_figures(lives: Mapping[str, Mapping[str, Live]]) -> dict[str, object]:
    """Of each scene and system the percentiles of its delays."""
    return {
        scene: {system: _live(scene, system, one) for system, one in systems.items()}
        for scene, systems in lives.items()
    }


def _live(scene: str, system: str, one: Live) -> dict[str, object]:
    line = one.told.line
    found: dict[str, object] = {
        "delay_ms": _percentiles(one.delays_ms()),
        "sender_late_ms": _percentiles(one.late_ms),
        "cpu_us_per_record": round(line["cpu_seconds"] / line["records"] * 1e6, 1),
        "peak_mib": round(line["peak_mib"], 1),
    }
    if system != "trivium":
        return found
    beyond_ms = [delay - DEADLINE_MS for delay in one.delays_ms("at_deadline")]
    found |= {"sound_delay_ms": _percentiles(one.delays_ms("sounds")), "beyond_deadline_ms": _percentiles(beyond_ms)}
    judged_ms = beyond_ms if scene == "video_silent" else one.delays_ms()
    if scene in LIVE_BARS_MS and judged_ms:
        found |= {"bar_ms": LIVE_BARS_MS[scene], "passes": percentile(judged_ms, 0.95) <= LIVE_BARS_MS[scene]}
    return found


def _percentiles(values_ms: Sequence[float]) -> dict[str, float | int]:
    if not values_ms:
        return {"count": 0}
    named = {f"p{round(share * 100)}": round(percentile(values_ms, share), 1) for share in PERCENTILES}
    return {**named, "most": round(max(values_ms), 1), "count": len(values_ms)}


def whole_report(figures: Mapping[str, object], environment: Environment) -> dict[str, object]:
    """The figures, with where and with what they were measured, and under which licences the peers stand."""
    java = subprocess.run([environment.java[0], "-version"], capture_output=True, text=True, check=True).stderr
    peers = {
        "quixstreams": "3.28.1, Apache-2.0",
        "kafka-streams": "4.3.1, Apache-2.0",
        "rocksdbjni": "10.1.3, Apache-2.0 or GPL-2.0",
        "java": java.splitlines()[0],
    }
    measured = {"measured": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine()}
    return {"benchmark": "peers", **figures, **measured, "versions": versions(), "peers": peers}

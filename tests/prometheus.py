"""Prometheus from Debian's package: its tool, and itself with the project's own configuration beside a service."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.benchmarks.processes import Stage, _free_address, raise_ended, running

FOLDER = Path(__file__).parents[1] / "deploy" / "prometheus"
DEADLINE_SECONDS = 60.0
LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class Prometheus:
    """One that runs."""

    address: str

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The samples that it has now."""
        found: list[dict[str, Any]] = self._get("query", query=expression)["result"]
        return found

    def rules(self, kind: str) -> list[dict[str, Any]]:
        """Those that it evaluates: `alert` or `record`."""
        return [rule for group in self._get("rules", type=kind)["groups"] for rule in group["rules"]]

    def firing(self) -> set[str]:
        """The alerts that fire."""
        return {sample["metric"]["alertname"] for sample in self.query('ALERTS{alertstate="firing"}')}

    def _get(self, what: str, **parameters: str) -> Any:
        answer = httpx.get(f"http://{self.address}/api/v1/{what}", params=parameters, timeout=DEADLINE_SECONDS)
        told = answer.json()
        if told["status"] != "success":
            raise ValueError(f"Prometheus refused {parameters}: {told['error']}")
        return told["data"]


def promtool(*words: str | Path, given: str | None = None) -> None:
    """Run it; the test fails with what it said if it found anything wrong."""
    done = subprocess.run(
        [program("promtool"), *words],
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_SECONDS,
    )
    assert done.returncode == 0, f"promtool {' '.join(map(str, words))}:\n{done.stdout}{done.stderr}"


def program(name: str) -> str:
    """Where it is; without it the test fails, it is never skipped."""
    found = shutil.which(name)
    if found is None:
        pytest.fail(f"{name} is not installed: run tests/run, or apt-get install --no-install-recommends prometheus")
    return found


@contextmanager
def scraping(stage: Stage, target: str) -> Iterator[Prometheus]:
    """Run it with the project's configuration, but for the target and what would take a test too long."""
    folder = stage.folder / "prometheus"
    shutil.copytree(FOLDER, folder)
    configuration = folder / "prometheus.yml"
    text = configuration.read_text().replace("127.0.0.1:8383", target).replace("_interval: 15s", "_interval: 1s")
    configuration.write_text(text)
    address = _free_address()
    command = [
        program("prometheus"),
        f"--config.file={configuration}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
    ]
    with running(stage, command, "prometheus.log") as process:
        until(lambda: _answers(address) or _ended(process, stage.folder / "prometheus.log"))
        yield Prometheus(address)


def until(is_so: Callable[[], object], what: str = "it is so") -> None:
    """Look again and again, with a deadline."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, f"not within {DEADLINE_SECONDS:.0f} s: {what}"
        time.sleep(LOOK_SECONDS)


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"http://{address}/-/ready", timeout=DEADLINE_SECONDS).is_success
    except httpx.TransportError:
        return False


def _ended(process: subprocess.Popen[bytes], log: Path) -> bool:
    if process.poll() is not None:
        raise_ended("prometheus", process, log)
    return False

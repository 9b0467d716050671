"""deploy/kafka, from outside: a broker of the test's own, in a folder of its own."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.probe import answers

KAFKA = Path(__file__).parent.parent.parent / "deploy" / "kafka"


def kafka(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [str(KAFKA), "--folder", str(folder), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=150, cwd="/")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "kafka"
    kafka(tmp_path / "kafka", "stop")


def test_a_broker_starts_answers_is_found_again_and_stops(folder: Path) -> None:
    started = kafka(folder, "start", "--attached")
    name, _, address = started.stdout.rstrip("\n").partition("=")
    assert (started.returncode, name, started.stdout.count("\n")) == (0, "KAFKA_BOOTSTRAP_SERVERS", 1), started.stderr
    assert answers(address)
    assert kafka(folder, "start").stdout == kafka(folder, "status").stdout == started.stdout
    assert kafka(folder, "stop").returncode == 0
    assert kafka(folder, "status").returncode == 1
    assert not answers(address)
    assert "Kafka" in kafka(folder, "logs").stdout


def test_a_broker_that_was_killed_is_not_believed_to_run(folder: Path) -> None:
    kafka(folder, "start", "--attached")
    os.kill(json.loads((folder / "broker.json").read_text())["pid"], signal.SIGKILL)
    assert kafka(folder, "stop").returncode == 0
    assert kafka(folder, "status").returncode == 1


def test_a_broker_that_cannot_start_shows_its_log(folder: Path) -> None:
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "meta.properties").write_text("version=1\nnode.id=7\ncluster.id=another\n")
    started = kafka(folder, "start", "--attached")
    assert (started.returncode, started.stdout) == (1, "")
    assert "Stored node id 7 doesn't match" in started.stderr


def test_stopping_what_does_not_run_is_fine(folder: Path) -> None:
    assert kafka(folder, "stop").returncode == 0

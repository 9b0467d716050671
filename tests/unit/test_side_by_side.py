"""Jobs of a training in processes of their own: all are done, an error comes here, and no process outlives the training."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import pytest

from models.progress import Job, side_by_side

if TYPE_CHECKING:
    from models.progress import Tell

ROOT = Path(__file__).parents[2]


def write(file: Path, tell: Tell) -> None:
    """A job of one step."""
    file.write_text("done")
    tell()


def fail(_: Tell) -> None:
    """A job that cannot be done."""
    raise ValueError("no such clip")


def kill_training(_: Tell) -> None:
    """A job during which the process that started it is killed; it would never end."""
    os.kill(os.getppid(), signal.SIGKILL)
    Event().wait()


def test_all_jobs_are_done_though_there_are_more_than_cores(tmp_path: Path) -> None:
    files = [tmp_path / f"{number}" for number in range(3)]
    side_by_side([Job(file.name, partial(write, file), 1) for file in files])
    assert all(file.exists() for file in files)


def test_what_a_job_raises_is_raised_by_the_training() -> None:
    with pytest.raises(ValueError, match="no such clip"):
        side_by_side([Job("broken", fail, 1)])


def test_no_job_outlives_a_training_that_was_killed() -> None:
    program = (
        "from tests.unit.test_side_by_side import Job, kill_training, side_by_side\n"
        "if __name__ == '__main__': side_by_side([Job('endless', kill_training, 1)])"
    )
    # What it has started writes to the same pipes, which end for us when the last of them has ended.
    told = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=False, timeout=120)
    assert told.returncode == -signal.SIGKILL

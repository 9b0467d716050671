"""Independent jobs, a process a core. Beside the path: evaluation measures clip after clip by it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

Job = TypeVar("Job")
Found = TypeVar("Found")


def in_processes(
    work: Callable[[Job], Found], jobs: Sequence[Job], done: Callable[[], None] = lambda: None
) -> list[Found]:
    """Results in the order of the jobs; `done` is called after each. What a job raises is raised here.

    New processes and no forks: the threads of ONNX Runtime do not survive one. A single job needs no other process.
    """
    workers = min(len(os.sched_getaffinity(0)), len(jobs))
    if workers < 2:
        return _counted(map(work, jobs), done)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        return _counted(pool.map(work, jobs), done)


def _counted(results: Iterable[Found], done: Callable[[], None]) -> list[Found]:
    found = []
    for each in results:
        found.append(each)
        done()
    return found

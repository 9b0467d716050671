"""Jobs of a training side by side in processes of their own, with a progress bar each."""

from __future__ import annotations

import os
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context, parent_process
from multiprocessing.managers import SyncManager
from queue import Empty
from threading import Thread
from typing import TYPE_CHECKING

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from queue import Queue

    Tell = Callable[[], None]  # called whenever one more step of a job is done

LOOK_SECONDS = 0.5
# Large blocks of memory are kept instead of being handed back and asked for again at each step, which saves a third of an
# epoch, and lie in huge pages, which saves a fifth of the rest.
ALLOCATOR = {
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "8000000000",
    "MALLOC_TOP_PAD_": "500000000",
}


@dataclass(frozen=True)
class Job:
    """What is to be done by `call(tell)` in so many steps; what comes of it lies in files."""

    name: str
    call: Callable[[Tell], None]
    steps: int


def side_by_side(jobs: Sequence[Job]) -> None:
    """As many jobs at once as there are cores, one thread each; what a job raises is raised here."""
    os.environ.update(ALLOCATOR)  # read by the processes when they start
    context = get_context("spawn")
    with _started(SyncManager(ctx=context)) as manager, _bars(jobs) as advance:
        told = manager.Queue()
        with ProcessPoolExecutor(cores(), context, _begin, max_tasks_per_child=1) as pool:
            try:
                _follow(told, {pool.submit(job.call, partial(told.put, job.name)) for job in jobs}, advance)
            except BaseException:
                pool.shutdown(cancel_futures=True)  # what waits does not begin
                raise


def _started(manager: SyncManager) -> SyncManager:
    manager.start(_begin)
    return manager


def _begin() -> None:
    """One thread for the work, and another that ends the process with the one that started it, however that died."""
    torch.set_num_threads(1)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    started_by = parent_process()
    if started_by is not None:
        started_by.join()
        os._exit(1)


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0))


def _follow(told: Queue[str], running: set[Future[None]], advance: Callable[[str], None]) -> None:
    """Move the bars until all is done, or one has failed."""
    while running:
        done, running = wait(running, LOOK_SECONDS, FIRST_COMPLETED)
        for future in done:
            future.result()
        try:
            while True:
                advance(told.get_nowait())
        except Empty:
            pass


@contextmanager
def _bars(jobs: Sequence[Job]) -> Iterator[Callable[[str], None]]:
    columns = TextColumn("{task.description:>20}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True)) as progress:
        tasks = {job.name: progress.add_task(job.name, total=job.steps) for job in jobs}
        yield lambda name: progress.advance(tasks[name])

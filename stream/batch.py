"""Batches requests of many sessions for one model, in worker threads.

A batch is sent at once when it is full; otherwise no request waits beyond the delay, by default not at all: what
has gathered while all workers were busy goes together. The event loop never blocks.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

from stream import metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Executor

Request = TypeVar("Request")
Answer = TypeVar("Answer")


class Batcher(Generic[Request, Answer]):
    """Runs `call` on lists of at most `max_batch` requests.

    Parameters
    ----------
    call : callable
        From requests to as many answers, in order; runs in `executor`. What it raises reaches every request of its
        batch.
    workers : int
        Most calls under way at once.
    """

    def __init__(
        self,
        call: Callable[[Sequence[Request]], Sequence[Answer]],
        executor: Executor,
        workers: int,
        max_batch: int,
        max_delay_seconds: float = 0.0,
    ) -> None:
        self._call = call
        self._executor = executor
        self._workers = workers
        self._max_batch = max_batch
        self._max_delay_seconds = max_delay_seconds
        self._waiting: deque[tuple[Request, asyncio.Future[tuple[Answer, int]], float]] = deque()
        self._full = asyncio.Event()
        self._working = 0
        self._tasks: set[asyncio.Task[None]] = set()  # the event loop itself holds them only weakly

    async def submit(self, request: Request) -> tuple[Answer, int]:
        """The request's answer, and how many requests shared its batch."""
        answer: asyncio.Future[tuple[Answer, int]] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, answer, time.monotonic()))
        if len(self._waiting) >= self._max_batch:
            self._full.set()
        if self._working < self._workers:
            self._working += 1
            task = asyncio.create_task(self._work())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await answer

    async def _work(self) -> None:
        # Counted down here and not when the task is done: between the two, who waited may have submitted anew.
        try:
            while self._waiting:
                await self._gather()
                batch = [self._waiting.popleft() for _ in range(min(self._max_batch, len(self._waiting)))]
                if len(self._waiting) < self._max_batch:
                    self._full.clear()
                if batch:
                    await self._run(batch)
        finally:
            self._working -= 1

    async def _gather(self) -> None:
        """Wait for a full batch until the oldest request's delay is over."""
        due = self._waiting[0][2] + self._max_delay_seconds
        left = due - time.monotonic()
        if left > 0:
            try:
                async with asyncio.timeout(left):
                    await self._full.wait()
            except TimeoutError:
                return

    async def _run(self, batch: Sequence[tuple[Request, asyncio.Future[tuple[Answer, int]], float]]) -> None:
        started = time.monotonic()
        for _, _, submitted in batch:
            metrics.QUEUE_SECONDS.observe(started - submitted)
        metrics.BATCH_SIZE.observe(len(batch))
        loop = asyncio.get_running_loop()
        try:
            answers = await loop.run_in_executor(self._executor, self._call, [request for request, _, _ in batch])
            answered = list(zip(batch, answers, strict=True))
        except Exception as error:  # handed to each waiting request, which raises it
            for _, future, _ in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future, _), answer in answered:
            if not future.done():
                future.set_result((answer, len(batch)))

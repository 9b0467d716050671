import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.batch import Batcher


class Calls:
    """A model: doubles numbers, remembers its batches and threads, and waits at a gate if one is given."""

    def __init__(self, gate: threading.Event | None = None) -> None:
        self.begun = threading.Semaphore(0)
        self.batches: list[list[int]] = []
        self.threads: set[int] = set()
        self.gate = gate

    def __call__(self, numbers: Sequence[int]) -> list[int]:
        self.batches.append(list(numbers))
        self.threads.add(threading.get_ident())
        self.begun.release()
        if self.gate:
            assert self.gate.wait(10)
        return [2 * number for number in numbers]


@pytest.fixture
async def executor() -> AsyncIterator[Executor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


async def turns(count: int = 10) -> None:
    """Let everything that is ready run."""
    for _ in range(count):
        await asyncio.sleep(0)


async def until_called(calls: Calls) -> None:
    """Wait for the next call, while the event loop turns."""
    assert await asyncio.to_thread(calls.begun.acquire, timeout=10)


async def submitted(batcher: Batcher[int, int], numbers: Sequence[int]) -> list[tuple[int, int]]:
    async with asyncio.timeout(10):
        return await asyncio.gather(*(batcher.submit(number) for number in numbers))


@given(st.lists(st.integers(), min_size=1, max_size=30), st.integers(1, 5), st.integers(1, 3))
def test_each_request_gets_its_own_answer_and_no_batch_is_larger_than_allowed(
    numbers: list[int], max_batch: int, workers: int
) -> None:
    calls = Calls()
    with ThreadPoolExecutor(workers) as pool:
        answers = asyncio.run(submitted(Batcher(calls, pool, workers, max_batch), numbers))
    assert [answer for answer, _ in answers] == [2 * number for number in numbers]
    assert max(len(batch) for batch in calls.batches) <= max_batch
    assert sum(len(batch) for batch in calls.batches) == len(numbers)


async def test_batches_keep_the_order_of_the_requests(executor: Executor) -> None:
    calls = Calls()
    await submitted(Batcher(calls, executor, 1, 4), range(10))
    assert [number for batch in calls.batches for number in batch] == list(range(10))


async def test_requests_know_how_many_shared_their_batch(executor: Executor) -> None:
    answers = await submitted(Batcher(Calls(), executor, 1, 3), range(5))
    assert [shared for _, shared in answers] == [3, 3, 3, 2, 2]


async def test_what_gathers_while_the_workers_are_busy_goes_together(executor: Executor) -> None:
    gate = threading.Event()
    calls = Calls(gate)
    batcher = Batcher(calls, executor, 1, 8)
    first = asyncio.create_task(batcher.submit(0))
    await until_called(calls)
    others = [asyncio.create_task(batcher.submit(number)) for number in (1, 2, 3)]
    await turns()
    gate.set()
    await asyncio.gather(first, *others)
    assert calls.batches == [[0], [1, 2, 3]]


async def test_without_a_delay_a_lone_request_goes_at_once(executor: Executor) -> None:
    assert await submitted(Batcher(Calls(), executor, 1, 8), [21]) == [(42, 1)]


async def test_a_full_batch_goes_at_once_whatever_the_delay(executor: Executor) -> None:
    answers = await submitted(Batcher(Calls(), executor, 1, 4, max_delay_seconds=3600), range(4))
    assert [shared for _, shared in answers] == [4] * 4


async def test_a_batch_that_is_not_full_goes_when_the_delay_of_its_oldest_is_over(executor: Executor) -> None:
    answers = await submitted(Batcher(Calls(), executor, 2, 4, max_delay_seconds=0.01), range(3))
    assert [shared for _, shared in answers] == [3] * 3


async def test_what_the_model_raises_reaches_every_request_of_its_batch_and_the_next_works(executor: Executor) -> None:
    def picky(numbers: Sequence[int]) -> Sequence[int]:
        if 0 in numbers:
            raise ValueError("no zero")
        return numbers

    batcher = Batcher(picky, executor, 1, 8)
    async with asyncio.timeout(10):
        results = await asyncio.gather(*(batcher.submit(number) for number in (1, 0, 2)), return_exceptions=True)
    assert [str(result) for result in results] == ["no zero"] * 3
    assert await submitted(batcher, [7]) == [(7, 1)]


async def test_too_few_answers_are_an_error_of_every_request(executor: Executor) -> None:
    batcher: Batcher[int, int] = Batcher(lambda numbers: numbers[1:], executor, 1, 8)
    async with asyncio.timeout(10):
        results = await asyncio.gather(*(batcher.submit(number) for number in range(2)), return_exceptions=True)
    assert all(isinstance(result, ValueError) for result in results)


async def test_a_request_made_the_moment_the_last_answer_came_is_served(executor: Executor) -> None:
    batcher = Batcher(Calls(), executor, 1, 8)

    async def one_after_another() -> int:
        number = 1
        for _ in range(100):
            number, _ = await batcher.submit(number)
        return number

    async with asyncio.timeout(10):
        assert await one_after_another() == 2**100


async def test_a_request_that_was_given_up_takes_no_other_with_it(executor: Executor) -> None:
    gate = threading.Event()
    calls = Calls(gate)
    batcher = Batcher(calls, executor, 1, 8)
    requests = [asyncio.create_task(batcher.submit(number)) for number in range(3)]
    await until_called(calls)
    requests[1].cancel()
    gate.set()
    results = await asyncio.gather(*requests, return_exceptions=True)
    assert isinstance(results[1], asyncio.CancelledError)
    assert [results[0], results[2]] == [(0, 3), (4, 3)]


async def test_the_model_runs_in_a_worker_thread_while_the_event_loop_goes_on(executor: Executor) -> None:
    gate = threading.Event()
    calls = Calls(gate)
    request = asyncio.create_task(Batcher(calls, executor, 1, 8).submit(1))
    await until_called(calls)  # the loop turns although the model has not answered
    gate.set()
    await request
    assert threading.get_ident() not in calls.threads

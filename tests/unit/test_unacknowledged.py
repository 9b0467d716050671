"""What a socket has sent and Kafka has not acknowledged."""

from __future__ import annotations

import asyncio

from stream.frame import Modality
from stream.unacknowledged import Unacknowledged


def promise() -> asyncio.Future[object]:
    return asyncio.get_running_loop().create_future()


async def handled() -> None:
    """Let the callbacks of what is done run."""
    await asyncio.sleep(0)


async def test_a_frame_counts_until_kafka_has_it() -> None:
    sent, future = Unacknowledged(), promise()
    sent.add(future, Modality.AUDIO, 3, 1_280)
    assert (sent.frames, sent.bytes, sent.acknowledged) == (1, 1_280, {})
    future.set_result(None)
    await handled()
    assert (sent.frames, sent.bytes, sent.acknowledged) == (0, 0, {Modality.AUDIO: 3})


async def test_above_the_limit_the_next_one_waits_until_there_is_room() -> None:
    sent, future = Unacknowledged(limit_bytes=1_000), promise()
    sent.add(future, Modality.VIDEO, None, 1_000)
    waiting = asyncio.create_task(sent.room())
    await handled()
    assert not waiting.done()
    future.set_result(None)
    await waiting


async def test_a_frame_that_kafka_refused_is_not_acknowledged_and_the_failure_is_kept() -> None:
    sent, first, second = Unacknowledged(), promise(), promise()
    sent.add(first, Modality.AUDIO, 0, 10)
    sent.add(second, Modality.AUDIO, 1, 10)
    failure = TimeoutError("Kafka is away")
    first.set_exception(failure)
    second.cancel()
    await handled()
    assert sent.failed is failure
    assert sent.acknowledged == {}
    assert sent.frames == 0

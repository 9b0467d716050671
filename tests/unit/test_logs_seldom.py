import logging

from stream.logs import SELDOM_SECONDS, Seldom


def record(logger: str, message: str, *arguments: object) -> logging.LogRecord:
    return logging.LogRecord(logger, logging.ERROR, __file__, 1, message, arguments, None)


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_what_a_library_repeats_at_every_attempt_is_told_once_a_minute() -> None:
    clock = Clock()
    seldom = Seldom(clock)
    assert seldom.filter(record("aiokafka.conn", "Unable connect to %s", "a:1"))
    assert not seldom.filter(record("aiokafka.conn", "Unable connect to %s", "b:2"))
    clock.seconds = SELDOM_SECONDS
    assert seldom.filter(record("aiokafka.conn", "Unable connect to %s", "a:1"))


def test_another_message_of_the_same_library_is_told_at_once() -> None:
    seldom = Seldom(Clock())
    assert seldom.filter(record("aiokafka.conn", "Unable connect to %s", "a:1"))
    assert seldom.filter(record("aiokafka.consumer", "Heartbeat failed"))


def test_our_own_messages_always_pass() -> None:
    seldom = Seldom(Clock())
    assert all(seldom.filter(record("stream.service", "Kafka answers again")) for _ in range(3))

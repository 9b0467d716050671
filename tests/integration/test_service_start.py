"""What the service finds at its start, and that all that is wrong is said at once."""

from __future__ import annotations

import pytest
from aiokafka.errors import KafkaConnectionError

from stream import topics
from stream.errors import BrokerError, ConfigError, InferenceError
from stream.service import one_error
from stream.startup import start_up
from tests.echo_service import settings_of


async def test_all_faults_of_broker_and_bundle_are_reported_at_once(broker: str, topic_prefix: str) -> None:
    await topics.prepare(settings_of(broker, topic_prefix))
    wrong = settings_of(broker, topic_prefix, bundle="no-such-bundle").model_copy(update={"partitions": 3})
    report = await start_up(wrong)
    with pytest.raises(ConfigError, match=r"has 2 partitions, expected 3(?s:.*)no-such-bundle"):
        report.checked()


async def test_a_look_creates_no_topic_and_says_which_would_be(broker: str, topic_prefix: str) -> None:
    settings = settings_of(broker, topic_prefix)
    everything = [topic_prefix + name for name in topics.CONFIGS]
    assert await topics.prepare(settings, only_look=True) == everything
    assert not {*everything} & (await topics.partitions(settings)).keys()
    with pytest.raises(BrokerError, match="has 0 partitions, expected 2"):
        await topics.prepare(settings.model_copy(update={"create_topics": False}), only_look=True)
    assert await topics.prepare(settings) == []
    assert await topics.prepare(settings, only_look=True) == []


async def test_a_broker_that_is_away_is_an_error_that_says_where_it_was_looked_for() -> None:
    report = await start_up(settings_of("127.0.0.1:1", "", bundle="no-such-bundle"))
    with pytest.raises(ConfigError, match=r"127\.0\.0\.1:1"):
        report.checked()


def test_of_several_errors_the_first_that_is_ours_is_raised_alone() -> None:
    settings = settings_of("127.0.0.1:1", "")
    with pytest.raises(InferenceError, match="broke"), one_error(settings):
        raise ExceptionGroup("lanes", [ExceptionGroup("lane", [ValueError("other"), InferenceError("it broke")])])


def test_an_error_of_the_kafka_client_becomes_one_that_says_what_to_do() -> None:
    settings = settings_of("127.0.0.1:1", "")
    with pytest.raises(BrokerError, match=r"127\.0\.0\.1:1 failed .*start again"), one_error(settings):
        raise ExceptionGroup("lanes", [KafkaConnectionError("gone")])


def test_an_error_that_nobody_expected_is_shown_whole() -> None:
    with pytest.raises(ExceptionGroup), one_error(settings_of("127.0.0.1:1", "")):
        raise ExceptionGroup("lanes", [ValueError("a mistake of ours")])

"""A broker that demands SCRAM over TLS, or client certificates, and refuses all that is not granted."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from stream import topics
from stream.audience import Audience
from stream.config import Settings
from stream.errors import BrokerError
from stream.service import one_error
from tests.certificates import Authority
from tests.command import Done, line_with, started, trivium
from tests.echo import EchoSegment, sound, unseen
from tests.echo_service import serve_echo, source
from tests.guarded import PREFIX, Grant, Guarded, grants, guarded_broker
from tests.synthetic_clips import SyntheticClip

REFUSED_SECONDS = 60


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    with guarded_broker(tmp_path_factory.mktemp("guarded")) as broker:
        yield broker


@pytest.fixture
def collected() -> Iterator[None]:
    """Collect what the client leaves half open when it is refused; a process would have ended by then."""
    yield
    gc.collect()


def environment(settings: dict[str, object]) -> dict[str, str]:
    return {f"TRIVIUM_{name.upper()}": str(value) for name, value in settings.items()}


def one_line(done: Done) -> str:
    assert (done.code, done.output, done.errors.count("\n")) == (1, "", 1), done
    return done.errors


async def test_the_main_path_works_with_what_the_readme_grants_and_no_more(
    guarded: Guarded, synthetic_clip: SyntheticClip
) -> None:
    users = {user: environment(guarded.settings_of(user)) for user in ("trivium", "source", "reader")}
    async with started("serve", "--http", "127.0.0.1:0", **users["trivium"]) as serving:
        await line_with(serving.stderr, "lane taken over")
        source = Settings.load(None, {}, **guarded.settings_of("source"))
        async with AIOKafkaProducer(**source.client_options()) as producer:
            await producer.send_and_wait(f"{PREFIX}audio", b"odd", b"talk", partition=0)
        words = ["--speed", "0", "--session", "talk"]
        assert (await trivium("replay", synthetic_clip.path, *words, **users["source"])).code == 0
        words = ["--json", "--from-beginning", "--until-ended", "1", "--timeout", "60"]
        watched = await trivium("watch", *words, **users["reader"])
    assert watched.code == 0, watched.errors
    results = [orjson.loads(line) for line in watched.output.splitlines()]
    assert sum(each.get("is_final", False) for each in results) == results[-1]["finals"] > 0


async def test_a_clients_certificate_is_as_good_as_a_password(guarded: Guarded) -> None:
    settings = Settings.load(None, {}, **guarded.settings_of("trivium", "SSL"))
    assert await topics.prepare(settings) == []


@pytest.mark.usefixtures("collected")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("missing", [one for one in grants() if one.user == "trivium"], ids=str)
async def test_no_line_of_the_services_list_can_be_left_out(guarded: Guarded, missing: Grant) -> None:
    settings = Settings.load(None, {}, **guarded.settings_of("trivium"))
    await guarded.withdraw(missing)
    try:
        async with asyncio.timeout(REFUSED_SECONDS):
            with pytest.raises(BrokerError, match=f"{PREFIX}{missing.name}"), one_error(settings):
                await serve_and_watch(settings, Settings.load(None, {}, **guarded.settings_of("source")))
    finally:
        await guarded.grant(missing)


async def serve_and_watch(settings: Settings, speaking: Settings) -> None:
    """All that the service does with Kafka: lanes with something to say, and results read for whoever watches."""
    async with asyncio.TaskGroup() as tasks:
        await topics.prepare(settings)
        tasks.create_task(Audience(settings).run())
        tasks.create_task(serve_echo(settings, EchoSegment, asyncio.Event()))
        async with source(speaking) as speaker:
            await speaker.send(*unseen("talk"), *sound("talk", "hello......"))


async def test_who_comes_otherwise_is_told_in_one_line_and_nothing_of_the_secret(
    guarded: Guarded, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path, "stranger")
    mine = guarded.settings_of("trivium")
    sasl = {name: None for name in mine if name.startswith("sasl")}
    tries = {
        "wrong password": mine | {"sasl_password_file": guarded.password("trivium", "guessed")},
        "another authority": mine | {"ssl_cafile": stranger.cafile},
        "no tls": mine | sasl | {"security_protocol": "PLAINTEXT", "ssl_cafile": None},
        "tls to a plain port": mine | {"bootstrap_servers": guarded.addresses["PLAINTEXT"]},
        "no certificate": mine | sasl | {"security_protocol": "SSL", "bootstrap_servers": guarded.addresses["SSL"]},
    }
    given = [environment({name: value for name, value in one.items() if value is not None}) for one in tries.values()]
    done = await asyncio.gather(*(trivium("watch", "--until-ended", "1", **one) for one in given))
    told = dict(zip(tries, map(one_line, done), strict=True))
    assert all(address in str(told) for address in guarded.addresses.values())
    assert "does not know trivium by this password" in told["wrong password"]
    assert "guessed" not in told["wrong password"]
    assert "certificate is not believed" in told["another authority"]
    assert "when PLAINTEXT is spoken" in told["no tls"]
    assert "when SASL_SSL is spoken" in told["tls to a plain port"]
    assert "wants a client's certificate" in told["no certificate"]

"""A real Apache Kafka that asks who comes and lets nobody do what is not granted, and the grants as the README has them.

README's kafka-acls -> grants -> guarded broker <- users over SASL_SSL, SSL
"""

from __future__ import annotations

import asyncio
import shlex
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise, product
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.admin import CreateAclsRequest, DeleteAclsRequest

from deploy.broker import HOST, Broker
from deploy.command import CACHE
from deploy.extra import Extra
from stream import topics
from stream.config import Settings
from tests.certificates import Authority

README = Path(__file__).parents[1] / "README.md"
USERS = ("trivium", "source", "reader")
PREFIX = "guarded-"
PARTITIONS = 2
ALLOW = 3
RESOURCES = {"--topic": 2, "--group": 3, "--transactional-id": 5}
PATTERNS = {"literal": 3, "prefixed": 4}
OPERATIONS = {"Read": 3, "Write": 4, "Create": 5, "Describe": 8}
PROPERTIES = """
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
ssl.keystore.type=PEM
ssl.keystore.location={keystore}
ssl.truststore.type=PEM
ssl.truststore.location={cafile}
listener.name.ssl.ssl.client.auth=required
listener.name.ssl.ssl.principal.mapping.rules=RULE:^CN=(.*)$/$1/
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
"""


@dataclass(frozen=True)
class Grant:
    """One entry of the list: who may do what with which."""

    user: str
    operation: str
    kind: str  # the option of kafka-acls that names the resource
    name: str
    pattern: str

    def __str__(self) -> str:
        return f"{self.user} {self.operation} {self.kind} {self.name}"

    @property
    def words(self) -> tuple[int, str, int, str, str, int, int]:
        """As Kafka has it."""
        return (
            RESOURCES[self.kind],
            PREFIX + self.name,
            PATTERNS[self.pattern],
            f"User:{self.user}",
            "*",
            OPERATIONS[self.operation],
            ALLOW,
        )


def grants() -> list[Grant]:
    """The README's list, entry by entry."""
    lines = README.read_text().splitlines()
    return [grant for line in lines if line.strip().startswith("kafka-acls ") for grant in _entries(shlex.split(line))]


def _entries(words: Sequence[str]) -> Iterator[Grant]:
    pairs = [(option, value) for option, value in pairwise(words) if option.startswith("--")]
    named = dict(pairs)
    user = named["--allow-principal"].removeprefix("User:")
    operations = [value for option, value in pairs if option == "--operation"]
    resources = [(option, value) for option, value in pairs if option in RESOURCES]
    for operation, (kind, name) in product(operations, resources):
        yield Grant(user, operation, kind, name, named.get("--resource-pattern-type", "literal"))


@dataclass(frozen=True)
class Guarded:
    """The broker while it runs: its addresses by protocol, and the files that its users need."""

    addresses: dict[str, str]
    folder: Path
    authority: Authority

    def settings_of(self, user: str, protocol: str = "SASL_SSL", **other: object) -> dict[str, object]:
        """What a user sets to come in."""
        common = {
            "bootstrap_servers": self.addresses[protocol],
            "security_protocol": protocol,
            "topic_prefix": PREFIX,
            "partitions": PARTITIONS,
            "create_topics": False,
            "ssl_cafile": self.authority.cafile,
        }
        if protocol == "SSL":
            certfile, keyfile = self.authority.issue(user)
            return common | {"ssl_certfile": certfile, "ssl_keyfile": keyfile} | other
        proof = {"sasl_mechanism": "SCRAM-SHA-512", "sasl_username": user, "sasl_password_file": self.password(user)}
        return common | proof | other

    def password(self, user: str, said: str = "") -> Path:
        """A file of the user's password, or of something else."""
        path = self.folder / f"{user}{said}.password"
        path.write_text(f"{said or _secret(user)}\n")
        return path

    async def grant(self, *given: Grant) -> None:
        """Let them."""
        await self._ask([CreateAclsRequest(*one.words) for one in given])

    async def withdraw(self, *taken: Grant) -> None:
        """Let them no longer."""
        await self._ask([DeleteAclsRequest(*one.words) for one in taken])

    async def _ask(self, requests: Sequence[CreateAclsRequest | DeleteAclsRequest]) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.addresses["PLAINTEXT"])
        await admin.start()
        try:
            for request in requests:
                answer = await admin._send_request(request)
                (code, message, *_) = (getattr(answer, "creation_responses", None) or answer.filter_responses)[0]
                assert code == 0, message
        finally:
            await admin.close()


@contextmanager
def guarded_broker(folder: Path) -> Iterator[Guarded]:
    """Start it, with the topics made and everything of the list granted; it is gone afterwards."""
    authority = Authority(folder)
    keystore = folder / "keystore.pem"
    certfile, keyfile = authority.issue("broker")
    keystore.write_bytes(keyfile.read_bytes() + certfile.read_bytes())
    addresses = {protocol: f"{HOST}:{_free_port()}" for protocol in ("SASL_SSL", "SSL")}
    extra = Extra(
        listeners=tuple(f"{protocol}://{address}" for protocol, address in addresses.items()),
        properties=PROPERTIES.format(keystore=keystore, cafile=authority.cafile),
        format_options=tuple(
            f"--add-scram=SCRAM-SHA-512=[name={user},password={_secret(user)},iterations=4096]" for user in USERS
        ),
        java_options=("-Xmx256m",),
    )
    broker = Broker(folder / "kafka", CACHE / "jars", extra)
    try:
        addresses["PLAINTEXT"] = broker.start(attached=True)
        guarded = Guarded(addresses, folder, authority)
        asyncio.run(_prepare(guarded))
        yield guarded
    finally:
        broker.stop()


async def _prepare(guarded: Guarded) -> None:
    admin = Settings(bootstrap_servers=guarded.addresses["PLAINTEXT"], topic_prefix=PREFIX, partitions=PARTITIONS)
    await topics.prepare(admin)
    await guarded.grant(*grants())


def _secret(user: str) -> str:
    return f"the secret of {user}".replace(" ", "-")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])

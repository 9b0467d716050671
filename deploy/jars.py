"""The jars of Apache Kafka: fetched from Maven Central by jgo, each held against its SHA-256 in `kafka-jars.sha256`.

The file names the whole class path with exact versions, so a start resolves nothing. It is made anew, for another
version of Kafka, by `python -m deploy.jars > deploy/kafka-jars.sha256`, which does resolve, and is read before it is
committed. What Maven Central itself says about a jar is not trusted at a start: only the committed sum is.
"""

from __future__ import annotations

import fcntl
import hashlib
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import requests
from jgo.maven import MavenContext
from jgo.parse import Coordinate

from stream.errors import JobError

KAFKA_VERSION = "4.3.1"
WANTED = (
    f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}",
    f"org.apache.kafka:kafka-tools:{KAFKA_VERSION}",
    "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4",
)
# Kafka Connect and its web server: the tools declare them, a broker never loads them.
UNWANTED = (
    ("org.apache.kafka", "connect-runtime"),
    ("com.fasterxml.jackson.jakarta.rs", "jackson-jakarta-rs-json-provider"),
)
PINS = Path(__file__).with_name("kafka-jars.sha256")
TRIES = 3
TIMEOUT_SECONDS = 60
CONNECTIONS = 12


@dataclass(frozen=True)
class Pin:
    """One jar: its Maven coordinate `group:artifact:version` and the SHA-256 that it must have."""

    sha256: str
    coordinate: str


def read_pins(path: Path = PINS) -> list[Pin]:
    """Every jar of the class path, from lines `sha256  group:artifact:version`."""
    return [Pin(*line.split()) for line in path.read_text().splitlines()]


def class_path(folder: Path, pins: list[Pin], repository: str | None = None) -> list[Path]:
    """The jars' places under `folder`; those that are missing or broken are fetched first.

    Parameters
    ----------
    repository : str, optional
        Address of the Maven repository; Maven Central without one.

    Raises
    ------
    JobError
        A jar's sum is not the pinned one, or it could not be fetched.
    """
    remote = {"central": repository} if repository else None
    maven = MavenContext(repo_cache=folder, remote_repos=remote, timeout=TIMEOUT_SECONDS)
    with _alone(folder), ThreadPoolExecutor(CONNECTIONS) as pool:
        missing = [pin for pin in pins if not _is_whole(pin, maven)]
        if missing:
            print(f"fetching {len(missing)} of Apache Kafka's {len(pins)} jars", file=sys.stderr)
        list(pool.map(lambda pin: _fetch(pin, maven), missing))
    return [_place(pin, maven) for pin in pins]


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep two starts from fetching into one folder at the same time."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetch(pin: Pin, maven: MavenContext) -> None:
    """Download one jar and check it. jgo leaves half a file behind when it is cut off: it is removed first."""
    for left in reversed(range(TRIES)):
        _place(pin, maven).unlink(missing_ok=True)
        try:
            maven.create_dependency(pin.coordinate).artifact.resolve()
            break
        except (requests.RequestException, RuntimeError) as error:
            if not left:
                reason = type(error).__name__
                message = f"{pin.coordinate} could not be fetched from Maven Central ({reason}): check the network, start again"
                raise JobError(message) from error
    if not _is_whole(pin, maven):
        raise _wrong_sum(pin, _place(pin, maven))


def _wrong_sum(pin: Pin, jar: Path) -> JobError:
    found = _sha256(jar)
    jar.unlink()
    return JobError(
        f"{pin.coordinate} has SHA-256 {found}, {PINS.name} says {pin.sha256}: the jar is refused and removed"
    )


def _is_whole(pin: Pin, maven: MavenContext) -> bool:
    jar = _place(pin, maven)
    return jar.is_file() and _sha256(jar) == pin.sha256


def _place(pin: Pin, maven: MavenContext) -> Path:
    place = maven.create_dependency(pin.coordinate).artifact.cached_path
    if place is None:
        raise JobError(f"{pin.coordinate} has no place in the jar folder {maven.repo_cache}")
    return Path(place)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def resolve(folder: Path) -> list[Pin]:
    """Resolve `WANTED` without `UNWANTED` at Maven Central, and pin what comes.

    `raw`: otherwise jgo takes each wanted pom for a bill of materials, and log4j's asks for an older Kafka client.
    """
    maven = MavenContext(repo_cache=folder, timeout=TIMEOUT_SECONDS)
    without = [maven.project(*names) for names in UNWANTED]
    wanted = [replace(Coordinate.parse(name), scope="compile", raw=True) for name in WANTED]
    found, behind = maven.resolver.resolve([maven.create_dependency(name, without) for name in wanted])
    needed = [one.artifact for one in [*found, *behind] if one.scope in {"compile", "runtime"}]
    pins = [Pin(_sha256(jar.resolve()), f"{jar.groupId}:{jar.artifactId}:{jar.version}") for jar in needed]
    return sorted(pins, key=lambda pin: pin.coordinate)


if __name__ == "__main__":
    for pin in resolve(Path(".cache/kafka/jars")):
        print(f"{pin.sha256}  {pin.coordinate}")

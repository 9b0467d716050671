"""Kafka's jars: only those with the committed sums are run. A small Maven repository on this machine serves them."""

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from deploy.jars import KAFKA_VERSION, Pin, class_path, read_pins
from stream.errors import JobError

JAR = b"the bytes of a jar"
GOOD = Pin(hashlib.sha256(JAR).hexdigest(), "org.example:thing:1.0")
BAD = Pin("0" * 64, "org.example:thing:1.0")
PLACE = "org/example/thing/1.0/thing-1.0.jar"


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[str]:
    served = tmp_path / "served"
    jar = served / PLACE
    jar.parent.mkdir(parents=True)
    jar.write_bytes(JAR)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(served))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_jar_with_the_committed_sum_is_fetched(tmp_path: Path, repository: str) -> None:
    (jar,) = class_path(tmp_path / "jars", [GOOD], repository)
    assert jar.read_bytes() == JAR


def test_a_jar_with_another_sum_is_refused_and_removed(tmp_path: Path, repository: str) -> None:
    with pytest.raises(JobError, match=rf"org.example:thing:1.0 has SHA-256 {GOOD.sha256}.*refused and removed"):
        class_path(tmp_path / "jars", [BAD], repository)
    assert not (tmp_path / "jars" / PLACE).exists()


def test_a_jar_that_was_cut_off_is_fetched_again(tmp_path: Path, repository: str) -> None:
    half = tmp_path / "jars" / PLACE
    half.parent.mkdir(parents=True)
    half.write_bytes(JAR[:7])
    (jar,) = class_path(tmp_path / "jars", [GOOD], repository)
    assert jar.read_bytes() == JAR


def test_whole_jars_are_not_fetched_again(tmp_path: Path) -> None:
    jar = tmp_path / "jars" / PLACE
    jar.parent.mkdir(parents=True)
    jar.write_bytes(JAR)
    assert class_path(tmp_path / "jars", [GOOD], "http://127.0.0.1:9") == [jar]


def test_a_repository_out_of_reach_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(JobError, match=r"could not be fetched.*check the network") as caught:
        class_path(tmp_path / "jars", [GOOD], "http://127.0.0.1:9")
    assert "\n" not in str(caught.value)


def test_every_jar_of_the_class_path_has_a_sum() -> None:
    pins = read_pins()
    assert all(len(bytes.fromhex(pin.sha256)) == 32 for pin in pins)
    assert len({pin.coordinate.rsplit(":", 1)[0] for pin in pins}) == len(pins)


def test_all_of_kafka_has_one_version() -> None:
    versions = {pin.coordinate.split(":")[2] for pin in read_pins() if pin.coordinate.startswith("org.apache.kafka:")}
    assert versions == {KAFKA_VERSION}

"""Settings that say how Kafka is spoken to, and what a client is given for them."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest

from stream.config import Settings
from stream.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


def names_of_faults(**flags: object) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        Settings.load(None, {}, **flags)
    return [line.partition(":")[0] for line in str(raised.value).splitlines()]


def password_file(directory: Path, content: bytes = b"secret\n") -> Path:
    path = directory / "password"
    path.write_bytes(content)
    return path


def test_sasl_needs_a_mechanism_a_user_and_a_password_file() -> None:
    assert names_of_faults(security_protocol="SASL_PLAINTEXT") == [
        "sasl_mechanism",
        "sasl_username",
        "sasl_password_file",
    ]


def test_a_user_without_sasl_is_a_fault() -> None:
    assert names_of_faults(security_protocol="SSL", sasl_username="me") == ["sasl_username"]


def test_certificates_without_ssl_are_a_fault(tmp_path: Path) -> None:
    assert names_of_faults(ssl_cafile=password_file(tmp_path)) == ["ssl_cafile"]


def test_a_certificate_without_its_key_is_a_fault(tmp_path: Path) -> None:
    assert names_of_faults(security_protocol="SSL", ssl_certfile=password_file(tmp_path)) == ["ssl_keyfile"]


def test_a_key_without_its_certificate_is_a_fault(tmp_path: Path) -> None:
    assert names_of_faults(security_protocol="SSL", ssl_keyfile=password_file(tmp_path)) == ["ssl_keyfile"]


def test_a_file_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    assert names_of_faults(security_protocol="SSL", ssl_cafile=tmp_path / "missing.pem") == ["ssl_cafile"]


def test_a_wrong_protocol_brings_no_faults_of_what_hangs_on_it() -> None:
    assert names_of_faults(security_protocol="TLS", sasl_username="me") == ["security_protocol"]


def test_a_plain_client_is_given_its_servers_and_no_secrets() -> None:
    assert Settings(bootstrap_servers="a:1").client_options() == {
        "bootstrap_servers": "a:1",
        "security_protocol": "PLAINTEXT",
        "ssl_context": None,
        "sasl_mechanism": "PLAIN",
        "sasl_plain_username": None,
        "sasl_plain_password": None,
    }


def test_a_sasl_client_is_given_the_password_without_the_files_line_end(tmp_path: Path) -> None:
    options = Settings(
        security_protocol="SASL_SSL",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_username="me",
        sasl_password_file=password_file(tmp_path, b" secret \r\n"),
    ).client_options()
    assert options["sasl_mechanism"] == "SCRAM-SHA-512"
    assert (options["sasl_plain_username"], options["sasl_plain_password"]) == ("me", " secret ")
    assert options["ssl_context"] is not None


def test_an_ssl_client_checks_the_brokers_certificate_and_name() -> None:
    context = Settings(security_protocol="SSL").client_options()["ssl_context"]
    assert context is not None
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


def test_an_authority_file_that_is_no_pem_is_a_fault(tmp_path: Path) -> None:
    settings = Settings(security_protocol="SSL", ssl_cafile=password_file(tmp_path))
    with pytest.raises(ConfigError, match="ssl_cafile"):
        settings.client_options()


def test_a_password_file_that_is_not_text_is_a_fault(tmp_path: Path) -> None:
    settings = Settings(
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="PLAIN",
        sasl_username="me",
        sasl_password_file=password_file(tmp_path, b"\xff"),
    )
    with pytest.raises(ConfigError, match="sasl_password_file"):
        settings.client_options()


def test_the_password_never_shows_in_the_settings(tmp_path: Path) -> None:
    settings = Settings(
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="PLAIN",
        sasl_username="me",
        sasl_password_file=password_file(tmp_path),
    )
    assert "secret" not in repr(settings)

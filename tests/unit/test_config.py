"""Settings from every place: which wins, and what is said of those that are wrong."""

from __future__ import annotations

from contextlib import chdir
from pathlib import Path

import pytest

from stream.config import Settings
from stream.errors import ConfigError


def faults(config: Path | None = None, environ: dict[str, str] | None = None, **flags: object) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        Settings.load(config, environ or {}, **flags)
    return str(raised.value).splitlines()


def written(directory: Path, text: str) -> Path:
    path = directory / "other.toml"
    path.write_text(text)
    return path


def test_without_any_place_the_defaults_hold() -> None:
    assert Settings.load(environ={}) == Settings()


def test_the_environment_wins_over_the_file_and_a_flag_over_both(tmp_path: Path) -> None:
    config = written(tmp_path, "idle_ms = 1\ndeadline_ms = 2\nmax_batch = 3\n")
    settings = Settings.load(config, {"TRIVIUM_DEADLINE_MS": "20", "TRIVIUM_MAX_BATCH": "30"}, max_batch="300")
    assert (settings.idle_ms, settings.deadline_ms, settings.max_batch) == (1, 20, 300)


def test_trivium_toml_in_the_working_directory_is_read_without_being_named(tmp_path: Path) -> None:
    (tmp_path / "trivium.toml").write_text("partitions = 3\n")
    with chdir(tmp_path):
        assert Settings.load(environ={}).partitions == 3


def test_a_named_file_stands_in_for_trivium_toml(tmp_path: Path) -> None:
    (tmp_path / "trivium.toml").write_text("partitions = 3\ngroup = 'unread'\n")
    with chdir(tmp_path):
        settings = Settings.load(written(tmp_path, "partitions = 4\n"), {})
    assert (settings.partitions, settings.group) == (4, "trivium")


def test_a_flag_that_is_none_was_not_given() -> None:
    assert Settings.load(environ={"TRIVIUM_PARTITIONS": "3"}, partitions=None).partitions == 3


def test_the_plain_kafka_variable_gives_the_servers() -> None:
    assert Settings.load(environ={"KAFKA_BOOTSTRAP_SERVERS": "a:1"}).bootstrap_servers == "a:1"


def test_the_prefixed_variable_wins_over_the_plain_one() -> None:
    environ = {"KAFKA_BOOTSTRAP_SERVERS": "a:1", "TRIVIUM_BOOTSTRAP_SERVERS": "b:2"}
    assert Settings.load(environ=environ).bootstrap_servers == "b:2"


def test_an_empty_plain_variable_is_as_good_as_none() -> None:
    assert Settings.load(environ={"KAFKA_BOOTSTRAP_SERVERS": ""}).bootstrap_servers == "localhost:9092"


def test_an_empty_variable_takes_back_what_the_file_says(tmp_path: Path) -> None:
    config = written(tmp_path, "instance_id = 'one'\nthreads = 2\n")
    settings = Settings.load(config, {"TRIVIUM_INSTANCE_ID": "", "TRIVIUM_THREADS": ""})
    assert settings.instance_id is None
    assert settings.threads is None


def test_all_faults_of_all_places_are_reported_at_once(tmp_path: Path) -> None:
    config = written(tmp_path, "partitions = 0\n")
    assert faults(config, {"TRIVIUM_DEADLINE_MS": "soon"}, provider="gpu") == [
        f"partitions: found 0 in {config}, expected greater than or equal to 1",
        "provider: found 'gpu' in --provider, expected 'auto', 'cpu' or 'cuda'",
        "deadline_ms: found 'soon' in TRIVIUM_DEADLINE_MS, expected a valid number",
    ]


def test_faults_across_settings_are_reported_beside_faults_of_one() -> None:
    assert faults(max_batch="no", lane_buffer_bytes="10000000", session_buffer_bytes="20000000") == [
        "max_batch: found 'no' in --max-batch, expected a valid integer",
        "session_buffer_bytes: found '20000000' in --session-buffer-bytes, expected at most lane_buffer_bytes = 10000000",
    ]


def test_a_faulty_limit_is_not_blamed_on_the_setting_that_it_limits() -> None:
    assert [fault.partition(":")[0] for fault in faults(lane_buffer_bytes="-1")] == ["lane_buffer_bytes"]


@pytest.mark.parametrize(
    ("low", "high"),
    [
        ("reorder_ms", "deadline_ms"),
        ("idle_ms", "session_end_ms"),
        ("max_record_bytes", "session_buffer_bytes"),
        ("session_buffer_bytes", "lane_buffer_bytes"),
    ],
)
def test_a_setting_may_not_be_above_the_one_that_bounds_it(low: str, high: str) -> None:
    (fault,) = faults(**{low: getattr(Settings(), high) + 1})
    assert fault.startswith(f"{low}: ")
    assert f"expected at most {high} = " in fault


def test_a_segment_must_be_longer_than_the_wait_for_its_endpoint() -> None:
    assert faults(endpoint_ms="15000") == [
        "endpoint_ms: found '15000' in --endpoint-ms, expected less than max_segment_ms = 15000"
    ]


def test_an_unknown_name_in_the_file_is_a_fault_with_the_nearest_name(tmp_path: Path) -> None:
    config = written(tmp_path, "deadlin_ms = 3\n")
    assert faults(config) == [f"deadlin_ms: found in {config}, but there is no such setting; did you mean deadline_ms?"]


def test_an_unknown_name_in_the_environment_is_a_fault() -> None:
    assert faults(environ={"TRIVIUM_ZZ": "1"}) == ["zz: found in TRIVIUM_ZZ, but there is no such setting"]


def test_variables_that_kubernetes_or_the_tests_set_are_no_settings() -> None:
    others = {"TRIVIUM_SERVICE_HOST": "10.0.0.1", "TRIVIUM_PORT_8383_TCP_ADDR": "10.0.0.1", "TRIVIUM_GRID": "grid"}
    assert Settings.load(environ=others) == Settings()


def test_a_named_file_that_is_not_there_is_a_fault_beside_the_others(tmp_path: Path) -> None:
    missing = tmp_path / "missing.toml"
    assert faults(missing, partitions="0") == [
        f"--config: found no file {missing}, expected a TOML file of settings",
        "partitions: found '0' in --partitions, expected greater than or equal to 1",
    ]


def test_a_file_that_is_not_toml_is_a_fault_with_its_line(tmp_path: Path) -> None:
    (fault,) = faults(written(tmp_path, "partitions\n"))
    assert "expected readable TOML" in fault
    assert "line 1" in fault


def test_a_file_that_is_not_text_is_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "other.toml"
    path.write_bytes(b"\xff\xfe")
    assert "expected readable TOML" in faults(path)[0]


@pytest.mark.parametrize("value", ["-1", "0.0001", "nan", "inf", "", "1s"])
def test_a_time_that_is_no_number_of_ms_is_a_fault(value: str) -> None:
    assert len(faults(commit_interval_ms=value)) == 1


def test_a_time_may_have_three_decimals() -> None:
    assert Settings.load(environ={"TRIVIUM_REORDER_MS": "0.125"}).reorder_ms == 0.125


@pytest.mark.parametrize("value", ["127.0.0.1:8383", "[::1]:0", "0.0.0.0:65535", "host.name:80"])
def test_http_takes_a_host_and_a_port(value: str) -> None:
    assert Settings(http=value, http_token_file=Path(__file__)).http == value


@pytest.mark.parametrize("value", ["127.0.0.1:8383", "127.8.0.1:1", "[::1]:0", "localhost:80"])
def test_on_loopback_http_needs_no_token(value: str) -> None:
    assert Settings(http=value).http_token_file is None


@pytest.mark.parametrize("value", ["0.0.0.0:8383", "[::]:8383", "10.0.0.1:80", "host.name:80"])
def test_beyond_loopback_http_needs_a_token(value: str) -> None:
    expected = f"a file that holds a token, since http = {value} is reached from other machines"
    assert faults(http=value) == [f"http_token_file: found none in the default, expected {expected}"]


def test_a_certificate_of_the_pages_without_its_key_is_a_fault() -> None:
    assert faults(http_certfile=__file__) == [
        "http_keyfile: found none in the default, expected http_certfile and http_keyfile, both or neither"
    ]


@pytest.mark.parametrize("value", ["8383", "host", "host:65536", ":8383", "::1:8383", "a:1,b:2"])
def test_http_refuses_what_is_no_host_and_port(value: str) -> None:
    assert faults(http=value) == [f"http: found {value!r} in --http, expected HOST:PORT"]


def test_several_servers_may_be_named() -> None:
    assert Settings(bootstrap_servers="a:1, b:2,[::1]:3").bootstrap_servers == "a:1, b:2,[::1]:3"


def test_a_prefix_that_no_topic_may_carry_is_a_fault() -> None:
    assert len(faults(topic_prefix="a b")) == 1


def test_a_delivery_that_nobody_can_promise_is_refused() -> None:
    expected = "delivery: found 'at-most-once' in --delivery, expected 'exactly-once' or 'at-least-once'"
    assert faults(delivery="at-most-once") == [expected]


def test_a_default_type_of_sound_that_no_record_may_have_is_a_fault() -> None:
    assert len(faults(default_audio_type="audio/L16;rate=4000;channels=1")) == 1

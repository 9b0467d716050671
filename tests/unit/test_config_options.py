"""Settings as flags: each there once, as typed, and reported with all others."""

from __future__ import annotations

import pytest
import typer
from typer.testing import CliRunner

from stream.config import Settings
from stream.errors import ConfigError
from stream.options import takes_settings
from stream.sources import flag

app = typer.Typer(rich_markup_mode=None)


@app.command()
@takes_settings
def serve(settings: Settings, loud: bool = False) -> None:  # noqa: FBT001, FBT002 - how typer is told
    """Run it."""
    print(settings.deadline_ms, settings.create_topics, settings.topic_prefix, loud)


@app.command()
def other() -> None:
    """Keep `serve` a command by its name."""


def said(*words: str) -> str:
    result = CliRunner().invoke(app, ["serve", *words], catch_exceptions=False, env={"KAFKA_BOOTSTRAP_SERVERS": None})
    assert result.exit_code == 0, result.output
    return result.output


def test_a_command_is_called_with_the_checked_settings_and_its_own_options() -> None:
    words = ["--deadline-ms", "40.5", "--no-create-topics", "--topic-prefix", "a.", "--loud"]
    assert said(*words) == "40.5 False a. True\n"


def test_without_flags_the_defaults_hold() -> None:
    assert said() == "200.0 True  False\n"


def test_every_setting_is_a_flag_whose_name_the_help_shows_whole() -> None:
    words = said("--help").split()
    assert {flag(name) for name in Settings.model_fields} | {"--config"} <= {word.strip(",/") for word in words}


def test_the_help_shows_defaults_and_choices() -> None:
    text = " ".join(said("--help").split())
    assert "(127.0.0.1:8383)" in text
    assert "auto|cpu|cuda" in text


def test_faults_of_all_flags_come_as_one_error() -> None:
    with pytest.raises(ConfigError) as raised:
        said("--deadline-ms", "soon", "--partitions", "0")
    assert len(str(raised.value).splitlines()) == 2


def test_a_named_file_is_read(tmp_path: object) -> None:
    with pytest.raises(ConfigError, match="--config: found no file"):
        said("--config", f"{tmp_path}/missing.toml")

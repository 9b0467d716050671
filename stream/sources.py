"""Where settings come from, and what is said of those that are wrong.

    trivium.toml, environment, flags -> [Layer] -> values -> Settings, or a line for each fault

Knows names and places, not what any setting means.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic_settings import BaseSettings, TomlConfigSettingsSource

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pydantic import ValidationError

DEFAULT_FILE = Path("trivium.toml")
PREFIX = "TRIVIUM_"
PLAIN_SERVERS = "KAFKA_BOOTSTRAP_SERVERS"  # every Kafka tool's own name for it
# Not settings: where the tests find their clips, and what Kubernetes sets for a service named trivium.
NOT_SETTINGS = re.compile(r"TRIVIUM_(GRID|SERVICE_HOST|SERVICE_PORT(_.+)?|PORT(_.+)?)")


@dataclass(frozen=True)
class Layer:
    """The settings that one place gives: `place` says where a setting of that name stands there."""

    values: Mapping[str, object]
    place: Callable[[str], str]
    faults: Sequence[str] = field(default=())


def file_layer(settings: type[BaseSettings], config: Path | None) -> Layer:
    """`config` must be there; without it, `trivium.toml` is read if it is in the working directory."""
    path = config or DEFAULT_FILE
    if not path.is_file():
        missing = [f"--config: found no file {path}, expected a TOML file of settings"] if config else []
        return Layer({}, str, missing)
    try:
        values = TomlConfigSettingsSource(settings, path)()
    except (OSError, ValueError) as error:
        return Layer({}, str, [f"{path}: expected readable TOML, found: {error}"])
    return Layer(values, lambda _: str(path))


def environment_layer(environ: Mapping[str, str]) -> Layer:
    """Every `TRIVIUM_NAME`, and `KAFKA_BOOTSTRAP_SERVERS` where no `TRIVIUM_BOOTSTRAP_SERVERS` is."""
    variables = {
        name.removeprefix(PREFIX).lower(): name
        for name in environ
        if name.startswith(PREFIX) and not NOT_SETTINGS.fullmatch(name)
    }
    if environ.get(PLAIN_SERVERS):
        variables.setdefault("bootstrap_servers", PLAIN_SERVERS)
    return Layer({name: environ[variable] for name, variable in variables.items()}, variables.__getitem__)


def flag_layer(flags: Mapping[str, object]) -> Layer:
    """Take the flags that were given: `None` stands for one that was not."""
    return Layer({name: value for name, value in flags.items() if value is not None}, flag)


def flag(name: str) -> str:
    """Name the flag of a setting."""
    return "--" + name.replace("_", "-")


def shown(value: object) -> str:
    """Write a setting's value as an operator would."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def faults(error: ValidationError, layers: Sequence[Layer], names: Sequence[str]) -> list[str]:
    """One line a fault: the setting, what was found and where, what was expected."""
    return [
        _fault(item["type"], str(item["loc"][0]), item["input"], item["msg"], layers, names)
        for item in error.errors(include_url=False)
    ]


def _fault(kind: str, name: str, found: object, message: str, layers: Sequence[Layer], names: Sequence[str]) -> str:
    place = next((layer.place(name) for layer in reversed(layers) if name in layer.values), "the default")
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(name, names, n=1)
        return f"{name}: found in {place}, but there is no such setting" + (
            f"; did you mean {near[0]}?" if near else ""
        )
    return f"{name}: found {repr(found) if isinstance(found, str) else shown(found)} in {place}, expected {_expected(message)}"


def _expected(message: str) -> str:
    """Keep of pydantic's message neither the preamble nor how it tried to parse."""
    return message.removeprefix("Input should be ").removeprefix("Value error, ").partition(", unable")[0]

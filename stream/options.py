"""Every setting as a typer option, made from `Settings` so that none is named twice."""

from __future__ import annotations

import functools
import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, Literal, ParamSpec, TypeVar, get_args, get_origin

import typer

from stream.config import Settings
from stream.sources import DEFAULT_FILE, flag, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic.fields import FieldInfo

CONFIG = typer.Option(
    "--config", metavar="FILE", help="TOML file of settings.", show_default=f"{DEFAULT_FILE}, if it is there"
)
P = ParamSpec("P")
R = TypeVar("R")


def takes_settings(command: Callable[Concatenate[Settings, P], R]) -> Callable[..., R]:
    """Give a typer command `--config` and a flag for each setting, and call it with the checked whole.

    Flags reach `Settings.load` as they were typed, so that their faults are reported with all others; `ConfigError`
    passes through to the caller, who prints it and exits.

    Examples
    --------
    >>> app = typer.Typer()
    >>> @app.command()
    ... @takes_settings
    ... def serve(settings: Settings, verbose: bool = False) -> None:
    ...     "Run the service."
    """

    @functools.wraps(command)
    def loaded(**given: Any) -> R:
        flags = {name: given.pop(name) for name in Settings.model_fields}
        settings = Settings.load(given.pop("config"), **flags)
        return command(settings, **given)  # type: ignore[call-arg]

    own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
    config = _parameter("config", Annotated[Path | None, CONFIG])
    parameters = [*own, config, *(_option(*item) for item in Settings.model_fields.items())]
    loaded.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    loaded.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return loaded


def _option(name: str, field: FieldInfo) -> inspect.Parameter:
    switch = field.annotation is bool
    option = typer.Option(
        f"{flag(name)}/{flag('no_' + name)}" if switch else flag(name),
        metavar=None if switch else _metavar(name, field),
        help=field.description,
        show_default=shown(field.default) or "empty",
        rich_help_panel="Settings",
    )
    return _parameter(name, Annotated[bool | None, option] if switch else Annotated[str | None, option])


def _parameter(name: str, annotation: object) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _metavar(name: str, field: FieldInfo) -> str:
    choices = _choices(field.annotation)
    if choices:
        return "|".join(choices)
    unit = next((unit for unit in ("ms", "bytes", "file") if name.endswith(unit)), None)
    return unit.upper() if unit else "N" if field.annotation is int else "TEXT"


def _choices(annotation: object) -> tuple[str, ...]:
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    return next((found for part in get_args(annotation) if (found := _choices(part))), ())

"""What is heard and seen, as typer options: the same ones for `replay` and `recognize`."""

from __future__ import annotations

import functools
import inspect
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Concatenate, ParamSpec, TypeVar

import typer

from stream.errors import ConfigError
from stream.frame import Modality
from stream.noise import Noise
from stream.scene import Scene

P = ParamSpec("P")
R = TypeVar("R")
MAX_GAP_MS = 86_400_000
_GAP = re.compile(r"(\d{1,8})(?:-(\d{1,8}))?")

EACH = "MODALITY=NUMBER"


def takes_scene(command: Callable[Concatenate[Scene, P], R]) -> Callable[..., R]:
    """Give a typer command the options of `_scene` and call it with the `Scene` that they make."""
    options = inspect.signature(_scene, eval_str=True).parameters

    @functools.wraps(command)
    def staged(**given: Any) -> R:
        scene = _scene(**{name: given.pop(name) for name in options})
        return command(scene, **given)  # type: ignore[call-arg]

    own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
    parameters = [*own, *options.values()]
    staged.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    staged.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return staged


def _scene(
    *,
    gap_ms: Annotated[
        str, typer.Option(metavar="MS|MS-MS", help="Room between joined clips; a range is drawn.")
    ] = "1000",
    text: Annotated[Path | None, typer.Option(metavar="FILE", help="WebVTT or SRT: the session's text.")] = None,
    skew_ms: Annotated[
        list[str] | None, typer.Option(metavar=EACH, help="Stamp it so much later than captured: video=120.")
    ] = None,
    delay_ms: Annotated[list[str] | None, typer.Option(metavar=EACH, help="Send it so much later: video=300.")] = None,
    drop: Annotated[
        list[str] | None, typer.Option(metavar=EACH, help="Lose this share of it on its way: audio=0.1.")
    ] = None,
    without: Annotated[list[Modality] | None, typer.Option(metavar="MODALITY", help="Leave it out.")] = None,
    snr_db: Annotated[
        float | None, typer.Option(metavar="DB", help="Noise under the speech, this far below it.")
    ] = None,
    noise: Annotated[Noise, typer.Option(help="Six voices at once, or hiss.")] = Noise.BABBLE,
    seed: Annotated[int, typer.Option(metavar="N", help="The same seed gives the same gaps, noise and losses.")] = 0,
) -> Scene:
    if snr_db is not None and not -100 <= snr_db <= 100:
        raise ConfigError(f"--snr-db is {snr_db}: expected -100 to 100.")
    if text is not None and not text.is_file():
        raise ConfigError(f"--text is '{text}', which is not there: expected a WebVTT or SRT file.")
    left_out = frozenset(without or ())
    if left_out == frozenset(Modality):
        raise ConfigError("--without leaves nothing to play: leave out at most two of text, audio, video.")
    return Scene(
        snr_db=snr_db,
        noise=noise,
        gap_ms=_gap(gap_ms),
        text=text,
        skew_ms=_each("--skew-ms", skew_ms, -MAX_GAP_MS, MAX_GAP_MS),
        delay_ms=_each("--delay-ms", delay_ms, 0, MAX_GAP_MS),
        drop=_each("--drop", drop, 0, 1),
        without=left_out,
        seed=seed,
    )


def _gap(text: str) -> tuple[int, int]:
    found = _GAP.fullmatch(text)
    if found is not None:
        shortest, longest = int(found[1]), int(found[2] or found[1])
        if shortest <= longest <= MAX_GAP_MS:
            return shortest, longest
    raise ConfigError(f"--gap-ms is '{text}': expected whole milliseconds or a range of them, like 1000 or 1000-3000.")


def _each(option: str, given: Sequence[str] | None, least: float, most: float) -> dict[Modality, float]:
    """Read `audio=0.1`, given once or several times."""
    found: dict[Modality, float] = {}
    for text in given or ():
        name, _, number = text.partition("=")
        try:
            modality, value = Modality(name), float(number)
        except ValueError:
            modality, value = Modality.TEXT, math.nan
        if not least <= value <= most:
            known = ", ".join(Modality)
            raise ConfigError(f"{option} is '{text}': expected one of {known}, then = and {least} to {most}.")
        found[modality] = value
    return found

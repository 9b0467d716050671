"""Loss and error rates of a training run as pictures, a row a stage, from what each stage logged."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from stream.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

NOT_ERRORS = ("epoch", "loss", "seconds")
NAMES = {
    "words": "words wrongly read, of drawn sets",
    "a": "audio, clean",
    "a0": "audio, babble at 0 dB",
    "a-5": "audio, babble at -5 dB",
    "v": "video",
    "av": "audio + video, clean",
    "av0": "audio + video, babble at 0 dB",
    "av-5": "audio + video, babble at -5 dB",
    "avt0": "audio + video + one true word shown, 0 dB",
}


def draw(folders: list[Path], picture: Path) -> None:
    """Plot the logs of stages, each a folder with a `log.jsonl`, to an SVG.

    Raises
    ------
    ConfigError
        A stage has logged nothing.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.2 * len(folders)), layout="constrained")
    for folder, (left, right) in zip(folders, figure.subplots(len(folders), 2, squeeze=False), strict=True):
        _stage(folder.name, _logged(folder), left, right)
    figure.savefig(picture, metadata={"Date": None})


def _logged(folder: Path) -> list[dict[str, Any]]:
    log = folder / "log.jsonl"
    if not log.is_file():
        raise ConfigError(f"{log} is not there; train first: python -m models train speech.")
    return [json.loads(line) for line in log.read_text().splitlines()]


def _stage(name: str, lines: list[dict[str, Any]], left: Axes, right: Axes) -> None:
    epochs = [line["epoch"] for line in lines]
    left.plot(epochs, [line["loss"] for line in lines], color="black")
    left.set(title=f"{name}: training loss", xlabel="epoch", ylabel="nats")
    for key in (key for key in lines[0] if key not in NOT_ERRORS):
        right.plot(epochs, [line[key] for line in lines], label=NAMES.get(key, key))
    right.set(title=f"{name}: errors on what is held out", xlabel="epoch", ylabel="%", ylim=(0, 100))
    right.grid(alpha=0.3)
    right.legend(fontsize=8)

"""`python -m models train|compare|evaluate|export TASK`: from clips to a shipped bundle."""

from __future__ import annotations

import json
import logging
import os
import sys
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from models.bundle import SHIPPED
from models.plan import Plan
from stream.errors import ConfigError, TriviumError
from stream.noise import grid_folder

RUNS = Path(__file__).parents[1] / "runs"
Run = Annotated[str, typer.Option(help="Name of the training run, a folder in runs/.")]
Data = Annotated[Path | None, typer.Option(help="The GRID clips; default: TRIVIUM_GRID, or ../shared/data/grid.")]

app = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True, pretty_exceptions_enable=False)


class Task(StrEnum):
    """What can be trained."""

    SPEECH = "speech"


TaskName = Annotated[Task, typer.Argument(metavar="TASK", help="What it learns: speech.")]


@app.command()
def train(
    _task: TaskName,
    data: Data = None,
    run: Run = "speech",
) -> None:
    """Train a task's network; goes on where an earlier call was stopped.

    Example: python -m models train speech
    """
    _need("torch", "jiwer", "matplotlib")
    from models import curves
    from models.single import SINGLES
    from models.train import Training
    from models.train import train as run_training

    training = Training(_clips(data), RUNS / run, Plan())
    run_training(training)
    stages = [training.run / name for name in ("text", *SINGLES, "model")]
    curves.draw(stages, training.run / "curves.svg")


@app.command()
def compare(
    _task: TaskName,
    data: Data = None,
    run: Run = "speech",
) -> None:
    """Train and export what the shipped fusion is measured against, on the features of a run that is done.

    Other kinds of fusion, other SVD ranks, and each encoder's own network. `evaluate --bundles` measures them.

    Example: python -m models compare speech
    """
    _need("torch", "jiwer", "onnxscript")
    from models.export import export as write
    from models.train import Training
    from models.train import compare as train_others

    for model in train_others(Training(_clips(data), RUNS / run, Plan())):
        written = write(model, RUNS / run / "bundles" / model.stem, "0.0.0", [])
        typer.echo(written.directory)


@app.command()
def evaluate(
    _task: TaskName,
    data: Data = None,
    bundle: Annotated[str, typer.Option(help="A shipped bundle's name, or a directory.")] = "speech",
    clips: Annotated[int | None, typer.Option(help="Only so many of the test clips.", min=1)] = None,
    seeds: Annotated[int, typer.Option(help="So many draws of noise, losses and hints.", min=1)] = 5,
    bundles: Annotated[
        Path | None, typer.Option(help="Measure the bundles in this folder as well: kinds of fusion, ranks.")
    ] = None,
    peers: Annotated[bool, typer.Option("--peers", help="Measure other recognisers as well.")] = False,  # noqa: FBT002 typer's form of a flag
    report: Annotated[bool, typer.Option("--report", help="Write docs/hearing-and-seeing.md anew.")] = False,  # noqa: FBT002 typer's form of a flag
    run: Annotated[str | None, typer.Option(help="Keep the main figures in this run, for the next export.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array on standard output.")] = False,  # noqa: FBT002 typer's form of a flag
) -> None:
    """Measure a bundle on the test clips: noise, losses, skew, beside other fusions and other recognisers.

    Example: python -m models evaluate speech --json
    """
    _need("jiwer", "matplotlib")
    from models import evaluate as measure
    from models.measure.peers import peers as installed_peers

    if peers:
        installed_peers()  # refuses at once what would otherwise fail after minutes
    if run is not None and not (RUNS / run).is_dir():
        raise ConfigError(f"{RUNS / run} is not there; give the run whose network was exported.")
    rows = measure.evaluate(_clips(data), bundle, clips, seeds=seeds, compared=bundles, peers=peers)
    if run is not None:
        (RUNS / run / "metrics.json").write_text(json.dumps(measure.card(rows), indent=1) + "\n")
    if report:
        measure.write_report(rows)
    measure.show(rows, as_json=as_json)


@app.command()
def export(
    task: TaskName,
    run: Run = "speech",
    version: Annotated[str, typer.Option(help="The bundle's version.")] = "1.3.0",
    directory: Annotated[Path | None, typer.Option(help="Where to; default: the shipped bundle of that name.")] = None,
) -> None:
    """Write a trained network as a bundle, with the figures that `evaluate --run` kept.

    Example: python -m models export speech --version 1.3.1
    """
    _need("torch", "onnxscript")
    from models.export import export as write

    kept = RUNS / run / "metrics.json"
    metrics = json.loads(kept.read_text()) if kept.exists() else []
    model, heard = RUNS / run / "model.pt", RUNS / run / "audio.pt"
    if missing := [file for file in (heard, model) if not file.exists()]:
        raise ConfigError(f"{missing[0]} is not there; run `python -m models train {task}` to its end first.")
    written = write(model, directory or SHIPPED / task, version, metrics, heard)
    typer.echo(f"{written.directory} {written.digest}")


def _need(*modules: str) -> None:
    """Refuse at once what would otherwise fail after minutes."""
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        raise ConfigError(f"{' and '.join(missing)} is not installed, it comes with deploy/install --dev.")


def _clips(data: Path | None) -> Path:
    """Where the clips are; babble is made of the same ones."""
    folder = data or grid_folder()
    if not (folder / "transcripts.tsv").is_file():
        raise ConfigError(f"{folder} holds no transcripts.tsv; give the folder of the GRID clips by --data.")
    os.environ["TRIVIUM_GRID"] = str(folder)
    return folder


def main() -> None:
    """Run the command; an error is one line."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", stream=sys.stderr)
    try:
        app()
    except TriviumError as error:
        sys.stderr.write(f"models: {error}\n")
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()

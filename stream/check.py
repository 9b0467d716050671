"""`trivium check`: the start-up report, and what the models cost on the provider.

    settings -> report, then each graph's precision and largest difference from its golden vectors, then batch size
                against latency and throughput

Changes nothing, topics included. A report that is not clean ends with its faults, as `serve` would; what the models cost is
told all the same if they could be loaded, so that a GPU can be proven where no broker is.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from statistics import median

from rich.console import Console
from rich.table import Table

from stream.config import Settings
from stream.predict import Predictor
from stream.provider import Proof
from stream.startup import start_up

SEGMENT_SECONDS = 3  # length of the open segments that are timed
ROUNDS = 15


async def check(settings: Settings) -> None:
    """Print the report and the table.

    Raises
    ------
    ConfigError, JobError
        What is wrong, a line a fault.
    """
    console = Console(highlight=False)
    report = await start_up(settings, only_look=True)
    for name, value in report.found:
        console.print(f"{name:<11} {value}", soft_wrap=True)
    if report.predictor is not None:
        with closing(report.predictor) as predictor:
            console.print(f"{'golden':<11} all vectors come out right on {predictor.provider}")
            console.print(_proofs(predictor.models.proofs))
            console.print(_costs(predictor))
    report.checked()


def _proofs(proofs: Sequence[Proof]) -> Table:
    table = Table("graph", "precision", "largest difference", "allowed", title="outputs against the golden vectors")
    for column in table.columns[2:]:
        column.justify = "right"
    for proof in proofs:
        table.add_row(proof.graph, proof.precision, f"{proof.difference:.1e}", f"{proof.allowed:.0e}")
    return table


def _costs(predictor: Predictor) -> Table:
    hop_seconds = predictor.bundle.hop_ns / 1e9
    ticks = round(SEGMENT_SECONDS * 1e9) // predictor.bundle.tick_ns
    table = Table(
        "batch",
        "ms a call",
        "hops a second",
        "live sessions",
        title=f"one hop encoded, {SEGMENT_SECONDS} s fused, without decoding media",
    )
    for column in table.columns:
        column.justify = "right"
    for batch in range(1, predictor.max_batch + 1):
        seconds = _seconds(predictor, batch, ticks)
        table.add_row(
            str(batch), f"{1000 * seconds:.1f}", f"{batch / seconds:.0f}", f"{batch / seconds * hop_seconds:.0f}"
        )
    return table


def _seconds(predictor: Predictor, batch: int, ticks: int) -> float:
    """Median time of one batch, on one thread."""
    taken = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        predictor.rehearse(batch, ticks)
        taken.append(time.perf_counter() - started)
    return median(taken)

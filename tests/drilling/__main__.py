"""`tests/drills`: things die, or bad records come, while people talk; is every final there, once, and unchanged?"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields

from rich.console import Console
from rich.table import Table

from deploy.broker import Broker
from tests.benchmarks import clips
from tests.benchmarks.processes import exit_on_sigterm
from tests.benchmarks.report import progress, report
from tests.drilling import bad_input, broker_killed, broker_stopped, lanes_swapped, session_cleaned_up, worker_killed
from tests.drilling.course import Outcome
from tests.drilling.recovery import BAR_SECONDS, Recovery
from tests.drilling.stage import Order, own_broker

DRILLS: dict[str, Callable[[Broker | str, Order], Outcome]] = {
    "worker-killed": worker_killed.drill,
    "broker-killed": broker_killed.drill,
    "broker-stopped": broker_stopped.drill,
    "lanes-swapped": lanes_swapped.drill,
    "session-cleaned-up": session_cleaned_up.drill,
    "bad-input": bad_input.drill,
}
SHOWN = 5  # faults of a kind
TABLE_COLUMNS = 220  # where there is no terminal to fit in


def main() -> int:
    """Run the drills; 0 if nothing is wrong."""
    exit_on_sigterm()
    given = _parser().parse_args()
    order = Order(**{one.name: getattr(given, one.name) for one in fields(Order)})
    outcomes = []
    for name in given.drill or DRILLS:
        progress(f"{name}:")
        with own_broker() as broker:
            outcomes.append(DRILLS[name](broker, order))
    for outcome in outcomes:
        _tell_faults(outcome)
    if given.json:
        report("drills", figures(outcomes))
    else:
        console = Console()
        if not console.is_terminal:
            console.width = TABLE_COLUMNS
        console.print(table(outcomes))
    return 0 if all(passes(outcome) for outcome in outcomes) else 1


def passes(outcome: Outcome) -> bool:
    """Whether nothing is wrong, and it went on soon enough."""
    return not faults(outcome)


def faults(outcome: Outcome) -> dict[str, list[str]]:
    """What is wrong, by kind: with what was told, with how much of it was excused, with how soon it went on."""
    verdict = outcome.verdict
    found = verdict.faults()
    if verdict.loose > (most := verdict.most_loose()):
        found["by deadline"] = [f"{verdict.loose} of {verdict.expected} finals, expected {most} at most"]
    slow = [f"of {kind}: {line}" for kind, its in outcome.recoveries.items() for line in its.faults()]
    return {**found, "recovery": slow} if slow else found


def figures(outcomes: Sequence[Outcome]) -> dict[str, object]:
    """What is reported."""
    faulty = [
        kind for outcome in outcomes for kind in ("lost", "doubled", "changed") if kind in outcome.verdict.faults()
    ]
    recovered = [most for outcome in outcomes if (most := _slowest(outcome)) is not None]
    lost_or_doubled = sum(
        len(found) for outcome in outcomes for kind, found in outcome.verdict.faults().items() if kind in faulty
    )
    return {
        "finals_lost_or_doubled": lost_or_doubled,
        "recovery_seconds_most": max(recovered, default=None),
        "bars": {"finals_lost_or_doubled": 0, "recovery_seconds_most": BAR_SECONDS},
        "passes": all(passes(outcome) for outcome in outcomes),
        "clips": clips.source(),
        "drills": [_figures(outcome) for outcome in outcomes],
    }


def table(outcomes: Sequence[Outcome]) -> Table:
    """A line a drill."""
    shown = Table(title="failure drills")
    for column in ("drill", "times", "sessions", "finals", "alike", "by deadline", "lost", "doubled", "changed"):
        shown.add_column(column, justify="left" if column == "drill" else "right")
    for column in ("disordered", "different", "offsets", "leaks", "late", "unaccounted"):
        shown.add_column(column, justify="right")
    for column in ("recovery s", "cut short", "took s", ""):
        shown.add_column(column, justify="right")
    for outcome in outcomes:
        verdict = outcome.verdict
        kinds = (verdict.lost, verdict.doubled, verdict.changed, verdict.disordered, verdict.different)
        counts = (outcome.act.events, outcome.sessions, verdict.finals, verdict.alike, verdict.loose)
        most = _slowest(outcome)
        shown.add_row(
            outcome.drill,
            *map(str, counts),
            *(str(len(kind)) for kind in (*kinds, verdict.offsets, verdict.leaks, verdict.late, verdict.unaccounted)),
            "-" if most is None else f"{most:.1f}",
            str(sum(len(its.cut_short) for its in outcome.recoveries.values())),
            f"{outcome.seconds:.0f}",
            "ok" if passes(outcome) else "FAILED",
        )
    return shown


def _figures(outcome: Outcome) -> dict[str, object]:
    verdict = outcome.verdict
    return {
        "drill": outcome.drill,
        "times": outcome.act.events,
        "sessions": outcome.sessions,
        "finals": verdict.finals,
        "alike": verdict.alike,
        "by_deadline": verdict.loose,
        "by_deadline_most": verdict.most_loose(),
        "faults": faults(outcome),
        "recovery_seconds": {kind: _spread(its) for kind, its in outcome.recoveries.items()},
        "seconds": round(outcome.seconds),
        "passes": passes(outcome),
        **({"account": outcome.more} if outcome.more else {}),
    }


def _spread(found: Recovery) -> dict[str, object]:
    measured = sorted(found.seconds)
    return {
        "times": len(measured),
        "median": measured[len(measured) // 2] if measured else None,
        "most": max(measured, default=None),
        "cut_short": len(found.cut_short),
        "cut_short_after_most": max(found.cut_short, default=None),
        "untold": found.untold,
    }


def _slowest(outcome: Outcome) -> float | None:
    """Seconds that the slowest took, or took at least; None if none was measured."""
    return max((seconds for its in outcome.recoveries.values() for seconds in its.least()), default=None)


def _tell_faults(outcome: Outcome) -> None:
    for kind, found in faults(outcome).items():
        for line in found[:SHOWN]:
            progress(f"{outcome.drill}: {kind}: {line}")
        if len(found) > SHOWN:
            progress(f"{outcome.drill}: {kind}: and {len(found) - SHOWN} more")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tests/drills", description=__doc__, epilog="example: tests/drills --kills 20 worker-killed"
    )
    named = f"{', '.join(DRILLS)}; all, unless some are named"
    parser.add_argument("drill", nargs="*", type=_drill, metavar="DRILL", help=named)
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output instead of the table")
    parser.add_argument("--kills", type=int, default=Order.kills, help="of a worker")
    parser.add_argument("--swaps", type=int, default=Order.swaps, help="of lanes between two workers")
    parser.add_argument("--stop-seconds", type=float, default=Order.stop_seconds, help="that the broker is stopped")
    parser.add_argument("--seed", type=int, default=Order.seed, help="draws the moments")
    parser.add_argument("--rooms", type=int, default=Order.rooms, help="in which people talk")
    parser.add_argument("--copies", type=int, default=Order.copies, help="of each room's session that talk at once")
    parser.add_argument("--clips", type=int, default=Order.clips, help="of each session")
    parser.add_argument("--records", type=int, default=Order.records, help="mutated ones, of bad-input")
    parser.add_argument("--per-second", type=float, default=Order.per_second, help="of them")
    parser.add_argument("--delivery", default=Order.delivery, help="what the workers promise")
    return parser


def _drill(name: str) -> str:
    if name not in DRILLS:
        raise argparse.ArgumentTypeError(f"found {name!r}, expected one of {', '.join(DRILLS)}")
    return name


if __name__ == "__main__":
    sys.exit(main())

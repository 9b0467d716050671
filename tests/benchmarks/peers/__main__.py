"""Trivium beside stream processors of others: the same broker, the same records, each system in a process of its own.

    python -m tests.benchmarks.peers --json

backlog
    32 sessions of 60 s (sound 50 records a second of 640 bytes, pictures 25 of 3,000, text 1 of 40; 4 partitions) lie in the
    topics, in the order of capture. All systems read them from the start, taking turns. Trivium takes them through its
    consumer, parser and aligner to hops, commits included, and decodes nothing. Quix Streams joins each sound with the newest
    picture and then text (`join_asof` twice). Kafka Streams makes the same pairs by two windowed joins with in-memory
    stores, with and without changelog. From the first record to the last: `records_per_second`, `cpu_us_per_record` (user
    and system, all threads); `whole_cpu_us_per_record` is of the process from its start to its end. `peak_mib` is the most
    that was ever resident. Medians of the runs. `ratio` is Trivium's records a second over a peer's, `cpu_ratio` the same of
    records a second of processor time. `raw-consumer` is a yardstick: the bare client that Trivium reads with.
live
    The same sessions at real-time speed. `delay` is from the moment when the newest sound in an output was captured whole
    until the output is there: of a hop its end, of a join its sound's. Scenes: all three speak, in step with the grid of
    hops; the same, each session beginning anywhere; and the pictures stop when the measuring begins (pairs come out as left
    joins make them). `sender_late` is how late the records were sent, which is in all delays. For Trivium beside it:
    `sound_delay` counts for each sound also the wait until its hop is whole; `beyond_deadline` is of the hops that went out
    at their deadline, beyond it.

It makes its own environment in `.cache/peers` (Quix Streams, the jars of Kafka Streams) and wants `javac`.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from pathlib import Path

import orjson

from tests.benchmarks.peers.environment import prepare
from tests.benchmarks.peers.figures import backlog_figures, live_figures, ratios, whole_report
from tests.benchmarks.peers.records import Scene, on_grid_ms
from tests.benchmarks.peers.runs import Live, Runs, Told
from tests.benchmarks.peers.systems import BACKLOG, LIVE
from tests.benchmarks.processes import ROOT, stage
from tests.benchmarks.report import benchmark_parser, progress

RESULTS = Path(__file__).with_name("results.json")
SCENES = {
    "speaking": {"spread": False, "video": True},
    "off_the_grid": {"spread": True, "video": True},
    "video_silent": {"spread": False, "video": False},
}


def main() -> None:
    """Make the environment, take turns, report."""
    parser = benchmark_parser(__doc__)
    parser.add_argument("--runs", type=int, default=5, help="over the backlog, of each system; 0: leave it out")
    parser.add_argument("--seconds", type=int, default=60, help="length of the sessions in the backlog")
    parser.add_argument("--live-seconds", type=int, default=30, help="measured in each scene; 0: leave it out")
    parser.add_argument("--only", action="append", help="a system by its name, again for more")
    parser.add_argument("--output", type=Path, default=RESULTS, help="where the result is written as well")
    given = parser.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.ERROR)  # that new topics have no leader yet is no news
    environment = prepare()
    with stage() as found:
        found.environment["PYTHONPATH"] = str(ROOT)
        runs = Runs(found, environment)
        told = backlog(runs, given.runs, given.seconds, given.only)
        lives = live(runs, given.live_seconds, given.only)
    figures = {"backlog": backlog_figures(told), "ratios": ratios(told), "live": live_figures(lives)}
    told_by_all = whole_report(figures, environment)
    given.output.write_bytes(orjson.dumps(told_by_all, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    print(orjson.dumps(told_by_all).decode(), flush=True)


def backlog(runs: Runs, count: int, seconds: int, only: list[str] | None) -> dict[str, list[tuple[Told, Scene]]]:
    """All systems over the same records, one after another, so many times."""
    told: dict[str, list[tuple[Told, Scene]]] = defaultdict(list)
    if not count:
        return told
    scene = Scene(on_grid_ms((time.time() - seconds - 1) * 1000), seconds)
    progress(f"writing {scene.count()} records")
    with runs.written(scene) as prefix:
        for run in range(count):
            for system in (system for system in BACKLOG if not only or system.name in only):
                one = runs.backlog(system, prefix, scene)
                told[system.name].append((one, scene))
                rate = one.line["records"] / one.line["seconds"]
                progress(f"run {run + 1}: {system.name}: {rate:,.0f} records a second, {one.line['outputs']} outputs")
    return told


def live(runs: Runs, seconds: int, only: list[str] | None) -> dict[str, dict[str, Live]]:
    """All systems in all scenes."""
    lives: dict[str, dict[str, Live]] = {}
    if not seconds:
        return lives
    for name, scene in SCENES.items():
        lives[name] = {}
        for system in (system for system in LIVE if not only or system.name in only):
            one = lives[name][system.name] = runs.live(system, seconds, **scene)
            progress(f"live, {name}: {system.name}: {len(one.delays_ms())} outputs measured")
    return lives


if __name__ == "__main__":
    main()

"""How much of the machine the service leaves to its models: `trivium serve` against its own decode and model calls, bare.

Eight camera sessions (360x288 JPEG and sound, each of clips joined by a second of room noise) lie in the topics before
anything is measured, written by the code of `trivium replay --speed 0`, merged in live order.

service
    `trivium serve`, a process of its own with a new group and empty `progress` and `predictions`. Its time counts from
    ready (it then takes its lanes over and fetches) to the `published_ms` of the last final; start-up does not count.
bare
    This process, before anything is measured, serves the same topics once with a Predictor that notes every call with
    its very input, in order: the payloads decoded for a hop (sound to samples, JPEG to pictures, the face finder on the
    first of them) and each ONNX Runtime call as it was batched and padded. It then makes the same calls again from a
    pool of as many threads as the service computes with (`threads`), with nothing in between: no Kafka, no parsing,
    alignment, cropping, batching or JSON, no waiting of one call for another. Batches form by what happens to wait
    together, so those of the measured runs are not the same to the call; `calls` and `service_calls` tell both.

Figure `ratio`: median bare seconds / median service seconds; bar: at least 0.85. Service and bare runs take turns, so
that a machine that slows down slows both. The broker shares the machine with the service, and its time counts against
the service. `ratio_with_cropping` is beside it the same quotient where a hop's decoding is all that a worker thread of the
service does with its media: placing it on the tick grid, following the head and cropping the mouth too.
`cpu_ms_per_session_second` is the processor time of the service and its decoding processes from ready to the end over the length
of the sessions; `cpu_ratio` the same quotient as `ratio`, of processor time.
"""

from __future__ import annotations

import asyncio
import gc
import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from models.bundle import load
from stream import topics
from stream.config import Settings
from stream.publish import Prediction
from stream.replay import Source, sources
from stream.scene import Scene
from stream.send import Pace, play
from stream.times import NS_PER_SECOND
from stream.watch import following
from tests.benchmarks import clips
from tests.benchmarks.bare import Call, Cost, make_all, noted, told
from tests.benchmarks.processes import Stage, exit_on_sigterm, serving, stage
from tests.benchmarks.report import benchmark_parser, progress, report, spread

SESSIONS = 8
CLIPS = 15  # of each session: a minute
GAP_MS = 1000
BAR = 0.85
TIMEOUT_SECONDS = 600.0


@dataclass(frozen=True)
class Run:
    """One run of the service, and after it one of its calls."""

    cost: Cost
    bare: Cost
    whole: Cost  # with all that is done to a hop's media
    finals: int
    calls: int  # of the models, batches counted once
    rows: int


def main() -> None:
    """Write, note, take turns, report."""
    parser = benchmark_parser(__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--sessions", type=int, default=SESSIONS)
    parser.add_argument("--clips", type=int, default=CLIPS, help="of each session")
    parser.add_argument("--decoders", type=int, help="processes that decode pictures; 0: threads do; else the default")
    given = parser.parse_args()
    with stage() as found:
        settings = found.settings(http="127.0.0.1:0", group="noted")
        threads = settings.threads or len(os.sched_getaffinity(0))
        written = cameras(found, given.sessions, given.clips)
        seconds = sum(source.length_ns for source in written) / NS_PER_SECOND
        progress(f"writing {len(written)} sessions, {seconds:.0f} s in all")
        records = asyncio.run(write(settings, written))
        progress(f"{records} records are written; noting the calls of the service")
        calls = asyncio.run(noted(settings, len(written)))
        exit_on_sigterm()
        gc.freeze()  # what is noted stays: no run is to look through it
        make_all(calls[: len(calls) // 10], threads)
        options = () if given.decoders is None else ("--decoders", str(given.decoders))
        runs = [measured(found, len(written), run, calls, threads, options) for run in range(given.runs)]
        made = {"calls": told(calls), "records": records, "threads": threads, "clips": clips.source()}
        report("service", {**figures(runs, seconds), **made, "sessions": given.sessions})


def cameras(found: Stage, sessions: int, count: int) -> list[Source]:
    """Sessions of different clips, each of so many joined."""
    scene = Scene(gap_ms=(GAP_MS, GAP_MS))
    played: list[Source] = []
    for number in range(sessions):
        paths = [clip.path for clip in clips.take(count, found.folder, number * count)]
        played += sources(paths, scene, session=f"camera-{number + 1}", join=True)
    return played


async def write(settings: Settings, played: Sequence[Source]) -> int:
    """All of it, as fast as Kafka takes it."""
    scene = Scene(gap_ms=(GAP_MS, GAP_MS))
    return await play(settings, played, scene, Pace(load(settings.bundle).hop_ns, 0), lambda _: None)


def measured(
    found: Stage, sessions: int, run: int, noted_calls: Sequence[Call], threads: int, options: Sequence[str]
) -> Run:
    """The real service over the same inputs, as if nobody had read them before; then its calls, bare."""
    found.remove_topics(topics.PROGRESS, topics.PREDICTIONS)
    with serving(found, "--group", f"run-{run + 1}", *options) as service:
        cpu_before = service.cpu_seconds()
        after = service.wait_until_ended(sessions, TIMEOUT_SECONDS)
        cpu_seconds = service.cpu_seconds() - cpu_before
        finals_ms = asyncio.run(_published_ms(found.settings(), sessions))
    cost = Cost(max(finals_ms) / 1000 - service.ready_at, cpu_seconds)
    calls, rows = (round(after[f"trivium_batch_size_{part}"]) for part in ("count", "sum"))
    progress(f"run {run + 1}: served in {cost.seconds:.2f} s, {cost.cpu_seconds:.2f} s of processor time")
    bare, whole = make_all(noted_calls, threads), make_all(noted_calls, threads, whole=True)
    return Run(cost, bare, whole, len(finals_ms), calls, rows)


async def _published_ms(settings: Settings, sessions: int) -> list[float]:
    """When each final was published, once all sessions are told to have ended."""
    finals_ms: list[float] = []
    ended = 0
    async with asyncio.timeout(60), following(settings, from_beginning=True) as news:
        async for message in news:
            if not isinstance(message, Prediction):
                ended += message.state == "ended"
            elif message.is_final:
                finals_ms.append(message.times.published_ms)
            if ended == sessions:
                break
    return finals_ms


def figures(runs: Sequence[Run], session_seconds: float) -> dict[str, object]:
    """The ratio, and what it is made of."""
    service, bare, whole = [run.cost for run in runs], [run.bare for run in runs], [run.whole for run in runs]
    seconds = {
        "service_seconds": [cost.seconds for cost in service],
        "bare_seconds": [cost.seconds for cost in bare],
        "bare_seconds_with_cropping": [cost.seconds for cost in whole],
    }
    ratio = _quotient(seconds["bare_seconds"], seconds["service_seconds"])
    cpu_ms = [cost.cpu_seconds * 1000 / session_seconds for cost in service]
    return {
        "ratio": round(ratio, 3),
        "bar": BAR,
        "passes": ratio >= BAR,
        "cpu_ms_per_session_second": round(statistics.median(cpu_ms), 1),
        "cpu_ratio": round(_quotient([cost.cpu_seconds for cost in bare], [cost.cpu_seconds for cost in service]), 3),
        "ratio_with_cropping": round(_quotient(seconds["bare_seconds_with_cropping"], seconds["service_seconds"]), 3),
        "spread": {
            "ratio": spread([one.seconds / other.seconds for one, other in zip(bare, service, strict=True)]),
            "cpu_ms_per_session_second": spread(cpu_ms),
            **{name: spread(values) for name, values in seconds.items()},
        },
        "session_seconds": session_seconds,
        "times_real_time": round(session_seconds / statistics.median(seconds["service_seconds"]), 1),
        "finals": [run.finals for run in runs],
        "service_calls": [{"calls": run.calls, "rows": run.rows} for run in runs],
    }


def _quotient(over: Sequence[float], under: Sequence[float]) -> float:
    return statistics.median(over) / statistics.median(under)


if __name__ == "__main__":
    main()

"""What is given up at rising load, and how far sound alone goes: live camera sessions, more and more of them.

One `trivium serve` stays up all the time. Each load is so many camera sessions (360x288 JPEG and sound, the same joined clips,
sent at real-time speed by one `trivium replay`, all in step), from their start to their end; then the next, until the finals
are no longer in time. At last the first load comes again: what is given up then shows whether all has come back without a
restart. Broker, generator and service share the machine.

A final is in time if it is published within 1,300 ms after the end of the hop in which the endpoint's wait ran out: 300 ms,
and the second that a hop may wait before anything is given up. `final_p99_ms` leaves out a session's first 10 s, in which
the steps are taken; `with_rise_p99_ms` does not.

sessions_in_time, sessions_whole
    The largest load whose `final_p99_ms` is in time, up to there, and the largest of which nothing was given up besides.
factor
    The first over the second: how much further sound and text alone go. None if one of them is 0.
"""

from __future__ import annotations

import asyncio
import http.client
import math
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from prometheus_client.parser import text_string_to_metric_families

from models.bundle import Bundle, load
from stream.frame import Modality
from stream.hop import Outcome
from stream.overload import STEPS
from stream.publish import Prediction
from stream.watch import following
from tests.benchmarks import clips
from tests.benchmarks.live import due_ms
from tests.benchmarks.processes import TRIVIUM, Service, Stage, finish, running, serving, stage
from tests.benchmarks.report import benchmark_parser, percentile, progress, report

LOADS = (8, 16, 24, 32, 48, 64, 96, 128)
IN_TIME_MS = 1_300.0
RISE_MS = 10_000.0
PAUSE_SECONDS = 15.0
GRACE_SECONDS = 300.0

Labelled = Counter[tuple[str, ...]]


@dataclass(frozen=True)
class Load:
    """What one load came to."""

    sessions: int
    finals: int
    final_p50_ms: float
    final_p99_ms: float
    with_rise_p99_ms: float
    given_up: dict[str, int]  # by step
    pictures_shed: float  # a share
    sound: dict[str, int]  # frames by their outcome: none may be shed

    @property
    def in_time(self) -> bool:
        """Whether readers got what was said when they needed it."""
        return self.final_p99_ms <= IN_TIME_MS and not (self.sound["shed"] or self.sound["overflow"])

    @property
    def whole(self) -> bool:
        """Whether nothing was given up."""
        return self.in_time and not any(self.given_up.values())


def main() -> None:
    """Raise the load, then take it back; report."""
    parser = benchmark_parser(__doc__)
    parser.add_argument("--loads", type=int, nargs="+", default=LOADS, help="sessions of each")
    parser.add_argument("--clips", type=int, default=15, help="of each session")
    given = parser.parse_args()
    with stage() as found, serving(found) as service:
        bundle = load(found.settings().bundle)
        loads: list[Load] = []
        for sessions in given.loads:
            loads.append(played(found, service, bundle, sessions, given.clips))
            time.sleep(PAUSE_SECONDS)
            if not loads[-1].in_time:
                break
        again = played(found, service, bundle, given.loads[0], given.clips, "again")
        report("overload", {**figures(loads, again), "clips": clips.source()})


def played(found: Stage, service: Service, bundle: Bundle, sessions: int, count: int, kind: str = "load") -> Load:
    """Play one load to its end."""
    name = f"{kind}-{sessions}"
    paths = [str(clip.path) for clip in clips.take(count, found.folder)]
    options = ["--join", "--sessions", str(sessions), "--session", name]
    ended = service.metrics()["trivium_sessions_ended_total"]
    steps, frames = labelled(service, "trivium_degraded"), labelled(service, "trivium_frames")
    with running(found, [*TRIVIUM, "replay", *options, *paths], f"{name}.log") as process:
        service.wait_until_ended(round(ended) + sessions, GRACE_SECONDS + 5 * count)
        finish(process, "trivium replay", found.folder / f"{name}.log", GRACE_SECONDS)
    latencies_ms = asyncio.run(_latencies_ms(found, bundle, name, sessions))
    steps, frames = labelled(service, "trivium_degraded") - steps, labelled(service, "trivium_frames") - frames
    settled_ms = [latency_ms for into_ms, latency_ms in latencies_ms if into_ms >= RISE_MS]
    all_ms = [latency_ms for _, latency_ms in latencies_ms]
    result = Load(
        sessions=sessions,
        finals=len(all_ms),
        final_p50_ms=round(percentile(settled_ms, 0.5), 1),
        final_p99_ms=round(percentile(settled_ms, 0.99), 1),
        with_rise_p99_ms=round(percentile(all_ms, 0.99), 1),
        given_up={str(step): steps[(step,)] for step in STEPS},
        pictures_shed=_share(frames, Modality.VIDEO, Outcome.SHED),
        sound={str(outcome): frames["audio", outcome] for outcome in Outcome},
    )
    progress(f"{name}: {result}")
    return result


def figures(loads: Sequence[Load], again: Load) -> dict[str, object]:
    """How far it went whole and in time, and each load."""
    in_time = max((one.sessions for one in loads if one.in_time), default=0)
    whole = max((one.sessions for one in loads if one.whole), default=0)
    return {
        "factor": round(in_time / whole, 2) if in_time and whole else None,
        "sessions_in_time": in_time,
        "sessions_whole": whole,
        "in_time_ms": IN_TIME_MS,
        "loads": [asdict(one) for one in loads],
        "again": asdict(again),
    }


def labelled(service: Service, family_name: str) -> Labelled:
    """A counter of /metrics by the values of its labels."""
    connection = http.client.HTTPConnection(service.address, timeout=30)
    try:
        connection.request("GET", "/metrics")
        families = text_string_to_metric_families(connection.getresponse().read().decode())
    finally:
        connection.close()
    samples = (sample for family in families if family.name == family_name for sample in family.samples)
    return Counter({tuple(sample.labels.values()): round(sample.value) for sample in samples})


async def _latencies_ms(found: Stage, bundle: Bundle, name: str, sessions: int) -> list[tuple[float, float]]:
    """Of each final: how far into its session it ended, and how late it was published."""
    finals: list[Prediction] = []
    starts_ms: dict[str, float] = {}
    ends_ms: dict[str, float] = {}
    async with asyncio.timeout(GRACE_SECONDS), following(found.settings(), from_beginning=True) as news:
        async for message in news:
            if not message.session.startswith(f"{name}-"):
                continue
            if isinstance(message, Prediction):
                finals += [message] if message.is_final else []
            elif message.state == "started":
                starts_ms[message.session] = message.start_ms
            else:
                ends_ms[message.session] = math.inf if message.end_ms is None else message.end_ms
            if len(ends_ms) == sessions:
                break
    return [
        (
            final.end_ms - starts_ms[final.session],
            final.times.published_ms - due_ms(final.end_ms, ends_ms[final.session], bundle),
        )
        for final in finals
    ]


def _share(frames: Labelled, modality: str, outcome: str) -> float:
    total = sum(count for (name, _), count in frames.items() if name == modality)
    return round(frames[modality, outcome] / total, 4) if total else 0.0


if __name__ == "__main__":
    main()

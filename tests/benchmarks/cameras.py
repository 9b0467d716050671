"""How many live camera sessions this machine serves before finals come late, and what gives way.

`trivium serve` runs; a process of its own plays so many sessions at once, at real-time speed: GRID's test clips joined by a
second of room noise, each picture a JPEG of 360x288 and about 10 kB at 25 a second, or, with `--mouth`, crops of the mouth
(`ce_region: mouth`). Everything is cut and encoded beforehand; four clips' worth of different speech is played by all sessions
in turns, each beginning a little later than the one before, on partitions in turn. Broker, service, sender and the reader of
results share the machine. Sessions are added step by step, each step with a service that was started anew, until a step's p99
exceeds the bar or what is wanted is reached.

final_p99_ms
    From the end of the hop in which the endpoint's wait ran out (as in `live.py`) until a `read_committed` subscriber has
    the final, which includes the transaction. `published_p99_ms` is the same until the service hands it to Kafka.

Figure `sessions`: the most that held the bar of 300 ms. `breaks` is the first step that did not; `cpu` tells of each step who
used how many of the cores: service, broker, sender, reader.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from heapq import merge
from pathlib import Path

import orjson

from models.bundle import load
from stream.config import Settings
from stream.frame import to_record
from stream.publish import Prediction
from stream.scene import Scene, Timed, takes, timed
from stream.times import NS_PER_MS, NS_PER_SECOND
from stream.watch import following
from tests.benchmarks import clips
from tests.benchmarks.live import due_ms
from tests.benchmarks.mouths import mouths_only
from tests.benchmarks.processes import Service, Stage, finish, running, serving, stage
from tests.benchmarks.report import benchmark_parser, percentile, progress, report
from tests.benchmarks.sending import Due, send_on_time
from tests.benchmarks.usage import cpu_seconds_by, listening_at

BAR_MS = 300.0
WANTED = {"scene": 16, "mouth": 32}
SOURCES = 4  # of different speech
GAP_MS = 1000
STAGGER_NS = 130 * NS_PER_MS
HEAD_START_NS = 2 * NS_PER_SECOND  # from when all is cut and encoded
MAKING_SECONDS = 60.0  # at most
GRACE_SECONDS = 60.0


@dataclass(frozen=True)
class Step:
    """So many sessions at once."""

    sessions: int
    final_ms: list[float]  # latencies as a subscriber has them
    published_ms: list[float]
    unfinished: int  # sessions whose end was not seen in time
    cpu: dict[str, float]  # cores used, by whom
    late_ms: float  # p95 of the sender's own delay

    def holds(self) -> bool:
        """Whether finals came in time."""
        return not self.unfinished and bool(self.final_ms) and percentile(self.final_ms, 0.99) <= BAR_MS

    def told(self) -> dict[str, object]:
        """As the report says it."""
        shares = {"p50": 0.5, "p99": 0.99}
        named = {"final": self.final_ms, "published": self.published_ms}
        return {
            "sessions": self.sessions,
            "finals": len(self.final_ms),
            "unfinished": self.unfinished,
            **{
                f"{name}_{place}_ms": round(percentile(values, share), 1)
                for name, values in named.items()
                for place, share in shares.items()
                if values
            },
            "late_p95_ms": round(self.late_ms, 1),
            "cpu": {who: round(cores, 2) for who, cores in self.cpu.items()},
        }


@dataclass
class Watched:
    """What a subscriber has had of one step."""

    finals: list[tuple[float, Prediction]] = field(default_factory=list)  # each with when, in ms
    ends_ms: dict[str, float] = field(default_factory=dict)  # of the sessions that have ended
    began: float = 0.0  # the first result, on the monotonic clock,
    before: dict[str, float] = field(default_factory=dict)  # and processor time until then


def main() -> None:
    """Step by step; report."""
    parser = benchmark_parser(__doc__)
    parser.add_argument("--mouth", action="store_true", help="send crops of the mouth")
    parser.add_argument("--first", type=int, default=8, help="sessions of the first step")
    parser.add_argument("--step", type=int, default=4, help="sessions more a step")
    parser.add_argument("--most", type=int, default=96, help="sessions of the last step")
    parser.add_argument("--clips", type=int, default=10, help="of each session: about 40 s")
    parser.add_argument("--send", type=int, help="send so many sessions, from this process; for the steps")
    given = parser.parse_args()
    if given.send:
        late_ms = asyncio.run(_send(Settings.load(None, os.environ), given.send, given.clips, mouth=given.mouth))
        print(orjson.dumps(percentile(late_ms, 0.95)).decode(), flush=True)
        return
    steps: list[Step] = []
    with stage() as found:
        for sessions in range(given.first, given.most + 1, given.step):
            steps.append(taken(found, sessions, given.clips, mouth=given.mouth))
            progress(str(steps[-1].told()))
            if not steps[-1].holds():
                break
    report("cameras", {**figures(steps, "mouth" if given.mouth else "scene"), "clips": clips.source()})


def figures(steps: Sequence[Step], kind: str) -> dict[str, object]:
    """How far it went."""
    held = [step.sessions for step in steps if step.holds()]
    broken = [step.told() for step in steps if not step.holds()]
    most = max(held, default=0)
    return {
        "sessions": most,
        "bar": WANTED[kind],
        "passes": most >= WANTED[kind],
        "pictures": kind,
        "breaks": broken[0] if broken else None,
        "steps": [step.told() for step in steps],
    }


def taken(found: Stage, sessions: int, count: int, *, mouth: bool) -> Step:
    """One step: a service of its own, the sender, and a subscriber in this process."""
    name = f"step-{sessions}"
    command = [sys.executable, "-m", "tests.benchmarks.cameras", "--send", str(sessions), "--clips", str(count)]
    output = found.folder / f"{name}.json"
    with (
        serving(found, "--group", name) as service,
        running(found, [*command, *(["--mouth"] if mouth else [])], f"{name}.log", output) as sender,
    ):
        pids = {
            "service": service.process_ids(),
            "sender": [sender.pid],
            "broker": listening_at(found.address),
            "reader": [os.getpid()],
        }
        watched = asyncio.run(_watched(found, service, sessions, count, lambda: cpu_seconds_by(pids)))
        seconds, after = time.monotonic() - watched.began, cpu_seconds_by(pids)
        finish(sender, "the sender", found.folder / f"{name}.log", GRACE_SECONDS)
    bundle, ends_ms = load(found.settings().bundle), watched.ends_ms
    due = [due_ms(one.end_ms, ends_ms.get(one.session, float("inf")), bundle) for _, one in watched.finals]
    return Step(
        sessions,
        [at_ms - when for (at_ms, _), when in zip(watched.finals, due, strict=True)],
        [one.times.published_ms - when for (_, one), when in zip(watched.finals, due, strict=True)],
        sessions - len(ends_ms),
        {who: (used - watched.before[who]) / seconds for who, used in after.items()},
        orjson.loads(output.read_bytes()),
    )


async def _watched(
    found: Stage, service: Service, sessions: int, count: int, cpu_seconds: Callable[[], dict[str, float]]
) -> Watched:
    """Follow the results of this step until all its sessions have ended, or the time is over."""
    watched, prefix = Watched(), _prefix(sessions)
    with suppress(TimeoutError):
        async with asyncio.timeout(_longest_seconds(count, sessions)), following(found.settings()) as news:
            async for message in news:
                service.check()
                if not message.session.startswith(prefix):
                    continue
                if not watched.before:
                    watched.began, watched.before = time.monotonic(), cpu_seconds()
                if isinstance(message, Prediction):
                    if message.is_final:
                        watched.finals.append((time.time() * 1000, message))
                elif message.end_ms is not None:
                    watched.ends_ms[message.session] = message.end_ms
                if len(watched.ends_ms) == sessions:
                    break
    return watched


async def _send(settings: Settings, sessions: int, count: int, *, mouth: bool) -> list[float]:
    """All sessions at real-time speed; how late each record was, in ms."""
    began_ns = time.time_ns()
    played = await asyncio.to_thread(_sources, settings, count, mouth=mouth)
    start_ns = time.time_ns() + HEAD_START_NS
    progress(f"made in {(time.time_ns() - began_ns) / NS_PER_SECOND:.1f} s")
    roads = [_session(settings, sessions, number, played[number % len(played)], start_ns) for number in range(sessions)]
    return await send_on_time(settings, merge(*roads, key=_at_ns))


def _sources(settings: Settings, count: int, *, mouth: bool) -> list[list[Timed]]:
    """Different speech, cut and encoded."""
    made: list[list[Timed]] = []
    for number in range(SOURCES):
        chosen = clips.take(count, Path.cwd(), number * count)
        scene = Scene(gap_ms=(GAP_MS, GAP_MS), seed=number)
        pieces = list(timed(takes([clip.path for clip in chosen], scene), scene))
        made.append(mouths_only(pieces, load(settings.bundle)) if mouth else pieces)
    return made


def _session(settings: Settings, sessions: int, number: int, pieces: list[Timed], start_ns: int) -> Iterator[Due]:
    """One session's records, each when a live source would have it."""
    start_ns += number * STAGGER_NS
    for there_ns, item in pieces:
        stamped = replace(
            item,
            session=f"{_prefix(sessions)}{number}",
            time_ns=start_ns + item.time_ns,
            partition=number % settings.partitions,
        )
        yield Due(start_ns + there_ns, to_record(stamped, settings.topic_prefix + item.modality))


def _prefix(sessions: int) -> str:
    return f"camera-{sessions}-"


def _longest_seconds(count: int, sessions: int) -> float:
    """How long a step may take: clips of 3 s at most and their gaps."""
    begun = MAKING_SECONDS + (HEAD_START_NS + sessions * STAGGER_NS) / NS_PER_SECOND
    return begun + count * (3.1 + GAP_MS / 1000) + GRACE_SECONDS


def _at_ns(due: Due) -> int:
    return due.at_ns


if __name__ == "__main__":
    main()

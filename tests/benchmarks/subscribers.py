"""How many can watch one session over Server-Sent Events, how soon they have its finals, and what each of them costs.

One `trivium serve` without sources; finals, and three interims before each, are published straight to its topic, so that
nothing is measured but the way from there to the readers, who are a process of their own. Three parts:

- `--readers` (1,000) follow one session: finals lost or doubled, time from the commit's acknowledgement to each reader's hands,
  resident memory of the service's process with them less without them, a reader.
- A hundred readers, in turn without and with one among them that reads nothing: the others' p99, with over without.
- One reader whose connection is broken off twenty times and resumed by its last id: finals lost or doubled.

Bars: 0 lost or doubled, p99 at most 250 ms, at most 64 KiB a reader, at most 1.10 of the p99.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from aiokafka import AIOKafkaProducer

from stream import clients, topics
from stream.config import Settings
from stream.publish import Prediction, prediction_record
from tests.benchmarks.processes import Service, Stage, finish, serving, stage
from tests.benchmarks.report import benchmark_parser, percentile, progress, report, spread
from tests.watching import prediction

READERS = Path(__file__).with_name("readers.py")
SESSION = "talk"
TEXT = "place red at j zero now"
INTERIMS = 3
GRACE_SECONDS = 60.0
BARS = {"p99_ms": 250.0, "memory_a_reader_kib": 64.0, "stuck_ratio": 1.1}


@dataclass(frozen=True)
class Read:
    """What readers had: of each its finals' numbers, and of all the ms from the commit."""

    numbers: list[list[int]]
    waits_ms: list[float]

    def missed(self, expected: Sequence[int]) -> dict[str, int]:
        """Finals that a reader lacked, and that it had twice, over all readers."""
        lost = sum(len(set(expected) - set(numbers)) for numbers in self.numbers)
        return {"lost": lost, "doubled": sum(len(numbers) - len(set(numbers)) for numbers in self.numbers)}


class Talk:
    """A session that goes on and on: numbers its finals, and notes when each was committed."""

    def __init__(self, settings: Settings) -> None:
        self.committed: dict[int, float] = {}
        self._settings = settings
        self._next = 0

    async def speak(self, count: int, interval_seconds: float) -> list[int]:
        """Publish so many finals, an interval apart, with interims between."""
        numbers = [*range(self._next, self._next + count)]
        transactions: dict[str, str | int] = {"transactional_id": f"{self._settings.topic_prefix}benchmark"}
        async with clients.producer(self._settings) as beside, clients.producer(self._settings, **transactions) as lane:
            for number in numbers:
                for revision in range(1, INTERIMS + 1):
                    await self._send(beside, prediction(SESSION, number, TEXT, revision=revision))
                    await asyncio.sleep(interval_seconds / (INTERIMS + 1))
                async with lane.transaction():
                    await self._send(lane, prediction(SESSION, number, f"{number} {TEXT}", revision=9, is_final=True))
                self.committed[number] = time.time()
                await asyncio.sleep(interval_seconds / (INTERIMS + 1))
        self._next += count
        return numbers

    async def _send(self, producer: AIOKafkaProducer, said: Prediction) -> None:
        topic = self._settings.topic_prefix + topics.PREDICTIONS
        record = prediction_record(said, topic, 0, "/benchmark")
        await producer.send_and_wait(topic, record.value, record.key, partition=0, headers=list(record.headers))


def main() -> None:
    """Speak to many, to some of whom one is stuck, and to one who is broken off; report."""
    parser = benchmark_parser(__doc__)
    parser.add_argument("--readers", type=int, default=1000)
    parser.add_argument("--finals", type=int, default=60, help="of the first part, one a second")
    parser.add_argument(
        "--runs", type=int, default=15, help="of the second part; a p99 is that of its worst final, so a few say little"
    )
    given = parser.parse_args()
    with stage() as found, serving(found, "--events-clients", str(given.readers + 10)) as service:
        talk = Talk(found.settings())
        asyncio.run(talk.speak(100, 0.02))  # warm, and something to be stuck on
        many = to_many(found, service, talk, given.readers, given.finals)
        ratios = [beside_one_stuck(found, service, talk) for _ in range(given.runs)]
        broken = broken_off(found, service, talk)
        report("subscribers", figures(many, ratios, broken, given.readers))


def to_many(found: Stage, service: Service, talk: Talk, readers: int, finals: int) -> dict[str, object]:
    """Finals to many readers of one session."""
    progress(f"{readers} readers, {finals} finals")
    before = resident_bytes(service)
    read, numbers, after = heard(found, service, talk, finals, 1.0, "--readers", str(readers))
    return {
        **read.missed(numbers),
        **{f"p{share * 100:g}_ms": round(percentile(read.waits_ms, share), 1) for share in (0.5, 0.95, 0.99)},
        "memory_a_reader_kib": round((after - before) / readers / 1024, 1),
    }


def beside_one_stuck(found: Stage, service: Service, talk: Talk) -> float:
    """The p99 of a hundred readers with one stuck beside them over that without."""
    p99_ms = []
    for stuck in ("0", "1"):
        progress(f"100 readers, stuck beside them: {stuck}")
        read, numbers, _ = heard(found, service, talk, 60, 0.2, "--readers", "100", "--stuck", stuck)
        if any(read.missed(numbers).values()):
            raise RuntimeError(f"readers beside a stuck one: {read.missed(numbers)}")
        p99_ms.append(percentile(read.waits_ms, 0.99))
    return p99_ms[1] / p99_ms[0]


def broken_off(found: Stage, service: Service, talk: Talk) -> dict[str, int]:
    """Finals to one reader whose connection breaks twenty times."""
    progress("one reader, broken off 20 times")
    read, numbers, _ = heard(found, service, talk, 60, 0.2, "--reconnects", "20")
    return read.missed(numbers)


def heard(
    found: Stage, service: Service, talk: Talk, finals: int, interval_seconds: float, *options: str
) -> tuple[Read, list[int], int]:
    """What readers have of so many finals; their numbers; the service's memory at the end."""
    last = max(talk.committed) + finals
    limit = finals * interval_seconds * 2 + GRACE_SECONDS
    url = f"http://{service.address}/sessions/{SESSION}/events"
    output, log = found.folder / f"readers-{last}.json", f"readers-{last}.log"
    command = [sys.executable, str(READERS), url, "--last", str(last), "--timeout-seconds", str(limit), *options]
    process = found.start(command, log, output)
    try:
        wait_for_readers(service, process, options)
        numbers = asyncio.run(talk.speak(finals, interval_seconds))
        resident = resident_bytes(service)
        finish(process, "the readers", found.folder / log, limit)
    finally:
        process.kill()
    had = json.loads(output.read_text())["finals"]
    waits_ms = [max(0.0, at - talk.committed[number]) * 1000 for one in had for number, at in one]
    return Read([[number for number, _ in one] for one in had], waits_ms), numbers, resident


def wait_for_readers(service: Service, process: subprocess.Popen[bytes], options: Sequence[str]) -> None:
    """Until all of them are there."""
    wanted = int(options[options.index("--readers") + 1]) if "--readers" in options else 1
    until = time.monotonic() + GRACE_SECONDS
    while service.metrics()["trivium_events_clients"] < wanted:
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"of {wanted} readers {service.metrics()['trivium_events_clients']:.0f} are there")
        time.sleep(0.2)


def resident_bytes(service: Service) -> int:
    """Resident memory of the process that serves, without those that decode pictures."""
    lines = Path(f"/proc/{service.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


def figures(many: dict[str, object], ratios: list[float], broken: dict[str, int], readers: int) -> dict[str, object]:
    """All of it, and whether it is within the bars."""
    ratio = statistics.median(ratios)
    figure = {
        "p99_ms": many["p99_ms"],
        "memory_a_reader_kib": many["memory_a_reader_kib"],
        "stuck_ratio": round(ratio, 3),
    }
    missed = [many["lost"], many["doubled"], *broken.values()]
    within = all(float(str(figure[name])) <= bar for name, bar in BARS.items())
    return {
        **figure,
        "bars": BARS,
        "passes": within and not any(missed),
        "readers": readers,
        "of_many": many,
        "stuck_ratios": spread(ratios),
        "broken_off": broken,
    }


if __name__ == "__main__":
    main()

"""Bad input: thousands of mutated records beside one clean speaker after another, and every one of them accounted for.

    mutants, clean sessions -> [trivium serve] -> outcomes + dead letters = records; clean finals as without the mutants

Each record ends as one dead letter or one counted outcome. Clean finals are held against `trivium recognize`, and timed from
the arrival of the last sound used.
"""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from deploy.broker import Broker
from models.synthetic import speak, write_clip
from stream.errors import Reason
from stream.publish import Prediction
from tests.benchmarks.processes import TRIVIUM, Stage, _get, serving
from tests.drilling.accounted import account, at_rest, memory, told
from tests.drilling.course import Act, Outcome
from tests.drilling.judge import Verdict
from tests.drilling.pouring import PARTITIONS, Pour, pour, resident_mib
from tests.drilling.stage import Order, stage

DRILL = "bad input"
SETTINGS = {"TRIVIUM_PARTITIONS": str(PARTITIONS), "TRIVIUM_SESSION_END_MS": "3000"}
HOP_MS = 320
MOST_GROWTH_MIB = 250.0  # of memory; the bombs among them would take ten times as much
LATE_MS = 3_000.0  # a machine on which other tests have just run is slow; 100 ms is usual

Heard = tuple[object, ...]


@dataclass(frozen=True)
class Borne:
    """How the service bore it.

    Attributes
    ----------
    figures : dict
        What is reported.
    expected : list
        What is heard in each clean session when nothing is beside it.
    finals : dict
        Of each clean session.
    """

    figures: dict[str, Any]
    expected: Sequence[Heard]
    finals: Mapping[str, Sequence[Prediction]]


def drill(where: Broker | str, order: Order) -> Outcome:
    """Pour in as many mutated records as the order says."""
    began = time.monotonic()
    with stage(where, lanes=PARTITIONS, delivery=order.delivery) as found:
        clip = found.folder / "synthetic.mp4"
        write_clip(clip, speak(seed=3, sentences=2))
        borne = bear(found, clip, Pour(order.records, order.per_second, order.seed))
    seconds = time.monotonic() - began
    act = Act(events=borne.figures["records"])
    return Outcome(DRILL, act, verdict(borne), {}, seconds, len(borne.finals), borne.figures)


def bear(stage: Stage, clip: Path, order: Pour) -> Borne:
    """Run it; nothing is judged here."""
    stage = replace(stage, environment=stage.environment | SETTINGS)
    alone = subprocess.Popen(
        [*TRIVIUM, "recognize", "--json", "--session", "alone", clip], stdout=subprocess.PIPE, env=stage.environment
    )
    with serving(stage) as service:
        expected = [heard(Prediction.model_validate_json(line)) for line in alone.communicate()[0].splitlines()]
        began, used = time.monotonic(), service.cpu_seconds()
        sent = asyncio.run(pour(stage, service, clip, order))
        seconds = time.monotonic() - began
        counted = at_rest(service, sent)
        used = service.cpu_seconds() - used
        ready = _get(service.address, "/readyz")[0]
        sent.resident_mib.append(resident_mib(service, service.process_ids()))
        service.check()
    letters, finals = asyncio.run(told(stage.settings(), sent.clean))
    figures = {
        "records": sent.records,
        "kinds": len(sent.kinds),
        "seconds": round(seconds, 1),
        "processor_ms_a_record": round(1000 * used / sent.records, 2),
        **account(counted, sent),
        "letters": len(letters),
        "letters_by_reason": dict(Counter(letters).most_common()),
        "unknown_reasons": sorted({*letters} - {*Reason}),
        "ready": ready,
        "stopped_with": service.process.returncode,
        **memory(sent.resident_mib),
        "clean_sessions": len(sent.clean),
        "clean_finals": sum(map(len, finals.values())),
        "clean_ms_most": max((_late_ms(one) for its in finals.values() for one in its), default=None),
    }
    return Borne(figures, expected, finals)


def verdict(borne: Borne) -> Verdict:
    """What is wrong: with finals of the clean sessions, with the account of the records, with the service itself."""
    figures, found = borne.figures, Verdict(finals=sum(map(len, borne.finals.values())))
    for session, finals in sorted(borne.finals.items()):
        said = [heard(one) for one in finals]
        if said == list(borne.expected):
            found.alike += len(said)
        elif len(said) != len(borne.expected):
            kind = found.lost if len(said) < len(borne.expected) else found.doubled
            kind.append(f"{session} has {len(said)} finals, expected {len(borne.expected)}")
        else:
            pairs = zip(said, borne.expected, strict=True)
            found.different += [f"{session}: {one}, expected {its}" for one, its in pairs if one != its]
        found.late += [
            f"{session}: a final came after {_late_ms(one):.0f} ms" for one in finals if _late_ms(one) > LATE_MS
        ]
    if figures["unaccounted"]:
        found.unaccounted.append(f"{figures['unaccounted']} records have neither an outcome nor a dead letter, or both")
    if figures["letters"] != figures["dead_letters"]:
        found.unaccounted.append(f"{figures['letters']} dead letters lie there, {figures['dead_letters']} are counted")
    if figures["unknown_reasons"]:
        found.unaccounted.append(f"dead letters bear unknown reasons: {figures['unknown_reasons']}")
    if (figures["ready"], figures["stopped_with"]) != (200, 0):
        found.leaks.append(f"/readyz said {figures['ready']}, then it stopped with {figures['stopped_with']}")
    if figures["growth_mib"] > MOST_GROWTH_MIB:
        found.leaks.append(f"a process grew by {figures['growth_mib']:.0f} MiB, expected {MOST_GROWTH_MIB:.0f} at most")
    return found


def _late_ms(final: Prediction) -> float:
    return final.times.published_ms - final.times.ingested_ms


def heard(final: Prediction) -> Heard:
    """What must not depend on when it was played, or beside what; a picture that its sender was late with is there all the same."""
    zero_ms = final.start_ms // HOP_MS * HOP_MS
    words = [(word.word, round(word.start_ms - zero_ms), round(word.end_ms - zero_ms)) for word in final.words]
    statuses = ["present" if result.status == "late" else result.status for result in final.modalities.values()]
    return final.text, round(final.end_ms - zero_ms), words, statuses

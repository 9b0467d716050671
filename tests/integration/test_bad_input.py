"""Two thousand mutated records beside a clean speaker: each is accounted for, and the speaker's finals are as without them."""

import os
from pathlib import Path

from stream.errors import Reason
from tests.benchmarks.processes import Stage
from tests.drilling.bad_input import drill
from tests.synthetic_clips import SyntheticClip

RECORDS = 2_000
MOST_GROWTH_MIB = 250.0  # of memory; the bombs among them would take ten times as much
LATE_MS = 3_000.0  # a machine on which other tests have just run is slow; 100 ms is usual


def test_mutated_records_are_all_accounted_for_and_harm_nobody_else(
    broker: str, topic_prefix: str, tmp_path: Path, synthetic_clip: SyntheticClip
) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TRIVIUM_")}
    named = {"KAFKA_BOOTSTRAP_SERVERS": broker, "TRIVIUM_TOPIC_PREFIX": topic_prefix}
    stage = Stage(broker, topic_prefix, tmp_path, kept | named)
    found = drill(stage, synthetic_clip.path, records=RECORDS, per_second=400.0)
    told = str(found)
    assert found["unaccounted"] == 0, told
    assert (found["letters"], found["unknown_reasons"]) == (found["dead_letters"], []), told
    assert (found["ready"], found["stopped_with"]) == (200, 0), told
    assert found["resident_mib_most"] - found["resident_mib_first"] < MOST_GROWTH_MIB, told
    assert found["clean_finals"] == 2 * found["clean_sessions"], told
    assert (found["clean_changed"], found["clean_ms_most"] < LATE_MS) == ([], True), told
    assert {*found["letters_by_reason"]} >= {*Reason} - {Reason.OVERFLOW}, told

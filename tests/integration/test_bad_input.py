"""Two thousand mutated records beside a clean speaker: each is accounted for, and the speaker's finals are as without them."""

import os
from pathlib import Path

import pytest

from stream.errors import Reason
from tests.benchmarks.processes import Stage
from tests.drilling.bad_input import bear, verdict
from tests.drilling.pouring import Pour
from tests.synthetic_clips import SyntheticClip

RECORDS = 2_000


@pytest.mark.alone
def test_mutated_records_are_all_accounted_for_and_harm_nobody_else(
    broker: str, topic_prefix: str, tmp_path: Path, synthetic_clip: SyntheticClip
) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TRIVIUM_")}
    named = {"KAFKA_BOOTSTRAP_SERVERS": broker, "TRIVIUM_TOPIC_PREFIX": topic_prefix}
    stage = Stage(broker, topic_prefix, tmp_path, kept | named)
    borne = bear(stage, synthetic_clip.path, Pour(RECORDS))
    told = str(borne.figures)
    assert verdict(borne).faults() == {}, told
    assert borne.figures["records"] > RECORDS, told  # and the ends
    assert borne.figures["clean_finals"] == 2 * borne.figures["clean_sessions"] > 0, told
    assert {*borne.figures["letters_by_reason"]} >= {*Reason} - {Reason.OVERFLOW}, told

"""Metrics: shown from the start, from closed sets, and gone with their lane."""

from __future__ import annotations

import re
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from stream import metrics
from stream.errors import Reason
from stream.frame import Modality
from stream.hop import Outcome, Status


def value(name: str, **labels: str) -> float | None:
    return metrics.REGISTRY.get_sample_value(name, labels)


def test_every_outcome_of_every_modality_shows_before_it_happens() -> None:
    for modality in Modality:
        for outcome in Outcome:
            assert value("trivium_frames_total", modality=modality, outcome=outcome) is not None


def test_every_reason_of_a_dead_letter_shows_before_it_happens() -> None:
    for reason in Reason:
        assert value("trivium_dead_letters_total", reason=reason) is not None


def test_every_status_of_every_modality_shows_before_it_happens() -> None:
    for modality in Modality:
        for status in Status:
            assert value("trivium_modality_status_total", modality=modality, status=status) is not None


def test_every_metric_is_moved_somewhere_in_the_service() -> None:
    code = "".join(path.read_text() for path in Path(metrics.__file__).parent.glob("*.py"))
    names = [name for name, found in vars(metrics).items() if isinstance(found, Counter | Gauge | Histogram)]
    assert [name for name in names if not re.search(rf"\b(metrics\.{name}|{name}\.set)\b", code)] == []


def test_counting_moves_the_series_that_was_shown() -> None:
    before = value("trivium_frames_total", modality="audio", outcome="late") or 0
    metrics.FRAMES.labels(Modality.AUDIO, "late").inc()
    assert value("trivium_frames_total", modality="audio", outcome="late") == before + 1


def test_a_lane_that_is_given_back_takes_its_series_with_it() -> None:
    metrics.BUFFERED_BYTES.labels(7).set(1)
    metrics.CONSUMER_LAG_RECORDS.labels("audio", 7).set(1)
    metrics.CONSUMER_LAG_SECONDS.labels("audio", 7).set(1)
    metrics.forget_lane(7, ["audio", "video"])
    assert value("trivium_buffered_bytes", lane="7") is None
    assert value("trivium_consumer_lag_records", topic="audio", partition="7") is None
    assert value("trivium_consumer_lag_seconds", topic="audio", partition="7") is None


def test_no_metric_has_a_session_among_its_labels() -> None:
    labels = {label for family in metrics.REGISTRY.collect() for sample in family.samples for label in sample.labels}
    assert not {label for label in labels if "session" in label}


def test_every_metric_but_those_of_the_process_carries_the_prefix_and_a_help_text() -> None:
    for family in metrics.REGISTRY.collect():
        assert family.name.startswith(("trivium_", "process_", "python_"))
        assert family.documentation.strip()


def test_the_process_and_its_platform_are_told_as_well() -> None:
    names = {family.name for family in metrics.REGISTRY.collect()}
    assert "python_info" in names
    assert "process_resident_memory_bytes" in names


def test_latencies_resolve_the_bars_that_they_are_held_to() -> None:
    for name in ("interim", "final"):
        for bound in ("0.005", "0.3", "0.5", "0.9", "10.0"):
            assert value(f"trivium_{name}_latency_seconds_bucket", le=bound) is not None


def test_the_page_is_exposed_without_creation_times() -> None:
    assert b"_created" not in generate_latest(metrics.REGISTRY)


def test_no_metric_lands_in_the_librarys_own_registry() -> None:
    assert isinstance(metrics.REGISTRY, CollectorRegistry)
    assert "trivium_" not in str(sorted(_default_names()))


def _default_names() -> set[str]:
    from prometheus_client import REGISTRY

    return {family.name for family in REGISTRY.collect()}

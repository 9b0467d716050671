"""What the comparison with other stream processors sends, and what it makes of the answers."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import orjson
import pytest

from stream.frame import Frame, Modality, parse
from tests.benchmarks.peers.figures import backlog_figures, live_figures, ratios
from tests.benchmarks.peers.records import PARTITIONS, Scene, on_grid_ms
from tests.benchmarks.peers.runs import Live, Told

START_MS = on_grid_ms(1_795_514_270_000)
SHORT = Scene(START_MS, 2, sessions=5)


def told(records: int, outputs: int, seconds: float, **more: object) -> Told:
    line = {"records": records, "outputs": outputs, "seconds": seconds, "cpu_seconds": seconds, "peak_mib": 100.0}
    return Told(line | more, whole_cpu_seconds=2 * seconds, whole_seconds=3 * seconds)


def test_the_records_are_as_many_as_the_comparison_names() -> None:
    scene = Scene(START_MS)
    assert (scene.count(), scene.sounds(), scene.frames()) == (145_920, 96_000, 144_000)


def test_all_records_are_frames_of_the_contract_in_the_order_of_capture() -> None:
    sendings = list(SHORT.captured())
    frames = [parse(one.record, Modality(one.record.topic), {}, 900_000) for one in sendings]
    assert all(isinstance(frame, Frame) for frame in frames)
    assert Counter(len(one.record.value or b"") for one in sendings) == {640: 500, 3_000: 250, 40: 10}
    assert all(one.capture_ms <= other.capture_ms for one, other in pairwise(sendings))
    assert all(
        frame.time_ns == one.record.timestamp_ms * 1_000_000 for frame, one in zip(frames, sendings, strict=True)
    )


def test_a_session_lies_in_one_partition_of_all_topics() -> None:
    places = {(one.record.key, one.record.partition) for one in SHORT.captured()}
    assert len(places) == SHORT.sessions
    assert {partition for _, partition in places} == set(range(PARTITIONS))


def test_live_sound_is_sent_when_it_is_complete_and_a_picture_at_once() -> None:
    sendings = list(SHORT.live())
    assert all(one.there_at_ms <= other.there_at_ms for one, other in pairwise(sendings))
    waits_ms = {one.record.topic: one.there_at_ms - one.capture_ms for one in sendings}
    assert waits_ms == {"audio": 20, "video": 0, "text": 0}


def test_pictures_stop_and_the_rest_goes_on() -> None:
    scene = Scene(START_MS, 2, sessions=1, video_seconds=1)
    assert Counter(one.record.topic for one in scene.live()) == {"audio": 100, "video": 25, "text": 2}


def test_ratios_are_of_medians() -> None:
    rates = {"trivium": (2.0, 1.0, 9.0), "quix": (20.0, 10.0, 11.0)}
    runs = {name: [(told(100, 100, seconds), SHORT) for seconds in values] for name, values in rates.items()}
    assert ratios(runs) == {"quix": {"ratio": 5.5, "cpu_ratio": 5.5, "bar": 5.0, "passes": True}}


def test_a_peer_that_drops_records_is_no_comparison() -> None:
    with pytest.raises(RuntimeError, match="is not the task"):
        backlog_figures({"quix": [(told(SHORT.count(), SHORT.sounds() // 2, 1.0), SHORT)]})


def test_only_what_was_captured_while_it_was_measured_counts() -> None:
    line = told(9, 4, 1.0, live=[(900, 999.0), (1_100, 10.0), (1_900, 20.0), (2_100, 999.0)])
    one = Live(line, 1_000, 2_000, [1.0])
    assert one.delays_ms() == [10.0, 20.0]
    figures = live_figures({"off_the_grid": {"quix": one}})
    assert '"p95":20.0,"p99":20.0,"most":20.0,"count":2' in orjson.dumps(figures).decode()

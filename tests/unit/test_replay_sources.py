"""Sessions and records: who is called what, and what is stamped."""

from pathlib import Path

import pytest

from stream.content import audio_l16
from stream.errors import ConfigError
from stream.frame import End, Frame, Modality, parse
from stream.replay import Clock, on_hop, pieces, records, sources
from stream.scene import Scene
from tests.synthetic_clips import SyntheticClip

MS = 1_000_000
HOP_NS = 320 * MS
TOPICS = {modality: f"dev-{modality}" for modality in Modality}
DEFAULTS = {Modality.AUDIO: audio_l16(8000, 2), Modality.VIDEO: "image/png", Modality.TEXT: "text/plain;charset=utf-8"}
CLOCK = Clock(captured_ns=5_000 * HOP_NS, produced_ns=9_000 * HOP_NS)


@pytest.fixture
def clip(synthetic_clip: SyntheticClip) -> Path:
    return synthetic_clip.path


def test_a_session_is_called_as_its_clip_unless_a_name_is_given(clip: Path) -> None:
    assert sources([clip], Scene())[0].sessions == ("synthetic",)
    assert sources([clip], Scene(), session="talk")[0].sessions == ("talk",)
    assert sources([clip], Scene(), copies=3)[0].sessions == ("synthetic-1", "synthetic-2", "synthetic-3")
    assert sources([clip, clip], Scene(), join=True)[0].sessions == ("synthetic",)


def test_two_clips_with_one_stem_are_refused(clip: Path) -> None:
    with pytest.raises(ConfigError, match=r"would both be session 'synthetic'.*rename one"):
        sources([clip, Path("elsewhere") / clip.name], Scene())


def test_one_name_for_two_sessions_is_refused(clip: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.mp4"
    other.symlink_to(clip)
    with pytest.raises(ConfigError, match="One session name was given for 2 clips"):
        sources([clip, other], Scene(), session="talk")


def test_a_name_that_no_kafka_key_can_hold_is_refused(clip: Path) -> None:
    with pytest.raises(ConfigError, match="1 to 128 bytes"):
        sources([clip], Scene(), session="é" * 65)


def test_records_say_what_parse_reads_back_for_every_copy(clip: Path) -> None:
    played = sources([clip], Scene(text=clip.with_suffix(".vtt")), copies=2)
    for piece in pieces(played, Scene(text=clip.with_suffix(".vtt"))):
        made = list(records(piece, CLOCK, TOPICS))
        assert [record.key for record in made] == [b"synthetic-1", b"synthetic-2"]
        for record in made:
            item = piece.timed.item
            read = parse(record, item.modality, DEFAULTS, 900_000)
            assert record.topic == f"dev-{item.modality}"
            assert record.timestamp_ms == (CLOCK.produced_ns + piece.timed.available_ns) // MS
            assert read.time_ns == CLOCK.captured_ns + item.time_ns
            assert type(read) is type(item)
            if isinstance(read, Frame) and isinstance(item, Frame):
                assert (read.payload, read.sequence, read.region) == (item.payload, item.sequence, "scene")
                assert read.duration_ns == item.duration_ns


def test_sessions_are_sent_side_by_side(clip: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.mp4"
    other.symlink_to(clip)
    made = list(pieces(sources([clip, other], Scene()), Scene()))
    assert [piece.timed.available_ns for piece in made] == sorted(piece.timed.available_ns for piece in made)
    assert {piece.source.sessions for piece in made[:4]} == {("synthetic",), ("other",)}
    assert sum(isinstance(piece.timed.item, End) for piece in made) == 4


@pytest.mark.parametrize(("time_ns", "expected_ns"), [(0, 0), (1, HOP_NS), (HOP_NS, HOP_NS), (HOP_NS + 1, 2 * HOP_NS)])
def test_time_0_lies_on_a_hop_boundary(time_ns: int, expected_ns: int) -> None:
    assert on_hop(time_ns, HOP_NS) == expected_ns

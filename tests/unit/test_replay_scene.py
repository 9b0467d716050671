"""What is heard and seen: clips end to end with room between, in live order, lost and late as asked."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream import clip
from stream.frame import End, Frame, Modality
from stream.scene import Scene, Timed, quietest, takes, timed
from tests.synthetic_clips import SyntheticClip

MS = 1_000_000
AUDIO, VIDEO, TEXT = Modality.AUDIO, Modality.VIDEO, Modality.TEXT
Play = Callable[..., list[Timed]]


@pytest.fixture
def play(synthetic_clip: SyntheticClip) -> Play:
    def played(scene: Scene | None = None, copies: int = 1) -> list[Timed]:
        scene = scene or Scene()
        return list(timed(takes([synthetic_clip.path] * copies, scene), scene))

    return played


def frames(pieces: list[Timed], modality: Modality) -> list[Frame]:
    return [piece.item for piece in pieces if isinstance(piece.item, Frame) and piece.item.modality is modality]


def ends(pieces: list[Timed]) -> dict[Modality, int]:
    return {piece.item.modality: piece.item.time_ns for piece in pieces if isinstance(piece.item, End)}


def sound(pieces: list[Timed]) -> bytes:
    return b"".join(frame.payload for frame in frames(pieces, AUDIO))


def test_a_session_is_the_clips_own_sound_and_pictures(play: Play, synthetic_clip: SyntheticClip) -> None:
    pieces = play()
    assert sound(pieces) == clip.samples(synthetic_clip.path).astype(">i2").tobytes()
    seen = [clip.Picture(frame.time_ns, frame.duration_ns or 0, frame.payload) for frame in frames(pieces, VIDEO)]
    assert seen == list(clip.pictures(synthetic_clip.path))


def test_pieces_come_in_the_order_in_which_they_are_there_live(play: Play) -> None:
    for piece in (pieces := play()):
        item = piece.item
        if isinstance(item, Frame):
            ready_ns = item.time_ns + (item.duration_ns or 0) if item.modality is AUDIO else item.time_ns
            assert piece.available_ns == ready_ns
    assert [piece.available_ns for piece in pieces] == sorted(piece.available_ns for piece in pieces)


def test_sound_comes_in_chunks_of_20_ms_without_a_hole(play: Play) -> None:
    chunks = frames(play(), AUDIO)
    assert all(len(chunk.payload) == 640 for chunk in chunks[:-1])
    assert all(one.time_ns + (one.duration_ns or 0) == two.time_ns for one, two in pairwise(chunks))


def test_each_modality_used_is_numbered_without_a_gap_and_ended_after_its_last_frame(play: Play) -> None:
    pieces = play()
    for modality in (AUDIO, VIDEO):
        its = frames(pieces, modality)
        assert [frame.sequence for frame in its] == list(range(len(its)))
        assert ends(pieces)[modality] == its[-1].time_ns + (its[-1].duration_ns or 0)
    assert TEXT not in ends(pieces)


def test_a_gap_holds_the_quietest_of_the_clip_before_it_and_its_last_picture(
    play: Play, synthetic_clip: SyntheticClip
) -> None:
    scene = Scene(gap_ms=(1000, 1000))
    first, second = takes([synthetic_clip.path] * 2, scene)
    assert second.start_ns == first.span_ns + 1000 * MS
    pieces = play(scene, 2)
    alone = clip.samples(synthetic_clip.path)
    heard = np.frombuffer(sound(pieces), ">i2")
    gap = heard[len(alone) : second.start_ns * 16 // MS]
    assert np.array_equal(gap, np.resize(quietest(alone), len(gap)))
    assert np.array_equal(heard[second.start_ns * 16 // MS :], alone)
    shown = [frame for frame in frames(pieces, VIDEO) if first.span_ns <= frame.time_ns < second.start_ns]
    assert len(shown) == 25
    assert {frame.payload for frame in shown} == {list(clip.pictures(synthetic_clip.path))[-1].jpeg}


def test_drawn_gaps_lie_in_their_range_and_follow_from_the_seed(synthetic_clip: SyntheticClip) -> None:
    def gaps_ms(seed: int) -> list[int]:
        laid = takes([synthetic_clip.path] * 20, Scene(gap_ms=(1000, 3000), seed=seed))
        return [take.gap_ns // MS for take in laid]

    assert gaps_ms(1) == gaps_ms(1) != gaps_ms(2)
    assert all(1000 <= gap_ms <= 3000 for gap_ms in gaps_ms(1)[:-1])
    assert len(set(gaps_ms(1))) > 5
    assert gaps_ms(1)[-1] == 0


@given(samples=st.lists(st.integers(-3000, 3000), min_size=1, max_size=40), rest=st.integers(0, 5000))
def test_the_quietest_200_ms_are_no_louder_than_any_others(samples: list[int], rest: int) -> None:
    sounded = np.repeat(np.array(samples, np.int16), 200)[: 8000 - rest]
    found = quietest(sounded)
    assert len(found) == min(3200, len(sounded))
    energy = (found.astype(float) ** 2).sum()
    assert all(
        energy <= (sounded[at : at + 3200].astype(float) ** 2).sum() for at in range(0, len(sounded) - 3199, 160)
    )


def test_a_skew_moves_stamps_and_not_when_it_is_there(play: Play) -> None:
    true, skewed = play(), play(Scene(skew_ms={VIDEO: 120}))
    assert [piece.available_ns for piece in skewed] == [piece.available_ns for piece in true]
    moved = zip(frames(true, VIDEO), frames(skewed, VIDEO), strict=True)
    assert {there.time_ns - here.time_ns for here, there in moved} == {120 * MS}
    assert frames(true, AUDIO) == frames(skewed, AUDIO)


def test_a_delay_moves_when_it_is_there_and_not_its_stamps(play: Play) -> None:
    true, delayed = play(), play(Scene(delay_ms={VIDEO: 300}))
    assert frames(true, VIDEO) == frames(delayed, VIDEO)
    late = [piece for piece in delayed if piece.item.modality is VIDEO and isinstance(piece.item, Frame)]
    assert {piece.available_ns - piece.item.time_ns for piece in late} == {300 * MS}
    assert [piece.available_ns for piece in delayed] == sorted(piece.available_ns for piece in delayed)


def test_lost_frames_leave_holes_in_the_numbers_that_the_seed_decides(play: Play) -> None:
    def numbers(seed: int) -> list[int | None]:
        return [frame.sequence for frame in frames(play(Scene(drop={AUDIO: 0.3}, seed=seed)), AUDIO)]

    whole = len(frames(play(), AUDIO))
    assert numbers(1) == numbers(1) != numbers(2)
    assert len(numbers(1)) == pytest.approx(0.7 * whole, rel=0.2)
    assert max(number or 0 for number in numbers(1)) > 0.9 * whole


def test_what_is_left_out_is_neither_sent_nor_ended(play: Play) -> None:
    pieces = play(Scene(without=frozenset({VIDEO})))
    assert {piece.item.modality for piece in pieces} == {AUDIO}


def test_text_is_there_at_its_start_and_holds_until_its_end_or_the_next(play: Play, tmp_path: Path) -> None:
    path = tmp_path / "a.vtt"
    path.write_text(
        "WEBVTT\n\n00:00.500 --> 00:01.500\nplace red\n\n00:01.200 --> 00:01.600\nat j\n\n01:00.000 --> 01:01.000\nnever\n"
    )
    pieces = play(Scene(text=path))
    shown = [(frame.time_ns // MS, (frame.duration_ns or 0) // MS, frame.payload) for frame in frames(pieces, TEXT)]
    assert shown == [(500, 700, b"place red"), (1200, 400, b"at j")]
    assert ends(pieces)[TEXT] == 1600 * MS


def test_the_same_scene_is_the_same_to_the_byte(play: Play) -> None:
    scene = Scene(snr_db=0, gap_ms=(1000, 3000), drop={VIDEO: 0.1}, seed=4)
    assert play(scene, 2) == play(scene, 2)
    assert sound(play(scene, 2)) != sound(play(replace(scene, seed=5), 2))

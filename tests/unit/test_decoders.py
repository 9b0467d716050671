"""Processes that decode: the same hops as in this process, and no process outlives whoever asked it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.codeccontext import VideoCodecContext

from models.bundle import load
from stream.content import audio_l16
from stream.decoder import Shapes
from stream.decoders import Decoders
from stream.errors import Reason
from stream.frame import Frame, Modality
from stream.raster import HopInput

MANIFEST = load("speech").manifest
TICK_NS, HOP_NS = 40_000_000, 320_000_000
SHAPES = Shapes(TICK_NS, 16_000, ("", "blue"), 40, 56, MANIFEST.finder.digest, 1_000_000)
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    made = Decoders(1, SHAPES)
    made.wait()
    yield made
    made.close()


def frames(*pictures: bytes) -> dict[Modality, list[Frame]]:
    """A hop of sound and text with these pictures, each a mouth already."""
    sound = np.arange(5_120, dtype=np.int16).astype(">i2").tobytes()
    return {
        Modality.TEXT: [Frame("s", Modality.TEXT, 0, None, b"blue", "text/plain;charset=utf-8")],
        Modality.AUDIO: [Frame("s", Modality.AUDIO, 0, HOP_NS, sound, audio_l16(16_000, 1), 16_000, 1)],
        Modality.VIDEO: [
            Frame("s", Modality.VIDEO, at * TICK_NS, TICK_NS, payload, "image/png", region="mouth")
            for at, payload in enumerate(pictures)
        ],
    }


def png(seed: int, width: int = 56, height: int = 40) -> bytes:
    """A picture, small unless told otherwise, in which there is something to be seen."""
    codec = av.CodecContext.create("png", "w")
    assert isinstance(codec, VideoCodecContext)
    codec.width, codec.height, codec.pix_fmt, codec.time_base = width, height, "gray", Fraction(1, 25)
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    shown = av.VideoFrame.from_ndarray(pixels, format="gray")
    return b"".join(bytes(packet) for packet in [*codec.encode(shown), *codec.encode(None)])


def alike(one: HopInput, other: HopInput) -> bool:
    return all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in ("samples", "crops", "tokens", "mask")
    )


def test_a_process_places_a_hop_as_this_one_does(decoders: Decoders) -> None:
    asked = frames(png(1), png(2), png(3))
    placed = decoders.hop(asked, 0, HOP_NS)
    assert alike(placed, SHAPES.raster().hop(asked, 0, HOP_NS))
    assert placed.mask.any(axis=0).all()
    assert set(placed.seconds) == set(Modality)


def test_frames_that_do_not_decode_come_back_with_why(decoders: Decoders) -> None:
    asked = frames(png(1), b"no picture", png(3))
    [(frame, error)] = decoders.hop(asked, 0, HOP_NS).corrupt
    assert frame is asked[Modality.VIDEO][1]
    assert error.reason is Reason.BAD_MEDIA
    assert "no image/png" in str(error)


def test_a_process_that_has_died_is_started_anew_and_the_hop_is_placed(caplog: pytest.LogCaptureFixture) -> None:
    made = Decoders(1, SHAPES)
    before = made.process_ids
    os.kill(before[0], signal.SIGKILL)
    asked = frames(png(1))
    assert alike(made.hop(asked, 0, HOP_NS), SHAPES.raster().hop(asked, 0, HOP_NS))
    assert before != made.process_ids
    assert "a decoding process has ended and is started anew" in caplog.text
    made.close()


def test_processes_that_have_died_while_idle_cost_no_picture() -> None:
    made = Decoders(3, SHAPES)
    for number in made.process_ids:
        os.kill(number, signal.SIGKILL)
    for process in made._processes:
        process.wait()
    assert [made.hop(frames(png(seed)), 0, HOP_NS).corrupt for seed in range(3)] == [[], [], []]
    made.close()


def test_pictures_that_keep_a_process_busy_for_too_long_are_corrupt_and_the_sound_of_their_hop_is_not() -> None:
    made = Decoders(1, replace(SHAPES, max_pixels=4_000_000, hop_seconds=0.2))
    asked = frames(*[png(1, 2_000, 2_000)] * 8)
    placed = made.hop(asked, 0, HOP_NS)
    assert [frame for frame, _ in placed.corrupt] == asked[Modality.VIDEO]
    assert placed.mask[:, 1].all()
    made.close()


def test_pictures_that_end_every_process_are_corrupt_and_the_sound_of_their_hop_is_not() -> None:
    made = Decoders(1, replace(SHAPES, crop_height_px=0))  # no picture can be scaled to that
    asked = frames(png(1), png(2))
    placed = made.hop(asked, 0, HOP_NS)
    made.close()
    assert [frame for frame, _ in placed.corrupt] == asked[Modality.VIDEO]
    assert {error.reason for _, error in placed.corrupt} == {Reason.BAD_MEDIA}
    assert placed.mask[:, 1].all()
    assert not placed.mask[:, 2].any()


def test_a_process_that_is_told_to_end_goes_on_until_the_service_has_drained() -> None:
    made = Decoders(1, SHAPES)
    made.wait()
    [number] = made.process_ids
    os.kill(number, signal.SIGTERM)
    assert made.hop(frames(png(1)), 0, HOP_NS).mask[0, 2] == 1
    made.close()


def test_the_memory_of_all_that_still_run_is_told() -> None:
    made = Decoders(2, SHAPES)
    made.wait()
    both_bytes = made.resident_bytes()
    made.close()
    assert both_bytes > 2 * 2**20
    assert made.resident_bytes() == 0


def test_no_process_outlives_one_that_was_killed() -> None:
    program = (
        "import os, signal; from tests.unit.test_decoders import SHAPES, Decoders; "
        "print(*Decoders(1, SHAPES).process_ids, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    # What it has started writes its errors to the same pipe, which ends for us when the last of them has ended.
    told = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=False, timeout=60)
    assert told.returncode == -signal.SIGKILL
    assert told.stdout.split()
    assert told.stderr == b""

"""A synthetic speaker: sessions of any length with exact ground truth, the same for the same seed.

    seed -> [Session: sound, pictures, cues, words] -> clip

A voice from espeak-ng, a drawn face whose mouth follows the phonemes, words in any order with their times. It is the
demo's default clip, the tests' fixture, the load generator and, beside real speakers, training data. It is no person and
is named synthetic wherever it shows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Annotated

import av
import numpy as np
import orjson
import typer
from numpy.typing import NDArray

from models.synthetic_look import HEIGHT_PX, WIDTH_PX, Look
from models.synthetic_mouth import shapes
from models.synthetic_picture import mouth_px, pictures
from models.synthetic_voice import RATE_HZ, Span, Voice, say

FRAMES_HZ = 25
TITLE = "Synthetic speaker: a drawn face and a computed voice, no person"  # of every clip
_WORDS = (
    "a again at b bin blue by c d e eight f five four g green h i in j k l lay m n nine now o one p place please q r red"
    " s set seven six soon t three two u v white with x y z zero"
)
WORDS = tuple(_WORDS.split())
_BEFORE_S, _AFTER_S = 0.5, 1.0
_SAMPLES_A_FRAME = RATE_HZ // FRAMES_HZ


@dataclass(frozen=True)
class Session:
    """What is heard, seen and said; times are in seconds from its first sample, which is also its first picture."""

    samples: NDArray[np.int16]  # [n] at 16 kHz: a whole number of pictures long
    words: list[Span]
    phonemes: list[Span]
    cues: list[Span]  # text on screen around the speech: some of its words
    look: Look
    mouths: NDArray[np.float32]  # [frames, 4]: opening, width, teeth, tongue, as drawn
    path_px: NDArray[np.float32]  # [frames, 2]: where the head is
    lids: NDArray[np.intp]  # [frames]

    @property
    def frames(self) -> int:
        """How many pictures there are, 25 a second."""
        return len(self.mouths)

    @property
    def duration_s(self) -> float:
        """How long it lasts."""
        return len(self.samples) / RATE_HZ

    @property
    def transcript(self) -> str:
        """All its words."""
        return " ".join(word.name for word in self.words)

    @property
    def mouth_px(self) -> NDArray[np.float32]:
        """Where the middle of the mouth is drawn: [frames, 2], x and y."""
        return mouth_px(self.look, self.path_px)

    def pictures(self) -> Iterator[NDArray[np.uint8]]:
        """Draw it: uint8 [288, 360, 3], RGB, one every 40 ms; nothing is kept, so any length will do."""
        return pictures(self.look, self.mouths, self.path_px, self.lids)


def speak(seed: int, sentences: int = 1, gap_ms: tuple[float, float] = (600, 1500)) -> Session:
    """Make a session: half a second of room, sentences of 4 to 7 words with gaps between, a second of room.

    Raises
    ------
    ValueError
        There is no sentence to speak.
    """
    if sentences < 1:
        raise ValueError(f"A session of {sentences} sentences was asked for; ask for 1 or more")
    random = np.random.default_rng(seed)
    voice, look = Voice.draw(random), Look.draw(random)
    chunks: list[NDArray[np.float32]] = []
    words: list[Span] = []
    phonemes: list[Span] = []
    cues: list[Span] = []
    at = round(_BEFORE_S * RATE_HZ)  # in samples, so that nothing drifts
    chunks.append(np.zeros(at, np.float32))
    for sentence in range(sentences):
        speech = say([str(word) for word in random.choice(WORDS, random.integers(4, 8))], voice)
        words += _later(speech.words, at / RATE_HZ)
        phonemes += _later(speech.phonemes, at / RATE_HZ)
        cues.append(_cue(words[-len(speech.words) :], random))
        gap_s = _AFTER_S if sentence == sentences - 1 else random.uniform(*gap_ms) / 1000
        chunks += [speech.samples, np.zeros(round(gap_s * RATE_HZ), np.float32)]
        at += len(speech.samples) + len(chunks[-1])
    chunks.append(np.zeros(-at % _SAMPLES_A_FRAME, np.float32))
    samples = _in_a_room(np.concatenate(chunks), random)
    frames = len(samples) // _SAMPLES_A_FRAME
    seen_s = (np.arange(frames) + 0.5) / FRAMES_HZ  # a picture shows the middle of its 40 ms
    return Session(
        samples,
        words,
        phonemes,
        cues,
        look,
        shapes(phonemes, seen_s),
        _sway(frames, random),
        _blinks(frames, random),
    )


def _later(spans: list[Span], by_s: float) -> list[Span]:
    return [Span(span.name, span.start_s + by_s, span.end_s + by_s) for span in spans]


def _cue(words: list[Span], random: np.random.Generator) -> Span:
    """Two or more of a sentence's words in their order, shown from 300 ms before it to 300 ms after."""
    shown = np.sort(random.choice(len(words), random.integers(2, len(words) + 1), replace=False))
    text = " ".join(words[index].name for index in shown)
    return Span(text, words[0].start_s - 0.3, words[-1].end_s + 0.3)


def _in_a_room(speech: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.int16]:
    """The speech at some level, with quiet noise under it that falls off towards high pitches."""
    loudness = 10 ** (random.uniform(-12, -1) / 20)  # of the loudest sample, against full scale
    noise = random.standard_normal(len(speech) + 7, np.float32)
    noise = np.convolve(noise, np.full(8, 8**-0.5, np.float32), mode="valid") * 10 ** (random.uniform(-66, -52) / 20)
    heard = speech * (loudness / np.abs(speech).max()) + noise
    samples: NDArray[np.int16] = (heard * 32_767).round().clip(-32_768, 32_767).astype(np.int16)
    return samples


def _sway(frames: int, random: np.random.Generator) -> NDArray[np.float32]:
    """A head never keeps still: slow waves of a few pixels."""
    times_s = np.arange(frames)[:, None, None] / FRAMES_HZ
    rates_hz = random.uniform(0.08, 0.45, (1, 2, 3))
    phases = random.uniform(0, 2 * np.pi, (1, 2, 3))
    sizes_px = random.uniform(0.3, 1.6, (1, 2, 3))
    waves = np.sin(2 * np.pi * rates_hz * times_s + phases) * sizes_px
    path_px: NDArray[np.float32] = waves.sum(axis=2).astype(np.float32)
    return path_px


def _blinks(frames: int, random: np.random.Generator) -> NDArray[np.intp]:
    """A blink of four pictures every two to five seconds."""
    lids = np.zeros(frames, np.intp)
    at = int(random.integers(10, 100))
    while at + 4 <= frames:
        lids[at : at + 4] = (1, 2, 2, 1)
        at += int(random.integers(50, 125))
    return lids


def write_clip(path: Path, session: Session) -> None:
    """Write an mp4 of H.264 and AAC that names itself synthetic; the words on screen go beside it, as WebVTT (`.vtt`)."""
    with av.open(str(path), "w") as container:
        container.metadata["title"] = TITLE
        video = container.add_stream("libx264", FRAMES_HZ, options={"preset": "veryfast", "crf": "18"})
        video.width, video.height, video.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
        audio = container.add_stream("aac", RATE_HZ, layout="mono", bit_rate=96_000)
        for index, picture in enumerate(session.pictures()):
            seen = av.VideoFrame.from_ndarray(picture, format="rgb24")
            seen.pts, seen.time_base = index, Fraction(1, FRAMES_HZ)
            container.mux(video.encode(seen))
            first = index * _SAMPLES_A_FRAME
            heard = av.AudioFrame.from_ndarray(
                session.samples[None, first : first + _SAMPLES_A_FRAME],
                format="s16",
                layout="mono",
            )
            heard.sample_rate, heard.pts, heard.time_base = (
                RATE_HZ,
                first,
                Fraction(1, RATE_HZ),
            )
            container.mux(audio.encode(heard))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))
    path.with_suffix(".vtt").write_text(_webvtt(session.cues), encoding="utf-8")


def _webvtt(cues: list[Span]) -> str:
    blocks = [f"{_clock(cue.start_s)} --> {_clock(cue.end_s)}\n{cue.name}\n" for cue in cues]
    return "\n".join(["WEBVTT\n", *blocks])


def _clock(time_s: float) -> str:
    ms = round(time_s * 1000)
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}.{ms % 1000:03}"


def main(
    out: Annotated[
        Path,
        typer.Argument(metavar="OUT.mp4", help="The clip to write; its text goes to OUT.vtt."),
    ],
    seed: Annotated[int, typer.Option(help="The same seed gives the same clip.")] = 0,
    sentences: Annotated[int, typer.Option(min=1, help="How many, with 0.6 to 1.5 s between.")] = 1,
) -> None:
    """Write a clip of the synthetic speaker and print what is said in it.

    Example: python -m models.synthetic synthetic.mp4 --seed 7 --sentences 3
    """
    session = speak(seed, sentences)
    write_clip(out, session)
    truth = {
        "clip": str(out),
        "synthetic": True,
        "seed": seed,
        "duration_s": session.duration_s,
        "transcript": session.transcript,
        "words": [{"word": word, "start_s": start_s, "end_s": end_s} for word, start_s, end_s in session.words],
        "cues": [{"text": text, "start_s": start_s, "end_s": end_s} for text, start_s, end_s in session.cues],
    }
    typer.echo(orjson.dumps(truth, option=orjson.OPT_INDENT_2).decode())


if __name__ == "__main__":
    typer.run(main)

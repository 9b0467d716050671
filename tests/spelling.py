"""A predictor that reads what was said from letters, so that segments can be tested without media and models.

A session is spelt with a letter a tick: `.` for silence, `a` to `z` for a word that is heard clearly, `A` to `Z` for the
same words heard badly. A word lasts two ticks or more.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from string import ascii_lowercase
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from stream.caption import Caption
from stream.decode import Language
from stream.errors import Reason, RecordError
from stream.features import Features, Fused, Window
from stream.frame import Frame, Modality
from stream.hop import Hop, HopReason, Status
from stream.predict import Predictor
from stream.raster import MODALITIES, HopInput
from stream.segment import OpenSegment

TICK_NS = 40_000_000
HOP_TICKS, CONTEXT_TICKS = 8, 3
HOP_NS = HOP_TICKS * TICK_NS
ENDPOINT_TICKS = 15
SECOND = 1_000_000_000
CLEARLY, BADLY = 20.0, 3.2  # logits; the latter is a probability of a half
VOCABULARY = ["", *ascii_lowercase]


def any_order(vocabulary: Sequence[str]) -> Language:
    """A language in which all words are as likely, whatever was said before."""
    even = np.full((len(vocabulary), len(vocabulary)), -np.log(len(vocabulary)), dtype=np.float32)
    return Language(vocabulary, even[0], even)


def placed(letters: str, corrupt: list[Frame]) -> HopInput:
    """The letters of a hop as its samples, one a tick, its pictures unseen."""
    heard = np.frombuffer(letters.ljust(HOP_TICKS, " ").encode(), dtype=np.uint8)
    mask = np.zeros((HOP_TICKS, 3), dtype=np.float32)
    mask[:, 1] = heard != ord(" ")
    samples = np.where(mask[:, 1] > 0, heard, 0).astype(np.float32)
    error = RecordError(Reason.BAD_MEDIA, "no picture")
    crops, tokens = np.zeros((HOP_TICKS, 1, 1), dtype=np.uint8), np.zeros((HOP_TICKS, 1), dtype=np.int64)
    return HopInput(samples, crops, tokens, mask, [(frame, error) for frame in corrupt])


@dataclass
class Speller:
    """What `OpenSegment` asks of a `Predictor`."""

    windows: list[str] = field(default_factory=list)  # what was encoded, context included
    bundle: Any = field(
        default_factory=lambda: SimpleNamespace(
            tick_ns=TICK_NS,
            hop_ns=HOP_NS,
            left_ticks=CONTEXT_TICKS,
            right_ticks=CONTEXT_TICKS,
            manifest=SimpleNamespace(hop_ticks=HOP_TICKS, vocabulary=VOCABULARY),
        )
    )
    language: Language = field(default_factory=lambda: any_order(VOCABULARY))
    raster: Any = field(default_factory=lambda: SimpleNamespace(tick_samples=1, nothing=lambda _: placed("", [])))

    async def prepare(self, hop: Hop) -> HopInput:
        letters = "".join(frame.payload.decode() for frame in hop.frames.get(Modality.AUDIO, []))
        return placed(letters, [frame for frame in hop.frames.get(Modality.VIDEO, []) if not frame.payload])

    async def encode(self, window: Window) -> Features:
        self.windows.append(bytes(window.samples.astype(np.uint8)).decode().replace("\0", " "))
        inside = window.samples[CONTEXT_TICKS:-CONTEXT_TICKS, None]
        return Features(dict.fromkeys(MODALITIES, inside), window.mask, window.tokens)

    async def fuse(self, features: Features) -> tuple[Fused, int]:
        logits = np.zeros((len(features), 27), dtype=np.float32)
        for tick, code in enumerate(features.parts[Modality.AUDIO][:, 0].astype(int)):
            letter = chr(code)
            if letter.isalpha():
                logits[tick, 1 + ascii_lowercase.index(letter.lower())] = CLEARLY if letter.islower() else BADLY
            else:
                logits[tick, 0] = CLEARLY
        return Fused(logits, {Modality.TEXT: 0.0, Modality.AUDIO: 1.0, Modality.VIDEO: 0.0}), 1


def hop(number: int, letters: str, revision: int = 0, **others: Any) -> Hop:
    """The hop of that number since the epoch, in which these letters were said."""
    start_ns = number * HOP_NS
    frames = {Modality.AUDIO: [frame(Modality.AUDIO, start_ns, letters.encode())]} if letters else {}
    frames |= others.get("frames", {})
    statuses: Mapping[Modality, Status] = others.get("statuses", dict.fromkeys(Modality, Status.PRESENT))
    reason = HopReason.SETTLED
    made = Hop("s", start_ns, start_ns + HOP_NS, frames, dict(statuses), reason, revision, start_ns, start_ns)
    made.more = others.get("more", False)
    return made


def frame(modality: Modality, time_ns: int, payload: bytes) -> Frame:
    return Frame("s", modality, time_ns, TICK_NS, payload, "")


def hops(letters: str, first: int = 0) -> Iterator[Hop]:
    """All hops of a session that is spelt so."""
    for place in range(0, len(letters), HOP_TICKS):
        yield hop(first + place // HOP_TICKS, letters[place : place + HOP_TICKS])


def segment(speller: Speller, frontier_ns: int = 0, max_segment_ns: int = 15 * SECOND) -> OpenSegment:
    return OpenSegment(cast("Predictor", speller), frontier_ns, ENDPOINT_TICKS * TICK_NS, max_segment_ns)


async def captions(letters: str, **options: int) -> list[Caption]:
    """Everything that is said of a session from its first hop to its close."""
    opened = segment(Speller(), **options)
    said = [caption for one in hops(letters) for caption in await opened.hop(one)]
    return said + await opened.close()


def words_of(letters: str) -> list[str]:
    """The words in the order in which they were said."""
    return [letter for letter, _ in groupby(letters) if letter != "."]


def finals(said: list[Caption]) -> list[str]:
    return [caption.text for caption in said if caption.is_final]

"""The open segment of one session: hops in, revisable captions out. Knows no Kafka.

    Hop -> Features -> logits -> words -> [Caption]

A segment begins at the frontier and is looked at whole after every hop, as far as the encoders' right context is
settled. It ends when `endpoint` of non-speech trails its words, when it is too long, or with its session; the very
logits that show the end are the final's, as far as its sound and its pictures bear each other out (`look.py`). How far these
are out of step is fixed when it begins.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stream.blocks import Blocks
from stream.caption import Caption, Word
from stream.frame import Frame, Modality
from stream.hop import Hop, Status
from stream.look import Look, believed, look
from stream.raster import MODALITIES, HopInput
from stream.skew import UNKNOWN, Meter, Skew, reach_ns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stream.decode import Spoken
    from stream.errors import RecordError
    from stream.features import Features
    from stream.predict import Predictor

SILENCE_NS = 3_000_000_000  # in which no word was heard moves the frontier,
KEPT_SILENCE_NS = 2_000_000_000  # but not over this: in noise words show only when most of a sentence is there
SURE = 0.6  # mean probability from which the newest word of an interim is shown
EDGE_TICKS = 2  # a word that ends at least this long before what is in view counts as said to its end


@dataclass(slots=True)
class _Note:
    """What a hop brought, kept while a segment may touch it."""

    end_ns: int
    statuses: dict[Modality, Status]
    seen: bool  # pictures of it were of use
    begins_ns: dict[Modality, list[int]] = field(default_factory=dict)


class OpenSegment:
    """One session's segments, one after another.

    Parameters
    ----------
    frontier_ns : int
        Nothing before it is computed again; rounded down to a tick.
    revision : int
        Of the open segment so far.
    skew : Skew
        What was known when the open segment began.

    Attributes
    ----------
    frontier_ns : int
        The end of the last final, or of the silence after it.
    skew : Skew
        What the open segment goes by; the next one by what is known then.
    corrupt : list
        Frames that did not decode, each with why; whoever reads it empties it.
    """

    def __init__(
        self,
        predictor: Predictor,
        frontier_ns: int,
        endpoint_ns: int,
        max_segment_ns: int,
        revision: int = 0,
        skew: Skew = UNKNOWN,
    ) -> None:
        bundle = predictor.bundle
        self._predictor = predictor
        self._tick_ns = bundle.tick_ns
        self._endpoint = max(1, endpoint_ns // bundle.tick_ns)
        self._longest = max(self._endpoint + 1, max_segment_ns // bundle.tick_ns)
        self._blocks = Blocks(predictor)
        self._blocks.apply(skew)
        self._meter = Meter(bundle.tick_ns, bundle.hop_ns, skew)
        self._notes: dict[int, _Note] = {}
        self._revision = revision
        self._shown: tuple[str, ...] = ()
        self.frontier_ns = frontier_ns // bundle.tick_ns * bundle.tick_ns
        self.skew = skew
        self.context_ns = reach_ns(bundle.left_ticks, bundle.tick_ns)
        self.corrupt: list[tuple[Frame, RecordError]] = []

    async def hop(self, hop: Hop) -> list[Caption]:
        """Take a hop, first or revised, and look at the segment anew, once no more revised ones follow at once."""
        captions: list[Caption] = []
        if hop.start_ns > max(self._blocks.end_ns, self.frontier_ns):  # hops were left out: the session slept
            captions += await self.close()
            self._move_frontier(hop.start_ns)
        placed = await self._predictor.prepare(hop)
        self.corrupt += placed.corrupt
        self._notes[hop.start_ns] = _note(hop, placed)
        self._meter.add(hop.start_ns, placed)
        self._blocks.put(hop.start_ns, placed)
        return captions if hop.more else captions + await self._look()

    async def close(self) -> list[Caption]:
        """Nothing more comes for now: finalise what is open, with nothing to the right of it."""
        end_ns = self._blocks.end_ns
        if end_ns <= self.frontier_ns:
            return []
        captions = await self._look(closing=True)
        self._blocks.forget_features()
        self._move_frontier(end_ns)
        return captions

    async def _look(self, *, closing: bool = False) -> list[Caption]:
        """Finals as long as the segment in view holds an end, then an interim if it reads otherwise than before."""
        captions: list[Caption] = []
        while (view_ns := self._blocks.end_ns if closing else self._blocks.settled_ns) > self.frontier_ns:
            await self._blocks.encode(self.frontier_ns, nothing_follows=closing)
            found = await look(self._predictor, self._features(view_ns))
            end = self._end(found.words, found.ticks, closing=closing)
            if end is None:
                captions += self._interim(found, view_ns)
                if not found.words and found.ticks * self._tick_ns >= SILENCE_NS:
                    self._move_frontier(view_ns - KEPT_SILENCE_NS // self._tick_ns * self._tick_ns)
                return captions
            end_ns = self.frontier_ns + end * self._tick_ns
            features = self._features(end_ns)
            if end < found.ticks:
                found = await look(self._predictor, features)
            found = await believed(self._predictor, features, found)
            if found.words:
                captions.append(self._caption(found, found.words, end_ns, is_final=True))
            else:  # no final, but words that were shown are taken back
                captions += self._interim(found, end_ns)
            self._move_frontier(end_ns)
        return captions

    def _features(self, end_ns: int) -> Features:
        return self._blocks.features(self.frontier_ns, end_ns)

    def _end(self, words: Sequence[Spoken], ticks: int, *, closing: bool) -> int | None:
        """The tick at which the segment is over, None if it goes on."""
        followers = [word.first for word in words[1:]] + [ticks]
        for word, follower in zip(words, followers, strict=False):  # no words: nothing to follow
            if follower - word.last >= self._endpoint:
                return ticks if follower == ticks else word.last + self._endpoint
        if closing:
            return ticks
        if ticks >= self._longest:
            # Cut before a word that goes on, but not before one that fills most of what is there.
            unfinished = len(words) > 1 and words[-1].last >= ticks - EDGE_TICKS
            return words[-1].first if unfinished and 2 * words[-1].first >= ticks else ticks
        return None

    def _interim(self, found: Look, view_ns: int) -> list[Caption]:
        """The words that are expected to stay, unless they read as before."""
        kept = list(found.words)
        while kept and kept[-1].last > found.ticks - EDGE_TICKS and kept[-1].confidence < SURE:
            kept.pop()
        text = tuple(word.word for word in kept)
        if text == self._shown:
            return []
        self._shown = text
        return [self._caption(found, kept, view_ns, is_final=False)]

    def _caption(self, found: Look, words: Sequence[Spoken], end_ns: int, *, is_final: bool) -> Caption:
        self._revision += 1
        confidence = sum(word.confidence for word in words) / len(words) if words else 0.0
        blind = found.misled or not self.skew.usable
        notes = [note for start_ns, note in self._notes.items() if start_ns < end_ns and note.end_ns > self.frontier_ns]
        return Caption(
            start_ns=self.frontier_ns,
            end_ns=end_ns,
            revision=self._revision,
            is_final=is_final,
            stability=1.0 if is_final else confidence,
            words=tuple(self._timed(word) for word in words),
            confidence=confidence,
            weights=found.fused.shares,
            counts={m: Counter(_status(note, m, blind=blind) for note in notes) for m in MODALITIES},
            frames={
                m: sum(self.frontier_ns <= begin < end_ns for note in notes for begin in note.begins_ns[m])
                for m in MODALITIES
            },
            captured_ns=end_ns - self._tick_ns,
            inferred_ns=time.time_ns(),
            batch=found.batch,
            skew=self.skew,
        )

    def _timed(self, word: Spoken) -> Word:
        first, last = (self.frontier_ns + tick * self._tick_ns for tick in (word.first, word.last))
        return Word(word.word, first, last, word.confidence)

    def _move_frontier(self, frontier_ns: int) -> None:
        """A new segment begins; what no later tick needs is forgotten."""
        self.frontier_ns = max(frontier_ns, self.frontier_ns)
        self._revision, self._shown = 0, ()
        self.skew = self._meter.skew
        self._blocks.apply(self.skew)
        self._blocks.forget_before(self.frontier_ns)
        self._notes = {start: note for start, note in self._notes.items() if note.end_ns > self.frontier_ns}


def _status(note: _Note, modality: Modality, *, blind: bool) -> Status:
    """Pictures that are left out, because they are out of step or show something else, are of no use."""
    left_out = blind and modality is Modality.VIDEO and note.seen
    return Status.UNUSABLE if left_out else note.statuses[modality]


def _note(hop: Hop, placed: HopInput) -> _Note:
    """A hop's statuses with what decoding found out, and where its own frames begin."""
    statuses = dict(hop.statuses)
    video, seen = hop.frames.get(Modality.VIDEO, []), bool(placed.mask[:, MODALITIES.index(Modality.VIDEO)].any())
    if video and not seen:
        all_corrupt = len(placed.corrupt) >= len(video)
        statuses[Modality.VIDEO] = Status.CORRUPT if all_corrupt else Status.UNUSABLE
    begins_ns = {
        m: [frame.time_ns for frame in hop.frames.get(m, ()) if hop.start_ns <= frame.time_ns < hop.end_ns]
        for m in MODALITIES
    }
    return _Note(hop.end_ns, statuses, seen, begins_ns)

"""What a result says: a caption of the open segment, and what its session has gone through, become a prediction.

    Caption -> Prediction

Knows the JSON's names, not how the words were found.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from stream import metrics
from stream.frame import Modality
from stream.hop import Hop
from stream.publish import Counts, Input, ModalityResult, Model, Prediction, SessionRecord, Times, Word
from stream.times import NS_PER_SECOND, to_ms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stream.caption import Caption

# To find a series by its labels is slow.
_HOPS = cache(metrics.HOPS.labels)
_BOUND_LAG_SECONDS = cache(metrics.BOUND_LAG_SECONDS.labels)


@dataclass(frozen=True, slots=True)
class Maker:
    """Who makes predictions, as each of them says."""

    task: str
    model: Model
    provider: str


@dataclass(frozen=True, slots=True)
class Result:
    """What goes to `predictions`; `due_ns` is the end of the hop that brought it about."""

    message: Prediction | SessionRecord
    due_ns: int
    traceparent: str | None = None

    @property
    def is_interim(self) -> bool:
        """Whether a later one replaces it."""
        return isinstance(self.message, Prediction) and not self.message.is_final


class _Heard(NamedTuple):
    """What is kept of one hop, in its newest revision."""

    end_ns: int
    late: dict[Modality, int]
    lost: dict[Modality, int]
    offsets: dict[Modality, list[tuple[int, int]]]  # of its frames: offset and end


class Story:
    """What a session has gone through since its last final, as far as its next result tells it."""

    def __init__(self) -> None:
        self._hop: Hop | None = None  # the newest
        self._heard: dict[int, _Heard] = {}  # by the hop's start
        self._traceparent: str | None = None
        self._shown: list[str] = []  # the words of the newest interim
        self._interims = 0

    def add(self, hop: Hop) -> None:
        """Take note of a hop, before its captions are made."""
        self._hop = hop
        self._heard[hop.start_ns] = _Heard(hop.end_ns, hop.late, hop.lost, _offsets(hop))
        self._traceparent = _newest_traceparent(hop) or self._traceparent
        if hop.revision == 0:
            _measure_hop(hop)

    def forget(self, before_ns: int) -> None:
        """Hops before `before_ns` are in no later result, nor in its context."""
        self._heard = {start_ns: heard for start_ns, heard in self._heard.items() if heard.end_ns > before_ns}

    def first_offsets(self, from_ns: int) -> dict[Modality, int]:
        """Per modality the lowest offset of a frame that reaches beyond `from_ns`; absent where there is none."""
        found = {
            modality: [
                offset
                for heard in self._heard.values()
                for offset, end_ns in heard.offsets.get(modality, ())
                if end_ns > from_ns
            ]
            for modality in Modality
        }
        return {modality: min(offsets) for modality, offsets in found.items() if offsets}

    def result(self, session: str, caption: Caption, maker: Maker, epoch: int, inputs: list[Input]) -> Result:
        """Tell of a caption that came of the hops so far."""
        if self._hop is None:
            raise ValueError(f"session {session!r} has a caption before its first hop: a hop was expected first")
        message = Prediction(
            session=session,
            segment=to_ms(caption.start_ns),
            revision=caption.revision,
            epoch=epoch,
            is_final=caption.is_final,
            stability=caption.stability,
            start_ms=to_ms(caption.start_ns),
            end_ms=to_ms(caption.end_ns),
            task=maker.task,
            text=caption.text,
            words=[
                Word(
                    word=word.word,
                    start_ms=to_ms(word.start_ns),
                    end_ms=to_ms(word.end_ns),
                    confidence=word.confidence,
                )
                for word in caption.words
            ],
            confidence=caption.confidence,
            skew_ms=None if caption.skew.measured_ns is None else to_ms(caption.skew.measured_ns),
            modalities={modality: self._gave(caption, modality) for modality in Modality},
            model=maker.model,
            provider=maker.provider,
            batch=caption.batch,
            times=Times(
                captured_ms=to_ms(caption.captured_ns),
                ingested_ms=to_ms(self._hop.arrived_ns),
                aligned_ms=to_ms(self._hop.aligned_ns),
                inferred_ms=to_ms(caption.inferred_ns),
                published_ms=to_ms(caption.inferred_ns),
            ),
            inputs=inputs,
        )
        self._measure_words(message)
        return Result(message, self._hop.end_ns, self._traceparent)

    def _gave(self, caption: Caption, modality: Modality) -> ModalityResult:
        counts = Counts(**{str(status): count for status, count in caption.counts[modality].items()})
        touched = [
            heard
            for start_ns, heard in self._heard.items()
            if start_ns < caption.end_ns and heard.end_ns > caption.start_ns
        ]
        return ModalityResult(
            status=counts.most_frequent(),
            counts=counts,
            weight=caption.weights[modality],
            frames=caption.frames[modality],
            late=sum(heard.late.get(modality, 0) for heard in touched),
            lost=sum(heard.lost.get(modality, 0) for heard in touched),
        )

    def _measure_words(self, message: Prediction) -> None:
        words = [word.word for word in message.words]
        metrics.WORDS_CHANGED.inc(words_changed(self._shown, words))
        if not message.is_final:
            self._shown = words
            self._interims += 1
            return
        metrics.REVISIONS.observe(self._interims)
        if message.skew_ms is not None:
            metrics.AV_SKEW_SECONDS.observe(message.skew_ms / 1000)
        for modality, gave in message.modalities.items():
            metrics.MODALITY_STATUS.labels(modality, gave.status).inc()
        self._shown, self._interims = [], 0


def words_changed(shown: Sequence[str], words: Sequence[str]) -> int:
    """How many of the words shown are not in the next version, or not in that order."""
    return len(shown) - sum(match.size for match in SequenceMatcher(None, shown, words).get_matching_blocks())


def _measure_hop(hop: Hop) -> None:
    _HOPS(hop.reason).inc()
    metrics.ALIGNMENT_WAIT_SECONDS.observe(max(0, hop.aligned_ns - hop.arrived_ns) / NS_PER_SECOND)
    for modality, lag_ns in hop.lags_ns.items():
        _BOUND_LAG_SECONDS(modality).observe(max(0, lag_ns) / NS_PER_SECOND)


def _offsets(hop: Hop) -> dict[Modality, list[tuple[int, int]]]:
    """Offset and end of its frames; one without an end reaches at least to the hop's."""
    return {
        modality: [
            (frame.offset, hop.end_ns if frame.duration_ns is None else frame.time_ns + frame.duration_ns)
            for frame in frames
        ]
        for modality, frames in hop.frames.items()
    }


def _newest_traceparent(hop: Hop) -> str | None:
    traced = [frame for frames in hop.frames.values() for frame in frames if frame.traceparent is not None]
    return max(traced, key=lambda frame: frame.time_ns).traceparent if traced else None

"""What the settings and the bundle make of a lane; the same for `serve`, which feeds it from Kafka, and `recognize`.

Knows every part of the path, and no Kafka client.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from stream.align import Aligner
from stream.config import Settings
from stream.conversation import Wanted
from stream.frame import Modality
from stream.hop import Timing
from stream.lane import Intake, Lane
from stream.overload import Overload
from stream.predict import Predictor
from stream.progress import Progress
from stream.publish import Model
from stream.results import Maker
from stream.segment import OpenSegment
from stream.skew import reach_ns
from stream.times import NS_PER_MS

LaneMaker = Callable[[int, Progress], Lane]  # number and progress


def lane_maker(settings: Settings, predictor: Predictor) -> LaneMaker:
    """Make lanes that are alike but for their number and what they remember."""
    manifest = predictor.bundle.manifest
    model = Model(name=manifest.name, version=manifest.version, digest=predictor.bundle.digest)
    segment = partial(
        OpenSegment, predictor, endpoint_ns=_ns(settings.endpoint_ms), max_segment_ns=_ns(settings.max_segment_ms)
    )
    overload = Overload()  # one for all lanes, as there is one predictor

    def make_lane(number: int, progress: Progress) -> Lane:
        return Lane(
            number,
            intake(settings),
            Aligner(timing(settings, predictor), settings.session_buffer_bytes, settings.lane_buffer_bytes),
            lambda frontier_ns, revision, skew: segment(frontier_ns=frontier_ns, revision=revision, skew=skew),
            Maker(manifest.task, model, predictor.provider),
            progress,
            context_ns(predictor),
            overload,
        )

    return make_lane


def intake(settings: Settings) -> Intake:
    """How records are read."""
    return Intake(
        topics={settings.topic_prefix + modality: modality for modality in Modality},
        content_types={
            Modality.TEXT: settings.default_text_type,
            Modality.AUDIO: settings.default_audio_type,
            Modality.VIDEO: settings.default_video_type,
        },
        max_record_bytes=settings.max_record_bytes,
    )


def timing(settings: Settings, predictor: Predictor) -> Timing:
    """How frames are aligned: the grid is the bundle's, the waits are the settings'."""
    return Timing(
        tick_ns=predictor.bundle.tick_ns,
        hop_ns=predictor.bundle.hop_ns,
        reorder_ns=_ns(settings.reorder_ms),
        deadline_ns=_ns(settings.deadline_ms),
        idle_ns=_ns(settings.idle_ms),
        session_end_ns=_ns(settings.session_end_ms),
        max_jump_ns=_ns(settings.max_jump_ms),
    )


def wanted(predictor: Predictor) -> Wanted:
    """What pages are asked for: pictures as often as there are ticks, sound at the rate of the encoder."""
    return Wanted(predictor.bundle.tick_ns / NS_PER_MS, predictor.bundle.manifest.rate_hz)


def context_ns(predictor: Predictor) -> int:
    """How far before the frontier frames are still needed: the encoders' left context, and pictures that are shifted."""
    return reach_ns(predictor.bundle.left_ticks, predictor.bundle.tick_ns)


def _ns(time_ms: float) -> int:
    return round(time_ms * NS_PER_MS)

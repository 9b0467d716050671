"""Every metric of the service, once; served by `web.py`, explained in `REFERENCE.md`.

Names carry the prefix `trivium_` and base units. Label values come from closed sets and show as 0 from the start; only
lanes, topics and partitions appear with their assignment and go with it. A session's id is never a label.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

from stream.errors import Reason
from stream.frame import Modality
from stream.hop import EndReason, HopReason, Outcome, Status
from stream.overload import Step

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Fine around the bars that the project holds itself to: 0.3 s for finals, 0.5 and 0.9 s for words.
_LATENCY_BUCKETS_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.75, 0.9, 1.2, 1.8, 2.5, 5.0, 10.0)
_STEP_BUCKETS_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)

disable_created_metrics()  # type: ignore[no-untyped-call]
REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)


def _show_from_the_start(metric: Counter | Histogram, labels: dict[str, Iterable[str]]) -> None:
    for values in product(*labels.values()):
        metric.labels(*values)


def _counter(name: str, text: str, **labels: Iterable[str]) -> Counter:
    counter = Counter(f"trivium_{name}", text, tuple(labels), registry=REGISTRY)
    if labels:
        _show_from_the_start(counter, labels)
    return counter


def _histogram(name: str, text: str, buckets: Sequence[float], **labels: Iterable[str]) -> Histogram:
    histogram = Histogram(f"trivium_{name}", text, tuple(labels), registry=REGISTRY, buckets=buckets)
    if labels:
        _show_from_the_start(histogram, labels)
    return histogram


def _gauge(name: str, text: str, *labels: str) -> Gauge:
    return Gauge(f"trivium_{name}", text, labels, registry=REGISTRY)


# What comes in.
FRAMES = _counter("frames_total", "Frames by what became of them.", modality=Modality, outcome=Outcome)
FRAME_BYTES = _counter("frame_bytes_total", "Bytes of the frames' values.", modality=Modality)
FRAMES_LOST = _counter("frames_lost_total", "Frames missing from their sequence.", modality=Modality)
DEAD_LETTERS = _counter("dead_letters_total", "Records that could not be read.", reason=Reason)
CONSUMER_LAG_RECORDS = _gauge("consumer_lag_records", "Records not yet read.", "topic", "partition")
CONSUMER_LAG_SECONDS = _gauge(
    "consumer_lag_seconds",
    "Seconds since the newest record read was produced; 0 once all are read.",
    "topic",
    "partition",
)
REBALANCES = _counter("rebalances_total", "Times that partitions were assigned anew.")

# Alignment.
HOPS = _counter("hops_total", "Hops by why they were emitted.", reason=HopReason)
ALIGNMENT_WAIT_SECONDS = _histogram(
    "alignment_wait_seconds", "Seconds from the arrival of a hop's newest frame to the hop.", _LATENCY_BUCKETS_SECONDS
)
BOUND_LAG_SECONDS = _histogram(
    "bound_lag_seconds",
    "Seconds that the bound of a modality waited for lies behind the lane's clock at a hop.",
    _LATENCY_BUCKETS_SECONDS,
    modality=Modality,
)
BUFFERED_BYTES = _gauge("buffered_bytes", "Bytes of the frames that a lane holds.", "lane")
SESSIONS_ACTIVE = _gauge("sessions_active", "Sessions that have started and not ended.")
SESSIONS_ENDED = _counter("sessions_ended_total", "Sessions that ended, by why.", reason=EndReason)

# Inference.
DECODE_SECONDS = _histogram(
    "decode_seconds",
    "Seconds to decode a hop's frames and place them on the grid; of pictures, to crop the mouth too.",
    _STEP_BUCKETS_SECONDS,
    modality=Modality,
)
ENCODE_SECONDS = _histogram(
    "encode_seconds", "Seconds of one call of an encoder.", _STEP_BUCKETS_SECONDS, modality=Modality
)
FUSE_SECONDS = _histogram("fuse_seconds", "Seconds of one call of fusion and head.", _STEP_BUCKETS_SECONDS)
QUEUE_SECONDS = _histogram("queue_seconds", "Seconds that a hop waits for its batch to start.", _STEP_BUCKETS_SECONDS)
DEGRADED = _counter(
    "degraded_total",
    "Times that something was given up: too much was to be computed, or was under way to Kafka.",
    step=Step,
)
BATCH_SIZE = _histogram("batch_size", "Hops in one call of a model.", (1, 2, 4, 8, 16, 32, 64))
PROVIDER_INFO = _gauge("provider_info", "The ONNX Runtime provider in use: 1.", "provider")
BUNDLE_INFO = _gauge("bundle_info", "The bundle in use: 1.", "name", "version", "digest")
SVD_RANK = _gauge("svd_rank", "Dimensions that the projection keeps.")
SVD_EXPLAINED_ENERGY_RATIO = _gauge(
    "svd_explained_energy_ratio", "Share of the training features' energy that is kept."
)

# Pages as sources.
SOURCES = _gauge("sources", "Pages that are connected to send frames.")
SOURCE_FRAMES = _counter("source_frames_total", "Frames, heartbeats and ends taken from pages.", modality=Modality)
SOURCE_ERRORS = _counter("source_errors_total", "Messages of pages that were refused, by reason.", reason=Reason)

# What goes out.
MODALITY_STATUS = _counter(
    "modality_status_total", "Finals by the status of each modality.", modality=Modality, status=Status
)
PUBLISH_SECONDS = _histogram(
    "publish_seconds",
    "Seconds from sending finals and session records until they are committed.",
    _STEP_BUCKETS_SECONDS,
)
TRANSACTIONS = _counter(
    "transactions_total", "Transactions of lanes by how they ended.", outcome=("committed", "aborted", "fenced")
)
INTERIM_LATENCY_SECONDS = _histogram(
    "interim_latency_seconds",
    "Seconds from the capture of the newest tick used to publication.",
    _LATENCY_BUCKETS_SECONDS,
)
FINAL_LATENCY_SECONDS = _histogram(
    "final_latency_seconds",
    "Seconds from the end of the hop in which the endpoint's wait ran out to publication.",
    _LATENCY_BUCKETS_SECONDS,
)
AV_SKEW_SECONDS = _histogram(
    "av_skew_seconds",
    "Seconds that a final's sound is ahead of its pictures, as measured, where that is known; negative: behind.",
    (-0.5, -0.32, -0.185, -0.125, -0.08, -0.04, 0.0, 0.04, 0.09, 0.125, 0.2, 0.32, 0.5),
)
REVISIONS = _histogram("revisions", "Interims before a final.", (0, 1, 2, 3, 5, 8, 13, 21, 34))
WORDS_CHANGED = _counter("words_changed_total", "Words shown in an interim and changed in a later one.")

# The process; what else it takes is told by Prometheus' client.
READY = _gauge("ready", "Whether /readyz says that it may be sent work: 1 or 0.")
DECODERS_RESIDENT_MEMORY_BYTES = _gauge(
    "decoders_resident_memory_bytes",
    "Resident memory of the processes that decode, which the service's own leaves out.",
)

# Who watches.
HTTP_REFUSED = _counter(
    "http_refused_total",
    "Requests refused and clients cut off, by why.",
    reason=("host", "origin", "token", "size", "clients", "slow"),
)
EVENTS_CLIENTS = _gauge("events_clients", "Readers of events.")
EVENTS_SENT = _counter(
    "events_sent_total", "Events handed to readers' connections.", kind=("interim", "final", "session", "gap")
)
EVENTS_COALESCED = _counter("events_coalesced_total", "Interims left out for readers who were slower than they came.")
EVENTS_CLOSED = _counter(
    "events_closed_total", "Readers of events that are gone, by why.", reason=("left", "behind", "stopping", "failed")
)
EVENTS_DELIVERY_SECONDS = _histogram(
    "events_delivery_seconds",
    "Seconds from reading an event to handing it to a live reader's connection.",
    _STEP_BUCKETS_SECONDS,
)
EVENTS_BUFFER_BYTES = _gauge("events_buffer_bytes", "Bytes of recent events that are kept for readers.")
EVENTS_READERS_BUSY = _gauge("events_readers_busy", "Kafka readers at work for those who resume from long ago.")


def forget_lane(lane: int, topics: Iterable[str]) -> None:
    """Drop the series of a lane that is no longer this process's; those it never had are no fault."""
    BUFFERED_BYTES.remove(lane)
    for topic in topics:
        CONSUMER_LAG_RECORDS.remove(topic, lane)
        CONSUMER_LAG_SECONDS.remove(topic, lane)

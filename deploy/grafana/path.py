"""The dashboard's rows along the data's path, one function each: from records in to records out."""

from __future__ import annotations

from deploy.grafana.panels import BYTES, BYTES_PER_SECOND, COUNT, PER_SECOND, RATIO, SECONDS, Panel, figure, lines
from deploy.grafana.queries import mean, most, per_second, percentiles, quantile, series, total


def records_in() -> list[Panel]:
    """What comes, and what of it cannot be used."""
    frames, unused = "trivium_frames_total", "{{modality}} {{outcome}}"
    return [
        lines("Frames", "By modality.", PER_SECOND, (per_second(frames, "modality"), "{{modality}}")),
        lines(
            "Frames not used",
            "Late: after their final. Replayed: read again after a recovery. Shed: too much to compute.",
            PER_SECOND,
            (per_second(frames, "modality", "outcome", outcome="!used"), unused),
        ),
        lines(
            "Dead letters",
            "Records that could not be read, by reason; they lie in the topic dead-letters.",
            PER_SECOND,
            (per_second("trivium_dead_letters_total", "reason"), "{{reason}}"),
        ),
        lines(
            "Bytes",
            "Of the frames' payloads.",
            BYTES_PER_SECOND,
            (per_second("trivium_frame_bytes_total", "modality"), "{{modality}}"),
        ),
        lines(
            "Frames lost",
            "Missing from their sequence: lost before Kafka.",
            PER_SECOND,
            (per_second("trivium_frames_lost_total", "modality"), "{{modality}}"),
        ),
        lines(
            "Lag",
            "Since the newest record read was produced; 0 once all are read. Of the lane furthest behind.",
            SECONDS,
            (most("trivium_consumer_lag_seconds", "topic"), "{{topic}}"),
            bar=5,
        ),
    ]


def alignment() -> list[Panel]:
    """How long hops wait, and for whom."""
    wait, ended = "trivium_alignment_wait_seconds", "trivium_sessions_ended_total"
    return [
        lines(
            "Hops",
            "Settled: every modality came. Deadline: one did not, in time.",
            PER_SECOND,
            (per_second("trivium_hops_total", "reason"), "{{reason}}"),
            stacked=True,
        ),
        lines("Wait of a hop", "From the arrival of its newest frame to the hop.", SECONDS, *percentiles(wait)),
        lines(
            "Behind the lane's clock, p95",
            "The modality that hops wait for is the one furthest behind.",
            SECONDS,
            (quantile(0.95, "trivium_bound_lag_seconds", "modality"), "{{modality}}"),
        ),
        lines(
            "Frames held",
            "Bytes that lanes hold; a lane pauses at lane_buffer_bytes.",
            BYTES,
            (total("trivium_buffered_bytes"), "all lanes"),
            (most("trivium_buffered_bytes"), "fullest lane"),
        ),
        lines(
            "Open sessions",
            "Started and not ended.",
            COUNT,
            (total("trivium_sessions_active", "instance"), "{{instance}}"),
        ),
        lines(
            "Sessions ended",
            "End: as they should. Timeout: silent too long. Clock: their capture times jumped.",
            PER_SECOND,
            (per_second(ended, "reason"), "{{reason}}"),
        ),
    ]


def inference() -> list[Panel]:
    """What computing takes, what is given up when it is too much, and what runs."""
    shed = {"modality": "video", "outcome": "shed"}
    shed_share = (
        f"{per_second('trivium_frames_total', **shed)} / {per_second('trivium_frames_total', modality='video')}"
    )
    bundle = f"max by (name, version) ({series('trivium_bundle_info')})"
    return [
        lines(
            "Decode and place a hop, p95",
            "Of pictures, with finding and cropping the mouth.",
            SECONDS,
            (quantile(0.95, "trivium_decode_seconds", "modality"), "{{modality}}"),
        ),
        lines(
            "One call of a model, p95",
            "An encoder for each modality, then fusion and head.",
            SECONDS,
            (quantile(0.95, "trivium_encode_seconds", "modality"), "{{modality}}"),
            (quantile(0.95, "trivium_fuse_seconds"), "fusion"),
        ),
        lines(
            "Wait for a batch",
            "Of a hop; it grows before anything is given up.",
            SECONDS,
            (quantile(0.5, "trivium_queue_seconds"), "p50"),
            (quantile(0.95, "trivium_queue_seconds"), "p95"),
        ),
        lines("Hops in a call", "On average.", COUNT, (mean("trivium_batch_size"), "hops")),
        lines(
            "Given up",
            "In this order, as more comes than can be computed: interims, every second picture, all pictures.",
            PER_SECOND,
            (per_second("trivium_degraded_total", "step"), "{{step}}"),
        ),
        lines("Pictures shed", "Of all pictures.", RATIO, (shed_share, "video"), bar=0.01),
        figure(
            "Provider",
            "Of ONNX Runtime.",
            COUNT,
            (most("trivium_provider_info", "provider"), "{{provider}}"),
            named=True,
            beside=4,
        ),
        figure("Bundle", "The model in use.", COUNT, (bundle, "{{name}} {{version}}"), named=True, beside=4),
        figure(
            "Rank of the SVD", "Dimensions that the projection keeps.", COUNT, (most("trivium_svd_rank"), ""), beside=4
        ),
        figure(
            "Energy kept",
            "Of the training features, by the projection.",
            RATIO,
            (most("trivium_svd_explained_energy_ratio"), ""),
            beside=4,
        ),
    ]


def captions() -> list[Panel]:
    """Whether they are on time, what they rest on, how much they are revised."""
    interim, final = "trivium_interim_latency_seconds", "trivium_final_latency_seconds"
    status, skew = "trivium_modality_status_total", "trivium_av_skew_seconds"
    present = f"{per_second(status, 'modality', status='present')} / {per_second(status, 'modality')}"
    changed = f"{per_second('trivium_words_changed_total')} / {per_second('trivium_revisions_count')}"
    return [
        lines(
            "Interims: after the capture of what they show",
            "Red above the 0.9 s that the service holds itself to.",
            SECONDS,
            *percentiles(interim),
            bar=0.9,
        ),
        lines(
            "Finals: after they could be known",
            "From the end of the hop in which the endpoint's wait ran out. Red above 0.3 s.",
            SECONDS,
            *percentiles(final),
            bar=0.3,
        ),
        lines(
            "Finals that have it",
            "Share of the finals in which a modality is present.",
            RATIO,
            (present, "{{modality}}"),
        ),
        lines(
            "What is wrong with a modality",
            "Finals by its status, where that is not present.",
            PER_SECOND,
            (per_second(status, "modality", "status", status="!present"), "{{modality}} {{status}}"),
        ),
        lines(
            "Sound ahead of pictures",
            "As measured; below 0 it is behind.",
            SECONDS,
            (quantile(0.5, skew), "p50"),
            (quantile(0.05, skew), "p5"),
            (quantile(0.95, skew), "p95"),
        ).min(-0.5),
        lines(
            "Revisions",
            "Interims before a final, and words that they showed and took back.",
            COUNT,
            (mean("trivium_revisions"), "interims a final"),
            (changed, "words changed a final"),
        ),
    ]


def kafka_side() -> list[Panel]:
    """How results get out, and which lanes are owned."""
    publish = "trivium_publish_seconds"
    return [
        lines(
            "Publish",
            "From sending finals and session records until they are committed.",
            SECONDS,
            *percentiles(publish),
            beside=4,
        ),
        lines(
            "Transactions",
            "Aborted: by an error, with which the process ends. Fenced: the lane has, or had, another owner.",
            PER_SECOND,
            (per_second("trivium_transactions_total", "outcome"), "{{outcome}}"),
            beside=4,
        ),
        lines(
            "Records not read",
            "By topic and lane; a lane that nobody owns is missing.",
            COUNT,
            (most("trivium_consumer_lag_records", "topic", "partition"), "{{topic}} {{partition}}"),
            beside=4,
        ),
        lines(
            "Rebalances",
            "Times that partitions were assigned anew.",
            PER_SECOND,
            (per_second("trivium_rebalances_total", "instance"), "{{instance}}"),
            beside=4,
        ),
    ]

"""The dashboard's rows around the data's path, one function each: first a glance, last what it all takes."""

from __future__ import annotations

from deploy.grafana.panels import BYTES, COUNT, RATIO, SECONDS, Panel, figure, lines
from deploy.grafana.queries import most, per_second, share_above, total


def at_a_glance() -> list[Panel]:
    """Whether captions are on time."""
    firing = 'count(ALERTS{alertstate="firing", alertname=~"Trivium.*"}) or vector(0)'
    late_interims = share_above("trivium_interim_latency_seconds", 0.9)
    late_finals = share_above("trivium_final_latency_seconds", 0.3)
    return [
        figure("Alerts that fire", "README, When an alert fires: one line for each.", COUNT, (firing, ""), red_from=1),
        figure("Processes ready", "Those whose /readyz says so.", COUNT, (total("trivium_ready"), "")),
        figure("Open sessions", "Started and not ended.", COUNT, (total("trivium_sessions_active"), "")),
        figure("Lag", "Of the lane furthest behind.", SECONDS, (most("trivium_consumer_lag_seconds"), ""), red_from=5),
        figure("Late interims", "Over 0.9 s after what they show.", RATIO, (late_interims, ""), red_from=0.05),
        figure("Late finals", "Over 0.3 s after they could be known.", RATIO, (late_finals, ""), red_from=0.05),
    ]


def resources() -> list[Panel]:
    """What the processes take."""
    decoding = per_second("trivium_decode_seconds_sum", "instance")
    return [
        lines(
            "Cores",
            "Of the service's own process; and busy decoding, which other processes do unless decoders is 0.",
            COUNT,
            (per_second("process_cpu_seconds_total", "instance"), "{{instance}}"),
            (decoding, "{{instance}} decoding"),
            beside=4,
        ),
        lines(
            "Resident memory",
            "Of the service's own process and of those that decode.",
            BYTES,
            (total("process_resident_memory_bytes", "instance"), "{{instance}}"),
            (total("trivium_decoders_resident_memory_bytes", "instance"), "{{instance}} decoding"),
            beside=4,
        ),
        lines(
            "Open files",
            "Of the most that the process may open.",
            RATIO,
            (f"{total('process_open_fds', 'instance')} / {total('process_max_fds', 'instance')}", "{{instance}}"),
            beside=4,
        ),
        lines(
            "Time since the start",
            "Falls to 0 at each restart.",
            SECONDS,
            (f"time() - {most('process_start_time_seconds', 'instance')}", "{{instance}}"),
            beside=4,
        ),
    ]

"""The dashboard's row of those who watch: the last step of the data's path, from `predictions` to their screens."""

from __future__ import annotations

from deploy.grafana.panels import COUNT, PER_SECOND, SECONDS, Panel, lines
from deploy.grafana.queries import per_second, percentiles, total


def watching() -> list[Panel]:
    """Who reads events and pages, how soon they have them, and who is turned away."""
    return [
        lines(
            "Who is connected",
            "Readers of events, and pages that may send frames.",
            COUNT,
            (total("trivium_events_clients"), "readers"),
            (total("trivium_sources"), "sources"),
        ),
        lines(
            "Events handed over",
            "To all readers together. A gap is what Kafka had deleted before a reader came back.",
            PER_SECOND,
            (per_second("trivium_events_sent_total", "kind"), "{{kind}}"),
        ),
        lines(
            "Handed over: after they were read",
            "Of live readers. Red above the 0.25 s that the service holds itself to.",
            SECONDS,
            *percentiles("trivium_events_delivery_seconds"),
            bar=0.25,
        ),
        lines(
            "Readers who are gone",
            "By why; who fell behind was slower than finals came.",
            PER_SECOND,
            (per_second("trivium_events_closed_total", "reason"), "{{reason}}"),
        ),
        lines(
            "Slow readers",
            "Interims left out for them; Kafka readers at work for those who come back from long ago.",
            COUNT,
            (per_second("trivium_events_coalesced_total"), "left out a second"),
            (total("trivium_events_readers_busy"), "catching up"),
        ),
        lines(
            "Refused",
            "Requests by what was wrong with them, and clients cut off since they were slow.",
            PER_SECOND,
            (per_second("trivium_http_refused_total", "reason"), "{{reason}}"),
        ),
    ]

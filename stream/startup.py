"""What must be right before the service is ready: topics, bundle, provider; all faults are reported at once.

Before the path. `serve` starts with what is found, `trivium check` prints it.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field

from stream import topics
from stream.config import Settings
from stream.errors import ConfigError, JobError, TriviumError
from stream.predict import Predictor, usable_cores

DELIVERY = {
    "exactly-once": "finals, progress and offsets go out together or not at all",
    "at-least-once": "what a crash makes come twice has the same ids",
}


@dataclass(slots=True)
class Report:
    """What was found, each with its name, and what is wrong.

    Attributes
    ----------
    predictor : Predictor or None
        Warm, if bundle and provider are right.
    """

    found: list[tuple[str, str]] = field(default_factory=list)
    faults: list[TriviumError] = field(default_factory=list)
    predictor: Predictor | None = None

    def checked(self) -> Predictor:
        """The predictor of a clean report.

        Raises
        ------
        ConfigError, JobError
            With one line a fault; settings and bundle weigh more than the broker.
        """
        if self.predictor is not None and not self.faults:
            return self.predictor
        text = "\n".join(str(fault) for fault in self.faults)
        if any(isinstance(fault, ConfigError) for fault in self.faults):
            raise ConfigError(text)
        raise JobError(text)


async def start_up(settings: Settings, *, only_look: bool = False) -> Report:
    """Prepare the topics, or only look at them, load and warm the bundle, and tell how it went."""
    report = Report()
    await _prepare_topics(settings, report, only_look=only_look)
    await _load_predictor(settings, report, only_look=only_look)
    return report


async def _prepare_topics(settings: Settings, report: Report, *, only_look: bool) -> None:
    try:
        missing = await topics.prepare(settings, only_look=only_look)
    except TriviumError as fault:
        report.faults.append(fault)
    else:
        report.found.append(("broker", settings.bootstrap_servers))
        report.found.append(("delivery", f"{settings.delivery}: {DELIVERY[settings.delivery]}"))
        names = ", ".join(settings.topic_prefix + name for name in topics.CONFIGS)
        to_come = f"; serve will create {', '.join(missing)}" if missing else ""
        report.found.append(("topics", f"{names}: {settings.partitions} partitions each{to_come}"))


async def _load_predictor(settings: Settings, report: Report, *, only_look: bool) -> None:
    try:
        decoders = 0 if only_look else usable_cores() if settings.decoders is None else settings.decoders
        report.predictor = await asyncio.to_thread(Predictor.load, settings, decoders)
    except TriviumError as fault:
        report.faults.append(fault)
        return
    bundle, manifest = report.predictor.bundle, report.predictor.bundle.manifest
    cores = len(os.sched_getaffinity(0))
    report.found += [
        ("bundle", f"{manifest.name} {manifest.version} {bundle.digest}"),
        ("provider", _provider(report.predictor)),
        ("threads", f"{settings.threads or cores} on {cores} cores"),
        ("projection", f"rank {manifest.svd_rank}, {manifest.svd_explained_energy_ratio:.1%} of the energy"),
    ]


def _provider(predictor: Predictor) -> str:
    return f"{predictor.provider} ({predictor.fell_back})" if predictor.fell_back else predictor.provider

"""What came of each session: the figures under the demo's captions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median

from rich.box import SIMPLE_HEAD
from rich.table import Table

from stream.frame import Modality
from stream.publish import Prediction
from stream.results import words_changed
from stream.view import latency_ms


@dataclass(slots=True)
class Tally:
    """One session's results, counted as they come."""

    session: str
    finals: list[Prediction] = field(default_factory=list)
    revisions: int = 0
    latencies_ms: list[float] = field(default_factory=list)
    words_changed: int = 0
    _shown: list[str] = field(default_factory=list)  # the open segment's words as last seen

    def add(self, prediction: Prediction) -> None:
        """Count one result that is news."""
        words = [word.word for word in prediction.words]
        self.words_changed += words_changed(self._shown, words)
        if prediction.is_final:
            self.finals.append(prediction)
            self._shown = []
        else:
            self.revisions += 1
            self.latencies_ms.append(latency_ms(prediction))
            self._shown = words

    @property
    def text(self) -> str:
        """All that was said in it."""
        return " ".join(final.text for final in self.finals)

    def weights(self) -> dict[str, float]:
        """What each modality gave, as the mean over the finals."""
        shares: dict[str, float] = {}
        for final in self.finals:
            for modality, result in final.modalities.items():
                shares[modality] = shares.get(modality, 0.0) + result.weight / len(self.finals)
        return shares


def summary(tallies: Iterable[Tally]) -> Table:
    """One row a session."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("session", style="cyan", overflow="fold")
    for title in ("finals", "changed", "caption", "final", *Modality):
        table.add_column(title, justify="right")
    for tally in tallies:
        weights = tally.weights()
        table.add_row(
            tally.session,
            str(len(tally.finals)),
            str(tally.words_changed),
            _ms(tally.latencies_ms),
            _ms([final.times.published_ms - final.words[-1].end_ms for final in tally.finals if final.words]),
            *(f"{weights.get(modality, 0.0):.0%}" for modality in Modality),
        )
    return table


LEGEND = (
    "changed: words shown and later changed. caption: median from the capture of the newest sound and picture to the "
    "caption. final: median from the end of the last word. text, audio, video: share in the finals."
)


def _ms(values: list[float]) -> str:
    return f"{median(values):.0f} ms" if values else "-"

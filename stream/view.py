"""Shows results: as JSON lines and WebVTT for programs, as captions that change before the reader's eyes for people.

[Prediction | SessionRecord] -> standard output
"""

from __future__ import annotations

import sys
from typing import NamedTuple, Protocol, Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from stream.publish import Prediction, SessionRecord, to_json

UNHURT = frozenset({"present", "idle"})  # statuses that need no mention
FULL_STABILITY = 0.8  # words above it are shown as settled


class View(Protocol):
    """Where `watch`, `recognize` and `demo` put results."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...

    def show(self, message: Prediction | SessionRecord) -> None:
        """Show one result that is news."""


class JsonLines:
    """One result a line, exactly as it stands in its record."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        sys.stdout.flush()

    def show(self, message: Prediction | SessionRecord) -> None:
        """Write it at once."""
        sys.stdout.buffer.write(to_json(message) + b"\n")
        sys.stdout.buffer.flush()


class WebVtt:
    """Finals as cues, their times counted from the session's start; of several sessions each cue names its own."""

    def __init__(self) -> None:
        self._starts_ms: dict[str, float] = {}

    def __enter__(self) -> Self:
        print("WEBVTT", flush=True)
        return self

    def __exit__(self, *exc: object) -> None:
        sys.stdout.flush()

    def show(self, message: Prediction | SessionRecord) -> None:
        """Write a final's cue; a session whose start was missed begins with its first segment."""
        if isinstance(message, SessionRecord):
            self._starts_ms[message.session] = message.start_ms
            return
        zero_ms = self._starts_ms.setdefault(message.session, message.start_ms)
        if message.is_final:
            print(f"\n{cue(message, zero_ms)}", flush=True)


class Captions:
    """Finals one below the other, under them what is being said now, each session on its line, revised in place.

    Where there is no terminal every revision is a line. `live`: also how long after its newest tick each was there.
    """

    def __init__(self, console: Console | None = None, *, live: bool = True) -> None:
        self._is_live = live
        self._console = console or Console(highlight=False)
        self._live = Live(console=self._console, transient=True, auto_refresh=False)
        self._open: dict[str, Text] = {}

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._live.stop()

    def show(self, message: Prediction | SessionRecord) -> None:
        """Print what stays, put what may change on its session's line."""
        line = news(message) if isinstance(message, SessionRecord) else caption(message, live=self._is_live)
        passing = self._console.is_terminal and isinstance(message, Prediction) and not message.is_final
        self._open.pop(message.session, None)
        if passing:
            self._open[message.session] = line
        self._live.update(Group(*self._open.values()), refresh=self._live.is_started)
        if not passing:
            self._print(line)

    def _print(self, line: Text) -> None:
        self._console.print(line, soft_wrap=not self._console.is_terminal)


def caption(prediction: Prediction, *, live: bool = True) -> Text:
    """One line: session, text, if live how long after its newest tick it was published, and what each modality gave."""
    settled = prediction.is_final or prediction.stability >= FULL_STABILITY
    text = Text()
    text.append(f"{prediction.session}  ", style="cyan")
    mark = ("final ", "bold green") if prediction.is_final else (f"rev {prediction.revision:<2}", "yellow")
    text.append(*mark)
    text.append(f" {prediction.text} ", style="bold" if prediction.is_final else "" if settled else "italic")
    after = f" +{latency_ms(prediction):.0f} ms " if live else ""
    text.append(f"{after} {gave(prediction)}", style="dim")
    return text


class Said(NamedTuple):
    """Of a final, what its cue says: the whole takes some 10 KB."""

    session: str
    start_ms: float
    end_ms: float
    text: str


def cue(final: Prediction | Said, zero_ms: float) -> str:
    """A final as WebVTT has it, its times counted from `zero_ms`."""
    span = f"{clock(final.start_ms - zero_ms)} --> {clock(final.end_ms - zero_ms)}"
    return f"{span}\n<v {_escaped(final.session)}>{_escaped(final.text)}"


def news(record: SessionRecord) -> Text:
    """One line on a session's start or end."""
    end = f" ({record.reason}), finals: {record.finals}" if record.state == "ended" else ""
    return Text(f"{record.session}  {record.state}{end}", style="dim cyan")


def latency_ms(prediction: Prediction) -> float:
    """From the capture of the newest tick used to publication."""
    return prediction.times.published_ms - prediction.times.captured_ms


def gave(prediction: Prediction) -> str:
    """The share of each modality that had one, and what was wrong with it."""
    parts = []
    for modality, result in prediction.modalities.items():
        if result.weight or result.status not in UNHURT:
            trouble = "" if result.status in UNHURT else f" ({result.status})"
            parts.append(f"{modality} {100 * result.weight:.0f} %{trouble}")
    return " ".join(parts)


def clock(time_ms: float) -> str:
    """`01:02:03.456`, as WebVTT has it."""
    whole_ms = max(0, round(time_ms))
    seconds, ms = divmod(whole_ms, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{ms:03d}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

"""A WebVTT or SRT file -> the lines that are on screen, with their times. PyAV reads both; styles are left out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from av.packet import Packet
from av.subtitles.codeccontext import SubtitleCodecContext
from av.subtitles.stream import SubtitleStream
from av.subtitles.subtitle import AssSubtitle

from stream.clip import opened, to_ns
from stream.errors import ConfigError

_STYLE = re.compile(r"\{\\[^}]*\}")


@dataclass(frozen=True, slots=True)
class Cue:
    """A line of text that is on screen during `[time_ns, end_ns)`."""

    time_ns: int
    end_ns: int
    text: str


def cues(path: Path) -> list[Cue]:
    """The lines of a file in order of time.

    Raises
    ------
    ConfigError
        If it holds no subtitles.
    """
    with opened(path) as container:
        if not container.streams.subtitles:
            raise ConfigError(f"'{path}' holds no subtitles: give a WebVTT or SRT file.")
        stream = container.streams.subtitles[0]
        found = [cue for packet in container.demux(stream) for cue in _read(stream.codec_context, packet)]
    return sorted(found, key=lambda cue: cue.time_ns)


def _read(decoder: SubtitleCodecContext, packet: Packet[SubtitleStream]) -> Iterator[Cue]:
    if packet.pts is None or not packet.size:
        return
    decoded = decoder.decode2(packet)
    lines = [line.dialogue.decode() for line in decoded or () if isinstance(line, AssSubtitle)]
    text = " ".join(_STYLE.sub("", " ".join(lines)).split())
    if text:
        start_ns = to_ns(packet.pts, packet.time_base)
        yield Cue(start_ns, start_ns + to_ns(packet.duration or 0, packet.time_base), text)

"""What one session leaves out while there is too much to compute: pictures before they are decoded, interims before they go.

    Hop -> [Spared] -> lighter Hop

Which steps are taken is decided in `overload.py`. A picture is given up or not when its first hop comes, and stays so in the
next hop and in every revision: each frame has one outcome.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from stream import metrics
from stream.frame import Frame, Modality
from stream.hop import Hop, Status
from stream.overload import Step
from stream.times import NS_PER_SECOND

if TYPE_CHECKING:
    from stream.caption import Caption

INTERIM_EVERY_NS = NS_PER_SECOND  # of what is said, while interims are few
_INTERIMS, _HALF_VIDEO, _NO_VIDEO = 1, 2, 3  # levels: how many steps are taken


class Spared:
    """What a session has left out lately."""

    def __init__(self) -> None:
        self._given_up: dict[int, tuple[bool, int]] = {}  # pictures by offset: whether, and the end of their last hop
        self._shown_ns = 0  # how far the newest interim shown reached

    def lighten(self, hop: Hop, level: int) -> tuple[Hop, int]:
        """The hop without the pictures that are given up, and how many of them are so for the first time."""
        pictures = hop.frames.get(Modality.VIDEO, [])
        kept: list[Frame] = []
        newly = 0
        for place, picture in enumerate(pictures):
            known = self._given_up.get(picture.offset)
            given_up = _gives_up(place, level) if known is None else known[0]
            newly += given_up and known is None and not picture.counted
            end_ns = hop.end_ns if known is None else max(hop.end_ns, known[1])
            self._given_up[picture.offset] = given_up, end_ns
            if not given_up:
                kept.append(picture)
        if newly:
            metrics.DEGRADED.labels(Step.HALF_VIDEO if level == _HALF_VIDEO else Step.NO_VIDEO).inc()
        if len(kept) == len(pictures):
            return hop, newly
        statuses = {**hop.statuses, Modality.VIDEO: Status.SHED}
        return replace(hop, frames={**hop.frames, Modality.VIDEO: kept}, statuses=statuses), newly

    def shown(self, captions: list[Caption], level: int) -> list[Caption]:
        """All finals; of the interims, while they are few, those that bring a second more or take back what was shown."""
        shown = []
        for caption in captions:
            soon = caption.end_ns - self._shown_ns < INTERIM_EVERY_NS
            if level >= _INTERIMS and soon and caption.words and not caption.is_final:
                metrics.DEGRADED.labels(Step.INTERIMS).inc()
                continue
            shown.append(caption)
            if not caption.is_final:
                self._shown_ns = caption.end_ns
        return shown

    def forget(self, before_ns: int) -> None:
        """Hops before `before_ns` do not come again."""
        self._given_up = {offset: known for offset, known in self._given_up.items() if known[1] > before_ns}


def _gives_up(place: int, level: int) -> bool:
    return level >= _NO_VIDEO or (level >= _HALF_VIDEO and place % 2 == 1)

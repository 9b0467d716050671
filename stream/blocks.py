"""What is known of one session on the tick grid: raw hops, and features in blocks that lag by the right context.

    HopInput -> Window -> Features

A block is as long as a hop and ends the encoders' right context before one does, so each hop settles exactly one block.
It is encoded once; again only if a late frame touches it or its context. Pictures out of step with the sound are taken so
many ticks later or earlier than it: later ones are waited for like right context.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np

from stream.features import Features, Window
from stream.motion import VIDEO
from stream.predict import Predictor
from stream.skew import UNKNOWN, Skew, reach_ns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stream.raster import HopInput


class Blocks:
    """Hops by their start, features by their block's start, all multiples of the hop or that less the right context.

    Attributes
    ----------
    end_ns : int
        The end of the newest hop, 0 before the first.
    """

    def __init__(self, predictor: Predictor) -> None:
        bundle = predictor.bundle
        self._predictor = predictor
        self._tick_ns, self._hop_ns = bundle.tick_ns, bundle.hop_ns
        self._left, self._right = bundle.left_ticks, bundle.right_ticks
        self._nothing = predictor.raster.nothing(bundle.manifest.hop_ticks)
        self._hops: dict[int, HopInput] = {}
        self._features: dict[int, Features] = {}
        self._skew, self._shift = UNKNOWN, 0  # ticks that pictures are later than the sound
        self.end_ns = 0

    @property
    def settled_ns(self) -> int:
        """Up to here the right context is settled, that of the pictures too."""
        return self.end_ns - self._ahead * self._tick_ns

    @property
    def _ahead(self) -> int:
        """Ticks beyond a block that it is made from."""
        return self._right + max(0, self._shift)

    @property
    def _behind(self) -> int:
        """Ticks before a block that it is made from."""
        return self._left + max(0, -self._shift)

    def apply(self, skew: Skew) -> None:
        """From now on pictures are shifted so, or left out; features that had them otherwise are to be encoded again."""
        shift = skew.shift_ticks(self._tick_ns)
        if (shift, skew.usable) != (self._shift, self._skew.usable):
            self._features.clear()
        self._skew, self._shift = skew, shift

    def put(self, start_ns: int, placed: HopInput) -> None:
        """A hop, new or anew; features that it touches are to be encoded again."""
        self._hops[start_ns] = placed
        self.end_ns = max(self.end_ns, start_ns + self._hop_ns)
        reach_from = start_ns - self._ahead * self._tick_ns
        reach_to = start_ns + self._hop_ns + self._behind * self._tick_ns
        for block_ns in [b for b in self._features if b < reach_to and b + self._hop_ns > reach_from]:
            del self._features[block_ns]

    async def encode(self, from_ns: int, *, nothing_follows: bool = False) -> None:
        """Encode the blocks from `from_ns` on that are settled and not encoded yet, all at once."""
        until_ns = self.end_ns if nothing_follows else self.settled_ns
        starts = [b for b in range(self._block_of(from_ns), until_ns, self._hop_ns) if b not in self._features]
        encoded = await asyncio.gather(*(self._predictor.encode(self._window(start_ns)) for start_ns in starts))
        self._features.update(zip(starts, encoded, strict=True))

    def features(self, start_ns: int, end_ns: int) -> Features:
        """The ticks `[start_ns, end_ns)`, all of which are encoded."""
        first_ns = self._block_of(start_ns)
        joined = Features.joined([self._features[b] for b in range(first_ns, end_ns, self._hop_ns)])
        return joined.ticks((start_ns - first_ns) // self._tick_ns, (end_ns - first_ns) // self._tick_ns)

    def forget_before(self, frontier_ns: int) -> None:
        """Let go of blocks before the frontier, and of hops that are no left context of later ticks, however shifted."""
        needed_ns = frontier_ns - self._hop_ns - reach_ns(self._left, self._tick_ns)
        self._hops = {h: placed for h, placed in self._hops.items() if h + self._hop_ns > needed_ns}
        self._features = {b: block for b, block in self._features.items() if b + self._hop_ns > frontier_ns}

    def forget_features(self) -> None:
        """Encode anew what comes: the last blocks were encoded as if nothing followed."""
        self._features.clear()

    def _block_of(self, time_ns: int) -> int:
        """The start of the block that holds a time."""
        ahead_ns = self._ahead * self._tick_ns
        return (time_ns + ahead_ns) // self._hop_ns * self._hop_ns - ahead_ns

    def _window(self, block_ns: int) -> Window:
        """A block with its context."""
        from_ns = block_ns - self._left * self._tick_ns
        to_ns = block_ns + self._hop_ns + self._right * self._tick_ns
        hops, heard = self._stretch(from_ns, to_ns)
        shift_ns = self._shift * self._tick_ns
        shown, seen = self._stretch(from_ns + shift_ns, to_ns + shift_ns)
        a_tick = self._predictor.raster.tick_samples
        inside = slice(self._left, (to_ns - from_ns) // self._tick_ns - self._right)
        mask: NDArray[np.float32] = np.concatenate([h.mask for h in hops])[heard][inside]
        mask[:, VIDEO] = np.concatenate([h.mask for h in shown])[seen][inside, VIDEO] * self._skew.usable
        return Window(
            np.concatenate([h.samples for h in hops])[heard.start * a_tick : heard.stop * a_tick],
            np.concatenate([h.crops for h in shown])[seen],
            np.concatenate([h.tokens for h in hops])[heard][inside],
            mask,
        )

    def _stretch(self, from_ns: int, to_ns: int) -> tuple[list[HopInput], slice]:
        """The hops that hold a stretch of time, and its ticks within them; hops that are not there held nothing."""
        first_ns = from_ns // self._hop_ns * self._hop_ns
        hops = [self._hops.get(h, self._nothing) for h in range(first_ns, to_ns, self._hop_ns)]
        return hops, slice((from_ns - first_ns) // self._tick_ns, (to_ns - first_ns) // self._tick_ns)

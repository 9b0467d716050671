"""What is known of one session on the tick grid: raw hops, and features in blocks that lag by the right context.

    HopInput -> Window -> Features

A block is as long as a hop and ends the encoders' right context before one does, so each hop settles exactly one block.
It is encoded once; again only if a late frame touches it or its context.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np

from stream.predict import Features, Predictor, Window

if TYPE_CHECKING:
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
        self.end_ns = 0

    @property
    def settled_ns(self) -> int:
        """Up to here the right context is settled."""
        return self.end_ns - self._right * self._tick_ns

    def put(self, start_ns: int, placed: HopInput) -> None:
        """A hop, new or anew; features that it touches are to be encoded again."""
        self._hops[start_ns] = placed
        self.end_ns = max(self.end_ns, start_ns + self._hop_ns)
        reach_from = start_ns - self._right * self._tick_ns
        reach_to = start_ns + self._hop_ns + self._left * self._tick_ns
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
        """Let go of blocks before the frontier, and of hops that are no left context of later ticks."""
        needed_ns = self._block_of(frontier_ns) - self._left * self._tick_ns
        self._hops = {h: placed for h, placed in self._hops.items() if h + self._hop_ns > needed_ns}
        self._features = {b: block for b, block in self._features.items() if b + self._hop_ns > frontier_ns}

    def forget_features(self) -> None:
        """Encode anew what comes: the last blocks were encoded as if nothing followed."""
        self._features.clear()

    def _block_of(self, time_ns: int) -> int:
        """The start of the block that holds a time."""
        shift = self._right * self._tick_ns
        return (time_ns + shift) // self._hop_ns * self._hop_ns - shift

    def _window(self, block_ns: int) -> Window:
        """A block with its context; hops that are not there held nothing."""
        from_ns = block_ns - self._left * self._tick_ns
        to_ns = block_ns + self._hop_ns + self._right * self._tick_ns
        first_ns = from_ns // self._hop_ns * self._hop_ns
        hops = [self._hops.get(h, self._nothing) for h in range(first_ns, to_ns, self._hop_ns)]
        skip, ticks = (from_ns - first_ns) // self._tick_ns, (to_ns - from_ns) // self._tick_ns
        samples_a_tick = self._predictor.raster.tick_samples
        inside = slice(skip + self._left, skip + ticks - self._right)
        return Window(
            np.concatenate([h.samples for h in hops])[skip * samples_a_tick : (skip + ticks) * samples_a_tick],
            np.concatenate([h.crops for h in hops])[skip : skip + ticks],
            np.concatenate([h.tokens for h in hops])[inside],
            np.concatenate([h.mask for h in hops])[inside],
        )

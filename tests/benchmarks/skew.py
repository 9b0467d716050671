"""How exactly the skew between sound and picture is measured, how soon, and how often it is wrong.

Sessions of 16 test clips, a second between, go hop by hop through the service's own raster and meter: pictures stamped
80, 160 and 320 ms early and late, in clean sound and under noise at 0 dB; and pictures that have nothing to do with the
sound: those of other clips, and frozen ones. Of the states after every hop with pictures:

known_after_seconds   of each session, None where it never is
error_ms              of each session, what is known at its end less what is true
wrong_share           of the hops at which a skew is known: it is off by more than 60 ms (a tick and a half)
left_out_share        of all hops: pictures would be left out of a segment that begins there

Of pictures that have nothing to do with the sound nothing is true, so `known_share` stands for the three. Figure
`most_off_ms`: the largest error of a session whose pictures are its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from models.preprocess import CROP_HEIGHT_PX, CROP_WIDTH_PX, RATE_HZ
from models.tasks.speech import HOP_NS, TICK_NS
from stream.face import FaceFinder
from stream.frame import Frame, Modality
from stream.mouth import Mouth
from stream.noise import Noise
from stream.raster import HopInput, Raster
from stream.scene import Scene, takes, timed
from stream.skew import Meter, Skew
from tests.benchmarks import clips
from tests.benchmarks.report import benchmark_parser, progress, report

SESSIONS, CLIPS = 4, 16
LATE_MS = (0, 80, -80, 160, -160, 320, -320)
AIRS: dict[str, Scene] = {
    "clean": Scene(),
    "babble at 0 dB": Scene(snr_db=0, noise=Noise.BABBLE),
    "white at 0 dB": Scene(snr_db=0, noise=Noise.WHITE),
}
WRONG_MS = 60.0

Hops = dict[int, HopInput]  # by their start


@dataclass(frozen=True)
class Followed:
    """What was known of one session after each hop with pictures, and when that was."""

    ends_s: tuple[float, ...]
    skews: tuple[Skew, ...]

    @property
    def measured_ms(self) -> list[float | None]:
        """The same as numbers."""
        return [None if skew.measured_ns is None else skew.measured_ns / 1e6 for skew in self.skews]


def main() -> None:
    """Place, measure, count."""
    parser = benchmark_parser(__doc__)
    parser.add_argument("--sessions", type=int, default=SESSIONS, help=f"of {CLIPS} clips each")
    given = parser.parse_args()
    raster = Raster(TICK_NS, RATE_HZ, [""], Mouth(FaceFinder(), CROP_HEIGHT_PX, CROP_WIDTH_PX))
    with TemporaryDirectory() as folder:
        taken = [clips.take(CLIPS, Path(folder), first=CLIPS * number) for number in range(given.sessions)]
        paths = [[clip.path for clip in session] for session in taken]
        sounds = {
            air: [placed(raster, played, scene, Modality.AUDIO) for played in paths] for air, scene in AIRS.items()
        }
        rows = [*in_step_or_not(raster, paths, sounds), *nothing_to_do(raster, paths, sounds["clean"])]
    off_ms = [abs(error) for row in rows for error in row.get("error_ms", ()) if error is not None]
    report("skew", {"most_off_ms": max(off_ms, default=None), "rows": rows, "clips": clips.source()})


def in_step_or_not(
    raster: Raster, paths: Sequence[Sequence[Path]], sounds: dict[str, list[Hops]]
) -> Iterator[dict[str, Any]]:
    """A row for each skew in each noise."""
    for late_ms in LATE_MS:
        progress(f"pictures {late_ms} ms late")
        scene = Scene(skew_ms={Modality.VIDEO: late_ms})
        pictures = [placed(raster, played, scene, Modality.VIDEO) for played in paths]
        for air, heard in sounds.items():
            yield {"late_ms": late_ms, "air": air, **_told([*map(followed, heard, pictures)], late_ms)}


def nothing_to_do(raster: Raster, paths: Sequence[Sequence[Path]], sounds: Sequence[Hops]) -> Iterator[dict[str, Any]]:
    """A row for each kind of pictures that have nothing to do with the sound."""
    progress("pictures that have nothing to do with the sound")
    shown = {
        "other clips": [placed(raster, [*played[5:], *played[:5]], Scene(), Modality.VIDEO) for played in paths],
        "frozen": [placed(raster, played, Scene(), Modality.VIDEO, frozen=True) for played in paths],
    }
    for name, pictures in shown.items():
        yield {"pictures": name, **_share([*map(followed, sounds, pictures)])}


def placed(raster: Raster, paths: Sequence[Path], scene: Scene, modality: Modality, *, frozen: bool = False) -> Hops:
    """One modality of the clips end to end, on the grid of ticks; frozen: the first picture again and again."""
    alone = replace(scene, without=frozenset(Modality) - {modality})
    frames = [piece.item for piece in timed(takes(paths, alone), alone) if isinstance(piece.item, Frame)]
    if frozen:
        frames = [replace(frame, payload=frames[0].payload) for frame in frames]
    hops = {}
    for start_ns in range(frames[0].time_ns // HOP_NS * HOP_NS, frames[-1].time_ns, HOP_NS):
        inside = [
            frame
            for frame in frames
            if frame.time_ns < start_ns + HOP_NS and frame.time_ns + (frame.duration_ns or 0) > start_ns
        ]
        hops[start_ns] = raster.hop({modality: inside}, start_ns, start_ns + HOP_NS)
    return hops


def followed(sound: Hops, pictures: Hops) -> Followed:
    """Let a meter follow a session of this sound and these pictures."""
    meter, blank = Meter(TICK_NS, HOP_NS), next(iter(sound.values()))
    found = []
    for start_ns in sorted(pictures):
        seen, heard = pictures[start_ns], sound.get(start_ns)
        mask = seen.mask + heard.mask if heard else seen.mask
        samples = heard.samples if heard else blank.samples * 0
        meter.add(start_ns, HopInput(samples, seen.crops, seen.tokens, mask))
        if seen.mask.any():
            found.append(((start_ns + HOP_NS) / 1e9, meter.skew))
    return Followed(tuple(end_s for end_s, _ in found), tuple(skew for _, skew in found))


def _told(sessions: Sequence[Followed], late_ms: float) -> dict[str, Any]:
    states = [ms for session in sessions for ms in session.measured_ms if ms is not None]
    wrong = sum(abs(ms - late_ms) > WRONG_MS for ms in states)
    last = [session.measured_ms[-1] for session in sessions]
    return {
        "known_after_seconds": [_known_after(session) for session in sessions],
        "error_ms": [None if ms is None else ms - late_ms for ms in last],
        "wrong_share": round(wrong / max(len(states), 1), 4),
        **_share(sessions),
    }


def _share(sessions: Sequence[Followed]) -> dict[str, float]:
    skews = list(chain.from_iterable(session.skews for session in sessions))
    known = sum(skew.measured_ns is not None for skew in skews)
    left_out = sum(not skew.usable for skew in skews)
    return {
        "known_share": round(known / max(len(skews), 1), 4),
        "left_out_share": round(left_out / max(len(skews), 1), 4),
    }


def _known_after(session: Followed) -> float | None:
    ends = (end_s for end_s, skew in zip(session.ends_s, session.skews, strict=True) if skew.measured_ns is not None)
    return next(ends, None)


if __name__ == "__main__":
    main()

"""Sections of the report page: other bundles, the service's whole path, other recognisers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from models.measure.bars import text
from models.measure.cells import AIRS, CLEAN, Air, Cell
from models.measure.rows import Row, by_rank, find, named, one
from stream.noise import Noise

BUNDLES = """## Fusions side by side

The same encoders' features, fused in other ways and on bases of other ranks; each fusion's head was trained alike, and for
a third as long as the shipped one. Rank is what is left of {features} features a tick; the time is that of the fusion's
graph, head included, for one segment of 75 ticks on one thread.

The encoders were trained through bases of rank 56 (sound) and 40 (pictures) and asked to keep to them: that a quarter of
the rank loses little is what they were trained for, and says less of features that were not. `audio` and `video` are the
encoders' own networks; the fused ones use those encoders as they are and begin with their heads, so that they do not lose to
them says that nothing was unlearned. How far text is to be relied on is measured tick by tick, where a word shown for a whole
sentence tells almost nothing: average and voting all but leave it out.

Where there are no pictures the shipped bundle answers by `audio`'s own head, and so differs from it in nothing; the bundles here
answer by their fusion alone. What a fused head gives up where only sound is there stands in their columns A.
"""
RANK = "![Word error rate and time against rank](rank.svg)\n"
PATH = """## By the whole path

The tables above encode each distinct sound and sight once and fuse a clip as one segment. Here the same clips, with the
noise of seed 0, go through everything that serves but Kafka: records, alignment, hops, endpoints, finals. Where the two
differ, segments ended elsewhere, or, with skew, the face was looked for in other pictures of a hop.
"""
JOINED = """### Sessions of many clips

Clips one after another in one session, with 1 to 3 s of the clip's own room noise between, babble throughout where it
says so. A sentence counts as whole if one final has words in it and that one has words in no other.
"""
TIMES = """### When words were said

Absolute difference from GRID's own word times, of the words that were recognised rightly. The grid of ticks is 40 ms.
"""
ELSE = "### Wrong words, other speakers\n"
OTHERS = """The bundle was trained on one speaker of GRID and a synthetic one: other speakers are outside of what it knows. What would
help is training clips of more speakers, of both sexes and of more than one accent; GRID has 34.
"""
PEERS = """## Other recognisers

The same clips under the same kinds of noise, counted by the same function on the same spelling: theirs with the noise of
seed 0, this bundle's A and A+V over all seeds. They hear only. PocketSphinx was given a grammar of GRID's sentences,
Whisper four made-up sentences of its kind as a prompt (chosen among four prompts on ten validation clips).
"""


def table(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Markdown."""
    rows = [heads, ["---"] * len(heads), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def brief(row: Row | None) -> str:
    """A rate and its interval without the unit, empty if it was not measured."""
    return f"{row['value']:.1f} ({row['low']:.1f}–{row['high']:.1f})" if row else ""  # noqa: RUF001 a range's dash


def bundle_section(rows: Sequence[Row]) -> str:
    """Kinds of fusion and ranks."""
    times = find(rows, table="fusion", what="time")
    if not times:
        return ""
    babble = [Air(Noise.BABBLE, snr_db) for snr_db in (0.0, -5.0)]
    cells = [Cell("A"), Cell("V"), *(Cell(s, air) for air in (CLEAN, *babble) for s in ("A+V", "A+V+T"))]
    cells += [Cell("A", air) for air in babble]
    heads = ["bundle", "rank", "energy", "time", *(_short(cell) for cell in cells)]
    lines = [_bundle_line(rows, each, cells) for each in times]
    parts = [BUNDLES.format(features=max(each["features"] for each in times)), table(heads, lines)]
    if by_rank(times):
        parts.append(RANK)
    return "\n".join([*parts, _differences(rows)])


def _short(cell: Cell) -> str:
    return cell.modalities if cell.air == CLEAN else f"{cell.modalities}, {cell.air.snr_db:g} dB"


def _bundle_line(rows: Sequence[Row], about: Row, cells: Sequence[Cell]) -> list[str]:
    name = about["bundle"]
    energy = find(rows, table="fusion", what="energy", bundle=name)[0]
    rates = [one(rows, "bundles", cell, bundle=name) for cell in cells]
    values = [f"{each['value']:.1f}" if each else "" for each in rates]
    return [name, str(about["rank"]), f"{energy['value']:.1f} %", f"{about['value']:.0f} µs", *values]


def _differences(rows: Sequence[Row]) -> str:
    """Low rank against full, and sound alone against sound only."""
    found = [*find(rows, table="rank"), *find(rows, table="sound-alone")]
    lines = [(each["figure"], text(each), "held" if each["reached"] else "**not held**") for each in found]
    return table(("difference", "value", ""), lines) if lines else ""


def path_section(rows: Sequence[Row]) -> str:
    """What the service itself makes of the clips."""
    single = find(rows, table="path")
    if not single:
        return ""
    lines = [
        (_said(each), text(each), f"{each['short_value']:.1f} %", str(each["clips_that_differ"])) for each in single
    ]
    parts = [PATH, table(("condition", "whole path", "as one segment", "clips with another count"), lines)]
    parts += [JOINED, _joined(rows), TIMES, _times(rows), ELSE]
    plain = [*find(rows, table="misled"), *find(rows, table="others")]
    parts.append(table(("figure", "value", "data"), [(each["figure"], text(each), each["data"]) for each in plain]))
    return "\n".join([*parts, OTHERS])


def _said(row: Row) -> str:
    return str(row["figure"]).partition(", ")[2]


def _joined(rows: Sequence[Row]) -> str:
    lines = []
    for finals in find(rows, table="joined", what="finals"):
        same = {key: finals[key] for key in ("modalities", "noise", "snr_db")}
        errors = find(rows, table="joined", what="errors", **same)[0]
        air = Air(Noise(finals["noise"]), finals["snr_db"]) if finals["noise"] else CLEAN
        condition = named(Cell(finals["modalities"], air))
        lines.append((condition, text(finals), text(errors), f"{errors['single_value']:.1f} %"))
    return table(("condition", "sentences that are one final", "word error rate", "single clips"), lines)


def _times(rows: Sequence[Row]) -> str:
    lines = []
    for first in find(rows, table="times", edge="start", percentile=50):
        same = {key: first[key] for key in ("modalities", "noise", "snr_db")}
        values = [
            find(rows, table="times", edge=edge, percentile=share, **same)[0]["value"]
            for edge in ("start", "end")
            for share in (50, 95)
        ]
        condition = str(first["figure"]).partition("percentile, ")[2]
        lines.append((condition, str(first["words"]), *(f"{value:.0f} ms" for value in values)))
    return table(("condition", "words", "start, median", "start, 95th", "end, median", "end, 95th"), lines)


def peer_section(rows: Sequence[Row]) -> str:
    """What others make of the same sound."""
    names = list(dict.fromkeys(each["peer"] for each in find(rows, table="peers")))
    if not names:
        return ""
    parts = [PEERS]
    for noise in Noise:
        airs = [air for air in AIRS if air.noise in {None, noise}]
        heads = [str(noise), *("clean" if air.snr_db is None else f"{air.snr_db:g} dB" for air in airs)]
        lines = [_rates(name, [one(rows, "peers", Cell("A", air), peer=name) for air in airs]) for name in names]
        lines += [_rates(s, [one(rows, "degradation", Cell(s, air)) for air in airs]) for s in ("A", "A+V")]
        parts.append(table(heads, lines))
    licences = {each["peer"]: each["licence"] for each in find(rows, table="peers")}
    data = find(rows, table="peers")[0]["data"]
    parts.append(f"Theirs on {data}. " + " ".join(f"{name}: {licences[name]}." for name in names) + "\n")
    return "\n".join(parts)


def _rates(name: str, found: Sequence[Row | None]) -> list[str]:
    return [name, *(f"{each['value']:.1f}" if each else "" for each in found)]

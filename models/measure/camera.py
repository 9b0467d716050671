"""Section of the report page: real conditions of a camera, and video that tells nothing."""

from __future__ import annotations

from collections.abc import Sequence

from models.measure.bars import text
from models.measure.rows import Row, find
from models.measure.sections import brief, table

LOOKS = """## Before the camera

The clips' pictures transformed as real conditions would have them, through the whole path; hand and second face are drawn in
or pasted, so these are real clips with synthetic faults. A crop of which too little is to be seen is dropped, not fed in.
Word error rate, beside that of the plain clips.
"""
FAULTS = """### Video that tells nothing

How many more errors than sound alone in the same noise, in points, paired. Held: not surely worse, and by no more than
one point.
"""


def camera_section(rows: Sequence[Row]) -> str:
    """What a camera's conditions and faults cost."""
    looks = find(rows, table="looks")
    if not looks:
        return ""
    sets = list(dict.fromkeys(each["modalities"] for each in looks))
    names = list(dict.fromkeys(each["condition"] for each in looks))
    lines = [(name, *(brief(_one(looks, name, modalities)) for modalities in sets)) for name in names]
    faults = [
        (
            each["condition"],
            "clean" if each["noise"] is None else f"{each['noise']} at {each['snr_db']:g} dB",
            f"{each['against_value']:.1f}",
            text(each),
            "held" if each["reached"] else "**not held**",
        )
        for each in find(rows, table="faults")
    ]
    parts = [LOOKS, table(("condition", *sets), lines), FAULTS]
    return "\n".join([*parts, table(("video", "noise", "sound alone", "more errors", ""), faults)])


def _one(looks: Sequence[Row], name: str, modalities: str) -> Row | None:
    return next(iter(find(looks, condition=name, modalities=modalities)), None)

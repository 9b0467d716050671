from pathlib import Path

import numpy as np
import pytest

from models import bundle as bundles
from models.measure.cells import Cell, comparison
from models.measure.compare import About, cells, error_rows, found_in, plans, rank_rows, sound_rows
from models.measure.counts import Counts
from models.measure.rows import Row, Scored, find, one
from models.measure.sections import bundle_section
from stream.errors import ConfigError

CLIPS, SEEDS = 6, 2
ABOUT = {
    name: About(name, fusion, rank, 336)
    for name, fusion, rank in (
        ("audio", "concatenation", 56),
        ("average-84", "average", 84),
        ("concatenation-42", "concatenation", 42),
        ("concatenation-84", "concatenation", 84),
        ("concatenation-336", "concatenation", 336),
    )
}


def counted(name: str, share: float) -> Counts:
    random = np.random.default_rng(0)
    edits = {
        cell: random.binomial(6, share, (len(cell.segments(SEEDS)), CLIPS)).astype(np.int64) for cell in cells(name)
    }
    return Counts(edits, np.full(CLIPS, 6))


COUNTS = {name: counted(name, 0.2) for name in ABOUT}
OWN = Scored.of(counted("concatenation-84", 0.2), SEEDS, "clips")


def test_a_network_that_knows_one_modality_is_measured_on_no_other() -> None:
    assert {cell.modalities for cell in cells("audio")} == {"A"}
    assert cells("video") == (Cell("V"),)
    assert cells("voting-84") == tuple(comparison())
    assert [plan.cells for plan in plans({"audio": Path("a"), "average-84": Path("b")}, 3)] == [
        cells("audio"),
        tuple(comparison()),
    ]


def test_what_a_bundle_is_comes_from_its_manifest() -> None:
    manifest = bundles.load("speech").manifest
    about = About.of("shipped", manifest)
    assert (about.fusion, about.rank) == (manifest.fusion, manifest.svd_rank)
    assert about.features == sum(encoder.features for encoder in manifest.encoders.values())


def test_bundles_that_err_alike_are_told_to_differ_by_nothing() -> None:
    rows = rank_rows(ABOUT, COUNTS, OWN)
    assert {(each["bundle"], each["against"]) for each in rows} == {("concatenation-84", "concatenation-336")}
    assert len(rows) == 10
    assert all((each["value"], each["low"], each["high"], each["reached"]) == (0, 0, 0, True) for each in rows)


def test_a_rank_that_costs_errors_is_not_held() -> None:
    rows = rank_rows(ABOUT, COUNTS | {"concatenation-84": counted("concatenation-84", 0.6)}, OWN)
    assert not any(each["reached"] for each in rows)


def test_without_a_full_rank_there_is_nothing_to_compare_a_low_one_with() -> None:
    assert rank_rows({name: ABOUT[name] for name in ("concatenation-84", "audio")}, COUNTS, OWN) == []
    assert rank_rows({}, {}, OWN) == []


def test_sound_alone_is_held_against_the_network_that_knows_sound_only() -> None:
    rows = sound_rows(COUNTS, OWN)
    assert len(rows) == 11
    assert all(each["against"] == "audio" for each in rows)
    assert sound_rows({"average-84": COUNTS["average-84"]}, OWN) == []


def test_each_bundle_is_a_line_of_the_page() -> None:
    rows: list[Row] = []
    for name, about in ABOUT.items():
        rows += error_rows(about, COUNTS[name], OWN)
        for what, value in (("time", 400.0), ("energy", 93.2)):
            more = {"bundle": name, "fusion": about.fusion, "rank": about.rank, "features": 336}
            rows.append({"table": "fusion", "what": what, "value": value, **more})
    page = bundle_section(rows)
    assert all(f"| {name} | {about.rank} | 93.2 % | 400 µs |" in page for name, about in ABOUT.items())
    rate = one(rows, "bundles", Cell("A+V"), bundle="average-84")
    assert rate is not None
    assert f"{rate['value']:.1f}" in page
    assert bundle_section(find(rows, table="bundles")) == ""


def test_a_folder_without_bundles_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no bundles"):
        found_in(tmp_path)
    shipped = found_in(bundles.SHIPPED)
    assert shipped["speech"] == bundles.SHIPPED / "speech"

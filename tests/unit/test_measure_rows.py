import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.measure import page as report_page
from models.measure.bars import bars, text
from models.measure.cells import AIRS, CLEAN, SETS, Air, Cell, degradation
from models.measure.counts import Counts
from models.measure.rows import (
    Row,
    Scored,
    conditions,
    degradation_rows,
    find,
    hint_rows,
    member_rows,
    not_worse,
    one,
    row,
)
from models.measure.sections import brief
from models.measure.statistics import Estimate
from stream.noise import Noise

CLIPS, SEEDS = 8, 2
SHARES = {"T": 0.8, "A": 0.3, "V": 0.1, "A+V": 0.02, "A+T": 0.2, "V+T": 0.05, "A+V+T": 0.01}
BABBLE = Air(Noise.BABBLE, 0.0)


def counted(shares: dict[str, float]) -> Counts:
    """Errors drawn at a rate a set, whatever else the cell says."""
    cells = dict.fromkeys(cell.distinct for cell in degradation())
    random = np.random.default_rng(0)
    edits = {
        cell: random.binomial(6, shares[cell.modalities], (len(cell.segments(SEEDS)), CLIPS)).astype(np.int64)
        for cell in cells
    }
    return Counts(edits, np.full(CLIPS, 6))


def measured(counts: Counts) -> list[Row]:
    scored = Scored.of(counts, SEEDS, "clips")
    return degradation_rows(scored) + member_rows(scored) + hint_rows(scored)


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return measured(counted(SHARES))


def test_a_row_is_json_with_its_conditions_as_keys(rows: list[Row]) -> None:
    again = json.loads(json.dumps(rows, allow_nan=False))
    assert again == rows
    row = one(rows, "degradation", Cell("A+V", BABBLE, 80, 0.05))
    assert row is not None
    assert (row["modalities"], row["noise"], row["snr_db"], row["skew_ms"], row["loss"]) == (
        "A+V",
        "babble",
        0,
        80,
        0.05,
    )
    assert row["figure"] == "word error rate, A+V, babble at 0 dB, pictures 80 ms late, 5% of frames lost"


def test_every_cell_of_the_product_has_a_rate_within_its_interval(rows: list[Row]) -> None:
    table = find(rows, table="degradation")
    assert len(table) == 7 * 11 * 4 * 3
    assert all(0 <= each["low"] <= each["value"] <= each["high"] for each in table)


def test_cells_that_cannot_differ_have_one_value(rows: list[Row]) -> None:
    values = {each["value"] for each in find(rows, table="degradation", modalities="V", loss=0.0)}
    assert len(values) == 1


def test_a_set_is_held_against_the_member_that_errs_least(rows: list[Row]) -> None:
    found = find(rows, table="members", **conditions(Cell("A+V", BABBLE)))
    assert [each["against"] for each in found] == ["V"]
    counts = counted(SHARES)
    difference = counts.of(Cell("A+V", BABBLE)).mean() - counts.of(Cell("V")).mean()
    assert found[0]["value"] == pytest.approx(100 * difference / 6, abs=0.01)
    assert find(rows, table="members", **conditions(Cell("V+T", BABBLE))) == []  # no noise is in it


def test_a_set_that_errs_more_than_its_member_is_not_held() -> None:
    worse = measured(counted(SHARES | {"A+V": 0.4}))
    found = find(worse, table="members", **conditions(Cell("A+V", BABBLE)))[0]
    assert found["low"] > 0
    assert found["reached"] is False


def test_not_worse_means_neither_surely_so_nor_by_more_than_a_point() -> None:
    assert not_worse(Estimate(0.9, -0.1, 2.0))
    assert not_worse(Estimate(-3.0, -4.0, -2.0))
    assert not not_worse(Estimate(0.5, 0.1, 0.9))
    assert not not_worse(Estimate(1.1, -0.5, 3.0))


def test_each_bar_says_reached_missed_or_not_measured(rows: list[Row]) -> None:
    verdicts = {bar.figure: bar.reached for bar in bars(rows)}
    assert len(verdicts) == 11
    assert verdicts["word error rate, lips only"] is (one(rows, "degradation", Cell("V"))["value"] <= 8)  # type: ignore[index]
    assert verdicts["word error rate, A, babble at 0 dB"] is False
    assert verdicts["SVD rank at most a quarter of the features, against full rank"] is None
    assert [bar.reached for bar in bars(measured(counted(dict.fromkeys(SETS, 0.0))))][:6] == [True] * 6


def test_of_many_comparisons_the_worst_is_shown() -> None:
    low = [
        row("rank", f"more errors of a than of b, {air}", Estimate(value, -1, 2), "points", "clips", reached=value < 1)
        for air, value in (("clean", 0.2), ("babble", 1.4))
    ]
    bar = next(bar for bar in bars(low) if bar.figure.startswith("SVD rank"))
    assert bar.value == "1 of 2 comparisons; worst: +1.4 points (-1.0 to +2.0), babble"
    assert bar.verdict == "**missed**"


def test_a_value_is_told_with_its_unit_and_interval() -> None:
    assert text(row("t", "f", Estimate(1.25, 0.5, 2.0), "%", "d")) == "1.2 % (0.5 to 2.0)"
    assert text(row("t", "f", Estimate(-0.3, -0.5, 0.0), "points", "d")) == "-0.3 points (-0.5 to +0.0)"
    assert text(row("t", "f", 40.0, "ms", "d")) == "40 ms"


def test_the_page_has_every_value_of_its_tables_and_plots_that_are_the_same_each_time(
    rows: list[Row], tmp_path: Path
) -> None:
    written = report_page.write(rows, tmp_path / "one")
    again = report_page.write(rows, tmp_path / "two")
    assert [path.read_bytes() for path in written] == [path.read_bytes() for path in again]
    page = (tmp_path / "one" / report_page.PAGE).read_text()
    for air in AIRS:
        assert brief(one(rows, "degradation", Cell("A+V", air))) in page
    assert all(f"]({path.name})" in page for path in written if path.suffix == ".svg")
    lines = (tmp_path / "one" / report_page.CSV).read_text().splitlines()
    assert lines[0] == ",".join(report_page.COLUMNS)
    assert len(lines) == 1 + 7 * 11 * 4 * 3
    assert sum(len(line) for line in lines) < 200_000


def test_a_cell_is_named_by_what_is_done_to_it() -> None:
    cell = Cell("A", CLEAN)
    assert conditions(replace(cell, air=BABBLE))["noise"] == "babble"
    assert conditions(cell)["noise"] is None

from models.measure.cells import (
    CLEAN,
    SETS,
    Air,
    Cell,
    comparison,
    degradation,
    distinct_segments,
)
from stream.noise import Noise

BABBLE = Air(Noise.BABBLE, 0.0)
EVERYTHING = list(degradation())


def test_the_table_is_the_full_product_and_names_no_cell_twice() -> None:
    assert len(EVERYTHING) == len(set(EVERYTHING)) == 7 * 11 * 4 * 3


def test_what_does_not_hear_is_the_same_in_any_noise_and_what_lacks_a_partner_is_never_out_of_step() -> None:
    assert Cell("V", BABBLE, 80, 0.05).distinct == Cell("V", CLEAN, 0, 0.05)
    assert Cell("A", BABBLE, 80, 0.05).distinct == Cell("A", BABBLE, 0, 0.05)
    assert Cell("T", BABBLE, 80, 0.05).distinct == Cell("T")
    assert Cell("A+V", BABBLE, 80, 0.05).distinct == Cell("A+V", BABBLE, 80, 0.05)


def test_cells_that_cannot_differ_share_their_segments() -> None:
    assert Cell("V", BABBLE, 320).segments(5) == Cell("V").segments(5)
    assert len({cell.distinct for cell in EVERYTHING}) < len(EVERYTHING) / 2
    everything = distinct_segments(EVERYTHING, 5)
    assert len(everything) == len(set(everything))
    assert everything == distinct_segments([cell.distinct for cell in EVERYTHING], 5)


def test_a_cell_has_a_segment_a_seed_if_a_seed_changes_anything() -> None:
    assert [len(Cell(name).segments(5)) for name in ("A", "V", "A+V", "T", "A+T")] == [1, 1, 1, 5, 5]
    assert len(Cell("A", BABBLE).segments(5)) == len(Cell("V", loss=0.05).segments(5)) == 5
    assert all(len(set(cell.segments(5))) == len(cell.segments(5)) for cell in EVERYTHING)


def test_a_segment_holds_just_what_its_set_has() -> None:
    for name in SETS:
        segment = Cell(name, BABBLE, 80, 0.2).segments(3)[2]
        there = {"A": segment.sound, "V": segment.sight, "T": segment.hint}
        assert {letter for letter, part in there.items() if part is not None} == {*name.replace("+", "")}


def test_pictures_out_of_step_are_so_by_whole_ticks() -> None:
    assert [Cell("A+V", skew_ms=skew_ms).segments(1)[0].skew_ticks for skew_ms in (0, 80, 160, 320)] == [0, 2, 4, 8]


def test_one_seed_draws_noise_losses_and_hint_alike_for_all_cells() -> None:
    segment = Cell("A+V+T", BABBLE, loss=0.2).segments(5)[3]
    assert segment.sound is not None
    assert segment.sight is not None
    assert segment.sound.seed == segment.sight.seed == segment.hint == 3
    assert Cell("A", BABBLE, loss=0.2).segments(5)[3].sound == segment.sound


def test_bundles_are_compared_by_cells_of_the_table() -> None:
    assert {*comparison()} <= {*EVERYTHING}
    assert {cell.modalities for cell in comparison()} == {"A", "V", "A+V", "A+V+T"}

from pathlib import Path

import numpy as np
import pytest

from models.evaluate import card
from models.measure.cells import Cell, degradation
from models.measure.counts import Counts
from models.measure.hearing import Heard, TimedWord
from models.measure.report import CELLS, JOINED, Corpus, _joined_rows, _plain_rows, _single_rows
from models.measure.rows import Row, Scored, degradation_rows, find, row
from models.measure.sections import path_section, peer_section
from stream.frame import Modality
from stream.replay import sources
from stream.scene import timed
from tests.synthetic_clips import SyntheticClip

NAMES = ["s1/one", "s1/two"]
SENTENCES = {"s1/one": "bin blue now", "s1/two": "set red soon", "s2/three": "lay green please"}
WORDS = {
    name: [(word, 0.5 + 0.3 * place, 0.8 + 0.3 * place) for place, word in enumerate(sentence.split())]
    for name, sentence in SENTENCES.items()
}


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return Corpus(tmp_path, SENTENCES, WORDS, tmp_path)


@pytest.fixture(scope="module")
def scored() -> Scored:
    cells = dict.fromkeys(cell.distinct for cell in degradation())
    none = {cell: np.zeros((len(cell.segments(1)), 2), dtype=np.int64) for cell in cells}
    return Scored.of(Counts(none, np.full(2, 3)), 1, "clips")


def heard(name: str, from_ms: float = 0.0, late_ms: float = 0.0, lost: int = 0) -> tuple[TimedWord, ...]:
    """A clip's words as they were recognised, all too late, the first ones not at all."""
    said = [TimedWord(w, from_ms + 1000 * s + late_ms, from_ms + 1000 * e + late_ms) for w, s, e in WORDS[name]]
    return tuple(said[lost:])


def single(corpus: Corpus, scored: Scored) -> list[Row]:
    """Every condition alike: one word of six is lost, the others are 40 ms late."""
    sessions = [Heard((heard("s1/one", late_ms=40),), (0,)), Heard((heard("s1/two", late_ms=40, lost=1),), (0,))]
    return _single_rows(corpus, NAMES, sessions * len(CELLS), scored)


def joined(corpus: Corpus, scored: Scored) -> list[Row]:
    """A session of both clips, of which the second comes in two finals."""
    first, second = heard("s1/one"), heard("s1/two", from_ms=5000)
    session = Heard((first, second[:1], second[1:]), (0, 5000))
    return _joined_rows(corpus, [NAMES], [session] * len(JOINED), scored)


def test_the_whole_path_stands_beside_the_short_way(corpus: Corpus, scored: Scored) -> None:
    rows = find(single(corpus, scored), table="path")
    assert len(rows) == len(CELLS)
    assert {each["value"] for each in rows} == {16.667}
    assert {(each["short_value"], each["clips_that_differ"]) for each in rows} == {(0.0, 1)}


def test_word_times_are_off_by_what_the_words_came_late(corpus: Corpus, scored: Scored) -> None:
    rows = find(single(corpus, scored), table="times")
    assert {each["value"] for each in rows} == {40.0}
    assert {(each["edge"], each["percentile"]) for each in rows} == {
        (edge, share) for edge in ("start", "end") for share in (50, 95)
    }
    assert {each["words"] for each in rows} == {5}


def test_a_sentence_in_two_finals_costs_no_word_but_is_not_whole(corpus: Corpus, scored: Scored) -> None:
    rows = joined(corpus, scored)
    assert {each["value"] for each in find(rows, what="finals")} == {50.0}
    assert {each["value"] for each in find(rows, what="errors")} == {0.0}


def test_the_wrong_words_shown_are_not_in_the_sentence_and_the_true_one_is(
    corpus: Corpus, synthetic_clip: SyntheticClip
) -> None:
    wrong, true = corpus.misled("s1/one", Cell("A")), corpus.hinted("s1/one", Cell("A+V+T"))
    shown = []
    for play in (wrong, true):
        source = sources([synthetic_clip.path], play.scene)[0]
        texts = [each.item for each in timed(source.laid, play.scene) if each.item.modality is Modality.TEXT]
        shown.append({*getattr(texts[0], "payload", b"").decode().split()})
    said = {*SENTENCES["s1/one"].split()}
    assert not shown[0] & said
    assert len(shown[1] & said) == len(shown[1]) == 1
    assert wrong.scene.without == {Modality.VIDEO}


def test_the_page_has_a_line_for_each_figure_of_the_whole_path(corpus: Corpus, scored: Scored) -> None:
    rows = single(corpus, scored) + joined(corpus, scored)
    rows += _plain_rows(corpus, NAMES, [Cell("A")], [Heard((heard(name),), (0,)) for name in NAMES], "told", "misled")
    page = path_section(rows)
    assert "| A+V, babble at 0 dB, 20% of frames lost | 16.7 % (0.0 to 33.3) | 0.0 % | 1 |" in page
    assert "| A+V, babble at 5 dB | 50.0 % (0.0 to 100.0) | 0.0 % (0.0 to 0.0) | 0.0 % |" in page
    assert "| A+V, clean | 5 | 40 ms | 40 ms | 40 ms | 40 ms |" in page
    assert "| word error rate, A, clean, told | 0.0 % (0.0 to 0.0) | 2 test clips of GRID s1 |" in page
    assert path_section([]) == ""


def test_peers_stand_above_this_bundle_in_each_noise(scored: Scored) -> None:
    rows = degradation_rows(scored)
    ours = find(rows, table="degradation", modalities="A", skew_ms=0, loss=0.0)
    rows += [each | {"table": "peers", "peer": "parrot", "licence": "none", "value": 50.0} for each in ours]
    page = peer_section(rows)
    assert page.count("| parrot | 50.0 | 50.0 | 50.0 | 50.0 | 50.0 | 50.0 |") == 2
    assert page.count("| A+V | 0.0 | 0.0 | 0.0 | 0.0 | 0.0 | 0.0 |") == 2
    assert peer_section(find(rows, table="degradation")) == ""


def test_the_card_has_few_figures_with_their_values_as_text(corpus: Corpus, scored: Scored) -> None:
    rows = degradation_rows(scored) + single(corpus, scored) + joined(corpus, scored)
    rows.append(row("rank", "not for the card", 1.0, "points", "clips"))
    figures = card(rows)
    assert all(each.keys() == {"figure", "value", "data", "command"} for each in figures)
    assert {"figure": "word error rate, A+V, clean", "value": "0.0 % (0.0 to 0.0)"}.items() <= figures[1].items()
    assert 15 <= len(figures) <= 30

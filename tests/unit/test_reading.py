from pathlib import Path

import torch

from models.cooccurrence import word_vectors
from models.encoders import Dimensions
from models.plan import Stage
from models.reading import Reader, _mistaken, _sets, train_text

torch.set_num_threads(1)
WORDS = ["", *"abcdefghij"]
SENTENCES = ["a b c d", "e f g h", "i j a b", "c e g i"]
DIMS = Dimensions(tokens=len(WORDS), classes=len(WORDS), text=6, audio=2, video=2, rank=2, hidden=2)


def test_the_reader_begins_with_the_word_vectors_of_the_sentences() -> None:
    reader = Reader(DIMS, SENTENCES, WORDS)
    assert torch.allclose(
        reader.encoder.embedding.weight.detach(), torch.from_numpy(word_vectors(SENTENCES, WORDS, DIMS.text))
    )


def test_sets_hold_each_word_once_and_at_least_one() -> None:
    sets = _sets(DIMS, 500, torch.Generator().manual_seed(0))
    assert (sets > 0).any(dim=1).all()
    assert all(len({*row[row > 0].tolist()}) == int((row > 0).sum()) for row in sets)
    assert int(sets.max()) < DIMS.tokens


def test_training_teaches_it_which_words_are_shown(tmp_path: Path) -> None:
    tested = _sets(DIMS, 300, torch.Generator().manual_seed(9))
    before = _mistaken(Reader(DIMS, SENTENCES, WORDS), tested)
    reader = Reader(DIMS, SENTENCES, WORDS)
    state = train_text(DIMS, SENTENCES, WORDS, tmp_path, Stage(3, 2e-2), 1, lambda: None)
    reader.encoder.load_state_dict(state)
    assert (tmp_path / "log.jsonl").read_text().count("\n") == 3
    words = [
        float(line.split('"words": ')[1].split(",")[0]) for line in (tmp_path / "log.jsonl").read_text().splitlines()
    ]
    assert min(words) < 0.8 * before

"""The synthetic speaker's clip, for every test that needs a media file."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from models.synthetic import Session, speak, write_clip


@dataclass(frozen=True)
class SyntheticClip:
    """A media file, and what is heard and seen in it."""

    path: Path
    session: Session


@pytest.fixture(scope="session")
def synthetic_clip(tmp_path_factory: pytest.TempPathFactory) -> SyntheticClip:
    """Give a clip of two sentences with its ground truth; its cues lie beside it, with the suffix .vtt."""
    clip = SyntheticClip(tmp_path_factory.mktemp("synthetic") / "synthetic.mp4", speak(seed=3, sentences=2))
    write_clip(clip.path, clip.session)
    return clip

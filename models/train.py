"""Trains a task's network, from the clips to `model.pt`, in stages.

1. Each encoder by itself: text, sound, pictures.
2. The features of drawn training samples, by the encoders as they are now.
3. A fusion is fitted to them and its head trained: the shipped one, or by `compare` all that it is measured against.

Seeded and resumable: what was stopped goes on where it stood. Jobs that do not need each other run side by side.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from models import features
from models.encoders import Dimensions
from models.fusion import KINDS
from models.joint import train_joint
from models.network import Network
from models.plan import Plan
from models.progress import Job, cores, side_by_side
from models.reading import train_text
from models.single import SINGLES, train_single
from models.tasks.speech import preparation
from models.tasks.speech_corpus import Corpus
from models.tasks.speech_probe import FUSED, Probe
from stream.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from models.plan import Stage
    from models.progress import Tell

State = dict[str, torch.Tensor]
SHIPPED = "concatenation"
DONE = "done.pt"  # what comes of a stage, in its folder,
REPORT = "report.pt"  # and of what its basis holds


@dataclass(frozen=True)
class Variant:
    """A fusion of some kind and rank."""

    kind: str
    rank: int

    @property
    def name(self) -> str:
        """How its folder is called."""
        return f"{self.kind}-{self.rank}"


@dataclass(frozen=True)
class Training:
    """Where one training reads and keeps things, and how long it takes."""

    data: Path
    run: Path
    plan: Plan

    @property
    def compared(self) -> list[Variant]:
        """Fusions that are measured side by side, trained alike: the kinds at one rank, and one kind at several ranks.

        Gated fusion is not among them: it cannot inherit (`inherit.py`), and would have to be trained for far longer.
        """
        kinds = [Variant(kind, Dimensions.rank) for kind in KINDS if kind != "gated"]
        return kinds + [Variant(SHIPPED, rank) for rank in self.plan.ranks]

    def corpus(self) -> Corpus:
        """The clips; they are prepared once for each version of the code that hears and sees them."""
        return Corpus.load(self.data, self.run.parent / "speech-data" / preparation())


def train(training: Training) -> None:
    """From the corpus to `run/model.pt`, with `run/audio.pt` and `run/video.pt` of what knows one modality."""
    corpus = training.corpus()
    _train_encoders(training, corpus)
    shares = [range(first, training.plan.passes, cores()) for first in range(cores())]
    side_by_side([Job(f"features {part.start}", partial(_keep_features, training, part), len(part)) for part in shares])
    _train_fusions(training, corpus, {"model": Variant(SHIPPED, Dimensions.rank)}, training.plan.head)


def compare(training: Training) -> list[Path]:
    """Train fusions that are measured side by side; their files, and those of what knows one modality.

    Raises
    ------
    ConfigError
        The run has no encoders and features yet.
    """
    last = training.run / "features" / f"{training.plan.passes - 1}.pt"
    missing = [file for file in (training.run / "encoders.pt", last) if not file.exists()]
    if missing:
        raise ConfigError(f"{missing[0]} is not there; run `python -m models train` to its end first.")
    variants = {variant.name: variant for variant in training.compared}
    _train_fusions(training, training.corpus(), variants, training.plan.compared)
    return [training.run / f"{name}.pt" for name in (*SINGLES, *variants)]


def _train_encoders(training: Training, corpus: Corpus) -> None:
    plan, run = training.plan, training.run
    jobs = [Job(name, partial(_single, training, name), getattr(plan, name).epochs) for name in SINGLES]
    side_by_side([*jobs, Job("text", partial(_text, training), plan.text.epochs)])
    states: dict[str, State] = {name: _loaded(run / name / DONE) for name in ("text", *SINGLES)}
    for name, rank in SINGLES.items():
        alone = Network(replace(corpus.dims, rank=rank, streams=1))
        alone.load_state_dict(states[name])
        _save(training, corpus, alone, SHIPPED, _loaded(run / name / REPORT), run / f"{name}.pt")
    network = Network(corpus.dims)
    network.text.load_state_dict(states["text"])
    for name in SINGLES:
        own = {key.removeprefix(f"{name}."): value for key, value in states[name].items() if key.startswith(f"{name}.")}
        network.get_submodule(name).load_state_dict(own)
    torch.save(network.state_dict(), run / "encoders.pt")


def _train_fusions(training: Training, corpus: Corpus, variants: Mapping[str, Variant], stage: Stage) -> None:
    """Each to `run/NAME.pt`; those that are there are left."""
    missing = {name: each for name, each in variants.items() if not (training.run / f"{name}.pt").exists()}
    side_by_side(
        [Job(name, partial(_fuse, training, each, stage, name), stage.epochs) for name, each in missing.items()]
    )
    for name, variant in missing.items():
        done = _loaded(training.run / name / DONE)
        network = _encoders(training, replace(corpus.dims, rank=variant.rank), variant.kind)
        network.fusion.load_state_dict(done["fusion"])
        _save(training, corpus, network, variant.kind, done["svd"], training.run / f"{name}.pt")


def _encoders(training: Training, dims: Dimensions, kind: str) -> Network:
    """A network with the trained encoders and a fusion that is not fitted yet."""
    network = Network(dims, kind)
    state = _loaded(training.run / "encoders.pt")
    others = {name: value for name, value in state.items() if not name.startswith("fusion.")}
    network.load_state_dict(others, strict=False)
    return network.eval().requires_grad_(requires_grad=False)


def _save(training: Training, corpus: Corpus, network: Network, kind: str, report: dict[str, Any], file: Path) -> None:
    """A network with all that a bundle is made of."""
    said = corpus.language()
    kept = {
        "network": network.state_dict(),
        "dims": asdict(network.dims),
        "fusion": kind,
        "vocabulary": corpus.vocabulary,
        "prior": torch.from_numpy(said.prior),
        "follows": torch.from_numpy(said.follows),
        "svd": report,
        "plan": asdict(training.plan),
    }
    torch.save(kept, file)


def _network(file: Path) -> Network:
    """A whole network as `_save` keeps it."""
    kept = _loaded(file)
    network = Network(Dimensions(**kept["dims"]), kept["fusion"])
    network.load_state_dict(kept["network"])
    return network.eval().requires_grad_(requires_grad=False)


def _loaded(file: Path) -> dict[str, Any]:
    kept: dict[str, Any] = torch.load(file, weights_only=True)
    return kept


def _text(training: Training, tell: Tell) -> None:
    corpus, plan, folder = training.corpus(), training.plan, training.run / "text"
    sentences = [said.text for said in corpus.training]
    state = train_text(corpus.dims, sentences, corpus.vocabulary, folder, plan.text, plan.seed, tell)
    torch.save(state, folder / DONE)


def _single(training: Training, name: str, tell: Tell) -> None:
    plan, folder = training.plan, training.run / name
    state, report = train_single(name, training.corpus(), folder, getattr(plan, name), plan.seed, tell)
    torch.save(state, folder / DONE)
    torch.save(report, folder / REPORT)


def _keep_features(training: Training, numbers: Sequence[int], tell: Tell) -> None:
    corpus = training.corpus()
    network = _encoders(training, corpus.dims, SHIPPED)
    for number in numbers:
        file = training.run / "features" / f"{number}.pt"
        features.keep(network, corpus, file, training.plan.seed - 1 - number)
        tell()


def _fuse(training: Training, variant: Variant, stage: Stage, name: str, tell: Tell) -> None:
    corpus, plan = training.corpus(), training.plan
    probe = Probe(corpus.held_out(), corpus.language(), FUSED)
    held_out = probe.features(_encoders(training, corpus.dims, SHIPPED))
    drawings = [training.run / "features" / f"{number}.pt" for number in range(plan.passes)]
    dims, folder = replace(corpus.dims, rank=variant.rank), training.run / name
    singles = {single: _network(training.run / f"{single}.pt") for single in SINGLES}
    fusion, report = train_joint(variant.kind, dims, singles, drawings, probe, held_out, folder, stage, plan.seed, tell)
    torch.save({"fusion": fusion, "svd": report}, folder / DONE)

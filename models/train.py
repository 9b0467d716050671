"""Trains a task's network, in two stages.

1. Everything together, through an SVD basis that is fitted anew a few times on the way, so that the encoders learn to
   put what matters where the basis keeps it.
2. The encoders are fixed, the basis is fitted a last time on the training features, and the head is trained on what
   it projects.

Seeded and resumable: the state after each epoch is kept in the run's folder.
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from models.encoders import Dimensions
from models.fusion import drop_modalities
from models.network import Network
from models.preprocess import Standardiser
from models.projection import TruncatedSVD
from models.tasks import speech
from models.tasks.speech_mix import Mixer, Sample, at_snr
from stream.decode import spoken

log = logging.getLogger("models.train")

BATCH = 16
SYNTHETIC = 120  # sentences of the synthetic speaker, seeds SYNTHETIC_SEED and up
SYNTHETIC_SEED = 10_000
DROP = (0.1, 0.22, 0.22)  # probabilities that text, audio, video are dropped from a row
PREFIX = 0.4  # of the rows end early, as an open segment does
ALONE = 0.3  # weight of the losses of sound alone and of pictures alone
SMOOTHING = 0.05
FIT_ROWS = 60_000


@dataclass(frozen=True)
class Plan:
    """How long and how fast."""

    joint_epochs: int = 40
    head_epochs: int = 12
    joint_rate: float = 2e-3
    head_rate: float = 1e-3
    refits: tuple[int, ...] = (1, 3, 6, 10, 15, 20, 26, 32)  # after these epochs the basis is fitted anew
    seed: int = 20_261_124


class Drawn(Dataset[Sample]):
    """An epoch of drawn samples; each row has a generator of its own."""

    def __init__(self, mixer: Mixer, seed: int) -> None:
        self.mixer = mixer
        self.seed = seed

    def __len__(self) -> int:
        return len(self.mixer.utterances)

    def __getitem__(self, index: int) -> Sample:
        return self.mixer.draw(index, np.random.default_rng((self.seed, index)))


def collated(rows: Sequence[Sample]) -> dict[str, Tensor]:
    """Rows as one padded batch; padding has label -100, which no loss counts."""
    ticks = [len(row.labels) for row in rows]
    pad = nn.utils.rnn.pad_sequence

    def stacked(name: str, value: float = 0) -> Tensor:
        return pad([torch.from_numpy(getattr(row, name)) for row in rows], batch_first=True, padding_value=value)

    return {
        "samples": stacked("samples"),
        "crops": stacked("crops"),
        "tokens": stacked("tokens"),
        "mask": stacked("mask"),
        "labels": stacked("labels", -100),
        "lengths": torch.tensor(ticks),
    }


def train(data: Path, run: Path, plan: Plan) -> None:
    """From the corpus to `run/model.pt`; goes on where an earlier call was stopped."""
    run.mkdir(parents=True, exist_ok=True)
    cache = run.parent / "speech-data"
    names = speech.training_names(data)
    training = speech.load(data, names, cache)
    training += speech.synthesise(range(SYNTHETIC_SEED, SYNTHETIC_SEED + SYNTHETIC), cache)
    validation = speech.load(data, speech.held_out("validation"), cache)
    vocabulary = speech.vocabulary(said.text for said in training)
    mixer, probe = Mixer(training, vocabulary), Mixer(validation, vocabulary)
    state = _State(run, plan, Network(Dimensions(len(vocabulary), len(vocabulary))))
    state.resume()
    while state.epoch < plan.joint_epochs + plan.head_epochs:
        started = time.monotonic()
        if state.epoch == plan.joint_epochs or state.epoch in plan.refits:
            fit_basis(state.network, mixer, plan.seed + state.epoch)
        loss = _epoch(state, mixer)
        errors = validate(state.network, probe)
        state.finish_epoch(loss, errors, time.monotonic() - started)
    torch.save(
        {"network": state.network.state_dict(), "vocabulary": vocabulary, "plan": asdict(plan)}, run / "model.pt"
    )


class _State:
    """The network, its optimiser and schedule, and where training stands."""

    def __init__(self, run: Path, plan: Plan, network: Network) -> None:
        torch.manual_seed(plan.seed)
        self.run, self.plan, self.network = run, plan, network
        self.epoch = 0
        self.optimiser = torch.optim.AdamW(network.parameters(), lr=plan.joint_rate, weight_decay=1e-2)

    @property
    def joint(self) -> bool:
        return self.epoch < self.plan.joint_epochs

    def rate(self, progress: float) -> float:
        """Linear warm-up over 2 epochs, then a half cosine to nothing; once a stage (Loshchilov and Hutter, 2017)."""
        plan = self.plan
        length = plan.joint_epochs if self.joint else plan.head_epochs
        at = (self.epoch if self.joint else self.epoch - plan.joint_epochs) + progress
        peak = plan.joint_rate if self.joint else plan.head_rate
        return peak * min(at / 2, 1) * 0.5 * (1 + math.cos(math.pi * min(at / length, 1))) + 1e-6

    def finish_epoch(self, loss: float, errors: Mapping[str, float], seconds: float) -> None:
        self.epoch += 1
        line = {"epoch": self.epoch, "loss": round(loss, 4), **errors, "seconds": round(seconds, 1)}
        with (self.run / "log.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
        log.info("%s", line)
        kept = {"epoch": self.epoch, "network": self.network.state_dict(), "optimiser": self.optimiser.state_dict()}
        torch.save(kept, self.run / "state.new")
        (self.run / "state.new").replace(self.run / "state.pt")

    def resume(self) -> None:
        if (self.run / "state.pt").exists():
            kept = torch.load(self.run / "state.pt", weights_only=True)
            self.network.load_state_dict(kept["network"])
            self.optimiser.load_state_dict(kept["optimiser"])
            self.epoch = kept["epoch"]


def _batches(mixer: Mixer, seed: int) -> DataLoader[Sample]:
    order = torch.Generator().manual_seed(seed)
    return DataLoader(
        Drawn(mixer, seed), BATCH, shuffle=True, generator=order, collate_fn=collated, num_workers=1, drop_last=True
    )


def _epoch(state: _State, mixer: Mixer) -> float:
    """One pass over the training set; in the second stage only the head moves."""
    network, seed = state.network, state.plan.seed + 1000 * (state.epoch + 1)
    torch.manual_seed(seed)
    chance = torch.Generator().manual_seed(seed)
    network.train()
    if not state.joint:
        for part in (network.text, network.audio, network.video):
            part.eval().requires_grad_(False)
    batches = _batches(mixer, seed)
    total = 0.0
    for step, batch in enumerate(batches):
        for group in state.optimiser.param_groups:
            group["lr"] = state.rate(step / len(batches))
        loss = _loss(network, _degraded(batch, chance), joint=state.joint)
        state.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        state.optimiser.step()
        total += loss.item()
    return total / len(batches)


def _degraded(batch: dict[str, Tensor], chance: torch.Generator) -> dict[str, Tensor]:
    """Modalities dropped from some rows, some rows cut short."""
    mask = drop_modalities(batch["mask"], DROP, chance)
    early = torch.rand(len(mask), generator=chance) < PREFIX
    share = 0.1 + 0.9 * torch.rand(len(mask), generator=chance)
    lengths = torch.where(early, (batch["lengths"] * share).long().clamp(min=4), batch["lengths"])
    outside = torch.arange(mask.shape[1])[None] >= lengths[:, None]
    labels = batch["labels"].masked_fill(outside, -100)
    crops = batch["crops"] * mask[:, :, 2, None, None].to(torch.uint8)
    samples = (batch["samples"].unflatten(1, (mask.shape[1], -1)) * mask[:, :, 1:2]).flatten(1)
    return {**batch, "mask": mask, "lengths": lengths, "labels": labels, "crops": crops, "samples": samples}


def _loss(network: Network, batch: dict[str, Tensor], *, joint: bool) -> Tensor:
    logits, heard, seen = network(batch)
    labels = batch["labels"]
    loss = functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), label_smoothing=SMOOTHING)
    if joint:
        for place, alone in ((1, heard), (2, seen)):
            there = labels.masked_fill(batch["mask"][:, :, place] == 0, -100)
            loss = loss + ALONE * functional.cross_entropy(alone.flatten(0, 1), there.flatten())
    return loss


@torch.no_grad()
def joint_rows(network: Network, mixer: Mixer, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Joint features of training ticks before standardisation, and after the present basis; batches of rows."""
    network.eval()
    chance = torch.Generator().manual_seed(seed)
    rows = 0
    for raw in _batches(mixer, seed):
        batch = _degraded(raw, chance)
        text, audio, video = network.features(batch)
        within = torch.arange(text.shape[1])[None] < batch["lengths"][:, None]
        present = network.fusion.joint(text, audio, video, batch["mask"])
        features = present * network.fusion.scale + network.fusion.mean
        projected = present @ network.fusion.components.T
        yield features[within].double().numpy(), projected[within].double().numpy()
        rows += int(within.sum())
        if rows >= FIT_ROWS:
            return


@dataclass(frozen=True)
class Decomposition:
    """The training features' standardisation and basis, and the same rows before and after."""

    standardiser: Standardiser
    basis: TruncatedSVD
    standard: np.ndarray  # [rows, D]
    before: np.ndarray  # [rows, k] on the basis that the network has now

    @property
    def report(self) -> dict[str, Any]:
        """What a bundle's manifest says of it."""
        return {
            "explained_energy_ratio": self.basis.explained_energy_ratio_,
            "singular_values": self.basis.singular_values_.tolist(),
        }


def decompose(network: Network, mixer: Mixer, seed: int) -> Decomposition:
    """Standardise and decompose the joint features of training ticks.

    An absent modality stands at its mean, so it adds nothing to the decomposition.
    """
    batches = list(joint_rows(network, mixer, seed))
    features = np.concatenate([rows for rows, _ in batches])
    standardiser = Standardiser().fit([features])
    standard = standardiser.transform(features)
    basis = TruncatedSVD(rank=network.dims.rank).fit(standard)
    return Decomposition(standardiser, basis, standard, np.concatenate([rows for _, rows in batches]))


def fit_basis(network: Network, mixer: Mixer, seed: int) -> None:
    """Put the network on the basis of its present features; the head's first layer is turned to it."""
    found = decompose(network, mixer, seed)
    after = found.basis.transform(found.standard)
    turn, *_ = np.linalg.lstsq(np.column_stack([after, np.ones(len(after))]), found.before, rcond=None)
    network.fusion.set_basis(found.standardiser.mean_, found.standardiser.scale_, found.basis.components_)
    _turn_head(network, torch.from_numpy(turn).float())
    log.info("basis on %d rows: rank %d holds %.4f", len(after), after.shape[1], found.basis.explained_energy_ratio_)


@torch.no_grad()
def _turn_head(network: Network, turn: Tensor) -> None:
    """Let the head see on the new basis what it saw on the old one; `turn` is [k + 1, k], the last row a constant."""
    rank = network.dims.rank
    for layer in (network.fusion.head.forward_1, network.fusion.head.backward_1):
        old = layer.weight_ih_l0[:, :rank].clone()
        layer.weight_ih_l0[:, :rank] = old @ turn[:rank].T
        layer.bias_ih_l0 += old @ turn[rank]


CONDITIONS = {  # name: (text, audio, video), babble in dB or None
    "av": ((0, 1, 1), None),
    "a": ((0, 1, 0), None),
    "v": ((0, 0, 1), None),
    "av0": ((0, 1, 1), 0.0),
    "a0": ((0, 1, 0), 0.0),
}


@torch.no_grad()
def validate(network: Network, probe: Mixer) -> dict[str, float]:
    """Word error rate in per cent of whole validation clips, a condition each."""
    network.eval()
    references = [said.text for said in probe.utterances]
    found = {}
    for name, (kept, snr_db) in CONDITIONS.items():
        rows = [_noisy(probe, index, snr_db) for index in range(len(references))]
        hypotheses: list[str] = []
        for first in range(0, len(rows), 25):
            batch = collated(rows[first : first + 25])
            batch["mask"] = batch["mask"] * torch.tensor(kept, dtype=torch.float32)
            logits = network(batch)[0].numpy()
            for row, length in zip(logits, batch["lengths"].tolist(), strict=True):
                hypotheses.append(" ".join(word.word for word in spoken(row[:length], probe.vocabulary)))
        found[name] = round(100 * speech.word_error_rate(references, hypotheses), 2)
    return found


def _noisy(probe: Mixer, index: int, snr_db: float | None) -> Sample:
    plain = probe.plain(index)
    if snr_db is None:
        return plain
    others = [probe.utterances[(index + step) % len(probe.utterances)].samples for step in range(1, 7)]
    babble = np.sum([np.resize(other, len(plain.samples)).astype(np.float32) for other in others], axis=0)
    noisy = at_snr(plain.samples, babble / 32768, probe.utterances[index].span, snr_db)
    return Sample(np.clip(noisy, -1, 1), plain.crops, plain.tokens, plain.mask, plain.labels)

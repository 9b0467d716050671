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
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.basis import decompose, fit_basis
from models.encoders import Dimensions
from models.network import Network
from models.plan import Plan
from models.tasks import speech
from models.tasks.speech_batch import batches, degraded
from models.tasks.speech_mix import Mixer
from models.tasks.speech_probe import validate

log = logging.getLogger("models.train")

SYNTHETIC = 200  # sentences of the synthetic speaker, seeds SYNTHETIC_SEED and up
SYNTHETIC_SEED = 10_000
ALONE = 0.6  # weight of the view with sound or pictures alone
ENCODER = 0.3  # weight of each encoder's own guess
SMOOTHING = 0.05


def train(data: Path, run: Path, plan: Plan) -> None:
    """From the corpus to `run/model.pt`; goes on where an earlier call was stopped."""
    run.mkdir(parents=True, exist_ok=True)
    cache = run.parent / "speech-data"
    names = speech.training_names(data)
    training = speech.load(data, names, cache)
    training += speech.synthesise(range(SYNTHETIC_SEED, SYNTHETIC_SEED + SYNTHETIC), cache)
    validation = speech.load(data, speech.held_out("validation"), cache)
    vocabulary = speech.vocabulary(said.text for said in training)
    mixer, probe = Mixer(training, vocabulary), Mixer(validation, vocabulary, voices=training)
    torch.manual_seed(plan.seed)
    state = _State(run, plan, Network(Dimensions(len(vocabulary), len(vocabulary))))
    state.resume()
    while state.epoch < plan.epochs:
        started = time.monotonic()
        if state.epoch == plan.joint_epochs or state.epoch in plan.refits:
            fit_basis(state.network, mixer, plan.seed + state.epoch)
        loss = _epoch(state, mixer)
        errors = validate(state.network, probe)
        state.finish_epoch(loss, errors, time.monotonic() - started)
    svd = decompose(state.network, mixer, plan.seed + plan.joint_epochs).report  # the encoders have not moved since
    kept = {"network": state.network.state_dict(), "vocabulary": vocabulary, "plan": asdict(plan), "svd": svd}
    torch.save(kept, run / "model.pt")


class _State:
    """The network, its optimiser and schedule, and where training stands."""

    def __init__(self, run: Path, plan: Plan, network: Network) -> None:
        self.run, self.plan, self.network = run, plan, network
        self.epoch = 0
        self.optimiser = torch.optim.AdamW(network.parameters(), lr=plan.joint_rate, weight_decay=1e-2)

    @property
    def joint(self) -> bool:
        return self.epoch < self.plan.joint_epochs

    def still(self) -> list[nn.Module]:
        """What is not trained in this epoch."""
        network = self.network
        if not self.joint:
            return [network.text, network.audio, network.video]
        return [network.video] if self.epoch >= self.plan.video_epochs else []

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


def _epoch(state: _State, mixer: Mixer) -> float:
    """One pass over the training set; in the second stage only the head moves."""
    network, seed = state.network, state.plan.seed + 1000 * (state.epoch + 1)
    torch.manual_seed(seed)
    chance = torch.Generator().manual_seed(seed)
    network.train()
    for part in state.still():
        part.eval().requires_grad_(requires_grad=False)
    drawn = batches(mixer, seed)
    total = 0.0
    for step, batch in enumerate(drawn):
        for group in state.optimiser.param_groups:
            group["lr"] = state.plan.rate(state.epoch + step / len(drawn))
        loss = _loss(network, degraded(batch, chance), joint=state.joint)
        state.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        state.optimiser.step()
        total += loss.item()
    return total / len(drawn)


def _loss(network: Network, batch: dict[str, Tensor], *, joint: bool) -> Tensor:
    """Cross-entropy of both views of each row; in the first stage also of each encoder by itself."""
    text, audio, video = network.features(batch)
    twice = [torch.cat([part, part]) for part in (text, audio, video)]
    logits, _, _ = network.fusion(*twice, torch.cat([batch["mask"], batch["alone"]]), batch["lengths"].repeat(2))
    mixed, alone = (view.flatten(0, 1) for view in logits.chunk(2))
    labels = batch["labels"].flatten()
    loss = functional.cross_entropy(mixed, labels, label_smoothing=SMOOTHING)
    loss = loss + ALONE * functional.cross_entropy(alone, labels, label_smoothing=SMOOTHING)
    if joint:
        for place, classify, features in ((1, network.heard, audio), (2, network.seen, video)):
            there = labels.masked_fill(batch["there"][:, :, place].flatten() == 0, -100)
            loss = loss + ENCODER * functional.cross_entropy(classify(features).flatten(0, 1), there)
    return loss

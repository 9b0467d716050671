"""One stage of training as it runs: steps, epochs, the best state so far, all kept on disk after each epoch.

Seeded and resumable: what was stopped goes on after the last whole epoch.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from models.plan import Stage

SLOPE = 5.0  # a gradient is cut to this norm
DECAY = 1e-2


class Course:
    """Trains the parameters of a network that ask for gradients.

    Parameters
    ----------
    folder : Path
        Holds `state.pt` while the stage runs, `best.pt` (the network's state with the least error on validation
        clips) and `log.jsonl` (a line an epoch).
    tell : callable
        Told after each epoch that one more is done.
    """

    def __init__(self, folder: Path, stage: Stage, network: nn.Module, tell: Callable[[], None]) -> None:
        self.folder, self.stage, self.network = folder, stage, network
        self._tell = tell
        self._moving = [parameter for parameter in network.parameters() if parameter.requires_grad]
        self._optimiser = torch.optim.AdamW(self._moving, lr=stage.peak_rate, weight_decay=DECAY)
        self._epoch, self._least = 0, float("inf")
        folder.mkdir(parents=True, exist_ok=True)
        self._resume()

    def epochs(self) -> Iterator[int]:
        """The epochs that are still to be trained."""
        for _ in range(self._epoch):
            self._tell()
        while self._epoch < self.stage.epochs:
            yield self._epoch

    def train(self, batches: Iterable[Any], loss_of: Callable[[Any], Tensor], steps: int) -> float:
        """One epoch of `steps` batches; its mean loss."""
        total = 0.0
        for step, batch in enumerate(batches):
            for group in self._optimiser.param_groups:
                group["lr"] = self.stage.rate(self._epoch + step / steps)
            loss = loss_of(batch)
            self._optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(self._moving, SLOPE)
            self._optimiser.step()
            total += loss.item()
        return total / steps

    def finish_epoch(self, loss: float, errors: Mapping[str, float], started: float) -> None:
        """Keep the state, and the network if its mean error is the least so far; `started` is a monotonic time."""
        self._epoch += 1
        error = sum(errors.values()) / len(errors)
        line = {"epoch": self._epoch, "loss": round(loss, 4), **errors, "seconds": round(time.monotonic() - started, 1)}
        if error <= self._least:
            self._least = error
            _save(self.network.state_dict(), self.folder / "best.pt")
        _save(self._state(), self.folder / "state.pt")
        with (self.folder / "log.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
        self._tell()

    def best(self) -> dict[str, Tensor]:
        """The network's state with the least error."""
        state: dict[str, Tensor] = torch.load(self.folder / "best.pt", weights_only=True)
        return state

    def _state(self) -> dict[str, Any]:
        return {
            "epoch": self._epoch,
            "least": self._least,
            "network": self.network.state_dict(),
            "optimiser": self._optimiser.state_dict(),
        }

    def _resume(self) -> None:
        if (self.folder / "state.pt").exists():
            kept = torch.load(self.folder / "state.pt", weights_only=True)
            self.network.load_state_dict(kept["network"])
            self._optimiser.load_state_dict(kept["optimiser"])
            self._epoch, self._least = kept["epoch"], kept["least"]


def _save(what: Mapping[str, Any], path: Path) -> None:
    torch.save(what, path.with_suffix(".new"))
    path.with_suffix(".new").replace(path)

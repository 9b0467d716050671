import json
import time
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from models.course import Course
from models.plan import Plan, Stage

SEED, STEPS = 3, 4


def told() -> None:
    """Nobody is told."""


def trained(folder: Path, upto: int, stage: Stage, errors: list[float]) -> nn.Linear:
    """A line fitted to drawn points for epochs until `upto`, of which some may have been trained before."""
    torch.manual_seed(SEED)
    line = nn.Linear(2, 1)
    course = Course(folder, stage, line, told)
    for epoch in course.epochs():
        if epoch == upto:
            break
        chance = torch.Generator().manual_seed(epoch)
        points = [torch.randn(8, 2, generator=chance) for _ in range(STEPS)]
        loss = course.train(points, lambda batch: _loss(line, batch), STEPS)
        course.finish_epoch(loss, {"off": errors[epoch]}, time.monotonic())
    return line


def _loss(line: nn.Linear, batch: Tensor) -> Tensor:
    off: Tensor = line(batch) - batch.sum(dim=1, keepdim=True)
    return (off**2).mean()


def test_what_was_stopped_and_resumed_is_what_was_never_stopped(tmp_path: Path) -> None:
    stage, errors = Stage(5, 0.05), [5.0, 4, 3, 2, 1]
    straight = trained(tmp_path / "straight", 5, stage, errors)
    trained(tmp_path / "stopped", 2, stage, errors)
    resumed = trained(tmp_path / "stopped", 5, stage, errors)
    assert torch.equal(straight.weight, resumed.weight)
    logs = [(tmp_path / name / "log.jsonl").read_text().splitlines() for name in ("straight", "stopped")]
    first, second = ([json.loads(line) | {"seconds": 0} for line in log] for log in logs)
    assert first == second


def test_the_epoch_with_the_least_error_is_kept(tmp_path: Path) -> None:
    stage = Stage(4, 0.05)
    trained(tmp_path / "third", 4, stage, [9.0, 3, 1, 2])
    after_three = trained(tmp_path / "until-third", 3, stage, [9.0, 3, 1])
    line = nn.Linear(2, 1)
    course = Course(tmp_path / "third", stage, line, told)
    assert torch.equal(course.best()["weight"], after_three.weight)


def test_the_rate_warms_up_over_an_epoch_and_falls_to_almost_nothing() -> None:
    stage = Stage(20, 2e-3)
    rates = [stage.rate(at / 10) for at in range(200)]
    assert rates[0] < rates[5] < rates[10]
    assert max(rates) == pytest.approx(2e-3, rel=0.02)
    assert all(later <= earlier for earlier, later in pairwise(rates[10:]))
    assert rates[-1] < 1e-5


def test_every_refit_lies_within_its_stage() -> None:
    plan = Plan()
    for stage in (plan.text, plan.audio, plan.video, plan.head):
        assert all(0 < epoch < stage.epochs for epoch in stage.refits)

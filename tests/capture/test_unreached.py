"""Parameters that an optimizer holds and no gradient reaches are told once; those that are frozen or wait are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rules.running import run_program

PROGRAM = """
import torch
from torch import nn

used, spare = nn.Linear(4, 1), nn.Linear(4, 1)
{prepare}
optimizer = torch.optim.SGD([*used.parameters(), *spare.parameters()], lr=0.01)
x = torch.randn(8, 4)
for step in range({steps}):
    loss = {loss}.square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""


def test_a_parameter_without_gradient_is_told_once(tmp_path: Path) -> None:
    ran = run_program(PROGRAM.format(prepare="", steps=8, loss="used(x)"), tmp_path)
    (event,) = ran.record.events("no-gradient")
    assert event.step == 2 and event.details["without"] == 2 and event.details["of"] == 4
    assert len(event.details["parameters"]) == 2


@pytest.mark.parametrize(
    ("prepare", "steps", "loss"),
    [
        ("spare.requires_grad_(False)", 8, "used(x)"),
        ("", 8, "(used(x) if step % 2 else spare(x))"),
        ("", 2, "used(x)"),
    ],
    ids=["frozen", "in turns", "too short to tell"],
)
def test_who_is_frozen_or_waits_is_not_told(prepare: str, steps: int, loss: str, tmp_path: Path) -> None:
    ran = run_program(PROGRAM.format(prepare=prepare, steps=steps, loss=loss), tmp_path)
    assert not ran.record.events("no-gradient")

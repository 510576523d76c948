"""Digits lost while a program is recorded: what is told, and what converges or hangs on its inputs and is not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.rules.running import IN_SHADOW, Ran, run_program

LOSSES = """
    import torch
    torch.manual_seed(0)
    x, y = torch.randn(64, 5), torch.randn(64)
    model = torch.nn.Sequential(torch.nn.Linear(5, 16), torch.nn.Tanh(), torch.nn.Dropout(0.1), torch.nn.Linear(16, 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    losses = []
    for step in range(5):
        loss = (model(x).squeeze(1) - y).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach().clone())
    drawn = torch.rand(3)
"""

GUILTY = {
    "variance": (
        "catastrophic-cancellation",
        "x = 300 + 0.01 * torch.randn(1000)\nprint(((x**2).mean() - x.mean() ** 2).item())  # here",
    ),
    "squared distances": (
        "catastrophic-cancellation",
        "a = 100 + torch.randn(8)\nb = a + 1e-3\nprint(((a * a).sum() + (b * b).sum() - 2 * (a @ b)).item())  # here",
    ),
    "a scattered count": (
        "low-precision-accumulation",
        "count = torch.zeros(2, dtype=torch.float16)\n"
        "count.index_add_(0, torch.zeros(5000, dtype=torch.long), torch.ones(5000, dtype=torch.float16))  # here\n"
        "print(count[0].item())",
    ),
}


def ran(program: str, folder: Path) -> Ran:
    return run_program(f"import torch\n{program}\n", folder, IN_SHADOW)


@pytest.mark.parametrize("name", GUILTY)
def test_the_line_that_loses_digits_is_told(name: str, tmp_path: Path) -> None:
    rule, program = GUILTY[name]
    found = ran(program, tmp_path)
    told = [
        each for each in found.diagnosis.findings if each.rule == rule and each.where.line == found.line_of("# here")
    ]
    assert told and told[0].role == "root", found.told()
    assert told[0].evidence


INNOCENT = {
    "deviations": "x = 300 + 0.01 * torch.randn(1000)\nprint(((x - x.mean()) ** 2).mean().item())",
    "a residual that converges": (
        "a = torch.diag(torch.linspace(1, 2, 6))\nb, x = torch.randn(6), torch.zeros(6)\n"
        "for i in range(60):\n    r = b - a @ x\n    x = x + 0.5 * r\n    print(r.norm().item())"
    ),
    "numbers that differ little as they are given": (
        "a, b = torch.tensor(1.0000001), torch.tensor(1.0)\nprint((a - b).item())"
    ),
    "a model against itself": (
        "x = torch.randn(4, 8)\np = torch.log_softmax(x, -1)\n"
        "print(torch.nn.functional.kl_div(p, torch.softmax(x, -1), reduction='batchmean').item())"
    ),
}


@pytest.mark.parametrize("name", INNOCENT)
def test_what_lost_no_digit_that_it_had_is_left_in_peace(name: str, tmp_path: Path) -> None:
    found = ran(INNOCENT[name], tmp_path)
    assert found.diagnosis.verdict == "healthy", found.told()


def test_a_program_in_shadow_computes_what_it_computes_alone(tmp_path: Path) -> None:
    from wellposed.capture.recording import Options

    alone, watched = (run_program(LOSSES, tmp_path, options) for options in (Options(budget=None), IN_SHADOW))
    assert watched.record.events("digits") and not watched.record.events("shadow-failed")
    assert not alone.record.events("digits")
    for one, other in zip(alone.namespace["losses"], watched.namespace["losses"], strict=True):
        assert torch.equal(one, other)
    assert torch.equal(alone.namespace["drawn"], watched.namespace["drawn"])

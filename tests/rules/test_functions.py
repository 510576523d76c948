"""The rules of `rules/numerics/functions`: each recognises its fault, at its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rules.checking import assert_recognised, rules_of
from tests.rules.hazards import Hazard, fitted, trained
from tests.rules.hazards_functions import HAZARDS
from tests.rules.running import run_program

ADVISING = {"probability-loss", "close-to-overflow"}


@pytest.mark.parametrize("hazard", HAZARDS, ids=lambda hazard: hazard.name)
def test_a_function_outside_its_range_is_recognised(hazard: Hazard, tmp_path: Path) -> None:
    assert_recognised(hazard, tmp_path)


def test_every_rule_has_a_hazard() -> None:
    assert rules_of("functions") - ADVISING <= {hazard.rule for hazard in HAZARDS}


@pytest.mark.parametrize(
    ("criterion", "scale"),
    [
        ("F.binary_cross_entropy(torch.sigmoid(out), torch.rand(16, 3))", 500.0),
        ("F.cross_entropy(torch.softmax(out, -1), torch.zeros(16, dtype=torch.long))", 1.0),
        ("F.kl_div(torch.softmax(out, -1), torch.full((16, 3), 1 / 3), reduction='batchmean')", 1.0),
    ],
    ids=["binary_cross_entropy", "cross_entropy", "kl_div"],
)
def test_a_loss_on_probabilities_is_advised_against(criterion: str, scale: float, tmp_path: Path) -> None:
    ran = run_program(trained(f"\ndef criterion(out):\n    return {criterion}\n", scale), tmp_path)
    assert ran.diagnosis.verdict == "healthy", ran.told()
    # Weights that are scaled 500-fold are advised against as well, and rightly.
    told = [finding for finding in ran.diagnosis.advice if finding.rule != "weights-too-large"]
    assert [finding.rule for finding in told] == ["probability-loss"], ran.told()
    assert told[0].where.line == ran.line_of(criterion)


@pytest.mark.parametrize(
    "criterion",
    [
        "F.binary_cross_entropy(torch.sigmoid(out), torch.rand(16, 3))",
        "F.binary_cross_entropy_with_logits(out * 500, torch.rand(16, 3))",
        "F.cross_entropy(out, torch.softmax(out.detach(), -1))",
        "F.kl_div(F.log_softmax(out, -1), torch.softmax(out.detach(), -1), reduction='batchmean')",
    ],
)
def test_a_loss_on_logits_is_not(criterion: str, tmp_path: Path) -> None:
    ran = run_program(trained(f"\ndef criterion(out):\n    return {criterion}\n"), tmp_path)
    assert not ran.diagnosis.findings, ran.told()


@pytest.mark.parametrize(("start", "told"), [("[86.0, 1.0]", True), ("[60.0, 1.0]", False)])
def test_an_argument_close_to_the_limit_is_pointed_out(start: str, told: bool, tmp_path: Path) -> None:
    ran = run_program(fitted("\ndef criterion(w):\n    return w.exp().log().mean()\n", start), tmp_path)
    assert ran.diagnosis.verdict == "healthy", ran.told()
    assert ("close-to-overflow" in ran.rules) is told, ran.told()


def test_an_overflow_in_float16_is_measured_by_its_own_limit(tmp_path: Path) -> None:
    program = "import torch\nx = torch.tensor([12.0, 1.0]).half()\ne = x.exp()\nprint((e / e.sum()).sum().item())\n"
    ran = run_program(program, tmp_path)
    assert ran.root_rules == ["softmax-by-hand"], ran.told()
    assert "float16" in ran.roots[0].message
    assert ran.roots[0].evidence[0].threshold == pytest.approx(11.09, abs=0.01)

"""What the tests of the rules ask of a program that fails."""

from __future__ import annotations

from pathlib import Path

from tests.rules.hazards import MARK, Hazard
from tests.rules.running import run_program
from wellposed.findings import all_rules


def assert_recognised(hazard: Hazard, folder: Path) -> None:
    """The right cause as the verdict, by the right rule, on exactly the right line."""
    ran = run_program(hazard.program, folder)
    assert ran.diagnosis.verdict in hazard.causes, ran.told()
    found = [finding for finding in ran.roots if finding.rule == hazard.rule]
    assert found, ran.told()
    assert ran.line_of(MARK) in [finding.where.line for finding in found], ran.told()
    for finding in found:
        assert finding.evidence and finding.fixes and finding.message.endswith("."), finding


def rules_of(folder: str) -> set[str]:
    """Names of the rules in a folder of `rules/numerics`."""
    return {entry.rule.name for entry in all_rules() if f".numerics.{folder}." in entry.check.__module__}

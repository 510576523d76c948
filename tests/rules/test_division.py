"""The rules of `rules/numerics/division`: each recognises its fault, at its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rules.checking import assert_recognised, rules_of
from tests.rules.hazards import Hazard
from tests.rules.hazards_division import HAZARDS


@pytest.mark.parametrize("hazard", HAZARDS, ids=lambda hazard: hazard.name)
def test_a_division_by_nothing_is_recognised(hazard: Hazard, tmp_path: Path) -> None:
    assert_recognised(hazard, tmp_path)


def test_every_rule_has_a_hazard() -> None:
    assert rules_of("division") == {hazard.rule for hazard in HAZARDS}

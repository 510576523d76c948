"""The rules of `rules/numerics/epsilon`: each recognises its fault, at its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rules.checking import assert_recognised, rules_of
from tests.rules.hazards import Hazard
from tests.rules.hazards_epsilon import HAZARDS
from wellposed.rules.numerics.limits import rounded


@pytest.mark.parametrize("hazard", HAZARDS, ids=lambda hazard: hazard.name)
def test_a_guard_that_guards_nothing_is_recognised(hazard: Hazard, tmp_path: Path) -> None:
    assert_recognised(hazard, tmp_path)


def test_every_rule_has_a_hazard() -> None:
    assert rules_of("epsilon") == {hazard.rule for hazard in HAZARDS}


@pytest.mark.parametrize(
    ("value", "dtype", "held"),
    [
        (1e-8, "float16", 0.0),
        (1e-7, "float16", 1.1920928955078125e-07),
        (1 - 1e-8, "float32", 1.0),
        (1 - 1e-7, "float32", 0.9999998807907104),
        (1 - 1e-3, "bfloat16", 1.0),
        (1e-5, "bfloat16", 1.0013580322265625e-05),
        (1e-10, "bfloat16", 1.000444171950221e-10),
        (1e6, "float16", float("inf")),
        (1 - 1e-8, "float64", 1 - 1e-8),
    ],
)
def test_what_a_dtype_makes_of_a_python_number(value: float, dtype: str, held: float) -> None:
    assert rounded(value, dtype) == held

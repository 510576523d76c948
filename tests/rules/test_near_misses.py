"""What looks like a fault and is none stays without a root."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rules.near_misses import NEAR_MISSES
from tests.rules.running import IN_SHADOW, run_program


@pytest.mark.parametrize("name", NEAR_MISSES)
def test_no_alarm(name: str, tmp_path: Path) -> None:
    ran = run_program(NEAR_MISSES[name], tmp_path, IN_SHADOW)
    assert ran.error is None and ran.diagnosis.verdict == "healthy", ran.told()

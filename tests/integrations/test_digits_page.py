"""docs/digits.md and examples/digits.py: what they say is what is printed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "digits.md").read_text("utf-8")


def ran(script: str, folder: Path) -> str:
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, cwd=folder, timeout=200)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_page_prints_what_it_says(tmp_path: Path) -> None:
    program, said = re.findall(r"```(?:python)?\n(.*?)```", PAGE, flags=re.DOTALL)[:2]
    (tmp_path / "variance.py").write_text(program, encoding="utf-8")
    printed = ran("variance.py", tmp_path)
    for line in said.splitlines():
        assert line in printed


def test_the_example_shows_the_digits_of_both_formulas() -> None:
    printed = ran("examples/digits.py", ROOT)
    assert re.search(r"torch.float32 +by_squares +0\.0625 +0\.0 digits left", printed)
    assert re.search(r"torch.float32 +by_deviations +6\.78e-07 +1\.8 digits left", printed)

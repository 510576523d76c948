"""docs/epsilons.md and examples/epsilons.py: what they say is what is printed and computed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
mpmath = pytest.importorskip("mpmath")

from wellposed.advice import VERDICTS  # noqa: E402
from wellposed.rules.numerics.limits import rounded  # noqa: E402

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "epsilons.md").read_text("utf-8")


def test_the_program_of_the_page_runs() -> None:
    (program,) = re.findall(r"^```python\n((?s:.*?))^```", PAGE, re.MULTILINE)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "ineffective" in done.stdout


def test_the_example_prints_what_the_page_shows() -> None:
    done = subprocess.run([sys.executable, "examples/epsilons.py"], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    shown = PAGE.split("```\n4 epsilons", 1)[1].split("```", 1)[0]
    # Verdicts and sentences; the last digits of measured values differ between machines.
    words = [row.split()[:4] for row in shown.splitlines() if row.startswith(VERDICTS)]
    printed = [row.split()[:4] for row in done.stdout.splitlines() if row.startswith(VERDICTS)]
    assert words and all(row in printed for row in words)


def test_every_verdict_is_explained() -> None:
    assert all(f"\n| {verdict} |" in PAGE for verdict in VERDICTS)


@pytest.mark.parametrize(
    "row", re.findall(r"^\| (1e-\d+), (?:.*?) \| ([\d,e]+) \| ([\d.e]+) \| (.*) \|$", PAGE, re.MULTILINE)
)
def test_the_worked_numbers(row: tuple[str, str, str, str]) -> None:
    epsilon, forward, backward, held = row
    exact = mpmath.mpf(epsilon)
    assert float(forward.replace(",", "")) == pytest.approx(float(exact**-0.5), rel=0.01)
    assert float(backward) == pytest.approx(float(exact**-1.5), rel=0.02)
    in_half = rounded(float(epsilon), "float16")
    assert float(re.split("[,;]", held)[0]) == pytest.approx(in_half, rel=0.01)
    assert ("subnormal" in held) == (0 < in_half < 2.0**-14)
    assert ("1/ε^1.5 is inf" in held) == (in_half > 0 and rounded(in_half**-1.5, "float16") == float("inf"))


def test_the_bound_of_a_norm_by_hand_in_float16() -> None:
    assert float(mpmath.mpf(65504) ** (mpmath.mpf(-2) / 3)) == pytest.approx(6.2e-4, rel=0.01)
    assert rounded((6.1e-4) ** -1.5, "float16") == float("inf") != rounded((6.2e-4) ** -1.5, "float16")

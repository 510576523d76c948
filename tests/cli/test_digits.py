"""``wellposed digits``: the culprit's line, the program's own output and exit code, and one sentence for bad input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.commands import python, wellposed

TORCH = """import torch
x = torch.tensor([1000.001, 1000.002, 1000.003])
print(((x**2).mean() - x.mean() ** 2).item())
"""
NUMPY = """import numpy as np
x = np.array([1000.001, 1000.002, 1000.003], dtype=np.float32)
variance = (x**2).mean() - x.mean() ** 2
print(variance)
"""


@pytest.mark.parametrize(("text", "line"), [(TORCH, 3), (NUMPY, 3)], ids=["torch", "numpy"])
def test_the_culprit_is_named_and_the_program_goes_on_as_it_does_alone(text: str, line: int, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(text, encoding="utf-8")
    alone = python(tmp_path, "program.py")
    ended = wellposed(tmp_path, "digits", "--json", "digits.json", "program.py")
    assert (ended.stdout, ended.code) == (alone.stdout, alone.code)
    assert f"program.py:{line}" in ended.stderr and "of 24 bits cancel" in ended.stderr
    found = json.loads((tmp_path / "digits.json").read_text("utf-8"))
    assert found["schema"] == "wellposed-digits/1"
    assert found["culprits"][0]["operator"]["where"]["line"] == line


def test_too_few_digits_end_with_1_where_that_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(TORCH, encoding="utf-8")
    assert wellposed(tmp_path, "digits", "--quiet", "--least", "2", "program.py").code == 1
    (tmp_path / "program.py").write_text("import torch\nprint(torch.ones(3).sum().item())", encoding="utf-8")
    assert wellposed(tmp_path, "digits", "--quiet", "--least", "2", "program.py").code == 0


def test_a_program_without_outputs_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text("print('hello')", encoding="utf-8")
    ended = wellposed(tmp_path, "digits", "program.py")
    assert ended.code == 0 and "neither torch nor numpy" in ended.stderr


@pytest.mark.parametrize(
    "words", [[], ["nowhere.py"], ["--least", "some", "a.py"], ["--steps", "3-1", "a.py"], ["--json", "no/x", "a.py"]]
)
def test_bad_input_gets_one_sentence(words: list[str], tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("", encoding="utf-8")
    ended = wellposed(tmp_path, "digits", *words)
    assert ended.code == 2 and len(ended.stderr.strip().splitlines()) == 1 and "Traceback" not in ended.stderr

"""The benchmark of false alarms: programs that are well, and what it says of them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.cli.commands import python

ROOT = Path(__file__).parents[2]
PROGRAMS = sorted((ROOT / "benchmarks" / "healthy").glob("*.py"))
PAGE = (ROOT / "docs" / "false-alarms.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_programs_that_are_well_are_called_healthy(tmp_path):
    pytest.importorskip("torch")
    only = ["--only", "logistic_regression", "--only", "mlp_regression"]

    ended = python(tmp_path, str(ROOT / "benchmarks" / "false_alarms.py"), *only)

    assert ended.code == 0, ended.stdout + ended.stderr
    assert ended.stdout.count("healthy  ") == 2
    assert "2 healthy programs" in ended.stdout
    assert ": 0 false alarms" in ended.stdout


def test_a_name_that_no_program_has_is_an_error_and_no_success(tmp_path):
    ended = python(tmp_path, str(ROOT / "benchmarks" / "false_alarms.py"), "--only", "no_such_program")

    assert ended.code == 2
    assert "no_such_program" in ended.stderr


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.stem)
def test_every_program_says_what_it_is_and_stands_in_the_table(program):
    assert ast.get_docstring(ast.parse(program.read_text(encoding="utf-8")))
    assert f"[{program.stem}](../benchmarks/healthy/{program.name})" in PAGE

"""docs/order.md, the docstrings and the example are run, and say what is printed."""

from __future__ import annotations

import doctest
import re
import shlex
from pathlib import Path

import pytest

from tests.cli.commands import python
from wellposed.chain import dispatch, evaluate, plan
from wellposed.cli import main

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "order.md"

pytest.importorskip("numpy")


def test_the_page_computes_what_it_says():
    failed, tried = doctest.testfile(str(PAGE), module_relative=False, encoding="utf-8")
    assert failed == 0 and tried >= 20


def test_docstrings_compute_what_they_say():
    for module in (dispatch, evaluate, plan):
        failed, tried = doctest.testmod(module)
        assert failed == 0 and tried


def test_commands_print_what_the_page_says(capsys):
    told = re.findall(r"^```\n\$ wellposed (.*)\n((?s:.*?))^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert told
    for words, printed in told:
        assert main(shlex.split(words)) == 0
        assert capsys.readouterr().out == printed


def test_the_example_runs(tmp_path):
    ended = python(tmp_path, str(ROOT / "examples" / "matrix_chain.py"))
    assert ended.code == 0, ended.stderr
    assert "as written, left to right: 4,623,000,000 → 2,390,000, 1,934×" in ended.stdout
    assert "the same to rounding: True" in ended.stdout

"""``wellposed python``: the program runs as it would, and its costs are told."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from wellposed import _native

pytestmark = pytest.mark.skipif(not _native.SAMPLER, reason="no sampler on this platform")

PROGRAM = """\
import sys, time
total, end = 0.0, time.process_time() + 0.4
while time.process_time() < end:
    for i in range(1000):
        total += i * 0.5
print("out", *sys.argv[1:])
sys.exit(3)
"""


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "wellposed", "python", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)


def test_output_and_exit_code_are_the_programs(tmp_path: Path) -> None:
    (tmp_path / "loop.py").write_text(PROGRAM)
    done = run(tmp_path, "--json", "costs.json", "loop.py", "a", "--rate", "b")
    assert (done.stdout, done.returncode) == ("out a --rate b\n", 3)
    assert "Python itself takes" in done.stderr
    assert "loop.py:5" in done.stderr
    data = json.loads((tmp_path / "costs.json").read_text())
    assert data["schema"] == "wellposed-python/1"
    assert data["program"] == {"argv": ["loop.py", "a", "--rate", "b"], "exit_code": 3, "error": None}
    assert data["lines"][0]["line"] in (4, 5)


def test_a_module(tmp_path: Path) -> None:
    (tmp_path / "loop.py").write_text(PROGRAM)
    done = run(tmp_path, "--quiet", "-m", "loop", "x")
    assert (done.stdout, done.returncode, done.stderr) == ("out x\n", 3, "")


def test_a_crash_is_told_as_python_tells_it(tmp_path: Path) -> None:
    (tmp_path / "crash.py").write_text("1 / 0\n")
    done = run(tmp_path, "crash.py")
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr
    assert "wellposed/" not in done.stderr.partition("ZeroDivisionError")[0]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "no program to run"),
        (["missing.py"], "can't open file"),
        (["-m"], "name of a module"),
        (["--rate", "fast", "x.py"], "--rate"),
        (["--rate", "nan", "x.py"], "--rate"),
        (["--json", "no/folder.json", "x.py"], "there is no folder"),
        (["--json", "x.py", "x.py"], "holds no costs of ours"),
    ],
    ids=" ".join,
)
def test_bad_input_is_one_sentence(tmp_path: Path, words: list[str], told: str) -> None:
    (tmp_path / "x.py").write_text("print('ran')\n")
    done = run(tmp_path, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert done.stderr.count("\n") == 1

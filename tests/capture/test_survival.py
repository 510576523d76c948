"""A record survives whatever ends its program, and a program survives whatever happens to its record."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("torch")

from tests.cli.commands import python, wellposed
from wellposed.record import Record

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and fork are POSIX")

ENDLESS = """\
import sys, time, torch
model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
optimizer = torch.optim.SGD(model.parameters(), 0.01)
x = torch.randn(16, 4)
for step in range(10**9):
    loss = (model(x) - x.sum(1, keepdim=True)).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, flush=True)
    time.sleep(0.005)
"""
SHORT = ENDLESS.replace("10**9", "5").replace("    time.sleep(0.005)\n", "")


def _script(folder: Path, text: str) -> None:
    (folder / "train.py").write_text(text, encoding="utf-8")


class Running:
    """``wellposed run train.py`` in `folder`, while it runs; the program prints its steps."""

    def __init__(self, folder: Path, *options: str):
        environment = {name: value for name, value in os.environ.items() if name not in ("RANK", "WORLD_SIZE")}
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-m", "wellposed", "run", *options, "train.py"],
            cwd=folder,
            env={**environment, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.printed: list[str] = []

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def wait_for_steps(self, count: int, seconds: float = 0.0) -> None:
        """Until the program has printed `count` steps, and for so many seconds more."""
        assert self.process.stdout is not None
        began = None
        while began is None or time.monotonic() < began + seconds:
            line = self.process.stdout.readline()
            assert line, self.process.communicate()[1]
            self.printed.append(line)
            if began is None and len(self.printed) >= count:
                began = time.monotonic()

    def ended_by(self, sent: signal.Signals) -> tuple[int, str]:
        """Exit status and standard error after this signal."""
        self.process.send_signal(sent)
        out, errors = self.process.communicate(timeout=60)
        self.printed += out.splitlines()
        return self.process.returncode, errors


def _verdict(folder: Path, record: str = "train.wellposed") -> str:
    told = wellposed(folder, "report", "--format", "json", record)
    assert told.code == 0, told.stderr
    return json.loads(told.stdout)["verdict"]


# --- ends ---------------------------------------------------------------------------------------------------------


def test_after_kill_9_everything_up_to_the_last_second_is_there(tmp_path):
    _script(tmp_path, ENDLESS)
    with Running(tmp_path) as running:
        running.wait_for_steps(20, seconds=2.5)
        status, _ = running.ended_by(signal.SIGKILL)
    assert status == -signal.SIGKILL
    with Record(tmp_path / "train.wellposed") as record:
        assert record.program.exit_code is None
        steps = record.steps()
        assert [each.id for each in steps] == list(range(len(steps)))
        # What was lost is what ran since the last commit: commits come each second, and these steps take 5 ms or more.
        assert len(running.printed) - len(steps) <= 1.5 / 0.005
        assert len(steps) >= 20
        assert record.recorded_operations() > 0
    assert _verdict(tmp_path) == "healthy"
    # What is lost where only the main file is copied is rows, never the file.
    shutil.copy(tmp_path / "train.wellposed", tmp_path / "copy.wellposed")
    told = wellposed(tmp_path, "report", "copy.wellposed")
    assert told.code in (0, 2)
    assert "Traceback" not in told.stderr


def test_a_fault_seen_before_kill_9_is_diagnosed(tmp_path):
    broken = ENDLESS.replace("    optimizer.zero_grad()", "    if step >= 10: loss = loss * torch.zeros(()).log()\n"
                             "    optimizer.zero_grad()")  # fmt: skip
    _script(tmp_path, broken)
    with Running(tmp_path) as running:
        running.wait_for_steps(20, seconds=2.5)
        running.ended_by(signal.SIGKILL)
    assert _verdict(tmp_path) == "unstable-function"


def test_ctrl_c_ends_it_as_python_would_and_the_report_is_printed(tmp_path):
    _script(tmp_path, ENDLESS)
    with Running(tmp_path) as running:
        running.wait_for_steps(10)
        status, errors = running.ended_by(signal.SIGINT)
    assert status == -signal.SIGINT
    assert "KeyboardInterrupt" in errors
    assert "healthy" in errors
    with Record(tmp_path / "train.wellposed") as record:
        assert (record.program.exit_code, record.program.error) == (130, "KeyboardInterrupt")
        assert len(record.steps()) >= 10
    assert not list(tmp_path.glob("*-wal"))


def test_sigterm_ends_it_as_python_would_and_the_record_is_readable(tmp_path):
    _script(tmp_path, ENDLESS)
    with Running(tmp_path) as running:
        running.wait_for_steps(10, seconds=1.5)
        status, errors = running.ended_by(signal.SIGTERM)
    assert (status, errors) == (-signal.SIGTERM, "")
    assert _verdict(tmp_path) == "healthy"


def test_an_exception_is_told_as_python_tells_it(tmp_path):
    _script(tmp_path, SHORT + "def fail():\n    return model(torch.ones(3, 5))\nfail()\n")
    plain = python(tmp_path, "train.py")
    ran = wellposed(tmp_path, "run", "train.py")
    assert (ran.code, ran.stdout) == (plain.code, plain.stdout) == (1, "0\n1\n2\n3\n4\n")
    own, message = re.compile(r'  File ".*train.py".*\n.*\n'), "RuntimeError: mat1 and mat2 shapes"
    assert own.findall(ran.stderr) == own.findall(plain.stderr)
    assert "wellposed/capture" not in ran.stderr
    assert message in ran.stderr
    with Record(tmp_path / "train.wellposed") as record:
        assert record.program.exit_code == 1
        assert record.program.error.startswith("RuntimeError: mat1 and mat2")
        assert len(record.steps()) == 5


def test_leaving_at_once_leaves_a_readable_record(tmp_path):
    _script(tmp_path, SHORT + "import time; time.sleep(1.2)\nmodel(x).sum().backward(); optimizer.step()\n"
            "import os; os._exit(3)\n")  # fmt: skip
    assert wellposed(tmp_path, "run", "train.py").code == 3
    with Record(tmp_path / "train.wellposed") as record:
        assert record.program.exit_code is None
        assert len(record.steps()) == 6
    assert _verdict(tmp_path) == "healthy"


def test_leaving_with_words_prints_them_and_is_no_error_of_ours(tmp_path):
    _script(tmp_path, SHORT + "sys.exit('no more data')\n")
    ran = wellposed(tmp_path, "run", "train.py")
    assert ran.code == 1
    assert ran.stderr.startswith("no more data\n")
    with Record(tmp_path / "train.wellposed") as record:
        assert record.program.exit_code == 1
        assert len(record.steps()) == 5


# --- while it runs ------------------------------------------------------------------------------------------------


def test_a_record_is_read_while_it_is_written(tmp_path):
    _script(tmp_path, ENDLESS)
    with Running(tmp_path) as running:
        running.wait_for_steps(10, seconds=1.5)
        assert _verdict(tmp_path) == "healthy"
        with Record(tmp_path / "train.wellposed") as record:
            before = len(record.steps())
            running.wait_for_steps(len(running.printed) + 1, seconds=1.5)
            assert len(record.steps()) > before  # the same open record sees what came since
        assert running.process.poll() is None


def test_the_record_keeps_to_its_size_and_goes_on_with_steps(tmp_path):
    _script(tmp_path, SHORT.replace("range(5)", "range(300)"))
    ran = wellposed(tmp_path, "run", "--budget", "none", "--max-size", "1MB", "--steps", "0-1000", "train.py")
    assert ran.code == 0, ran.stderr
    with Record(tmp_path / "train.wellposed") as record:
        assert record.meta["size_limit_reached"] is True
        assert len(record.steps()) == 300
        assert 0 < record.recorded_operations() < record.program.operations / 2
        assert record.events("optimizer")
    # One batch may be on its way when the limit is reached, and steps and parameters are still written.
    assert (tmp_path / "train.wellposed").stat().st_size < 6_000_000
    assert "reached its size limit" in ran.stderr


_LONG_LOOP = """\
import resource, torch
weight = torch.nn.Parameter(torch.ones(8))
optimizer = torch.optim.SGD([weight], 0.1)
for step in range({steps}):
    weight.sum().backward()
    optimizer.step()
def kilobytes(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for number in range(21_000): x = weight * 1.0
before = kilobytes()
for number in range(40_000): x = weight * 1.0
print((kilobytes() - before) / 1024)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("steps", "level"), [(0, "full"), (5, "check")])
def test_memory_stays_bounded_in_one_endless_step(tmp_path, steps, level):
    _script(tmp_path, _LONG_LOOP.format(steps=steps))
    ran = wellposed(tmp_path, "run", "--max-size", "10MB", "train.py")
    assert ran.code == 0
    assert float(ran.stdout) < 20.0  # megabytes: 40,000 rows kept would be more than twice as many
    with Record(tmp_path / "train.wellposed") as record:
        assert record.program.operations >= 60_000
        kept = len(list(record.operations("mul", step=steps)))
        assert (kept > 0) == (level == "full")

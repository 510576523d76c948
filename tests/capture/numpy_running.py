"""Runs NumPy programs with and without the recorder, as a user would: as processes.

GIVEN  plain, recorded = both(text, tmp_path)
THEN   recorded.stdout == plain.stdout; recorded.record.operations(…)
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from wellposed.record import Operation, Record

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}


@dataclass(frozen=True, slots=True)
class Run:
    """What a process left behind."""

    stdout: str
    stderr: str
    exit_code: int


@dataclass(frozen=True, slots=True)
class RecordedRun(Run):
    record: Record

    def lines(self, *bases: str) -> list[int | None]:
        """The lines of the recorded operations of these bases, in order."""
        return [each.site.line if each.site else None for each in self.record.operations(*bases)]

    def only(self, base: str, line: int | None = None) -> Operation:
        """The one operation of this base (at this line)."""
        found = [
            each for each in self.record.operations(base) if line is None or (each.site and each.site.line == line)
        ]
        assert len(found) == 1, [each.operator for each in self.record.operations()]
        return found[0]


def plainly(script: Path) -> Run:
    return _run([sys.executable, script.name], script.parent)


def recorded(script: Path, *options: str) -> RecordedRun:
    file = script.with_suffix(".wellposed")
    command = [sys.executable, "-m", "wellposed", "run", "--quiet", "--force", "-o", str(file), *options, script.name]
    ran = _run(command, script.parent)
    return RecordedRun(ran.stdout, ran.stderr, ran.exit_code, Record(file))


def record_of(text: str, folder: Path, *options: str) -> RecordedRun:
    script = folder / "program.py"
    script.write_text(text, encoding="utf-8")
    return recorded(script, *options)


def both(text: str, folder: Path) -> tuple[Run, RecordedRun]:
    script = folder / "program.py"
    script.write_text(text, encoding="utf-8")
    return plainly(script), recorded(script)


def _run(command: list[str], folder: Path) -> Run:
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, env=ENVIRONMENT)
    return Run(ran.stdout, ran.stderr, ran.returncode)

"""Runs the command line as users do: in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_NOT_INHERITED = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "WELLPOSED_DEBUG")


@dataclass(frozen=True, slots=True)
class Ended:
    stdout: str
    stderr: str
    code: int


def wellposed(folder: Path, *words: str, **environment: str) -> Ended:
    """``python -m wellposed words…`` in `folder`."""
    return python(folder, "-m", "wellposed", *words, **environment)


def python(folder: Path, *words: str, **environment: str) -> Ended:
    inherited = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env={**inherited, "OMP_NUM_THREADS": "1", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )
    return Ended(done.stdout, done.stderr, done.returncode)

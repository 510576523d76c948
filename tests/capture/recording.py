"""Recording inside the test process."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from wellposed.capture.recording import Options, Recording

LEVELS = {
    "full": Options(budget=None, full_steps=(0, 10**6)),
    "check": Options(budget=None, full_at_first=0, watches_operators=True),
    "modules": Options(budget=None, full_at_first=0, watches_operators=False),
    "off": Options(budget=0.0, grace_seconds=-1.0, full_at_first=0),
    "run": Options(),
}


@contextlib.contextmanager
def recorded(path: Path, options: Options | None = None, folder: Path | None = None) -> Iterator[Recording]:
    meta = {"argv": ["test"], "script": "test", "folder": str(folder or Path(__file__).parent)}
    recording = Recording(path, options or LEVELS["full"], meta)
    recording.start()
    try:
        yield recording
    finally:
        recording.stop(0, None)

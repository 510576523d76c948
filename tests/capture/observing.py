"""Records a function of a test in this process and gives its operations back."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.capture.recording import recorded
from wellposed.capture.recording import Options
from wellposed.record import Operation, Record


class Observed:
    """What was recorded of a function."""

    def __init__(self, record: Record, result: Any):
        self.record = record
        self.result = result
        self.operations = list(record.operations())

    def all(self, base: str, phase: str | None = None) -> list[Operation]:
        """The operations of this base name (``log``), in order."""
        return [each for each in self.operations if each.base == base and phase in (None, each.phase)]

    def only(self, base: str, phase: str | None = None) -> Operation:
        found = self.all(base, phase)
        assert len(found) == 1, f"{base}: {[each.operator for each in self.operations]}"
        return found[0]

    def events(self, kind: str) -> list[dict[str, Any]]:
        return [each.details for each in self.record.events(kind)]

    def troubles(self) -> list[str]:
        """Base names of the operations that were looked into on the spot: they made a NaN or an infinity."""
        return [each.base for each in self.operations if each.probes]


def observe(folder: Path, program: Callable[[], Any], options: Options | None = None) -> Observed:
    """Run `program` under a recording whose files are relative to the folder of the program's file."""
    path = folder / "observed.wellposed"
    with recorded(path, options, Path(inspect.getfile(program)).parent):
        result = program()
    record = Record(path)
    assert not record.events("recorder-failed"), record.events("recorder-failed")
    return Observed(record, result)


def line_of(file: str, mark: str) -> int:
    """The number of the only line of `file` that ends with the comment ``# mark``."""
    lines = Path(file).read_text(encoding="utf-8").splitlines()
    found = [number for number, line in enumerate(lines, 1) if line.endswith(f"# {mark}")]
    assert len(found) == 1, f"{mark!r} stands on the lines {found}"
    return found[0]

"""Records made by hand, so that what reads them is tested without running a program.

with RecordBuilder(tmp_path / "a.wellposed") as record:
    record.source("train.py", "x = 1\\n")
    record.step(0, loss=1.0)
    record.operation("aten.log.default", line=1, output=statistics(minimum=0.0))
Record(tmp_path / "a.wellposed")
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from wellposed.record import PHASES, RecordWriter, Statistics
from wellposed.record.schema import COLUMNS

Columns = tuple[Any, ...]


def statistics(count: int = 100, *, rms: float = 1.0, nan: int = 0, infinite: int = 0, **others: Any) -> Statistics:
    """Plausible statistics of a tensor around zero with this rms; any field may be given by name."""
    fields: dict[str, Any] = {
        "count": count, "nan": nan, "positive_infinity": infinite, "negative_infinity": 0, "zero": 0, "subnormal": 0,
        "minimum": -3.0 * rms, "maximum": 3.0 * rms, "smallest_nonzero": rms / 1000, "mean": 0.0,
        "standard_deviation": rms, "root_mean_square": rms, "saturated": None,
    }  # fmt: skip
    fields.update(others)
    return Statistics(**fields)


def columns(given: Statistics | None) -> Columns:
    """Statistics as the table's columns; NaN becomes NULL as SQLite has it."""
    if given is None:
        return (None,) * 13
    values = [getattr(given, name) for name in Statistics.__slots__]
    return tuple(None if isinstance(value, float) and math.isnan(value) else value for value in values)


class RecordBuilder:
    """Writes a record row by row; a context manager that closes the file."""

    def __init__(self, path: Path, **meta: Any):
        self.path = path
        known = {
            "argv": ["train.py"], "script": "train.py", "folder": "/home/someone", "started": "2026-01-02T03:04:05Z",
            "exit_code": 0, "error": None, "wall_seconds": 9.1, "recording_seconds": 0.8, "operations": 48211,
            "rank": None, "world_size": None, "versions": {"torch": "2.13.0"},
        }  # fmt: skip
        self.writer = RecordWriter(path, meta={**known, **meta}, force=True)
        self._names: dict[tuple[str, Any], int] = {}
        self._last = {"operation": 0, "parameter": 0, "event": 0}

    def __enter__(self) -> RecordBuilder:
        return self

    def __exit__(self, *_: object) -> None:
        self.writer.close()

    def source(self, file: str, text: str) -> None:
        self.writer.add("source", [(file, text)])

    def site(self, file: str, line: int, function: str = "forward") -> int:
        return self._named("site", (file, line, function), (file, line, function, None, None, None))

    def step(self, number: int, level: str = "full", **values: Any) -> None:
        """A step; `values` by the names of the model, a NaN loss included."""
        row = {"id": number, "level": level, "skipped": 0, "seconds": 0.04, "recording_seconds": 0.004, **values}
        self.writer.add("step", [[_stored(row.get(name)) for name in COLUMNS["step"]]])

    def operation(
        self,
        operator: str,
        *,
        step: int = 0,
        phase: str = "forward",
        file: str = "train.py",
        line: int | None = 1,
        module: str = "",
        shape: Sequence[int] = (4, 8),
        dtype: str = "float32",
        output: Statistics | None = None,
        inputs: Sequence[int] = (),
        seconds: float = 1e-4,
        arguments: dict[str, Any] | None = None,
    ) -> int:
        """An operation with one output, reading the outputs of the operations `inputs`; gives its id."""
        self._last["operation"] += 1
        number = self._last["operation"]
        site = None if line is None else self.site(file, line)
        names = self._named("operator", operator, (operator,)), self._named("module", module, (module, None, None))
        nonfinite = output.nonfinite if output else 0
        row = (number, step, 0, PHASES.index(phase), names[0], site, names[1], seconds, None, 0, 0, nonfinite)
        self.writer.add("operation", [(*row, json.dumps(arguments or {}))])
        text = ",".join(map(str, shape))
        tensors = [(number, 0, n, f"in{n}", text, dtype, "cpu", made, "") for n, made in enumerate(inputs)]
        self.writer.add("operand", [(*each, *columns(None)) for each in tensors])
        self.writer.add("operand", [(number, 1, 0, "out", text, dtype, "cpu", None, "", *columns(output))])
        return number

    def parameter(self, name: str, shape: Sequence[int] = (8, 8), *, module: str = "Linear", **values: Any) -> int:
        self._last["parameter"] += 1
        number = self._last["parameter"]
        fans = values.get("fan_in", shape[-1]), values.get("fan_out", shape[0])
        units = values.get("units"), values.get("distinct_units")
        row = (number, name, ",".join(map(str, shape)), "float32", module, *fans, None, *units)
        self.writer.add("parameter", [(*row, *columns(values.get("initial")))])
        return number

    def gradient(self, step: int, parameter: int, gradient: Statistics | None, **values: Any) -> None:
        more = (values.get(name) for name in ("unchanged", "silent_units", "adam_ratio"))
        row = (step, parameter, values.get("weight_rms", 0.1), values.get("update_ratio", 1e-3), *more)
        self.writer.add("parameter_step", [(*row, *columns(gradient))])

    def event(self, kind: str, step: int = 0, **details: Any) -> None:
        self._last["event"] += 1
        self.writer.add("event", [(self._last["event"], step, kind, None, json.dumps(details))])

    def _named(self, table: str, key: Any, row: Columns) -> int:
        if (table, key) not in self._names:
            self._names[table, key] = 1 + sum(each[0] == table for each in self._names)
            self.writer.add(table, [(self._names[table, key], *row)])
        return self._names[table, key]


def _stored(value: Any) -> Any:
    return "nan" if isinstance(value, float) and math.isnan(value) else value

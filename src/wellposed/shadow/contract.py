"""A report as JSON values: what records and other programs get. It only grows."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from wellposed.shadow.result import DigitsReport

_LEFT_OUT = ("files", "result")


def to_plain(report: DigitsReport, most_operators: int | None = None) -> dict[str, Any]:
    """The report's fields by their names; non-finite numbers are "nan", "inf", "-inf"; the first operators only where
    a number of them is given."""
    short = dataclasses.replace(report, files=None, result=None, operators=report.operators[:most_operators])
    fields = {each.name: getattr(short, each.name) for each in dataclasses.fields(short) if each.name not in _LEFT_OUT}
    return {name: _plain(value) for name, value in fields.items()}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: _plain(getattr(value, each.name)) for each in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value

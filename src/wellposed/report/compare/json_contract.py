"""The comparison for other programs: the contract "wellposed-compare/1", which only grows."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

from wellposed.report.compare.model import Comparison

SCHEMA = "wellposed-compare/1"


def to_json(comparison: Comparison) -> dict[str, Any]:
    """The contract's object, made of JSON values only: the fields of `model`, by their names."""
    return {"schema": SCHEMA, **_value(comparison)}


def to_json_text(comparison: Comparison) -> str:
    """The same as text: ASCII, so that no encoding and no terminal is in the way, with a line break at the end."""
    return json.dumps(to_json(comparison), indent=2, allow_nan=False) + "\n"


def _value(value: Any) -> Any:
    """Numbers that are not finite become the strings "nan", "inf" and "-inf"."""
    if dataclasses.is_dataclass(value):
        return {each.name: _value(getattr(value, each.name)) for each in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [_value(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else ("inf" if value > 0 else "-inf")
    return value

"""What a run in shadow found, for other programs: the contract "wellposed-digits/1", which only grows."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

from wellposed.shadow.result import DigitsReport

SCHEMA = "wellposed-digits/1"


def digits_to_json(report: DigitsReport) -> dict[str, Any]:
    """The report's fields by their names, made of JSON values only; non-finite numbers are "nan", "inf", "-inf"."""
    fields = dataclasses.asdict(dataclasses.replace(report, files=None, result=None))
    del fields["files"], fields["result"]
    return {"schema": SCHEMA, **_plain(fields)}


def digits_to_json_text(report: DigitsReport) -> str:
    """The same as ASCII text, with a line break at the end."""
    return json.dumps(digits_to_json(report), indent=2, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value

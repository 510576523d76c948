"""What a run in shadow found, for other programs: the contract "wellposed-digits/1", which only grows."""

from __future__ import annotations

import json
from typing import Any

from wellposed.shadow.contract import to_plain
from wellposed.shadow.result import DigitsReport

SCHEMA = "wellposed-digits/1"


def digits_to_json(report: DigitsReport) -> dict[str, Any]:
    """The report's fields by their names, made of JSON values only."""
    return {"schema": SCHEMA, **to_plain(report)}


def digits_to_json_text(report: DigitsReport) -> str:
    """The same as ASCII text, with a line break at the end."""
    return json.dumps(digits_to_json(report), indent=2, allow_nan=False) + "\n"

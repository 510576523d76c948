"""Turns columns of a recording into the facts they mean; what cannot be one raises ValueError or TypeError."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from wellposed.record.model import Operand, Statistics

_LONGEST_SHAPE = 1_000
"""Characters; a longer one is no shape, but damage."""


def to_operand(row: Sequence[Any]) -> Operand:
    return Operand(
        role="out" if row[1] else "in", position=int(row[2]), name=str(row[3] or ""), shape=to_shape(row[4]),
        dtype=str(row[5]), device=str(row[6]), producer=to_integer(row[7]), label=str(row[8] or ""),
        statistics=to_statistics(row[9:]),
    )  # fmt: skip


def to_shape(text: str) -> tuple[int, ...]:
    if len(text) > _LONGEST_SHAPE:
        raise ValueError("a shape of more dimensions than a tensor has")
    return tuple(int(part) for part in text.split(",")) if text else ()


def to_number(value: Any) -> float | None:
    return None if value is None else float(value)


def to_integer(value: Any) -> int | None:
    return None if value is None else int(value)


def to_text(value: Any) -> str | None:
    return None if value is None else str(value)


def to_object(text: Any) -> dict[str, Any]:
    """A JSON object; raises ValueError where the text is other JSON or none."""
    found = json.loads(text or "{}")
    if not isinstance(found, dict):
        raise ValueError("expected a JSON object")
    return found


def to_counts(text: Any) -> tuple[int, ...]:
    """A JSON list of counts; raises ValueError where the text is other JSON or none."""
    found = json.loads(text)
    if not isinstance(found, list) or not all(type(each) is int and each >= 0 for each in found):
        raise ValueError("expected a list of counts")
    return tuple(found)


def to_statistics(columns: Sequence[Any]) -> Statistics | None:
    if columns[0] is None:
        return None
    count, nan, positive, negative, zero, subnormal = (int(value) for value in columns[:6])
    minimum, maximum, smallest, mean, deviation, rms = (
        math.nan if value is None else float(value) for value in columns[6:12]
    )
    saturated = None if columns[12] is None else int(columns[12])
    return Statistics(
        count, nan, positive, negative, zero, subnormal, minimum, maximum, smallest, mean, deviation, rms, saturated
    )

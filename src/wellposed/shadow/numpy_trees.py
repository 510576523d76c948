"""Arguments with their floating-point values taken out, and put back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wellposed.shadow.numpy_dtypes import is_floating

LONGEST = 4096
"""Lists with more members than this are taken as a whole, as constants."""


class Hole:
    """The place of a floating-point value among arguments."""

    __slots__ = ("index",)

    def __init__(self, index: int) -> None:
        self.index = index


def taken_out(value: Any, found: list[Any], wanted: Callable[[Any], bool] = is_floating) -> Any:
    """`value` with holes for its parts that are `wanted`, which are appended to `found`."""
    if wanted(value):
        found.append(value)
        return Hole(len(found) - 1)
    kind = type(value)
    if kind in (list, tuple) and len(value) <= LONGEST:
        return kind(taken_out(part, found, wanted) for part in value)
    if kind is dict:
        return {key: taken_out(part, found, wanted) for key, part in value.items()}
    return value


def put_back(value: Any, parts: list[Any]) -> Any:
    """`value` with its holes filled."""
    kind = type(value)
    if kind is Hole:
        return parts[value.index]
    if kind in (list, tuple):
        return kind(put_back(part, parts) for part in value)
    if kind is dict:
        return {key: put_back(part, parts) for key, part in value.items()}
    return value


def floating_parts(value: Any) -> list[Any]:
    """The floating-point arrays and numbers in a result, in order; named tuples included."""
    if is_floating(value):
        return [value]
    if isinstance(value, (list, tuple)) and len(value) <= LONGEST:
        return [part for member in value for part in floating_parts(member)]
    if isinstance(value, dict):
        return [part for member in value.values() for part in floating_parts(member)]
    return []

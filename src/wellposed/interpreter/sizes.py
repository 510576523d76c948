"""What the values at hand take in memory, against machine numbers."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from wellposed.interpreter.costs import Size

_UNBOXED = {int: 8, float: 8, bool: 1, complex: 16}
_MOST = 10_000
_POINTER = 8


def sizes_of(values: Iterable[Any]) -> tuple[Size, ...]:
    """Counts and mean sizes in bytes of the numbers in `values`, looking into lists, tuples, sets and dicts.

    At most 10 000 values are looked at, each object once per place that holds it. Integers beyond 64 bits count as
    the words they need. Where no number is found, one int and one float stand for all.
    """
    waiting = list(values)
    found: dict[type, list[int]] = {}
    seen: set[int] = set()
    looked = 0
    while waiting and looked < _MOST:
        value = waiting.pop()
        looked += 1
        kind = type(value)
        if kind in _UNBOXED:
            found.setdefault(kind, []).append(sys.getsizeof(value))
        elif kind in (list, tuple, set, frozenset, dict) and id(value) not in seen:
            seen.add(id(value))
            content = [*value, *value.values()] if kind is dict else list(value)
            waiting.extend(content[:_MOST])
    if not found:
        found = {int: [sys.getsizeof(1)], float: [sys.getsizeof(1.0)]}
    return tuple(
        Size(kind.__name__, len(sizes), sum(sizes) / len(sizes) + _POINTER, _UNBOXED[kind])
        for kind, sizes in sorted(found.items(), key=lambda item: -len(item[1]))
    )

"""What stands in the same place in two runs: sequences by anchors, names by themselves, then by their order."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

_ANCHOR = 3
"""Equal items in a row that make a meeting point; one alone may be chance."""
_FIRST_REACH = 16
_REACH = 4_096
"""Items looked ahead on either side; beyond that the two are not tied again. The work stays linear in the length."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of both sequences: item for item the same, or without counterpart."""

    a: range
    b: range
    same: bool


def stretches(a: Sequence[Hashable], b: Sequence[Hashable]) -> Iterator[Stretch]:
    """Both sequences from beginning to end, cut into what is the same and what is not."""
    i = j = 0
    while i < len(a) or j < len(b):
        length = _equal(a, b, i, j)
        if length:
            yield Stretch(range(i, i + length), range(j, j + length), True)
            i, j = i + length, j + length
            continue
        skip_a, skip_b = _next_meeting(a, b, i, j)
        yield Stretch(range(i, i + skip_a), range(j, j + skip_b), False)
        i, j = i + skip_a, j + skip_b


def _equal(a: Sequence[Hashable], b: Sequence[Hashable], i: int, j: int) -> int:
    most = min(len(a) - i, len(b) - j)
    return next((n for n in range(most) if a[i + n] != b[j + n]), most)


def _next_meeting(a: Sequence[Hashable], b: Sequence[Hashable], i: int, j: int) -> tuple[int, int]:
    """How many items of each to leave out until they agree again; both ends are a meeting point."""
    rest_a, rest_b = len(a) - i, len(b) - j
    reach = _FIRST_REACH
    while True:
        first_in_b: dict[tuple[Hashable, ...], int] = {}
        for n in range(min(reach, rest_b) + 1):
            first_in_b.setdefault(tuple(b[j + n : j + n + _ANCHOR]), n)
        met = [
            (n + other, n, other)
            for n in range(min(reach, rest_a) + 1)
            if (other := first_in_b.get(tuple(a[i + n : i + n + _ANCHOR]))) is not None
        ]
        if met:
            _, skip_a, skip_b = min(met)
            return skip_a, skip_b
        if reach >= _REACH:
            return min(reach, rest_a), min(reach, rest_b)
        reach *= 4


def renamed_roots(a: Sequence[str], b: Sequence[str]) -> dict[str, str]:
    """B's name for A's outermost module, where the class was renamed: those that only one has, in order."""
    roots_a, roots_b = (dict.fromkeys(path.partition(".")[0] for path in paths) for paths in (a, b))
    only_a = [root for root in roots_a if root and root not in roots_b]
    only_b = [root for root in roots_b if root and root not in roots_a]
    return dict(zip(only_a, only_b, strict=False)) if len(only_a) == len(only_b) else {}


def renamed(path: str, roots: dict[str, str]) -> str:
    root, dot, rest = path.partition(".")
    return f"{roots.get(root, root)}{dot}{rest}"


def paired(
    a: Sequence[tuple[str, Hashable]], b: Sequence[tuple[str, Hashable]]
) -> tuple[list[tuple[int, int]], list[int], list[int]]:
    """Pairs of named things (name and kind), by name, then by kind and order; and those that only one side has."""
    roots = renamed_roots([name for name, _ in a], [name for name, _ in b])
    rest_a, rest_b = list(range(len(a))), list(range(len(b)))
    pairs: list[tuple[int, int]] = []
    for key_a, key_b in (
        ([name for name, _ in a], [name for name, _ in b]),
        ([renamed(name, roots) for name, _ in a], [name for name, _ in b]),
        ([kind for _, kind in a], [kind for _, kind in b]),
    ):
        waiting: dict[Hashable, list[int]] = {}
        for n in reversed(rest_b):
            waiting.setdefault(key_b[n], []).append(n)
        found = [(n, waiting[key_a[n]].pop()) for n in rest_a if waiting.get(key_a[n])]
        taken_a, taken_b = {n for n, _ in found}, {n for _, n in found}
        rest_a = [n for n in rest_a if n not in taken_a]
        rest_b = [n for n in rest_b if n not in taken_b]
        pairs += found
    return sorted(pairs), rest_a, rest_b

"""Which rewrites fit a node of a data-flow graph."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass

from wellposed.rewrites.catalogue import all_rewrites
from wellposed.rewrites.entry import Rewrite
from wellposed.rewrites.graph import Node, Operand, is_count, same, seen_through
from wellposed.rewrites.names import COMMUTATIVE
from wellposed.rewrites.pattern import LARGE, SMALL, Apply, Either, Number, Pattern, Variable, specificity
from wellposed.rewrites.readings import readings

_PRECISION = 1e-6
"""Numbers in a graph may have been rounded to float32."""


@dataclass(frozen=True, slots=True)
class Match:
    """A rewrite whose pattern fits."""

    rewrite: Rewrite
    bindings: Mapping[str, Operand]
    """The operands that the pattern's variables stand for."""
    specificity: float


def match(node: Node, dtype: str | None = None) -> list[Match]:
    """The rewrites whose patterns end in this node, the most specific first; with a dtype, those that fail in it."""
    found: dict[str, Match] = {}
    for base, rewrite, pattern in _candidates(node):
        if dtype is not None and rewrite.failure(dtype) is None:
            continue
        bindings = next(_matches(pattern, node, {}), None) if base else None
        if bindings is None:
            continue
        weight = specificity(pattern)
        if rewrite.name not in found or found[rewrite.name].specificity < weight:
            found[rewrite.name] = Match(rewrite, bindings, weight)
    return sorted(found.values(), key=lambda each: (-each.specificity, each.rewrite.name))


def forms_for(node: Node, dtype: str | None = None) -> tuple[Rewrite, ...]:
    """The rewrites that say best what this node is: those of the most specific pattern, as `match` finds them."""
    found = match(node, dtype)
    return tuple(each.rewrite for each in found if each.specificity == found[0].specificity)


def matches_within(node: Node, limit: int = 400) -> list[tuple[Node, Match]]:
    """The matches at the node and at what it was computed from, nearest first; each node once."""
    waiting: list[Node] = [node]
    seen: set[Hashable] = set()
    found = []
    while waiting and len(seen) < limit:
        each = waiting.pop(0)
        key = each.identity if each.identity is not None else id(each)
        if key in seen:
            continue
        seen.add(key)
        found += [(each, one) for one in match(each)]
        waiting += [operand for operand in each.inputs if not isinstance(operand, (int, float))]
    return found


def fits(pattern: Pattern, operand: Operand) -> dict[str, Operand] | None:
    """The bindings under which one pattern fits, or None."""
    return next(_matches(pattern, operand, {}), None)


def _candidates(node: Node) -> Iterator[tuple[str, Rewrite, Pattern]]:
    by_operator = _by_operator()
    for base in dict.fromkeys(operator for operator, _ in readings(node)):
        for rewrite, pattern in by_operator.get(base, ()):
            yield base, rewrite, pattern


@functools.cache
def _by_operator() -> dict[str, list[tuple[Rewrite, Pattern]]]:
    table: dict[str, list[tuple[Rewrite, Pattern]]] = {}
    for rewrite in all_rewrites():
        for pattern in rewrite.patterns:
            for choice in pattern.choices if isinstance(pattern, Either) else (pattern,):
                if isinstance(choice, Apply):
                    table.setdefault(choice.operator, []).append((rewrite, choice))
    return table


def _matches(pattern: Pattern, operand: Operand, bound: dict[str, Operand]) -> Iterator[dict[str, Operand]]:
    """Every way in which the pattern fits, each an extension of what is bound."""
    if isinstance(pattern, Variable):
        yield from _bind(pattern, operand, bound)
    elif isinstance(pattern, Number):
        operand = seen_through(operand)
        if isinstance(operand, (int, float)) and math.isclose(operand, pattern.value, rel_tol=_PRECISION):
            yield bound
    elif isinstance(pattern, Either):
        for choice in pattern.choices:
            yield from _matches(choice, operand, bound)
    else:
        operand = seen_through(operand)
        if not isinstance(operand, (int, float)):
            for operator, operands in readings(operand):
                if operator == pattern.operator and len(operands) >= len(pattern.operands):
                    yield from _apply(pattern, operands, bound)


def _bind(pattern: Variable, operand: Operand, bound: dict[str, Operand]) -> Iterator[dict[str, Operand]]:
    plain = seen_through(operand)
    if pattern.kind == "count":
        if not is_count(plain):
            return
    elif pattern.kind == "unshifted":
        if _is_shifted(plain):
            return
    elif pattern.kind:
        if not isinstance(plain, (int, float)) or isinstance(plain, bool):
            return
        magnitude = abs(plain)
        wanted = {"small": 0 < magnitude <= SMALL, "large": magnitude >= LARGE, "constant": True}
        if not wanted[pattern.kind]:
            return
    if pattern.name not in bound:
        yield {**bound, pattern.name: operand}
    elif same(bound[pattern.name], operand):
        yield bound


def _is_shifted(operand: Operand) -> bool:
    """Whether a largest entry, or a log-sum-exp, has been subtracted: what keeps exponentials in range."""
    if isinstance(operand, (int, float)):
        return False
    differences = [operands[1] for operator, operands in readings(operand) if operator == "sub"]
    subtracted = [seen_through(each) for each in differences]
    return any(not isinstance(each, (int, float)) and each.base in ("amax", "logsumexp") for each in subtracted)


def _apply(pattern: Apply, operands: tuple[Operand, ...], bound: dict[str, Operand]) -> Iterator[dict[str, Operand]]:
    wanted = pattern.operands
    orders = [operands[: len(wanted)]]
    if pattern.operator in COMMUTATIVE and len(wanted) == 2:
        orders = [(one, other) for one, other in itertools.permutations(operands[:2])]
    for order in orders:
        yield from _each(list(zip(wanted, order, strict=True)), bound)


def _each(pairs: list[tuple[Pattern, Operand]], bound: dict[str, Operand]) -> Iterator[dict[str, Operand]]:
    if not pairs:
        yield bound
        return
    for extended in _matches(*pairs[0], bound):
        yield from _each(pairs[1:], extended)

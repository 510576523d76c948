"""Finding the operator behind a loss that is not finite, from the autograd graph alone.

For a step whose operators nobody watched: when ``backward()`` is called on the bad loss, the graph still holds the
tensors that the derivatives need. The first node, from the inputs on, that saved a result which is not finite or an
argument outside its domain is the likely culprit. It costs nothing until the loss is bad.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

_MOST_NODES = 200_000

_Test = Callable[[torch.Tensor], torch.Tensor]

# What each node saves under which name, and when that is outside the operator's domain.
_DOMAINS: dict[str, tuple[str, _Test, str]] = {
    "DivBackward0": ("_saved_other", lambda x: x == 0, "a divisor that is 0"),
    "LogBackward0": ("_saved_self", lambda x: x <= 0, "an argument that is 0 or negative"),
    "Log2Backward0": ("_saved_self", lambda x: x <= 0, "an argument that is 0 or negative"),
    "Log10Backward0": ("_saved_self", lambda x: x <= 0, "an argument that is 0 or negative"),
    "Log1PBackward0": ("_saved_self", lambda x: x <= -1, "an argument of -1 or below"),
    "AcosBackward0": ("_saved_self", lambda x: x.abs() > 1, "an argument beyond 1"),
    "AsinBackward0": ("_saved_self", lambda x: x.abs() > 1, "an argument beyond 1"),
    "AtanhBackward0": ("_saved_self", lambda x: x.abs() >= 1, "an argument of 1 or beyond"),
}


@dataclass(frozen=True, slots=True)
class FoundNode:
    """A node of the graph that is the likely culprit."""

    name: str
    """The node's, such as ``LogBackward0``."""
    sequence: int
    """Its sequence number: nodes are numbered in the order in which they were made."""
    why: str
    operator: str

    def details(self) -> dict[str, Any]:
        return {"node": self.name, "why": self.why, "operator": self.operator}


def find_in_graph(loss: torch.Tensor) -> FoundNode | None:
    """The earliest node that saved something not finite or outside its domain; None where no node tells."""
    suspects = []
    for node in _nodes(loss):
        why = _complaint(node)
        if why:
            suspects.append((node._sequence_nr(), node, why))
    if not suspects:
        return None
    sequence, node, why = min(suspects, key=lambda each: each[0])
    name = node.name()
    return FoundNode(name, sequence, why, name.split("Backward")[0].lower())


def _nodes(loss: torch.Tensor) -> Iterator[Any]:
    waiting = [loss.grad_fn]
    seen: set[int] = set()
    while waiting and len(seen) < _MOST_NODES:
        node = waiting.pop()
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        waiting.extend(following for following, _ in node.next_functions)


def _complaint(node: Any) -> str:
    """What is wrong with what the node saved; empty where nothing is."""
    if node.name() == "PowBackward0":
        return _complaint_of_power(node)
    domain = _DOMAINS.get(node.name())
    if domain is not None:
        saved = _saved(node, domain[0])
        if saved is not None and bool(domain[1](saved).any()):
            return domain[2]
    result = _saved(node, "_saved_result")
    if result is not None and not bool(torch.isfinite(result).all()):
        return "a result that is not finite"
    return ""


def _complaint_of_power(node: Any) -> str:
    """A tensor to a fixed power saves no result, only its base and the exponent."""
    base, exponent = _saved(node, "_saved_self"), getattr(node, "_saved_exponent", None)
    if base is None or base.is_complex() or not isinstance(exponent, float | int) or not math.isfinite(exponent):
        return ""
    if exponent != int(exponent) and bool((base < 0).any()):
        return "a negative base to a fractional power"
    return "0 to a negative power" if exponent < 0 and bool((base == 0).any()) else ""


def _saved(node: Any, name: str) -> torch.Tensor | None:
    try:
        value = getattr(node, name, None)
    except RuntimeError:  # freed already, or written over since
        return None
    if isinstance(value, torch.Tensor) and value.layout == torch.strided and not value.is_meta:
        return value.detach()
    return None

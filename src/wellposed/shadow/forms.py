"""Better ways to write a culprit: found in the catalogue of rewrites by the data flow, and evaluated beside it."""

from __future__ import annotations

import importlib
from collections.abc import Hashable
from typing import Any

import torch

from wellposed.shadow.measure import digits_held, digits_left, norm, relative
from wellposed.shadow.rerun import needed_for, rerun
from wellposed.shadow.result import StableForm
from wellposed.shadow.tape import Call, Spot, Tape
from wellposed.shadow.trees import is_real

MOST_FORMS = 3
MOST_CONSUMERS = 12
"""Operators after the culprit that may be where the formula ends: log(1 − sigmoid) ends in the logarithm."""
_DEEPEST = 8


def forms_of(tape: Tape, key: Hashable, dtype: torch.dtype) -> tuple[StableForm, ...]:
    """Stable forms for the last call of a place, the most fitting first; none where the catalogue has none.

    Each is run in `dtype` on the exact inputs rounded to it, and judged against the same form in float64.
    """
    catalogue: Any = importlib.import_module("wellposed.rewrites")
    index = next((number for number in range(len(tape.calls) - 1, -1, -1) if tape.calls[number].key == key), None)
    if index is None or not hasattr(catalogue, "match"):
        return ()
    graph = _Graph(tape, catalogue)
    for end in (index, *_consumers(tape, index)):
        found = catalogue.match(graph.node(end))
        matches = [each for each in found if end == index or _rests_on(each.bindings, graph, end, index)]
        if matches:
            top = [each for each in matches if each.specificity == matches[0].specificity]
            return tuple(_form(tape, graph, catalogue, each, end, dtype) for each in top[:MOST_FORMS])
    return ()


class _Graph:
    """The calls of a tape as nodes of the catalogue's kind."""

    def __init__(self, tape: Tape, catalogue: Any) -> None:
        self._tape = tape
        self._value = catalogue.Value
        names = importlib.import_module("wellposed.rewrites.names")
        self._canonical, self._counts = names.canonical, names.VALUE_ARGUMENTS
        self.spots: dict[Hashable, tuple[Spot, int]] = {}
        """By identity of a node: the memory that holds its value, and after how many calls."""

    def node(self, index: int, depth: int = _DEEPEST) -> Any:
        """The node of a call."""
        call = self._tape.calls[index]
        assert call.description is not None
        base = self._canonical(call.description.base)
        values = call.args[: self._counts.get(base, 1)]
        inputs = tuple(
            self._input(each, index, depth)
            for each in values
            if isinstance(each, (Spot, int, float)) and not isinstance(each, bool)
        )
        return self._value(base, inputs, identity=("call", index))

    def _input(self, value: Any, before: int, depth: int) -> Any:
        if not isinstance(value, Spot):
            return value
        maker = self._maker(value, before)
        identity = (value.storage, maker, value.geometry[2], _count(value))
        self.spots[identity] = (value, before)
        call = None if maker is None else self._tape.calls[maker]
        if maker is None or call is None or call.description is None or depth == 0 or not _is_all_of(call, value):
            return self._value("", identity=identity)
        made = self.node(maker, depth - 1)
        return self._value(made.base, made.inputs, identity=identity)

    def _maker(self, spot: Spot, before: int) -> int | None:
        for index in range(before - 1, -1, -1):
            if any(each is not None and each.storage == spot.storage for each in self._tape.calls[index].outputs):
                return index
        return None


def _consumers(tape: Tape, index: int) -> list[int]:
    """The calls that compute from the result of a call, directly or over others, nearest first."""
    reached = {each.storage for each in tape.calls[index].outputs if each is not None}
    found = []
    for number in range(index + 1, len(tape.calls)):
        call = tape.calls[number]
        if call.description is not None and reached.intersection(call.reads):
            found.append(number)
            reached.update(each.storage for each in call.outputs if each is not None)
            if len(found) == MOST_CONSUMERS:
                break
    return found


def _rests_on(bindings: Any, graph: _Graph, end: int, culprit: int) -> bool:
    """Whether the culprit is inside the formula: before its end, and after what its variables stand for."""
    made = [graph.spots[each.identity] for each in bindings.values() if getattr(each, "identity", None) in graph.spots]
    tape = graph._tape
    inside = set(needed_for(tape, [(spot, end) for spot in _spots(tape.calls[end])]))
    outside = set(needed_for(tape, [(spot, position) for spot, position in made]))
    return culprit in inside and culprit not in outside


def _form(tape: Tape, graph: _Graph, catalogue: Any, match: Any, end: int, dtype: torch.dtype) -> StableForm:
    rewrite = match.rewrite
    names = {name: each.text for name, each in match.bindings.items() if getattr(each, "text", "")}
    code = catalogue.stable_code(rewrite, names) if "torch" in rewrite.stable else next(iter(rewrite.stable.values()))
    try:
        digits = _digits(tape, graph, catalogue, match, dtype)
    except Exception:  # a form for another shape, or another library: it is shown without digits
        digits = None
    return StableForm(rewrite.title, code, digits, rewrite.sources[0] if rewrite.sources else "")


def _digits(tape: Tape, graph: _Graph, catalogue: Any, match: Any, dtype: torch.dtype) -> float | None:
    """Digits that the form leaves of what it computes in float64."""
    if "torch" not in match.rewrite.stable:
        return None
    form = catalogue.compile_form(match.rewrite, "torch")
    tensors = {name: graph.spots[each.identity] for name, each in match.bindings.items() if hasattr(each, "identity")}
    numbers = {name: each for name, each in match.bindings.items() if not hasattr(each, "identity")}
    wanted = list(tensors.values())
    with torch.no_grad():
        values, _ = rerun(tape, needed_for(tape, wanted), lambda _, __, value: value, wanted)
        wide = dict(zip(tensors, (each.detach() for each in values), strict=True))
        exact = form(**wide, **numbers)
        got = form(**{name: each.to(dtype) for name, each in wide.items()}, **numbers)
        if not isinstance(got, torch.Tensor) or not isinstance(exact, torch.Tensor) or not is_real(got):
            return None
        error = float(norm(got.double() - exact.double()))
        return digits_left(relative(error, float(norm(exact.double()))), digits_held(dtype))


def _spots(call: Call) -> list[Spot]:
    found: list[Spot] = []
    waiting = [*call.args, *call.kwargs.values()]
    while waiting:
        each = waiting.pop()
        if isinstance(each, Spot):
            found.append(each)
        elif isinstance(each, (list, tuple)):
            waiting.extend(each)
    return found


def _is_all_of(call: Call, spot: Spot) -> bool:
    """Whether the spot is the whole of a result of the call, in whatever shape."""
    return any(
        each is not None
        and each.storage == spot.storage
        and each.geometry[2] == spot.geometry[2]
        and _count(each) == _count(spot)
        for each in call.outputs
    )


def _count(spot: Spot) -> int:
    count = 1
    for size, stride in zip(spot.geometry[0], spot.geometry[1], strict=True):
        count *= size if stride else 1
    return count

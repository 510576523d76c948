"""What is looked up on the spot when an operator has just made a NaN or an infinity: its inputs are still there."""

from __future__ import annotations

import math
from typing import Any

import torch

from wellposed.record import operator_base

_LARGEST_REPLAY = 4_000_000
"""Elements: a replay in float64 of anything larger would take longer than it is worth."""
_RANDOM = ("rand", "dropout", "bernoulli", "multinomial", "normal", "uniform", "exponential", "rrelu", "poisson")


def probe(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> dict[str, Any]:
    """Facts about the first NaN or infinity in `out`: index, operands there, and the value in float64.

    To be called with no dispatch mode active. Changes nothing: no random numbers, no gradient, no argument.
    """
    facts: dict[str, Any] = {}
    bad = next((each for each in _tensors(out) if _readable(each) and not torch.isfinite(each).all()), None)
    if bad is None:
        return facts
    position = _first_bad(bad)
    facts["index"] = position
    facts["output"] = _value(bad[tuple(position)]) if position else _value(bad)
    schema = getattr(func, "_schema", None)
    names = [argument.name for argument in schema.arguments] if schema else []
    for index, argument in enumerate(args):
        if isinstance(argument, torch.Tensor) and _readable(argument):
            there = _at(argument, bad, position)
            if there is not None:
                facts[f"input {names[index] if index < len(names) else index}"] = there
    exact = _in_float64(func, args, kwargs)
    if exact is not None:
        facts["float64"] = exact
    return facts


def makes_nonfinite(args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> bool:
    """Whether there is a NaN or an infinity in `out` and none in the arguments, as far as they can be read."""

    def bad(value: Any) -> bool:
        floats = (each for each in _tensors(value) if _readable(each) and each.is_floating_point())
        return any(not bool(torch.isfinite(each).all()) for each in floats)

    return bad(out) and not bad([*args, *kwargs.values()])


def _in_float64(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any] | None:
    """Magnitudes that the operator gives on the same inputs in float64; None where it cannot be asked again."""
    schema = getattr(func, "_schema", None)
    if schema is None or schema.is_mutable or any(part in operator_base(str(func)) for part in _RANDOM):
        return None
    given = _tensors([*args, *kwargs.values()])
    if sum(each.numel() for each in given) > _LARGEST_REPLAY or not all(_readable(each) for each in given):
        return None
    if any(not torch.isfinite(each).all() for each in given if each.is_floating_point()):
        return None
    try:
        result = func(*[_widened(each) for each in args], **{name: _widened(each) for name, each in kwargs.items()})
    except Exception:  # not every kernel takes float64: then there is nothing to tell
        return None
    first = next((each for each in _tensors(result) if each.is_floating_point()), None)
    if first is None or not first.numel():
        return None
    nan = int(torch.isnan(first).sum())
    infinite = int(torch.isinf(first).sum())
    finite = first[torch.isfinite(first)]
    largest = float(finite.abs().max()) if finite.numel() else math.nan
    return {"largest": largest, "nan": nan, "infinite": infinite}


def _widened(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.double() if value.is_floating_point() else value
    if isinstance(value, torch.dtype):
        return torch.float64 if value.is_floating_point else value
    if isinstance(value, (list, tuple)):
        return type(value)(_widened(each) for each in value)
    return value


def _tensors(value: Any) -> list[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, (list, tuple)):
        return [tensor for each in value for tensor in _tensors(each)]
    return []


def _readable(tensor: torch.Tensor) -> bool:
    return type(tensor) in (torch.Tensor, torch.nn.Parameter) and tensor.layout == torch.strided and not tensor.is_meta


def _first_bad(tensor: torch.Tensor) -> list[int]:
    """Index of the first NaN, or where there is none of the first infinity; [] for a scalar."""
    if tensor.dim() == 0:
        return []
    wrong = torch.isnan(tensor)
    if not wrong.any():
        wrong = torch.isinf(tensor)
    flat = int(wrong.flatten().to(torch.uint8).argmax())
    index: list[int] = []
    for size in reversed(tensor.shape):
        flat, rest = divmod(flat, size)
        index.append(rest)
    return index[::-1]


def _at(argument: torch.Tensor, out: torch.Tensor, position: list[int]) -> float | str | None:
    """The argument's value that was broadcast to `position` of `out`; None where shapes tell of no such value."""
    if argument.dim() > out.dim():
        return None
    index: list[int] = []
    for size, wanted, where in zip(reversed(argument.shape), reversed(out.shape), reversed(position), strict=False):
        if size not in (1, wanted):
            return None
        index.append(0 if size == 1 else where)
    return _value(argument[tuple(reversed(index))] if index else argument)


def _value(scalar: torch.Tensor) -> float | str | None:
    if scalar.numel() != 1 or scalar.is_complex():
        return None
    number = float(scalar)
    return number if math.isfinite(number) else str(number)

"""The exact results of an operator at a few of its elements, by mpmath: for what double-double cannot say.

Elements are chosen by their position alone, the first, the last and evenly between, so that nothing is drawn. mpmath is
an optional dependency (``pip install 'wellposed[digits]'``), imported at the first call, in a context of its own: the
precision that a program has set for itself stays.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from wellposed.shadow.double_double.arithmetic import Pair, exactly
from wellposed.shadow.mpmath_functions import ELEMENTWISE, REDUCTIONS, Exact

ELEMENTS = 64
DIGITS = 60
_MOST_TERMS = 1 << 18
"""Of the reductions of one sample: about a second of mpmath."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Exact values of some elements of a result."""

    shape: tuple[int, ...]
    """Of the whole result."""
    positions: tuple[int, ...]
    """In the flattened result, ascending."""
    values: tuple[Exact, ...]
    """mpf at 60 digits, or as many as were asked for."""

    def distances(self, result: Tensor) -> Tensor:
        """Result − exact at the positions, float64; 0 for equal infinities. `result` has the shape of the sample."""
        flat = result.detach().double().flatten()[list(self.positions)].tolist()
        differences = [
            0.0 if computed == exact else float(exact.context.mpf(computed) - exact)
            for computed, exact in zip(flat, self.values, strict=True)
        ]
        return torch.tensor(differences, dtype=torch.float64)

    def pair(self) -> Pair:
        """The values as a double-double of shape (elements,)."""
        highs = [float(each) for each in self.values]
        lows = [
            float(each - high) if math.isfinite(high) else 0.0 for each, high in zip(self.values, highs, strict=True)
        ]
        return Pair(torch.tensor(highs, dtype=torch.float64), torch.tensor(lows, dtype=torch.float64))


def sampled(
    operator: Any, args: tuple[Any, ...], kwargs: dict[str, Any], *, elements: int = ELEMENTS, digits: int = DIGITS
) -> Sample:
    """`operator`, an `OpOverload`, at up to `elements` of its result's elements, to `digits` decimal digits.

    Arguments are tensors or `Pair`s, taken as exact. Raises NotImplementedError for an operator that is neither in
    `mpmath_functions` nor a product of matrices, and for one whose single result takes more than 2^18 terms;
    ModuleNotFoundError, which says what to install, where mpmath is missing.
    """
    if elements < 1 or digits < 1:
        raise ValueError("a sample has at least one element and one digit")
    context = _context(digits)
    name = operator._schema.name.split("::")[1]
    with torch.no_grad():
        if name in ELEMENTWISE:
            return _of_elements(context, operator, ELEMENTWISE[name], args, kwargs, elements)
        if name in REDUCTIONS:
            return _of_reduction(context, name, args, kwargs, elements)
        if name in ("mm", "bmm", "mv", "dot", "vdot", "matmul"):
            return _of_product(context, args[0], args[1], elements)
    raise NotImplementedError(f"{operator} has no form in mpmath")


def _context(digits: int) -> Any:
    try:
        import mpmath
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "exact values on a sample need mpmath, which is not installed: pip install 'wellposed[digits]'",
            name="mpmath",
        ) from None
    context = mpmath.MPContext()
    context.dps = digits
    return context


def positions(count: int, most: int) -> list[int]:
    """Up to `most` of `count` places, evenly spaced, with the first and the last."""
    if count <= most:
        return list(range(count))
    return sorted({round(place * (count - 1) / max(most - 1, 1)) for place in range(most)})


def _of_elements(
    context: Any, operator: Any, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], most: int
) -> Sample:
    shapes = [each.shape for each in (*args, *kwargs.values()) if isinstance(each, Tensor | Pair)]
    shape = torch.broadcast_shapes(*shapes)  # type: ignore[no-untyped-call]
    chosen = positions(math.prod(shape), most)

    def picked(value: Any) -> Any:
        if not isinstance(value, Tensor | Pair):
            return value
        pair = exactly(value, value) if isinstance(value, Tensor) else value
        return Pair(*(half.expand(shape).flatten()[chosen] for half in (pair.high, pair.low)))

    given, named = [picked(each) for each in args], {key: picked(each) for key, each in kwargs.items()}
    # What float64 gives decides where the exact answer is an infinity or NaN, which mpmath may answer by an error.
    plain = operator(*map(_high, given), **{key: _high(each) for key, each in named.items()}).tolist()
    columns = [_numbers(context, each, len(chosen)) for each in given]
    values = []
    for place, rough in enumerate(plain):
        row = [column[place] for column in columns]
        options = {key: _numbers(context, each, len(chosen))[place] for key, each in named.items()}
        values.append(_evaluated(context, function, row, options, rough))
    return Sample(tuple(shape), tuple(chosen), tuple(values))


def _high(value: Any) -> Any:
    return value.high if isinstance(value, Pair) else value


def _numbers(context: Any, value: Any, count: int) -> Sequence[Any]:
    if isinstance(value, Pair):
        pairs = zip(value.high.tolist(), value.low.tolist(), strict=True)
        return [context.mpf(high) + context.mpf(low) for high, low in pairs]
    return [context.mpf(value) if isinstance(value, float) else value] * count


def _evaluated(context: Any, function: Any, row: list[Any], options: dict[str, Any], rough: float) -> Exact:
    special = math.isnan(rough) or any(not math.isfinite(each) for each in row if isinstance(each, context.mpf))
    if special:
        return context.mpf(rough)
    try:
        value = function(context, *row, **options)
    except (ZeroDivisionError, ValueError):
        return context.mpf(rough)
    return context.mpf(rough) if isinstance(value, context.mpc) else context.mpf(value)


def _of_reduction(context: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], most: int) -> Sample:
    pair = args[0] if isinstance(args[0], Pair) else exactly(args[0], args[0])
    rest = list(args[1:])
    options: dict[str, Any] = {}
    if name == "linalg_vector_norm":
        options["order"] = rest.pop(0) if rest else kwargs.get("ord", 2)
    dim = rest.pop(0) if rest else kwargs.get("dim")
    if name in ("var", "std"):
        unbiased = rest.pop(0) if len(rest) > 1 else kwargs.get("unbiased")
        if isinstance(dim, bool):
            dim, unbiased = None, dim
        correction = kwargs.get("correction") if unbiased is None else float(unbiased)
        options["correction"] = 1 if correction is None else correction
    keep = bool(rest.pop(0) if rest else kwargs.get("keepdim", False))
    count = pair.high.dim()
    dims = sorted(each % count for each in ([dim] if isinstance(dim, int) else dim or range(count))) if count else []
    others = [each for each in range(count) if each not in dims]
    shape = [1 if each in dims else pair.shape[each] for each in range(count) if keep or each in others]
    terms = math.prod(pair.shape[each] for each in dims)
    rows = [half.permute(*others, *dims).reshape(-1, terms) for half in (pair.high, pair.low)]
    chosen = positions(rows[0].shape[0], _affordable(terms, most))
    values = []
    for place in chosen:
        numbers = _numbers(context, Pair(rows[0][place], rows[1][place]), terms)
        values.append(REDUCTIONS[name](context, numbers, **options))
    return Sample(tuple(shape), tuple(chosen), tuple(values))


def _affordable(terms: int, most: int) -> int:
    if terms > _MOST_TERMS:
        raise NotImplementedError(f"more than {_MOST_TERMS} terms in one element")
    return max(1, min(most, _MOST_TERMS // max(terms, 1)))


def _of_product(context: Any, a: Any, b: Any, most: int) -> Sample:
    left, right = (each if isinstance(each, Pair) else exactly(each, each) for each in (a, b))
    shape = torch.matmul(left.high, right.high).shape
    terms = left.shape[-1]
    rows = Pair(*(half if half.dim() > 1 else half.unsqueeze(0) for half in (left.high, left.low)))
    columns = Pair(*((half if half.dim() > 1 else half.unsqueeze(-1)).mT for half in (right.high, right.low)))
    batch = torch.broadcast_shapes(rows.shape[:-2], columns.shape[:-2])  # type: ignore[no-untyped-call]
    full = (*batch, rows.shape[-2], columns.shape[-2])
    chosen = positions(math.prod(full), _affordable(terms, most))
    values = []
    for place in chosen:
        *where, row, column = (int(each) for each in torch.unravel_index(torch.tensor(place), full))
        one = _line(rows, batch, (*where, row))
        other = _line(columns, batch, (*where, column))
        values.append(context.fdot(_numbers(context, one, terms), _numbers(context, other, terms)))
    return Sample(tuple(shape), tuple(chosen), tuple(values))


def _line(x: Pair, batch: torch.Size, place: tuple[int, ...]) -> Pair:
    return Pair(*(half.expand(*batch, *half.shape[-2:])[place] for half in (x.high, x.low)))

"""The ways to read one operation: ``x * x`` is a square too, ``rsub(x, 1)`` is ``1 - x``, ``rsqrt`` divides by a root.

A pattern is written in one way; that its graph may be spelled in many is known here and nowhere else. Only spellings
that compute the same with about the same rounding are readings: `log1p(x)` is no reading of ``log(1 + x)``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from wellposed.rewrites.graph import Node, Operand, Value, is_count, same, seen_through

Reading = tuple[str, tuple[Operand, ...]]


def readings(node: Node) -> Iterator[Reading]:
    """Operator and operands, first as they are."""
    operands = tuple(node.inputs)
    yield node.base, operands
    if node.base in _OF:
        yield from _OF[node.base](operands)


def _is(operand: Operand, base: str) -> Node | None:
    operand = seen_through(operand)
    return None if isinstance(operand, (int, float)) or operand.base != base else operand


def _number(operand: Operand) -> float | None:
    return float(operand) if isinstance(operand, (int, float)) else None


def _add(operands: tuple[Operand, ...]) -> Iterator[Reading]:
    for one, other in (operands[:2], operands[1::-1]):
        number, negated = _number(other), _is(other, "neg")
        if number is not None:
            yield "sub", (one, -number)
        if negated is not None:
            yield "sub", (one, negated.inputs[0])


def _sub(operands: tuple[Operand, ...]) -> Iterator[Reading]:
    one, other = operands
    number = _number(other)
    yield "add", (one, -number if number is not None else Value("neg", (other,)))


def _rsub(operands: tuple[Operand, ...]) -> Iterator[Reading]:
    yield "sub", (operands[1], operands[0])
    yield from _sub((operands[1], operands[0]))


def _neg(operands: tuple[Operand, ...]) -> Iterator[Reading]:
    yield "mul", (operands[0], -1.0)
    for base in ("mul", "div"):
        inner = _is(operands[0], base)
        if inner is not None:
            yield base, (Value("neg", (inner.inputs[0],)), inner.inputs[1])
    difference = _is(operands[0], "sub")
    if difference is not None:
        yield "sub", (difference.inputs[1], difference.inputs[0])


def _mul(operands: tuple[Operand, ...]) -> Iterator[Reading]:
    if same(operands[0], operands[1]):
        yield "square", (operands[0],)
    for one, other in (operands, operands[::-1]):
        number, reciprocal, root = _number(other), _is(other, "reciprocal"), _is(other, "rsqrt")
        if number == -1.0:
            yield "neg", (one,)
        if number:
            yield "div", (one, 1.0 / number)
        quotient = _is(other, "div")
        if quotient is not None and _number(quotient.inputs[0]) == 1.0:
            reciprocal = Value("reciprocal", (quotient.inputs[1],))
        if reciprocal is not None:
            yield "div", (one, reciprocal.inputs[0])
        if root is not None:
            yield "div", (one, Value("sqrt", (root.inputs[0],)))
        negated = _is(one, "neg")
        if negated is not None:
            yield "neg", (Value("mul", (negated.inputs[0], other)),)


def _div(operands: tuple[Operand, ...]) -> Iterator[Reading]:
    one, other = operands[:2]
    number = _number(other)
    if number:
        yield "mul", (one, 1.0 / number)
    total = _is(one, "sum")
    if total is not None and is_count(other):
        yield "mean", (total.inputs[0],)
    if _number(one) == 1.0:
        yield "reciprocal", (other,)
        raised = _is(other, "add")
        for exponential in raised.inputs if raised is not None and 1.0 in raised.inputs else ():
            inner = _is(exponential, "exp")
            negated = _is(inner.inputs[0], "neg") if inner is not None else None
            if negated is not None:
                yield "sigmoid", (negated.inputs[0],)
    negated = _is(one, "neg")
    if negated is not None:
        yield "neg", (Value("div", (negated.inputs[0], other)),)


def _pow(operands: tuple[Operand, ...]) -> Iterator[Reading]:
    one, exponent = operands[0], _number(operands[1])
    if exponent == 2.0:
        yield "square", (one,)
        yield "mul", (one, one)
    elif exponent == 0.5:
        yield "sqrt", (one,)
    elif exponent == -0.5:
        yield "div", (1.0, Value("sqrt", (one,)))
    elif exponent == -1.0:
        yield from _reciprocal((one,))


def _reciprocal(operands: tuple[Operand, ...]) -> Iterator[Reading]:
    yield "reciprocal", operands
    yield from (("div", (1.0, operands[0])), *_div((1.0, operands[0])))


def _square(operands: tuple[Operand, ...]) -> Iterator[Reading]:
    yield "mul", (operands[0], operands[0])


def _sum(operands: tuple[Operand, ...]) -> Iterator[Reading]:
    product, square = _is(operands[0], "mul"), _is(operands[0], "square")
    power = _is(operands[0], "pow")
    if product is not None:
        yield "dot", tuple(product.inputs)
    if square is None and power is not None and _number(power.inputs[1]) == 2.0:
        square = power
    if square is not None:
        yield "dot", (square.inputs[0], square.inputs[0])


def _dot(operands: tuple[Operand, ...]) -> Iterator[Reading]:
    if len(operands) == 2:
        yield "sum", (Value("mul", operands),)


def _std(operands: tuple[Operand, ...]) -> Iterator[Reading]:
    yield "sqrt", (Value("var", operands),)


def _sqrt(operands: tuple[Operand, ...]) -> Iterator[Reading]:
    variance = _is(operands[0], "var")
    if variance is not None:
        yield "std", tuple(variance.inputs)


def _rsqrt(operands: tuple[Operand, ...]) -> Iterator[Reading]:
    yield "div", (1.0, Value("sqrt", operands))


def _clamp(operands: tuple[Operand, ...]) -> Iterator[Reading]:
    if len(operands) == 2:
        yield "clamp_min", operands


def _maximum(operands: tuple[Operand, ...]) -> Iterator[Reading]:
    for one, other in (operands, operands[::-1]):
        if _number(other) is not None:
            yield "clamp_min", (one, other)


_OF: dict[str, Callable[[tuple[Operand, ...]], Iterator[Reading]]] = {
    "add": _add, "clamp": _clamp, "div": _div, "dot": _dot, "maximum": _maximum, "mul": _mul, "neg": _neg, "pow": _pow,
    "reciprocal": _reciprocal, "rsqrt": _rsqrt, "rsub": _rsub, "sqrt": _sqrt, "square": _square, "std": _std,
    "sub": _sub, "sum": _sum,
}  # fmt: skip

"""The language of patterns: a formula as one writes it in Python, over canonical operators (`names.py`).

``log(1 - exp(x))`` matches that graph; a name stands for any operand, and the same name for the same operand each time.
``a | b`` matches either, ``x ** 2`` a square however it was written. ``small(eps)`` is a number of magnitude at most
`SMALL` (a guard), ``large(c)`` one of at least `LARGE` (a stand-in for infinity), ``constant(c)`` any number,
``count(n)`` a number or what counts elements, such as ``x.numel()``. ``unshifted(x)`` is anything from which no largest
entry has been subtracted.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from wellposed.rewrites.names import OPERATORS

SMALL = 1e-2
"""Guards in use go up to 1e-3 (`torch.nn.BatchNorm2d` of EfficientNet); what is larger is a term of the formula."""
LARGE = 1e4
"""What is added to a score to mask it starts here: −1e4 is BERT's original mask."""


class PatternError(ValueError):
    """A pattern that cannot be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Variable:
    """Any operand; everywhere in one pattern the same."""

    name: str
    kind: str = ""
    """``small``, ``large``, ``constant`` ``count`` or ``unshifted`` where not any operand will do."""


@dataclass(frozen=True, slots=True)
class Number:
    """This number."""

    value: float


@dataclass(frozen=True, slots=True)
class Apply:
    """This operator on these operands."""

    operator: str
    operands: tuple[Pattern, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """One of several."""

    choices: tuple[Pattern, ...]


Pattern: TypeAlias = Variable | Number | Apply | Either

_INFIX: dict[type[ast.operator], str] = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div", ast.Pow: "pow", ast.MatMult: "dot",
}  # fmt: skip
_KINDS = ("small", "large", "constant", "count", "unshifted")


def parse(text: str) -> Pattern:
    """Read a pattern. Raises PatternError."""
    try:
        tree = ast.parse(text, mode="eval")
    except SyntaxError as error:
        raise PatternError(error.msg) from None
    return _read(tree.body)


def variables(pattern: Pattern) -> Iterator[str]:
    """Names of the variables, each as often as it stands there."""
    if isinstance(pattern, Variable):
        yield pattern.name
    elif isinstance(pattern, Apply):
        for operand in pattern.operands:
            yield from variables(operand)
    elif isinstance(pattern, Either):
        for choice in pattern.choices:
            yield from variables(choice)


def specificity(pattern: Pattern) -> float:
    """How much a pattern says: its operators, numbers and repeated operands; of alternatives the least."""
    return _weight(pattern) + 0.5 * _repeated(pattern)


def _weight(pattern: Pattern) -> float:
    if isinstance(pattern, Apply):
        # A square says more than a product: that its operands are the same.
        return (2.0 if pattern.operator == "square" else 1.0) + sum(_weight(operand) for operand in pattern.operands)
    if isinstance(pattern, Either):
        return min(_weight(choice) for choice in pattern.choices)
    return 0.5 if isinstance(pattern, Number) or pattern.kind not in ("", "unshifted") else 0.0


def _repeated(pattern: Pattern) -> int:
    if isinstance(pattern, Either):
        return min(_repeated(choice) for choice in pattern.choices)
    names = list(variables(pattern))
    return len(names) - len(set(names))


def _read(node: ast.expr) -> Pattern:
    if isinstance(node, ast.Name):
        return Variable(node.id)
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        return Number(float(node.value))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _read(node.operand)
        return Number(-inner.value) if isinstance(inner, Number) else Apply("neg", (inner,))
    if isinstance(node, ast.BinOp):
        left, right = _read(node.left), _read(node.right)
        if isinstance(node.op, ast.BitOr):
            return Either((*_choices(left), *_choices(right)))
        if isinstance(node.op, ast.Pow) and right == Number(2.0):
            return Apply("square", (left,))
        if type(node.op) in _INFIX:
            return Apply(_INFIX[type(node.op)], (left, right))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        return _call(node.func.id, tuple(_read(each) for each in node.args))
    raise PatternError(f"{ast.unparse(node)!r} is no part of the language of patterns")


def _call(name: str, operands: tuple[Pattern, ...]) -> Pattern:
    if name in _KINDS:
        if len(operands) != 1 or not isinstance(operands[0], Variable):
            raise PatternError(f"{name}(…) takes one name")
        return Variable(operands[0].name, name)
    if name not in OPERATORS:
        raise PatternError(f"there is no operator {name!r}")
    return Apply(name, operands)


def _choices(pattern: Pattern) -> tuple[Pattern, ...]:
    return pattern.choices if isinstance(pattern, Either) else (pattern,)

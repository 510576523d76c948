"""Source text as a data-flow graph: functions and methods of torch and NumPy, infix operators, local assignments.

A name stands for what was last assigned to it above, in the same function, where that is one plain assignment; what a
loop, a branch or an augmented assignment may have changed since is a leaf. Nothing is executed.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from wellposed.rewrites.graph import Node, Operand, Value
from wellposed.rewrites.match import Match, match
from wellposed.rewrites.names import TRANSPARENT, VALUE_ARGUMENTS, canonical

_INFIX: dict[type[ast.operator], str] = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div", ast.Pow: "pow", ast.MatMult: "dot",
}  # fmt: skip
_MODULES = frozenset({
    "torch", "np", "numpy", "F", "functional", "nn", "special", "linalg", "math", "scipy", "jnp", "jax", "sp", "cmath",
})  # fmt: skip
_CONSTANTS = {"pi": 3.141592653589793, "e": 2.718281828459045}
_DEEPEST = 40
_Scope = ast.FunctionDef | ast.AsyncFunctionDef | ast.Module


@dataclass(frozen=True, slots=True)
class Found:
    """A rewrite that a source line calls for."""

    match: Match
    line: int
    text: str
    """The expression that it would replace."""

    @property
    def names(self) -> dict[str, str]:
        """The user's expressions for the variables: what `evaluate.stable_code` takes."""
        return {name: text for name, operand in self.match.bindings.items() if (text := text_of(operand))}


def text_of(operand: Operand) -> str:
    """The user's expression for an operand; empty where it is not known."""
    return repr(operand) if isinstance(operand, (int, float)) else getattr(operand, "text", "")


def expression(text: str) -> Node:
    """The graph of one expression. Raises SyntaxError."""
    return _node(_Reader().read(ast.parse(text.strip(), mode="eval").body))


def matches_on(source: str, line: int) -> list[Found]:
    """The rewrites that the statement on this line of a file calls for, outermost expressions and most specific first.

    Within an expression that matched, only parts that the match does not explain are looked at. An unreadable file has
    none.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return []
    scope = _scope_at(tree, line)
    found: list[Found] = []
    for statement in _statements(scope):
        if not statement.lineno <= line <= (statement.end_lineno or statement.lineno):
            continue
        reader = _reader_at(scope, statement)
        for part in _expressions(statement):
            found += _within(reader, part)
    return found


def _within(reader: _Reader, part: ast.expr) -> Iterator[Found]:
    waiting: list[ast.AST] = [part]
    while waiting:
        each = waiting.pop(0)
        if isinstance(each, ast.expr):
            node = reader.read(each)
            matches = match(node) if not isinstance(node, (int, float)) else []
            if matches:
                best = [one for one in matches if one.specificity == matches[0].specificity]
                yield from (Found(one, each.lineno, ast.unparse(each)) for one in best)
                # What is bound to variables may hold formulas of its own.
                bound = {text_of(operand) for operand in matches[0].bindings.values()}
                waiting += [
                    n for n in ast.walk(each) if n is not each and isinstance(n, ast.expr) and ast.unparse(n) in bound
                ]
                continue
        waiting += ast.iter_child_nodes(each)


class _Reader:
    """Turns expressions into nodes; knows what local names stand for."""

    def __init__(self) -> None:
        self._assigned: dict[str, Operand] = {}
        self._depth = 0

    def assign(self, name: str, value: ast.expr) -> None:
        """From here on, the name stands for this value."""
        made = self.read(value)
        # The name is what the user would write, not what stands behind it.
        named = made if isinstance(made, (int, float)) else Value(made.base, tuple(made.inputs), made.identity, name)
        self._assigned[name] = named

    def read(self, node: ast.expr) -> Operand:
        self._depth += 1
        try:
            return self._read(node) if self._depth < _DEEPEST else _leaf(node)
        finally:
            self._depth -= 1

    def _read(self, node: ast.expr) -> Operand:
        if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
            return node.value
        if isinstance(node, ast.Name) and node.id in self._assigned:
            return self._assigned[node.id]
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            inner = self.read(node.operand)
            return -inner if isinstance(inner, (int, float)) else self._made("neg", (inner,), node)
        if isinstance(node, ast.BinOp) and type(node.op) in _INFIX:
            left, right = self.read(node.left), self.read(node.right)
            folded = _folded(node.op, left, right)
            return folded if folded is not None else self._made(_INFIX[type(node.op)], (left, right), node)
        if isinstance(node, ast.Call):
            return self._call(node)
        if isinstance(node, ast.Attribute):
            if node.attr in _CONSTANTS and _is_module(node.value):
                return _CONSTANTS[node.attr]
            if node.attr in TRANSPARENT:
                return self._made(node.attr, (self.read(node.value),), node)
        if isinstance(node, ast.Subscript) and (_adds_axes(node.slice) or _is_first_of_pair(node)):
            return self._made("unsqueeze", (self.read(node.value),), node)
        return _leaf(node)

    def _call(self, node: ast.Call) -> Operand:
        if isinstance(node.func, ast.Attribute) and not _is_module(node.func.value):
            name, arguments = node.func.attr, [node.func.value, *node.args]
        elif isinstance(node.func, (ast.Attribute, ast.Name)):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
            arguments = list(node.args)
        else:
            return _leaf(node)
        base = canonical(name)
        number = self._number(node, base)
        if number is not None:
            return number
        keywords = {keyword.arg: keyword.value for keyword in node.keywords}
        if base == "clamp" and len(arguments) == 1:
            base, arguments = _one_sided(arguments, keywords)
        count = VALUE_ARGUMENTS.get(base, 1)
        inputs = tuple(self.read(argument) for argument in arguments[:count] if not isinstance(argument, ast.Starred))
        if isinstance(node.func, ast.Name) and not inputs:
            return _leaf(node)
        if base == "norm" and not _is_euclidean(arguments[1:], keywords):
            base = "norm_of_other_order"
        return self._made(base, inputs, node)

    def _number(self, node: ast.Call, base: str) -> Operand | None:
        """``math.sqrt(2)``, ``np.float32(1e-8)``, ``x.dtype.type(1e-8)``."""
        if len(node.args) != 1 or node.keywords:
            return None
        of_dtype = isinstance(node.func, ast.Attribute) and ast.unparse(node.func).endswith(".dtype.type")
        if base not in ("sqrt", "log", "exp", "float32", "float64", "float16", "float") and not of_dtype:
            return None
        value = self.read(node.args[0])
        if not isinstance(value, (int, float)):
            return None
        try:
            return getattr(math, base)(value) if base in ("sqrt", "log", "exp") else value
        except (ValueError, OverflowError):
            return None

    def _made(self, base: str, inputs: tuple[Operand, ...], node: ast.expr) -> Node:
        return Value(base, inputs, None, ast.unparse(node))


def _one_sided(arguments: list[ast.expr], keywords: Mapping[str | None, ast.expr]) -> tuple[str, list[ast.expr]]:
    low = keywords.get("min", keywords.get("a_min"))
    high = keywords.get("max", keywords.get("a_max"))
    if low is not None and high is not None:
        return "clamp", [*arguments, low, high]
    if low is not None:
        return "clamp_min", [*arguments, low]
    return ("clamp_max", [*arguments, high]) if high is not None else ("clamp", arguments)


def _is_euclidean(arguments: list[ast.expr], keywords: Mapping[str | None, ast.expr]) -> bool:
    order = keywords.get("p", keywords.get("ord", arguments[0] if arguments else None))
    return order is None or (isinstance(order, ast.Constant) and order.value in (2, 2.0, "fro", None))


def _folded(operator: ast.operator, left: Operand, right: Operand) -> float | None:
    if not isinstance(left, (int, float)) or not isinstance(right, (int, float)):
        return None
    try:
        match operator:
            case ast.Add():
                return left + right
            case ast.Sub():
                return left - right
            case ast.Mult():
                return left * right
            case ast.Div():
                return left / right
            case ast.Pow() if abs(right) < 1024:
                power = float(left) ** right
                return power if isinstance(power, float) else None
    except (ArithmeticError, ValueError):
        pass
    return None


def _leaf(node: ast.expr) -> Value:
    text = ast.unparse(node)
    return Value("", (), ("source", text), text)


def _node(operand: Operand) -> Node:
    return Value("", (), ("number", operand)) if isinstance(operand, (int, float)) else operand


def _is_module(node: ast.expr) -> bool:
    last = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return last in _MODULES


def _is_first_of_pair(node: ast.Subscript) -> bool:
    """``x.max(dim)[0]``: the values, without the indices."""
    is_maximum = isinstance(node.value, ast.Call) and ast.unparse(node.value.func).rpartition(".")[2] in ("max", "min")
    return is_maximum and isinstance(node.slice, ast.Constant) and node.slice.value == 0


def _adds_axes(index: ast.expr) -> bool:
    parts = index.elts if isinstance(index, ast.Tuple) else [index]
    plain = (ast.Slice, ast.Constant)
    whole = all(isinstance(part, plain) for part in parts)
    return whole and all(
        (part.lower is None and part.upper is None and part.step is None)
        if isinstance(part, ast.Slice)
        else isinstance(part, ast.Constant) and part.value in (None, ...)
        for part in parts
    )


def _scope_at(tree: ast.Module, line: int) -> _Scope:
    around: _Scope = tree
    for node in ast.walk(tree):
        is_function = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        if is_function and node.lineno < line <= (node.end_lineno or 0):  # type: ignore[attr-defined]
            around = node  # type: ignore[assignment]
    return around


def _statements(scope: _Scope) -> Iterator[ast.stmt]:
    """The simple statements of a scope in order, those in blocks too, those of inner functions not."""
    waiting: list[ast.AST] = list(scope.body)
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        if isinstance(node, ast.stmt) and not hasattr(node, "body"):
            yield node
        elif isinstance(node, (ast.stmt, ast.ExceptHandler, ast.match_case)):
            waiting[:0] = [each for each in ast.iter_child_nodes(node) if not isinstance(each, ast.expr)]


def _reader_at(scope: _Scope, statement: ast.stmt) -> _Reader:
    """One that knows what names stand for at a statement; a name that is assigned more than once is a leaf."""
    times: dict[str, int] = {}
    for each in ast.walk(scope):
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store):
            times[each.id] = times.get(each.id, 0) + 1
    reader = _Reader()
    for each in _statements(scope):
        if each.lineno >= statement.lineno:
            break
        if isinstance(each, ast.Assign) and len(each.targets) == 1 and isinstance(each.targets[0], ast.Name):
            name = each.targets[0].id
            if times[name] == 1:
                reader.assign(name, each.value)
    return reader


def _expressions(statement: ast.stmt) -> Iterator[ast.expr]:
    yield from (child for child in ast.iter_child_nodes(statement) if isinstance(child, ast.expr))

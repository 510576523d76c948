"""Source of a NumPy program, rewritten so that its operators tell what they did. Pure: knows syntax trees, no NumPy.

``a + b`` becomes ``instrument.add(a, b)``, where `instrument` is a constant of the code and not a name that the program
could see. Operands, order of evaluation, exceptions and positions in the source stay what they were; the method runs
the very operator (native/instrument.cpp). What cannot hold an array is left as it is.
"""

from __future__ import annotations

import ast
import types
from collections.abc import Sequence
from typing import Final, TypeVar

from wellposed.capture.numpy_imports import Imports
from wellposed.capture.numpy_nodes import (
    PLACEHOLDER,
    is_literal,
    is_text,
    last_name,
    mark,
    moved,
    named,
    placed,
    told,
)
from wellposed.capture.numpy_updates import loss_named, update_of

_BINARY: Final[dict[type[ast.operator], str]] = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div", ast.FloorDiv: "floordiv", ast.Mod: "mod",
    ast.Pow: "pow", ast.MatMult: "matmul",
}  # fmt: skip
_LOGIC: Final[dict[type[ast.operator], str]] = {ast.BitAnd: "and_", ast.BitOr: "or_", ast.BitXor: "xor"}
_COMPARED: Final[dict[type[ast.cmpop], str]] = {
    ast.Eq: "eq", ast.NotEq: "ne", ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge",
}  # fmt: skip
_FUNCTIONS: Final = frozenset({"abs", "float", "max", "min", "pow", "round", "sum"})
"""Builtins that compute with what they are given."""
_METHODS: Final = frozenset(
    {
        "all", "any", "argmax", "argmin", "argpartition", "argsort", "astype", "choose", "clip", "compress", "conj",
        "conjugate", "copy", "cumprod", "cumsum", "diagonal", "dot", "fill", "flatten", "item", "max", "mean", "min",
        "nonzero", "partition", "prod", "ptp", "ravel", "repeat", "reshape", "round", "searchsorted", "sort",
        "squeeze", "std", "sum", "swapaxes", "take", "trace", "transpose", "var", "view",
        "beta", "binomial", "choice", "exponential", "gamma", "integers", "laplace", "lognormal",
        "multivariate_normal", "normal", "permutation", "poisson", "rand", "randint", "randn", "random", "shuffle",
        "standard_normal", "uniform",
    }
)  # fmt: skip
"""Methods of arrays and of random generators."""
_COMPILED: Final = frozenset({"jit", "njit", "vectorize", "guvectorize", "cfunc", "stencil", "overload", "autojit"})
"""Decorators whose functions are read by a compiler of their own (numba, jax, pythran's transonic, …)."""


def compile_instrumented(tree: ast.Module, file: str, imports: Imports, instrument: object) -> types.CodeType:
    """The code of a module whose operators go through `instrument`. Changes `tree`.

    Raises SyntaxError, ValueError or RecursionError where the rewritten program cannot be compiled (deeper nested than
    Python allows): then the program is to be run as it is.
    """
    rewritten = ast.fix_missing_locations(_Rewriter(imports).visit(tree))
    return _with_constant(compile(rewritten, file, "exec", dont_inherit=True), instrument)


def _with_constant(code: types.CodeType, instrument: object) -> types.CodeType:
    constants = tuple(
        _with_constant(each, instrument)
        if isinstance(each, types.CodeType)
        else (instrument if isinstance(each, str) and each == PLACEHOLDER else each)
        for each in code.co_consts
    )
    return code.replace(co_consts=constants)


class _Rewriter(ast.NodeTransformer):
    def __init__(self, imports: Imports):
        self._imports = imports
        self._loops = 0

    # Expressions

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        name = _BINARY.get(type(node.op)) or _LOGIC.get(type(node.op))
        if name is None or is_literal(node):
            return self._inside(node)
        if is_text(node.left) or (isinstance(node.op, ast.Add) and is_text(node.right)):
            return self._inside(node)
        return told(node, name, [self.visit(node.left), self.visit(node.right)])

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        names = {ast.USub: "neg", ast.Invert: "invert"}
        name = names.get(type(node.op))
        if name is None or is_literal(node.operand):
            return self._inside(node)
        return told(node, name, [self.visit(node.operand)])

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        name = _COMPARED.get(type(node.ops[0]))
        other = node.comparators[0]
        if name is None or len(node.ops) > 1 or is_text(node.left) or is_text(other):
            return self._inside(node)
        return told(node, name, [self.visit(node.left), self.visit(other)])

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        index = self._index(node.slice)
        if not isinstance(node.ctx, ast.Load) or index is None:
            return self._inside(node)
        return told(node, "getitem", [self.visit(node.value), index])

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        if node.attr == "T" and isinstance(node.ctx, ast.Load):
            return told(node, "T", [self.visit(node.value)])
        return self._inside(node)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        function = node.func
        method = isinstance(function, ast.Attribute) and function.attr in _METHODS
        builtin = isinstance(function, ast.Name) and function.id in _FUNCTIONS
        if isinstance(function, ast.Attribute) and function.attr == "append" and len(node.args) == 1:
            name = loss_named(function.value, history=True)
            if name is not None and not isinstance(node.args[0], ast.Starred):
                node = self._inside(node)
                node.args[0] = named(node.args[0], "loss", name)
                return node
        if isinstance(function, ast.Attribute) and function.attr == "resize":
            node = self._inside(node)
            assert isinstance(node.func, ast.Attribute)
            node.func.value = named(node.func.value, "release", "")
            return node
        unpacks = any(isinstance(each, ast.Starred) for each in node.args) or any(
            each.arg is None for each in node.keywords
        )
        if unpacks or not (method or builtin or self._imports.is_library(function)):
            return self._inside(node)
        node = self._inside(node)
        called = told(node, "call", [node.func, *node.args], node.keywords)
        if isinstance(function, ast.Attribute) and function.lineno != function.end_lineno:
            # Where a chain of methods is written over several lines, Python places the call at the method's name.
            called.lineno = function.end_lineno or called.lineno
            called.col_offset = (function.end_col_offset or 0) - len(function.attr)
            moved(called)
        return called

    def _index(self, index: ast.expr) -> ast.expr | None:
        """What is handed to ``__getitem__``; None where the subscript is none of an array."""
        if isinstance(index, ast.Constant) and isinstance(index.value, str):
            return None
        if isinstance(index, ast.Tuple):
            if any(isinstance(each, ast.Starred) for each in index.elts):
                return None
            return ast.copy_location(ast.Tuple([self._slice(each) for each in index.elts], ast.Load()), index)
        return self._slice(index)

    def _slice(self, index: ast.expr) -> ast.expr:
        if not isinstance(index, ast.Slice):
            visited: ast.expr = self.visit(index)
            return visited
        parts = (index.lower, index.upper, index.step)
        return told(
            index,
            "slice",
            [ast.copy_location(ast.Constant(None), index) if each is None else self.visit(each) for each in parts],
        )

    # Statements

    def visit_Assign(self, node: ast.Assign) -> list[ast.stmt] | ast.stmt:
        target = node.targets[0]
        if len(node.targets) > 1:
            return self._inside(node)
        update = update_of(node)
        if isinstance(target, ast.Subscript):
            index = self._index(target.slice)
            if index is None:
                return self._inside(node)
            stored = told(target, "setitem", [self.visit(node.value), self.visit(target.value), index])
            return _with_update(update, ast.copy_location(ast.Expr(stored), node))
        node = self._inside(node)
        name = loss_named(target)
        if name is not None:
            node.value = named(node.value, "loss", name)
        if isinstance(target, ast.Tuple):
            losses = [each for each in target.elts if loss_named(each) is not None and isinstance(each, ast.Name)]
            read = [ast.copy_location(ast.Name(each.id, ast.Load()), each) for each in losses]
            return [node, *(placed(ast.Expr(named(each, "loss", each.id)), node) for each in read)]
        return _with_update(update, node)

    def visit_AugAssign(self, node: ast.AugAssign) -> list[ast.stmt] | ast.stmt:
        name, target = _BINARY.get(type(node.op)), node.target
        if name is None or is_text(node.value):
            return self._inside(node)
        update = update_of(node)
        if isinstance(target, ast.Subscript):
            index = self._index(target.slice)
            if index is None:
                return self._inside(node)
            at = told(target, "at", [self.visit(target.value), index])
            made = told(node, f"i{name}_at", [at, self.visit(node.value)])
            return _with_update(update, ast.copy_location(ast.Expr(told(target, "put", [made])), node))
        if isinstance(target, ast.Name):
            read: ast.expr = ast.copy_location(ast.Name(target.id, ast.Load()), target)
        elif isinstance(target.value, ast.Name):
            owner = ast.copy_location(ast.Name(target.value.id, ast.Load()), target.value)
            read = ast.copy_location(ast.Attribute(owner, target.attr, ast.Load()), target)
        else:
            return self._inside(node)  # the owner must be evaluated once
        value = told(node, f"i{name}", [read, self.visit(node.value)])
        loss = loss_named(target)
        if loss is not None:
            value = named(value, "loss", loss)
        return _with_update(update, ast.copy_location(ast.Assign([target], value), node))

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt:
        if node.value is not None:
            node.value = self.visit(node.value)
        return node

    def visit_arg(self, node: ast.arg) -> ast.arg:
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.stmt:
        return self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.stmt:
        return self._function(node)

    def visit_For(self, node: ast.For) -> list[ast.stmt]:
        return self._loop(node)

    def visit_While(self, node: ast.While) -> list[ast.stmt]:
        return self._loop(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.expr:
        return node  # their positions are exact from Python 3.12 on alone, and what they show is computed before

    def visit_Match(self, node: ast.Match) -> ast.stmt:
        node.subject = self.visit(node.subject)
        for case in node.cases:
            case.guard = self.visit(case.guard) if case.guard is not None else None
            case.body = self._body(case.body)
        return node

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.stmt:
        if any(last_name(each) in _COMPILED for each in node.decorator_list):
            return node
        node.args.defaults = [self.visit(each) for each in node.args.defaults]
        node.args.kw_defaults = [self.visit(each) if each is not None else None for each in node.args.kw_defaults]
        node.body = self._body(node.body)
        return node

    def _body(self, body: Sequence[ast.stmt]) -> list[ast.stmt]:
        found: list[ast.stmt] = []
        for each in body:
            made = self.visit(each)
            found.extend(made if isinstance(made, list) else [made])
        return found

    def _loop(self, node: ast.For | ast.While) -> list[ast.stmt]:
        self._loops += 1
        number = self._loops
        node = self._inside(node)
        marks = [placed(mark(each, number), node) for each in ("begin", "iteration", "end")]
        node.body = [marks[1], *node.body]
        guarded = ast.Try([node], [], [], [marks[2]])
        return [marks[0], placed(guarded, node)]

    def _inside(self, node: _Node) -> _Node:
        visited = self.generic_visit(node)
        assert isinstance(visited, type(node))
        return visited


_Node = TypeVar("_Node", bound=ast.AST)


def _with_update(update: tuple[str, ast.expr] | None, node: ast.stmt) -> list[ast.stmt] | ast.stmt:
    """A statement that is a hand-written update of `update`'s name, said before and after."""
    if update is None:
        return node
    name, rate = update
    before = placed(ast.Expr(named(rate, "update", name)), node)
    after = placed(ast.Expr(named(ast.copy_location(ast.Constant(None), node), "updated", name)), node)
    return [before, node, after]

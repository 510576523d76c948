"""Pieces of syntax trees that call the instrument in place of an operator, each at its place."""

from __future__ import annotations

import ast
from typing import Final, TypeVar

PLACEHOLDER: Final = "\0wellposed instrument\0"
"""A constant that is replaced by the instrument itself once the code is compiled."""
_Statement = TypeVar("_Statement", bound=ast.stmt)


def _instrument(name: str) -> ast.expr:
    return ast.Attribute(ast.Constant(PLACEHOLDER), name, ast.Load())


def told(
    node: ast.expr | ast.stmt, name: str, operands: list[ast.expr], keywords: list[ast.keyword] | None = None
) -> ast.Call:
    """The call that stands for `node`, at its place."""
    return moved(ast.copy_location(ast.Call(_instrument(name), operands, keywords or []), node))


def moved(made: ast.Call) -> ast.Call:
    """The call with its method placed at its own first line: Python tells the line of a method's name where a method
    that is called is written over several."""
    for each in (made.func, *ast.iter_child_nodes(made.func)):
        if isinstance(each, ast.expr):
            ast.copy_location(each, made)
            each.end_lineno = made.lineno
    return made


def named(value: ast.expr, what: str, name: str) -> ast.expr:
    return told(value, "named", [ast.Constant(what), ast.Constant(name), value])


def mark(name: str, number: int) -> ast.stmt:
    return ast.Expr(ast.Call(_instrument(name), [ast.Constant(number)], []))


def placed(made: _Statement, node: ast.stmt) -> _Statement:
    """`made` and what is in it that has no place yet, at the first line of `node`."""
    for each in ast.walk(made):
        if "lineno" in each._attributes and not hasattr(each, "lineno"):
            ast.copy_location(each, node)
            each.end_lineno, each.end_col_offset = node.lineno, node.col_offset  # type: ignore[attr-defined]
    return made


def is_text(node: ast.expr) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, (str, bytes))
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.BinOp) and is_text(node.left))


def is_literal(node: ast.expr) -> bool:
    if isinstance(node, ast.BinOp):
        return is_literal(node.left) and is_literal(node.right)
    if isinstance(node, ast.UnaryOp):
        return is_literal(node.operand)
    return isinstance(node, ast.Constant)


def last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Call):
        node = node.func
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""

"""Statements of the user's source: which blocks a place lies in, and in which order calls are made.

Reads the text that the record keeps; runs none of it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from wellposed.record import Record, Site
from wellposed.rules.sources import argument_of, assignments, called, parsed

_WITHOUT_GRADIENT: Final = ("no_grad", "inference_mode")


@dataclass(frozen=True, slots=True)
class Block:
    """A statement around a place in the source: its line, and the name of what it enters."""

    line: int
    name: str


@dataclass(frozen=True, slots=True)
class Turn:
    """A call and the calls before and after it within the same loop (which begins again at its end)."""

    call: ast.Call
    before: str
    after: str
    """Names of those calls."""
    function: str | None


def block_without_gradient(record: Record, site: Site | None) -> Block | None:
    """The innermost ``with torch.no_grad():`` (or a function so decorated) around a place; None where there is none."""
    tree = parsed(record.source(site.file) or "") if site is not None else None
    if site is None or tree is None:
        return None
    found: list[Block] = []
    for node in ast.walk(tree):
        if not isinstance(node, (ast.With, ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        if not node.lineno <= site.line <= (node.end_lineno or node.lineno):
            continue
        entered = [each.context_expr for each in node.items] if isinstance(node, ast.With) else node.decorator_list
        for each in entered:
            name = called(each) if isinstance(each, ast.Call) else each.attr if isinstance(each, ast.Attribute) else ""
            if name in _WITHOUT_GRADIENT:
                found.append(Block(each.lineno, name))
    return max(found, key=lambda each: each.line, default=None)


def turns(tree: ast.Module, names: tuple[str, ...], among: tuple[str, ...]) -> Iterator[Turn]:
    """Each call of one of `names` with the nearest calls of `among` around it, in the order of the source, where both
    are made in the same loop or function."""
    for body in _bodies(tree):
        inner = [call for call in _calls(body) if called(call) in (*names, *among)]
        for index, call in enumerate(inner):
            if called(call) not in names:
                continue
            others = [each for each in inner[index + 1 :] + inner[:index] if called(each) in among]
            if others:
                function = body.name if isinstance(body, ast.FunctionDef) else None
                yield Turn(call, called(others[-1]), called(others[0]), function)


def constant_of(tree: ast.Module, call: ast.Call, keyword: str, position: int) -> float | None:
    """The number that is passed, written out or by a name that is given one value; None where that cannot be told."""
    value = argument_of(call, keyword, position)
    if isinstance(value, ast.Name):
        found = assignments(tree, value.id)
        value = found[0][1] if len(found) == 1 else None
    if isinstance(value, ast.Constant) and isinstance(value.value, (int, float)) and not isinstance(value.value, bool):
        return float(value.value)
    return None


def _bodies(tree: ast.Module) -> Iterator[ast.For | ast.While | ast.FunctionDef]:
    """Innermost loops first; a function stands for the loop that calls it."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.For, ast.While, ast.FunctionDef)):
            yield node


def _calls(body: ast.For | ast.While | ast.FunctionDef) -> list[ast.Call]:
    """The calls of a body that are not those of a loop or function within it, in the order they are made."""
    found: list[ast.Call] = []
    waiting: list[ast.AST] = list(body.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.For, ast.While, ast.FunctionDef, ast.Lambda)):
            continue
        if isinstance(node, ast.Call):
            found.append(node)
        waiting.extend(ast.iter_child_nodes(node))
    return sorted(found, key=lambda each: (each.end_lineno or 0, each.end_col_offset or 0))

"""Where in the user's source a value is set: the line of a hyper-parameter, of an initialisation, of the data.

Reads the text that the record keeps; runs none of it. What cannot be told from the text stays where it was used.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import replace

from wellposed.findings import Location
from wellposed.record import Record, Site

LONGEST = 500_000
"""Characters of a file that is looked at."""
MOST_HOPS = 4
"""Names that stand for other names are followed this often."""


def place_of(site: Site | None) -> Location | None:
    """The place as a location; None where it is unknown."""
    return None if site is None else Location(site.file, site.line, site.function or None)


def line_that_sets(record: Record, site: Site | None, keyword: str, position: int | None = None) -> Location | None:
    """Where the value of an argument of the call at `site` is set: ``lr=0.1`` in the call itself, or the line that
    gives a value to the name that is passed. None where the site is unknown."""
    here = place_of(site)
    if site is None or here is None:
        return None
    tree = parsed(record.source(site.file) or "")
    if tree is None:
        return here
    for call in calls_at(tree, site.line):
        value = argument_of(call, keyword, position)
        if value is None:
            continue
        line = _line_of_value(tree, value, call, MOST_HOPS)
        return replace(here, line=line, function=_function_at(tree, line)) if line else here
    return here


def calls_at(tree: ast.Module, line: int) -> Iterator[ast.Call]:
    """The calls that reach over the line, the longest first."""
    found = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and node.lineno <= line <= (node.end_lineno or node.lineno)
    ]
    yield from sorted(found, key=lambda node: (node.lineno, -(node.end_lineno or 0), node.col_offset))


def argument_of(call: ast.Call, keyword: str, position: int | None = None) -> ast.expr | None:
    for each in call.keywords:
        if each.arg == keyword:
            return each.value
    if position is not None and len(call.args) > position:
        return call.args[position]
    return None


@functools.lru_cache(maxsize=64)
def parsed(text: str) -> ast.Module | None:
    """None where the text is no Python, or too long."""
    if not text or len(text) > LONGEST:
        return None
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def names_in(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def assignments(tree: ast.Module, name: str) -> list[tuple[int, ast.expr]]:
    """Lines that give the name a value, with the value; tuples are taken apart where both sides are written out."""
    found: list[tuple[int, ast.expr]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                found += [(value.lineno, value) for key, value in _pairs(target, node.value) if key == name]
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            if isinstance(node.target, ast.Name) and node.target.id == name:
                found.append((node.lineno, node.value))
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            found += [(value.lineno, value) for key, value in _defaults(node) if key == name]
    return sorted(found, key=lambda each: each[0])


def lines_calling(record: Record, file: str, names: tuple[str, ...]) -> list[int]:
    """Lines of a file on which one of these functions or classes is called, by its last name (``ReLU``)."""
    tree = parsed(record.source(file) or "")
    if tree is None:
        return []
    return sorted({node.lineno for node in ast.walk(tree) if isinstance(node, ast.Call) and called(node) in names})


def line_of_loop(record: Record, site: Site | None) -> tuple[int, str | None] | None:
    """Where the function around a place is called from within a loop, where it has no loop of its own and one such call
    exists: line and function. None where the place is right as it is."""
    tree = parsed(record.source(site.file) or "") if site is not None else None
    if site is None or tree is None:
        return None
    around = _enclosing(tree, site.line)
    loops = [node for node in ast.walk(tree) if isinstance(node, (ast.For, ast.While))]
    if around is None or any(_within(site.line, loop) and _within(loop.lineno, around) for loop in loops):
        return None
    calls = {
        node.lineno
        for loop in loops
        for node in ast.walk(loop)
        if isinstance(node, ast.Call) and called(node) == around.name
    }
    if len(calls) != 1:
        return None
    line = calls.pop()
    return line, _function_at(tree, line)


def _within(line: int, node: ast.stmt) -> bool:
    return node.lineno <= line <= (node.end_lineno or node.lineno)


def lines_with_value(record: Record, file: str, keyword: str, value: str) -> list[int]:
    """Lines of a file that pass this constant as this keyword argument: ``reduction="sum"``."""
    tree = parsed(record.source(file) or "")
    if tree is None:
        return []
    return sorted(
        {
            each.value.lineno
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
            for each in node.keywords
            if each.arg == keyword and isinstance(each.value, ast.Constant) and each.value.value == value
        }
    )


def lines_casting(record: Record, file: str, dtype: str) -> list[int]:
    """Lines of a file that cast by ``.to(torch.float16)``, by a keyword ``dtype=torch.float16``, or by a name that
    stands for a dtype (``.to(args.dtype)``)."""
    tree = parsed(record.source(file) or "")
    if tree is None:
        return []
    return sorted(
        {
            node.lineno
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and called(node) == "to"
            for value in [*node.args, *(each.value for each in node.keywords)]
            if _names_dtype(value, (dtype, {"float16": "half"}.get(dtype, dtype)))
        }
    )


def _names_dtype(value: ast.expr, names: tuple[str, ...]) -> bool:
    if isinstance(value, ast.Attribute):
        return value.attr in names or (value.attr == "dtype" and isinstance(value.value, ast.Name))
    return isinstance(value, ast.Name) and "dtype" in value.id.lower()


def called(call: ast.Call) -> str:
    """The last name of what is called: ``normal_`` of ``nn.init.normal_(w)``; empty for other expressions."""
    function = call.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _line_of_value(tree: ast.Module, value: ast.expr, call: ast.Call, hops: int) -> int | None:
    """The line on which the value is written as a number, following names; None where it leads nowhere."""
    if isinstance(value, ast.Constant) or hops == 0:
        return value.lineno
    if isinstance(value, ast.Name):
        found = assignments(tree, value.id)
        if len(found) == 1:
            return _line_of_value(tree, found[0][1], call, hops - 1) or found[0][0]
        return _passed_as(tree, value.id, call, hops)
    if isinstance(value, ast.Attribute):
        return _attribute(tree, value.attr, hops)
    if isinstance(value, ast.Subscript) and isinstance(value.slice, ast.Constant):
        return _key(tree, value.slice.value)
    if isinstance(value, (ast.BinOp, ast.UnaryOp)):
        names = sorted(names_in(value))
        return value.lineno if len(names) != 1 else _line_of_value(tree, ast.Name(names[0]), call, hops - 1)
    return value.lineno if hasattr(value, "lineno") else None


def _passed_as(tree: ast.Module, name: str, call: ast.Call, hops: int) -> int | None:
    """Where a parameter of the function around the call gets its value, where only one call of it gives one."""
    around = _enclosing(tree, call.lineno)
    if around is None:
        return None
    names = [each.arg for each in around.args.args]
    if name not in names:
        return None
    offset = 1 if names[:1] == ["self"] else 0
    owner = _class_around(tree, around) if around.name == "__init__" else around.name
    values = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and called(node) == owner:
            passed = argument_of(node, name, names.index(name) - offset)
            if passed is not None:
                values.append((node, passed))
    if len(values) == 1:
        return _line_of_value(tree, values[0][1], values[0][0], hops - 1)
    defaults = [value for key, value in _defaults(around) if key == name]
    return defaults[0].lineno if defaults and not values else None


def _attribute(tree: ast.Module, name: str, hops: int) -> int | None:
    """``args.lr``: the argparse option, the field of a class or the one assignment of that name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and called(node) == "add_argument":
            options = [each.value for each in node.args if isinstance(each, ast.Constant)]
            if any(isinstance(each, str) and each.lstrip("-").replace("-", "_") == name for each in options):
                return node.lineno
    found = assignments(tree, name)
    if len(found) == 1:
        return found[0][0]
    kept = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        and any(isinstance(each, ast.Attribute) and each.attr == name for each in node.targets)
    ]
    if len(kept) == 1:
        around = ast.Call(ast.Name(""), [], [], lineno=kept[0].lineno)
        return _line_of_value(tree, kept[0].value, around, hops - 1) if hops else kept[0].lineno
    keyword = [
        each.value.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        for each in node.keywords
        if each.arg == name and isinstance(each.value, ast.Constant)
    ]
    return keyword[0] if len(keyword) == 1 else None


def _key(tree: ast.Module, key: object) -> int | None:
    """The line of a dictionary's value under this key, where one dictionary has it."""
    lines = [
        value.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Dict)
        for name, value in zip(node.keys, node.values, strict=True)
        if isinstance(name, ast.Constant) and name.value == key
    ]
    return lines[0] if len(lines) == 1 else None


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, (ast.Tuple, ast.List)):
        if isinstance(value, (ast.Tuple, ast.List)) and len(value.elts) == len(target.elts):
            for one, other in zip(target.elts, value.elts, strict=True):
                yield from _pairs(one, other)
        else:
            for one in target.elts:
                yield from _pairs(one, value)


def _defaults(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[tuple[str, ast.expr]]:
    arguments = function.args
    plain = [*arguments.posonlyargs, *arguments.args]
    for name, value in zip(plain[len(plain) - len(arguments.defaults) :], arguments.defaults, strict=True):
        yield name.arg, value
    for name, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if default is not None:
            yield name.arg, default


def _enclosing(tree: ast.Module, line: int) -> ast.FunctionDef | None:
    around = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.lineno <= line <= (node.end_lineno or node.lineno)
    ]
    return max(around, key=lambda node: node.lineno, default=None)


def _class_around(tree: ast.Module, function: ast.FunctionDef) -> str:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and function in node.body:
            return node.name
    return ""


def _function_at(tree: ast.Module, line: int) -> str | None:
    around = _enclosing(tree, line)
    return around.name if around is not None else None

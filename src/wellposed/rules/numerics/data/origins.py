"""Where data comes from: what enters a model and was computed from no parameter, followed back to the line that made it
what it is."""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Iterator
from typing import Final

from wellposed.findings import Location
from wellposed.record import Operand, Operation, Record
from wellposed.rules.numerics.layers import layers
from wellposed.rules.sources import assignments, called, names_in, parsed
from wellposed.rules.tracing import location, origin, producer

INDEXING: Final = frozenset(
    {
        "index", "slice", "select", "view", "reshape", "permute", "transpose", "t", "unsqueeze", "squeeze", "stack",
        "cat", "narrow", "split", "index_select", "gather", "expand", "clone", "detach", "lift_fresh", "contiguous",
        "alias", "unbind", "chunk", "copy", "_unsafe_view", "repeat", "flip", "roll", "as_strided",
        "split_with_sizes", "_to_copy",
    }
)  # fmt: skip
"""Operators that choose and arrange values, or give them another dtype."""
CHOOSING: Final = frozenset(
    {"index", "gather", "index_select", "select", "slice", "embedding", "masked_select", "where"}
)
"""Operators whose first tensor holds the values, and the others tell which."""
_FILLING = ("zeros", "zeros_like", "new_zeros", "ones", "ones_like", "full", "zero", "fill")
_FURTHEST = 400


def entering(record: Record, step: int) -> list[tuple[Operation, Operand]]:
    """The layers of a step's first pass that data enters directly, each with the data."""
    found = []
    for layer in layers(record, step):
        if layer.source is not None and not layer.operation.call and is_data(record, layer.source):
            found.append((layer.operation, layer.source))
    return found


def is_data(record: Record, operand: Operand) -> bool:
    """Whether no parameter went into it, as far as the recording tells."""
    if operand.label:
        return False
    return not any(each.label for operation in ancestors(record, operand) for each in operation.inputs)


def _rms(operand: Operand) -> float:
    return operand.statistics.root_mean_square if operand.statistics is not None else 0.0


def is_filled(record: Record, operand: Operand) -> bool:
    """Whether it is a constant that the program made as such: the zeros that a recurrence starts from."""
    made = origin(record, operand, INDEXING)
    return made is not None and made.base in _FILLING


def ancestors(record: Record, operand: Operand) -> Iterator[Operation]:
    """All operations that the operand was computed from, nearest first."""
    first = producer(record, operand)
    waiting = deque([first] if first is not None else [])
    seen = {first.id} if first is not None else set()
    while waiting and len(seen) < _FURTHEST:
        operation = waiting.popleft()
        yield operation
        for each in operation.inputs:
            made = producer(record, each)
            if made is not None and made.id not in seen:
                seen.add(made.id)
                waiting.append(made)


def place_of_data(record: Record, operand: Operand, used: Operation) -> Location:
    """The line that gave the data its values: the last computation that did more than choose and arrange; where there
    is none, the first line that touches it; where none was seen, the line that uses it."""
    made: Operation | None = None
    for each in lineage(record, operand):
        if each.site is not None:
            made = each
            if each.base not in INDEXING:
                break
    return location(made) if made is not None else _passed_to_model(record, used) or location(used)


def _passed_to_model(record: Record, used: Operation) -> Location | None:
    """Where the name gets its value that the program calls its model with; None where the text tells of no such call,
    or where the name is a loop's."""
    root = record.modules().get(used.module.partition(".")[0])
    file = used.site.file if used.site is not None else None
    tree = parsed(record.source(file) or "") if file is not None else None
    if root is None or tree is None or file is None:
        return None
    kind = root.kind.rpartition(".")[2]
    models = {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and called(node.value) == kind
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in models and node.args:
            value = node.args[0].value if isinstance(node.args[0], ast.Subscript) else node.args[0]
            given = assignments(tree, value.id) if isinstance(value, ast.Name) else []
            if len(given) == 1:
                return Location(file, given[0][0], None)
    return None


def lineage(record: Record, operand: Operand) -> Iterator[Operation]:
    """The operations that the operand's values came through, nearest first: of several inputs the one that holds the
    largest values, of an indexing operator what is indexed."""
    operation = producer(record, operand)
    for _ in range(_FURTHEST):
        if operation is None:
            return
        yield operation
        known = [each for each in operation.inputs if each.statistics is not None]
        if operation.base in CHOOSING or not known:
            known = list(operation.inputs[:1])
        largest = max(known, key=_rms, default=None)
        operation = producer(record, largest)


def truncated_in_source(record: Record, where: Location) -> tuple[int, str] | None:
    """A line on which the data that `where` turns into a tensor is put into an array of integers, and its text: NumPy
    truncates without a word what is written into one. None where the text tells of none."""
    text = record.source(where.file) if where.file is not None else None
    tree = parsed(text or "")
    if tree is None or where.line is None:
        return None
    names = _made_of(tree, where.line)
    integers = {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and _is_integer_array(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
            array = node.targets[0].value
            if isinstance(array, ast.Name) and array.id in names & integers and _divides(node.value):
                return node.lineno, (text or "").splitlines()[node.lineno - 1].strip()
    return None


def difference_of_unsigned(record: Record, where: Location) -> tuple[Location, str] | None:
    """The line and the text of a difference of arrays of unsigned integers that the data at `where` is made of; None
    where the text tells of none."""
    text = record.source(where.file) if where.file is not None else None
    tree = parsed(text or "")
    if tree is None or where.line is None or where.file is None:
        return None
    unsigned = {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and _has_dtype(node.value, ("uint",))
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    made_of = _made_of(tree, where.line)
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and made_of & {each.id for each in node.targets if isinstance(each, ast.Name)}:
            for part in ast.walk(node.value):
                if isinstance(part, ast.BinOp) and isinstance(part.op, ast.Sub):
                    sides = [each for each in (part.left, part.right) if _is_bare(each, unsigned)]
                    if len(sides) == 2:
                        return Location(where.file, node.lineno, None), ast.unparse(part)
    return None


def _made_of(tree: ast.Module, line: int, hops: int = 4) -> set[str]:
    """The names on the line, and those that their values were made of."""
    assigned = [node for node in ast.walk(tree) if isinstance(node, ast.Assign)]
    names = {
        name
        for node in assigned
        if node.lineno <= line <= (node.end_lineno or node.lineno)
        for name in names_in(node.value)
    }
    for _ in range(hops):
        for node in assigned:
            if names & {each.id for each in node.targets if isinstance(each, ast.Name)}:
                names |= names_in(node.value)
    return names


def _is_bare(value: ast.expr, names: set[str]) -> bool:
    """Whether it is one of the names, or a part of one, and nothing was done to it."""
    while isinstance(value, ast.Subscript):
        value = value.value
    return isinstance(value, ast.Name) and value.id in names


def _is_integer_array(value: ast.expr) -> bool:
    return _has_dtype(value, ("'int", "'uint", "id='int'", "'long"))


def _has_dtype(value: ast.expr, names: tuple[str, ...]) -> bool:
    """Whether a dtype of one of these names is asked for: ``dtype=np.uint8`` or ``.astype(np.uint8)``."""
    for node in ast.walk(value):
        asked = [node.value] if isinstance(node, ast.keyword) and node.arg == "dtype" else []
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "astype":
            asked += node.args
        if any(name in ast.dump(each).lower() for each in asked for name in names):
            return True
    return False


def _divides(value: ast.expr) -> bool:
    return any(isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) for node in ast.walk(value))

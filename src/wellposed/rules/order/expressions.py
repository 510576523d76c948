"""An order as the user would write it: with the names on the line that multiplies, where they can be told."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from wellposed.record import Record
from wellposed.rules.order.products import Chain, Leaf, written_shape
from wellposed.rules.sources import called, parsed

MOST_NAMED = 8
ENDS = 40
"""Matrices of a chain that are all named; of more, so many characters of either end."""
_CALLS = ("matmul", "mm", "bmm", "mv", "dot")


def names_of(record: Record, chain: Chain) -> list[str]:
    """The operands' texts from the line of the chain's last product, where that line holds the whole chain; else the
    parameters' names, or A0, A1 …"""
    return _texts(record, chain) or [_name(leaf, at) for at, leaf in enumerate(chain.leaves)]


def written(record: Record, chain: Chain, order: object) -> str:
    """The order with the operands' names; of a long chain its ends."""
    names = names_of(record, chain)
    text = _expression(order, names)
    return text if len(names) <= MOST_NAMED else f"{text[:ENDS].rstrip()} … {text[-ENDS:].lstrip()}"


def as_written(record: Record, chain: Chain) -> str:
    """The same of the order that the program used."""
    return written(record, chain, chain.order)


def legend(chain: Chain) -> str:
    """The operands' shapes in order: ``8x1800 · 1800x8 · 8x1800``."""
    return " · ".join(written_shape(leaf.shape) for leaf in chain.leaves)


def _expression(order: object, names: list[str], inside: bool = False) -> str:
    if not isinstance(order, tuple):
        assert isinstance(order, int)
        return names[order]
    left, right = order
    # `@` binds to the left, so that only a product on the right needs parentheses.
    text = f"{_expression(left, names)} @ {_expression(right, names, inside=True)}"
    return f"({text})" if inside else text


def _name(leaf: Leaf, at: int) -> str:
    name = leaf.operand.label.rpartition(".")[2]
    name = name if name.isidentifier() else f"A{at}"
    return f"{name}.T" if leaf.transposed else name


def _texts(record: Record, chain: Chain) -> list[str]:
    """The operands' source texts; empty where the line does not hold the chain as a whole."""
    site = chain.last.operation.site
    source = record.source(site.file) if site is not None else None
    tree = parsed(source or "")
    lines = {each.operation.site.line if each.operation.site else None for each in chain.products}
    if site is None or tree is None or source is None or chain.turned or chain.scaled or lines != {site.line}:
        return []
    for node in ast.walk(tree):
        if isinstance(node, ast.expr) and node.lineno <= site.line <= (node.end_lineno or 0) and _is_product(node):
            order, leaves = _flattened(node)
            if order == chain.order:
                return [_text(source, leaf) for leaf in leaves]
    return []


def _flattened(node: ast.expr) -> tuple[object, list[ast.expr]]:
    leaves: list[ast.expr] = []

    def order(part: ast.expr) -> object:
        factors = list(_factors(part))
        if factors:
            return (order(factors[0]), order(factors[1]))
        leaves.append(part)
        return len(leaves) - 1

    return order(node), leaves


def _is_product(node: ast.expr) -> bool:
    return any(True for _ in _factors(node))


def _factors(node: ast.expr) -> Iterator[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
        yield from (node.left, node.right)
    elif isinstance(node, ast.Call) and called(node) in _CALLS and not node.keywords:
        of_module = isinstance(node.func, ast.Attribute) and len(node.args) == 2
        if of_module:
            yield from node.args
        elif isinstance(node.func, ast.Attribute) and len(node.args) == 1:
            yield from (node.func.value, node.args[0])


def _text(source: str, node: ast.expr) -> str:
    text = ast.get_source_segment(source, node) or "…"
    simple = isinstance(node, (ast.Name, ast.Attribute, ast.Call, ast.Subscript))
    return text if simple else f"({text})"

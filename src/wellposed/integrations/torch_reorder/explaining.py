"""What was rewritten, in words: the line of the source, the order before and after, and the multiplications of both."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from torch.fx import Node

from wellposed.integrations.torch_reorder.choosing import Planned
from wellposed.integrations.torch_reorder.contraction import Again, Tree
from wellposed.integrations.torch_reorder.gathering import Computations, Leaf
from wellposed.integrations.torch_reorder.operations import (
    ADDITIONS,
    BIASED,
    PRODUCTS,
    SUMS,
    aten,
    is_view,
    multiplications,
    swaps_matrix,
    value_of,
)

_FRAME = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+), in (?P<function>.+)(?:\n\s+(?P<code>.+))?')
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True)
class Rewrite:
    """One product that is computed in another order than it was written in."""

    file: str
    """Where it is written; empty where the graph does not tell."""
    line: int
    function: str
    code: str
    """The line itself, where the graph has it."""
    phase: str
    """``forward`` or ``backward``."""
    written: str
    """The order as written: ``(A·B)·C``."""
    planned: str
    """The order now: ``A·(B·C)``."""
    operands: tuple[tuple[str, str], ...]
    """The names in `written` and `planned`, with their shapes."""
    before: int
    """Multiplications as written, of the intermediates too that this product alone sees through."""
    after: int
    """Multiplications now."""


@dataclass(frozen=True)
class Report:
    """What became of one graph."""

    rewrites: tuple[Rewrite, ...]
    before: int
    """Multiplications of all its products as written; an addition counts as one."""
    after: int
    """The same now."""
    merged: int = 0
    """Products that were written again elsewhere, and are now computed once."""

    def __str__(self) -> str:
        return table(self)


def table(report: Report) -> str:
    """The report as text, one rewrite a paragraph, without a newline at its end."""
    lines = []
    if report.merged:
        lines.append(f"{report.merged} written again elsewhere, and computed once")
    if not report.rewrites:
        lines.append(f"no product is cheaper in another order: {report.after:,} multiplications")
        return "\n".join(lines)
    for rewrite in report.rewrites:
        where = f"{rewrite.file}:{rewrite.line}" if rewrite.file else "somewhere"
        lines.append(f"{where}, {rewrite.phase}" + (f": {rewrite.code}" if rewrite.code else ""))
        lines.append(f"  {rewrite.written}  →  {rewrite.planned}")
        lines.append(f"  {rewrite.before:,} → {rewrite.after:,} multiplications{_times(rewrite.before, rewrite.after)}")
        lines.append("  " + ", ".join(f"{name} {shape}" for name, shape in rewrite.operands))
    what = "product" if len(report.rewrites) == 1 else "products"
    lines.append(
        f"{len(report.rewrites)} {what} in another order; the whole graph: {report.before:,} → {report.after:,} "
        f"multiplications{_times(report.before, report.after)}"
    )
    return "\n".join(lines)


def _times(before: int, after: int) -> str:
    return f", {before / after:.3g}×" if after and before >= after else ""


def describe(planned: Planned, known: Computations) -> Rewrite:
    """What is to be told of a rewrite; asked before the graph is changed."""
    expression = planned.expression
    names: dict[Node, str] = {}
    for term in expression.terms:
        for leaf in term.leaves:
            for node in leaf.nodes:
                if node not in names:
                    number = len(names)
                    names[node] = _LETTERS[number] if number < len(_LETTERS) else f"A{number}"
    terms = [
        _scaled(term.coefficient, _tree(order.tree, term.leaves, names))
        for term, order in zip(expression.terms, planned.orders, strict=True)
    ]
    file, line, function, code = _source(expression.root)
    return Rewrite(
        file,
        line,
        function,
        code,
        "backward" if _is_backward(expression.root) else "forward",
        _written(expression.root, expression.inside, names, known),
        " + ".join(terms).replace("+ −", "− "),
        tuple((name, _shape(node)) for node, name in names.items()),
        sum(map(multiplications, expression.inside)),
        planned.cost.total,
    )


def _tree(tree: Tree, leaves: Sequence[Leaf], names: dict[Node, str], outermost: bool = True) -> str:
    if isinstance(tree, tuple):
        left, right = tree
        if isinstance(right, Again):
            half = _tree(left, leaves, names)
            return f"S·S again, S = {half}" if outermost else f"(S·S again, S = {half})"
        inner = f"{_tree(left, leaves, names, False)}·{_tree(right, leaves, names, False)}"
        return inner if outermost else f"({inner})"
    return _leaf(leaves[tree], names)


def _leaf(leaf: Leaf, names: dict[Node, str]) -> str:
    name = names[leaf.node] + ("ᵀ" if leaf.transposed else "")
    if not leaf.others:
        return name
    others = [_scaled(number, _leaf(other, names)) for number, other in leaf.others]
    return f"({' + '.join([name, *others])})".replace("+ −", "− ")


def _written(
    node: Node, inside: frozenset[Node], names: dict[Node, str], known: Computations, outermost: bool = True
) -> str:
    node = known.first(node)
    below = [given for given in node.all_input_nodes if value_of(given) is not None]
    if node in names and (node not in inside or not outermost):
        return names[node]
    if is_view(node):
        text = _written(below[0], inside, names, known, False)
        if not swaps_matrix(node):
            return text
        return text[:-1] if text.endswith("ᵀ") else f"{text}ᵀ"
    given = [one for one in node.args[:3] if isinstance(one, Node)]
    parts = [_written(one, inside, names, known, False) for one in given]
    if node.target in PRODUCTS:
        text = "·".join(parts)
    elif node.target in BIASED:
        text = f"{parts[0]} + {parts[1]}·{parts[2]}"
    elif node.target in ADDITIONS:
        text = (" − " if node.target is aten.sub.Tensor else " + ").join(parts)
    elif node.target is aten.neg.default:
        return f"−{parts[0]}"
    elif node.target in SUMS:
        return f"Σ{parts[0]}"
    else:
        numbers = [f"{one:g}" for one in node.args[:2] if isinstance(one, (int, float))]
        if node.target in (aten.div.Tensor, aten.div.Scalar):
            text = "/".join([*parts, *numbers])
        else:
            text = "∘".join([*numbers, *parts])
    return text if outermost else f"({text})"


def _scaled(coefficient: float, text: str) -> str:
    if coefficient == 1:
        return text
    return f"−{text}" if coefficient == -1 else f"{coefficient:g}·{text}"


def _shape(node: Node) -> str:
    value = value_of(node)
    assert value is not None
    return "×".join(map(str, value.shape)) or "a number"


def _source(node: Node) -> tuple[str, int, str, str]:
    frames = list(_FRAME.finditer(node.meta.get("stack_trace") or ""))
    if not frames:
        return "", 0, "", ""
    last = frames[-1]
    return last["file"], int(last["line"]), last["function"].strip(), (last["code"] or "").strip()


def _is_backward(node: Node) -> bool:
    """Whether the node depends on the gradient of an output."""
    seen, waiting = {node}, [node]
    while waiting:
        one = waiting.pop()
        if one.op == "placeholder" and "tangents" in str(one.target):
            return True
        fresh = [given for given in one.all_input_nodes if given not in seen]
        seen.update(fresh)
        waiting += fresh
    return False

"""The pass: from a graph to a cheaper one, in place."""

from __future__ import annotations

import logging

from torch.fx import Graph, GraphModule, Node

from wellposed.integrations.torch_reorder.choosing import choose
from wellposed.integrations.torch_reorder.explaining import Report, describe
from wellposed.integrations.torch_reorder.gathering import Computations
from wellposed.integrations.torch_reorder.operations import BIASED, PRODUCTS, is_view, multiplications
from wellposed.integrations.torch_reorder.rebuilding import Rebuilder

log = logging.getLogger("wellposed.torch")


def reorder_graph(graph: Graph | GraphModule, *, half_precision: bool = False) -> Report:
    """Puts the products of a graph of ATen operators into their cheapest order, in place, and tells what it did.

    The graph is functional, as AOTAutograd gives it, with the metadata of every tensor in ``node.meta["val"]``; a joint
    graph of forward and backward is best, since then intermediates that both need are weighed for both. What is no
    product stays as it is. `half_precision` includes products of float16 and bfloat16, whose intermediates may overflow
    in another order where those of the written order did not, and the reverse.
    """
    module = graph if isinstance(graph, GraphModule) else None
    if isinstance(graph, GraphModule):
        graph = graph.graph
    known = Computations(graph, half_precision)
    choice = choose(graph, known)
    before = sum(map(multiplications, known.every()))
    chosen = [one for one in choice.planned if one.rewritten]
    twins = _twins(graph, known)
    merged = {
        twin: first
        for first, others in twins.items()
        if first.target in PRODUCTS | BIASED and known.computes(first)
        for twin in others
    }
    if not chosen and not merged:
        return Report((), before, before)
    told = {one.expression.root: describe(one, known) for one in chosen}
    for twin, first in merged.items():
        twin.replace_all_uses_with(first)
    rebuilder = Rebuilder(graph)
    done = []
    for one in chosen:
        root = one.expression.root
        try:
            made = rebuilder.rebuild(one)
        except Exception:
            # The original is still there; what was inserted is swept away with the rest.
            log.warning("a product stays as written: it could not be rebuilt", exc_info=True)
            made = None
        if made is None:
            continue
        for node in (root, *twins.get(root, ())):
            node.replace_all_uses_with(made)
        rebuilder.replaced(root, made)
        done.append(told[root])
    _sweep(graph, known, set(rebuilder.made()))
    graph.lint()
    if module is not None:
        module.recompile()
    # Counted anew: products that several rewrites have in common are computed once.
    after = sum(map(multiplications, Computations(graph, half_precision).every()))
    return Report(tuple(done), before, after, len(merged))


def _twins(graph: Graph, known: Computations) -> dict[Node, list[Node]]:
    """For the first node of each kind, those that compute the same."""
    found: dict[Node, list[Node]] = {}
    for node in graph.nodes:
        first = known.first(node)
        if first is not node:
            found.setdefault(first, []).append(node)
    return found


def _sweep(graph: Graph, known: Computations, made: set[Node]) -> None:
    """Takes out what nobody uses any more, of the operators that products are made of."""
    for node in reversed(graph.nodes):
        if not node.users and (node in made or known.computes(known.first(node)) or is_view(node)):
            graph.erase_node(node)

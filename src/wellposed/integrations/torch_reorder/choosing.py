"""Decides which products to rewrite, and through which shared intermediates to see.

Every root starts as the expression that it alone makes up. Then, from the graph's end to its beginning, each
intermediate that several products use, or that is a sum, is tried: seen through by all its users, so that nobody
computes it any more, or by those for whom that is cheaper. A choice is taken where multiplications go down by a margin.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from torch.fx import Graph, Node

from wellposed.integrations.torch_reorder.contraction import Order, cheapest_order
from wellposed.integrations.torch_reorder.contraction import in_products as in_products_of
from wellposed.integrations.torch_reorder.factoring import factored
from wellposed.integrations.torch_reorder.gathering import Computations, Expression, Term, leaf_computations
from wellposed.integrations.torch_reorder.indices import Axes
from wellposed.integrations.torch_reorder.mirroring import mirrored_order
from wellposed.integrations.torch_reorder.operations import in_products, may_be_thin, multiplications

LEAST_SHARE_SAVED = 0.1
"""Of the multiplications concerned. Orders within a tenth of each other differ in time by how well the shapes suit the
matrix products of the machine, in either direction (docs/order.md)."""

LEAST_SAVED = 20_000
"""Multiplications, about what a processor does in the time that launching one operator takes."""

MOST_LEVELS = 4
"""Shared intermediates beneath each other that are seen through at once."""

ROUNDS = 3
"""How often the shared intermediates are gone through; a choice can make another one pay."""


@dataclass(frozen=True)
class Cost:
    """Scalar multiplications."""

    products: int
    """In products that sum. Nothing is rewritten but to have fewer of them: scalings, sums and outer products alone are
    fused by compilers, in an order of their own."""
    total: int
    """All, and one for each addition."""

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.products + other.products, self.total + other.total)

    def __sub__(self, other: Cost) -> Cost:
        return Cost(self.products - other.products, self.total - other.total)


def _cost_of(nodes: frozenset[Node]) -> Cost:
    return _sum(Cost(in_products(node, nodes), multiplications(node)) for node in nodes)


def _sum(costs: Iterable[Cost]) -> Cost:
    return sum(costs, Cost(0, 0))


@dataclass(frozen=True)
class Planned:
    """An expression and how to compute it."""

    expression: Expression
    orders: tuple[Order, ...]
    """One for each term."""
    cost: Cost
    """In this order, or as written where that is no real gain."""
    rewritten: bool
    """Whether it is computed in this order."""


@dataclass(frozen=True)
class Choice:
    """What to do with a graph: the roots in its order, and the multiplications of all products before and after."""

    planned: tuple[Planned, ...]
    gone: frozenset[Node]
    """Computations that nobody needs any more."""


def pays(before: Cost, after: Cost) -> bool:
    """Whether going from `before` to `after` is worth a rewrite."""
    saved = before.products - after.products
    return saved >= max(LEAST_SAVED, LEAST_SHARE_SAVED * before.products) and after.total <= before.total


def choose(graph: Graph, known: Computations) -> Choice:
    """What to rewrite in the graph. Changes nothing."""
    state = _State(known)
    for _ in range(ROUNDS):
        if not state.improve():
            break
    live = [node for node in known.nodes if node in state.users]
    planned = [one for node in live if (one := state.plan(node, state.through.get(node, frozenset()))) is not None]
    inside = frozenset[Node]().union(*(one.expression.inside for one in planned))
    kept = {node for one in planned if not one.rewritten for node in one.expression.inside} | set(live)
    return Choice(tuple(planned), inside - kept)


class _State:
    """The roots that are computed, what each sees through, and who uses whom."""

    def __init__(self, known: Computations) -> None:
        self._known = known
        self._plans: dict[tuple[Node, frozenset[Node]], Planned | None] = {}
        self.through: dict[Node, frozenset[Node]] = {}
        self.users: dict[Node, set[Node]] = {}
        """The roots that are computed, with the roots that use each."""
        for node in known.nodes:
            if node in known.needed:
                self._bring_in(node, None)

    def plan(self, root: Node, through: frozenset[Node]) -> Planned | None:
        key = (root, through)
        if key not in self._plans:
            expression = self._known.expression(root, through)
            self._plans[key] = None if expression is None else _planned(expression, bool(through))
        return self._plans[key]

    def cost(self, root: Node, through: frozenset[Node] | None = None) -> Cost:
        planned = self.plan(root, self.through.get(root, frozenset()) if through is None else through)
        return _cost_of(frozenset((root,))) if planned is None else planned.cost

    def leaves(self, root: Node, through: frozenset[Node] | None = None) -> set[Node]:
        planned = self.plan(root, self.through.get(root, frozenset()) if through is None else through)
        if planned is None:
            return {base for given in root.all_input_nodes if self._known.computes(base := self._known.base(given))}
        return set(leaf_computations(planned.expression, self._known))

    def _bring_in(self, node: Node, user: Node | None) -> None:
        waiting: list[tuple[Node, Node | None]] = [(node, user)]
        while waiting:
            node, user = waiting.pop()
            new = node not in self.users
            users = self.users.setdefault(node, set())
            if user is not None:
                users.add(user)
            if new:
                waiting.extend((leaf, node) for leaf in self.leaves(node))

    def improve(self) -> bool:
        """Goes through the shared intermediates once. Whether anything was changed."""
        changed = False
        for node in reversed(self._known.nodes):
            users = self.users.get(node)
            if not users or not self._worth_trying(node, users):
                continue
            seen = {user: self.through.get(user, frozenset()) for user in users}
            own = self.through.get(node, frozenset())
            together = {user: through | {node} | own for user, through in seen.items()}
            deeper = {user: self._to_the_bottom(user, through) for user, through in together.items()}
            alone = {user: wider for user, wider in together.items() if self._gain(user, wider)}
            best, saved = None, 0
            tried: list[dict[Node, frozenset[Node]]] = []
            for changes in (together, alone, deeper):
                if not changes or changes in tried:
                    continue
                tried.append(changes)
                before, difference = self._difference(changes)
                if -difference.products > saved and pays(before, before + difference):
                    best, saved = changes, -difference.products
            if best is not None:
                self._take(best)
                changed = True
        return changed

    def _to_the_bottom(self, user: Node, through: frozenset[Node]) -> frozenset[Node]:
        """`through`, and what it lays bare, for intermediates that only together are worth seeing through."""
        for _ in range(MOST_LEVELS):
            bare = self.leaves(user, through) - self.leaves(user)
            wider = through | {leaf for leaf in bare if may_be_thin(leaf)}
            if wider == through or self.plan(user, wider) is None:
                break
            through = wider
        return through

    def _worth_trying(self, node: Node, users: set[Node]) -> bool:
        # Nothing but products of the node with something else can become cheaper.
        return self.cost(node).products + _sum(map(self.cost, users)).products >= LEAST_SAVED

    def _gain(self, user: Node, through: frozenset[Node]) -> bool:
        return self.plan(user, through) is not None and pays(self.cost(user), self.cost(user, through))

    def _difference(self, changes: Mapping[Node, frozenset[Node]]) -> tuple[Cost, Cost]:
        """The cost of what is concerned by `changes`, and by how much it would change."""
        if any(self.plan(user, through) is None for user, through in changes.items()):
            return Cost(0, 0), Cost(0, 0)
        before = _sum(map(self.cost, changes))
        difference = _sum(self.cost(user, through) for user, through in changes.items()) - before
        added: dict[Node, set[Node]] = {}
        removed: dict[Node, set[Node]] = {}
        arriving = []
        for user, through in changes.items():
            old, new = self.leaves(user), self.leaves(user, through)
            arriving += [(leaf, user) for leaf in new - old]
            for leaf in old - new:
                removed.setdefault(leaf, set()).add(user)
        while arriving:
            leaf, user = arriving.pop()
            if leaf not in self.users and leaf not in added:
                difference += self.cost(leaf)
                arriving += [(below, leaf) for below in self.leaves(leaf)]
            added.setdefault(leaf, set()).add(user)
        leaving = list(removed)
        gone: set[Node] = set()
        while leaving:
            leaf = leaving.pop()
            if leaf in gone or leaf in self._known.needed:
                continue
            if (self.users.get(leaf, set()) | added.get(leaf, set())) - removed[leaf]:
                continue
            gone.add(leaf)
            before += self.cost(leaf)
            difference -= self.cost(leaf)
            for below in self.leaves(leaf):
                removed.setdefault(below, set()).add(leaf)
                leaving.append(below)
        return before, difference

    def _take(self, changes: Mapping[Node, frozenset[Node]]) -> None:
        leaving: list[tuple[Node, Node]] = []
        for user, through in changes.items():
            old, new = self.leaves(user), self.leaves(user, through)
            self.through[user] = through
            for leaf in new - old:
                self._bring_in(leaf, user)
            leaving += [(leaf, user) for leaf in old - new]
        while leaving:
            leaf, user = leaving.pop()
            self.users[leaf].discard(user)
            if not self.users[leaf] and leaf not in self._known.needed:
                leaving += [(below, leaf) for below in self.leaves(leaf)]
                del self.users[leaf]


def _planned(expression: Expression, seen_through: bool) -> Planned:
    orders, cost = _ordered(expression)
    if len(expression.terms) > 1 and (fewer := factored(expression)) is not expression:
        fewer_orders, fewer_cost = _ordered(fewer)
        if fewer_cost < cost:
            expression, orders, cost = fewer, fewer_orders, fewer_cost
    result = frozenset(index for axis in expression.axes for index in axis)
    products = sum(
        in_products_of(order.tree, _held(term), result, expression.indices.hint)
        for term, order in zip(expression.terms, orders, strict=True)
    )
    planned, written = Cost(products, cost), _cost_of(expression.inside)
    if seen_through or pays(written, planned):
        return Planned(expression, orders, planned, True)
    return Planned(expression, orders, written, False)


def _ordered(expression: Expression) -> tuple[tuple[Order, ...], int]:
    orders = tuple(order_of(term, expression.axes, expression) for term in expression.terms)
    hint = expression.indices.hint
    elements = hint(index for axis in expression.axes for index in axis)
    cost = sum(order.multiplications for order in orders) + (len(orders) - 1) * elements
    cost += sum(
        min(elements, *(hint(index for axis in leaf.axes for index in axis) for leaf in term.leaves))
        for term in expression.terms
        if term.coefficient != 1
    )
    # Sums of leaves, with a number that each is multiplied by.
    cost += sum(
        (1 + (number != 1)) * hint(index for axis in leaf.axes for index in axis)
        for term in expression.terms
        for leaf in term.leaves
        for number, _ in leaf.others
    )
    return orders, cost


def order_of(term: Term, axes: Axes, expression: Expression) -> Order:
    """The cheapest order of one term of an expression with the given axes."""
    held = _held(term)
    result = frozenset(index for axis in axes for index in axis)
    cheapest = cheapest_order(held, result, expression.indices.hint)
    mirrored = mirrored_order(term.leaves, result, expression.indices.hint)
    return cheapest if mirrored is None or mirrored.multiplications >= cheapest.multiplications else mirrored


def _held(term: Term) -> list[frozenset[int]]:
    """The indices of each leaf."""
    return [frozenset(index for axis in leaf.axes for index in axis) for leaf in term.leaves]

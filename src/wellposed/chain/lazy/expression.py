"""The tree of what was written: products, turned matrices and scalar factors over arrays that are there."""

from __future__ import annotations

import math
import weakref
from collections.abc import Hashable
from typing import Any, Literal, NamedTuple

from wellposed.chain.lazy.shapes import Shape, turned


class Site(NamedTuple):
    """Where in the source something was written."""

    file: str
    line: int
    function: str = ""


class Scaling(NamedTuple):
    """Times a number, or over one."""

    divide: bool
    number: Any


class Node:
    """One value of the tree. Only products that agree in `group` are multiplied in another order."""

    __slots__ = (
        "__weakref__", "group", "handle", "kind", "left", "needs_gradient", "rent", "right", "scaling", "shape", "site",
        "stamp", "users", "uses", "value", "wanted", "written",
    )  # fmt: skip

    def __init__(
        self,
        kind: Literal["leaf", "product", "transposed", "scaled"],
        shape: Shape,
        group: Hashable,
        *,
        left: Node | None = None,
        right: Node | None = None,
        value: Any = None,
        needs_gradient: bool = False,
        site: Site | None = None,
    ) -> None:
        """`left` is the first factor, or what is turned or scaled; `group` is whatever must agree: the dtype, the
        device, whether gradients are recorded; `value` is the array, and None until it is there."""
        self.kind = kind
        self.shape = shape
        self.group = group
        self.left = left
        self.right = right
        self.value = value
        self.needs_gradient = needs_gradient
        self.site = site
        self.scaling: Scaling | None = None
        self.uses = 0
        """How many uses are going to come, where that is known beforehand."""
        self.stamp: Any = None
        """Of an array that is there: what tells whether it was changed since."""
        self.wanted = False
        """Whether its own value is asked for, whatever becomes of the products that it is a factor of."""
        self.users: list[weakref.ref[Node]] | None = None
        self.handle: weakref.ref[Any] | None = None
        """What the user holds of it."""
        self.written: int | None = None
        """Multiplications of this product alone, as written; None once they were told."""
        self.rent = 0
        """Multiplications spent on going around this product, which having it would have saved."""
        for child in (left, right):
            if child is not None and child.value is None:
                if child.users is None:
                    child.users = []
                child.users.append(weakref.ref(self))

    @property
    def pending(self) -> bool:
        return self.value is None

    def waiting_users(self) -> list[Node]:
        """The nodes over this one whose values are not there yet."""
        alive = [user for reference in self.users or () if (user := reference()) is not None and user.pending]
        self.users = [weakref.ref(user) for user in alive]
        return alive

    def may_be_used_again(self) -> bool:
        """Whether someone else wants it, turned or scaled perhaps, or the user could still name it."""
        node = self
        while True:
            if node.wanted or node.uses > 1 or (node.handle is not None and node.handle() is not None):
                return True
            users = node.waiting_users()
            if len(users) != 1 or users[0].kind == "product":
                return len(users) > 1
            node = users[0]

    def settle(self, value: Any) -> None:
        """Its value is there: what it was made of is let go."""
        self.value = value
        self.left = self.right = self.users = None


def leaf(value: Any, shape: Shape, group: Hashable, *, needs_gradient: bool = False) -> Node:
    """An array that is there."""
    return Node("leaf", shape, group, value=value, needs_gradient=needs_gradient)


def product(left: Node, right: Node, shape: Shape, group: Hashable, *, gradient: bool, site: Site | None) -> Node:
    """``left @ right``, of that shape; `gradient` says whether a backward pass is being recorded."""
    needs = gradient and (left.needs_gradient or right.needs_gradient)
    made = Node("product", shape, group, left=left, right=right, needs_gradient=needs, site=site)
    passes = 1 + (gradient and left.needs_gradient) + (gradient and right.needs_gradient)
    made.written = math.prod(shape) * left.shape[-1] * passes
    return made


def transposed(of: Node, *, site: Site | None = None) -> Node:
    """The last two dimensions the other way round."""
    return Node("transposed", turned(of.shape), of.group, left=of, needs_gradient=of.needs_gradient, site=site)


def is_factor(number: complex) -> bool:
    """Whether a chain may be scaled by this anywhere and keep its value: by a zero or an infinity it would not, where
    an operand has a NaN or an infinity."""
    size = abs(number)
    return 0 < (size if isinstance(size, int) else float(size)) < 1e300


def scaled(of: Node, scaling: Scaling, *, site: Site | None = None) -> Node:
    """Times or over a number."""
    made = Node("scaled", of.shape, of.group, left=of, needs_gradient=of.needs_gradient, site=site)
    made.scaling = scaling
    return made

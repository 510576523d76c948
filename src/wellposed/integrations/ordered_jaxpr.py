"""The same jaxpr with its products in their best order: an interpreter that lets them wait, traced once.

Every product is one of matrices here: a vector has a second dimension of size 1 while it is multiplied, so that stacks
of vectors are not taken for matrices.
"""

from __future__ import annotations

from collections import Counter
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend import core

from wellposed.chain.lazy import (
    Node,
    Rewrite,
    Scaling,
    Site,
    evaluate,
    is_factor,
    leaf,
    product,
    product_shape,
    scaled,
    transposed,
)

_WITH_BODIES = {
    "jit", "pjit", "closed_call", "core_call", "scan", "cond", "while", "checkpoint", "remat2", "remat",
    "custom_jvp_call", "custom_vjp_call", "custom_vjp_call_jaxpr",
}  # fmt: skip
_CALLED_ONCE = {"jit", "pjit", "closed_call", "core_call", "checkpoint", "remat2", "remat"}
"""Those whose body has the operands for its arguments."""

_LINEAR = {"dot_general", "transpose", "mul", "div", "neg"}


class Group(NamedTuple):
    """What products must agree in to be one chain."""

    dtype: Any
    precision: Any


class Waiting(NamedTuple):
    """A variable whose value is that of the node, less the dimension `axis` where there is one."""

    node: Node
    axis: int | None = None


class _JAX:
    """How JAX multiplies: a `wellposed.chain.lazy.Library`."""

    def within(self, node: Node) -> AbstractContextManager[object]:
        self._precision = node.group.precision  # type: ignore[attr-defined]
        return nullcontext()

    def operand(self, node: Node) -> Any:
        return node.value

    def matmul(self, left: Any, right: Any) -> Any:
        return jnp.matmul(left, right, precision=self._precision)

    def transpose(self, value: Any) -> Any:
        return jnp.matrix_transpose(value)

    def scale(self, value: Any, scaling: Scaling) -> Any:
        number = np.asarray(scaling.number, value.dtype)
        return lax.div(value, jnp.full_like(value, number)) if scaling.divide else value * number

    def with_axis(self, value: Any, axis: int) -> Any:
        return jnp.expand_dims(value, axis)

    def without_axis(self, value: Any, axis: int) -> Any:
        return jnp.squeeze(value, axis)

    def keep(self, node: Node, value: Any) -> Any:
        return value


def rewritten(closed: Any, needs: tuple[bool, ...], rewrites: dict[Rewrite, int]) -> Any:
    """`closed` with its products in the best order, and what became of them added to `rewrites`.

    The very same jaxpr where no order is changed. `needs` says which arguments need a gradient.
    """
    seen: dict[Rewrite, int] = {}
    interpreter = _Interpreter(closed, needs, seen)
    arguments = [
        jax.ShapeDtypeStruct(aval.shape, aval.dtype, weak_type=getattr(aval, "weak_type", False))
        for aval in closed.in_avals
    ]
    made = jax.make_jaxpr(interpreter.run)(*arguments) if _has_products(closed.jaxpr) else closed
    same = made.in_avals == closed.in_avals and made.out_avals == closed.out_avals
    if not same or made.effects != closed.effects:
        return closed
    for rewrite, times in seen.items():
        rewrites[rewrite] = rewrites.get(rewrite, 0) + times
    return made if any(rewrite.changed for rewrite in seen) else closed


def _has_products(jaxpr: Any) -> bool:
    for equation in jaxpr.eqns:
        if equation.primitive.name == "dot_general":
            return True
        if equation.primitive.name in _WITH_BODIES and any(map(_has_products, _bodies(equation.params))):
            return True
    return False


def _bodies(params: dict[str, Any]) -> list[Any]:
    values = [entry for value in params.values() for entry in (value if isinstance(value, tuple) else (value,))]
    return [getattr(value, "jaxpr", value) for value in values if isinstance(value, (core.ClosedJaxpr, core.Jaxpr))]


class _Interpreter:
    """Evaluates a jaxpr, under a trace, with products that wait for their use."""

    def __init__(self, closed: Any, needs: tuple[bool, ...], rewrites: dict[Rewrite, int]) -> None:
        self._closed = closed
        self._rewrites = rewrites
        self._values: dict[Any, Any] = {}
        self._waiting: dict[Any, Waiting] = {}
        self._leaves: dict[Any, Node] = {}
        self._needs = {var for var, need in zip(closed.jaxpr.invars, needs, strict=True) if need}
        self._library = _JAX()
        self._uses: Counter[Any] = Counter()
        self._wanted: set[Any] = set()
        for equation in closed.jaxpr.eqns:
            variables = [var for var in equation.invars if not isinstance(var, core.Literal)]
            self._uses.update(variables)
            if equation.primitive.name not in _LINEAR:
                self._wanted.update(variables)
        self._wanted.update(var for var in closed.jaxpr.outvars if not isinstance(var, core.Literal))

    def run(self, *arguments: Any) -> list[Any]:
        jaxpr = self._closed.jaxpr
        self._values.update(zip(jaxpr.constvars, self._closed.consts, strict=True))
        self._values.update(zip(jaxpr.invars, arguments, strict=True))
        for equation in jaxpr.eqns:
            if any(not isinstance(var, core.Literal) and var in self._needs for var in equation.invars):
                self._needs.update(equation.outvars)
            waiting = self._answer(equation)
            if waiting is None:
                self._bind(equation)
                continue
            var, node = equation.outvars[0], waiting.node
            if node.pending and node.kind != "leaf":
                node.uses, node.wanted = self._uses[var], var in self._wanted
            self._waiting[var] = waiting
        return [self._value(var) for var in jaxpr.outvars]

    def _value(self, var: Any) -> Any:
        if isinstance(var, core.Literal):
            return var.val
        if var not in self._values:
            node, axis = self._waiting[var]
            value = evaluate(node, self._library, self._tell)
            self._values[var] = value if axis is None else jnp.squeeze(value, axis)
        return self._values[var]

    def _tell(self, rewrite: Rewrite) -> None:
        self._rewrites[rewrite] = self._rewrites.get(rewrite, 0) + 1

    def _bind(self, equation: Any) -> None:
        params = equation.params
        if equation.primitive.name in _WITH_BODIES:
            once = equation.primitive.name in _CALLED_ONCE
            needs = [once and not isinstance(var, core.Literal) and var in self._needs for var in equation.invars]
            params = {name: self._body(value, needs) for name, value in params.items()}
        values = [self._value(var) for var in equation.invars]
        with equation.ctx.manager:
            made = equation.primitive.bind(*values, **equation.primitive.get_bind_params(params))
        results = made if equation.primitive.multiple_results else [made]
        self._values.update(zip(equation.outvars, results, strict=True))

    def _body(self, value: Any, needs: list[bool]) -> Any:
        """A parameter of an equation, with its jaxprs rewritten."""
        if isinstance(value, tuple) and any(isinstance(entry, core.ClosedJaxpr) for entry in value):
            return tuple(self._body(entry, needs) for entry in value)
        is_open = isinstance(value, core.Jaxpr) and not value.constvars
        if not is_open and not isinstance(value, core.ClosedJaxpr):
            return value
        closed = core.ClosedJaxpr(value, []) if is_open else value
        arguments = len(closed.in_avals)
        seen: dict[Rewrite, int] = {}
        made = rewritten(closed, tuple(needs) if len(needs) == arguments else (False,) * arguments, seen)
        if len(made.consts) > len(closed.consts):
            # Loops and branches hand their bodies arguments alone.
            return value
        for rewrite, times in seen.items():
            self._rewrites[rewrite] = self._rewrites.get(rewrite, 0) + times
        return made.jaxpr if is_open else made

    # --- what waits ---

    def _answer(self, equation: Any) -> Waiting | None:
        """The node of a product, a transpose or a factor; None for all else."""
        name = equation.primitive.name
        if name == "dot_general":
            return self._product(equation)
        found = [self._waiting.get(var) if not isinstance(var, core.Literal) else None for var in equation.invars]
        if name == "transpose" and found[0] is not None and found[0].axis is None:
            axes = equation.params["permutation"]
            n = len(axes)
            turns = n > 1 and tuple(axes) == (*range(n - 2), n - 1, n - 2)
            return Waiting(transposed(found[0].node, site=_site(equation))) if turns else None
        if name in ("mul", "div", "neg"):
            return self._scaled(equation, found)
        return None

    def _scaled(self, equation: Any, found: list[Waiting | None]) -> Waiting | None:
        name, operands = equation.primitive.name, equation.invars
        at = 0 if found[0] is not None else len(found) - 1
        of, number = found[at], -1 if name == "neg" else getattr(operands[1 - at], "val", None)
        if of is None or (name == "div" and at == 1) or np.ndim(number) or number is None:
            return None
        dtype = np.dtype(of.node.group.dtype)  # type: ignore[attr-defined]
        fits = dtype.kind in "fc" or (dtype.kind == "i" and name != "div")
        if not fits or equation.outvars[0].aval.dtype != dtype or not is_factor(number):
            return None
        return Waiting(scaled(of.node, Scaling(name == "div", number), site=_site(equation)), of.axis)

    def _product(self, equation: Any) -> Waiting | None:
        left, right = equation.invars
        (left_inner, right_inner), (left_batch, right_batch) = equation.params["dimension_numbers"]
        out = equation.outvars[0].aval
        precision, preferred = equation.params["precision"], equation.params["preferred_element_type"]
        same = left.aval.dtype == right.aval.dtype == out.dtype and preferred in (None, out.dtype)
        kind = out.dtype.kind if isinstance(out.dtype, np.dtype) else ""
        if not same or kind not in ("f", "c", "i", "u") or out.dtype == np.float16 or len(left_inner) != 1:
            return None
        if equation.params.get("out_sharding") is not None:
            return None
        left_free = _others(left.aval.ndim, left_inner, left_batch)
        right_free = _others(right.aval.ndim, right_inner, right_batch)
        # A stack of matrices times one matrix, or matrix by matrix of two stacks.
        if len(right_free) > 1 or (len(left_free) > 1 and left_batch) or not (left_free or right_free):
            return None
        group = Group(out.dtype, precision)
        first = self._matrix(left, (*left_batch, *left_free, *left_inner), -2 if not left_free else None, group)
        second = self._matrix(right, (*right_batch, *right_inner, *right_free), -1 if not right_free else None, group)
        shape = product_shape(first.shape, second.shape)
        assert shape is not None
        gradient = first.needs_gradient or second.needs_gradient
        made = product(first, second, shape, group, gradient=gradient, site=_site(equation))
        return Waiting(made, -2 if not left_free else -1 if not right_free else None)

    def _matrix(self, var: Any, axes: tuple[int, ...], new: int | None, group: Group) -> Node:
        """The operand with its dimensions in this sequence, and one of size 1 added where it is a vector."""
        n = len(axes)
        waits = self._waiting.get(var) if not isinstance(var, core.Literal) else None
        if waits is not None and waits.node.value is None:
            node, axis = waits
            if axis is None and new is None:
                if axes == tuple(range(n)):
                    return node
                if axes == (*range(n - 2), n - 1, n - 2):
                    return transposed(node)
            elif axis is not None and new is not None and axes == tuple(range(n)):
                return node if axis == new else transposed(node)
        key = (var, axes, new)
        if isinstance(var, core.Literal) or key not in self._leaves:
            value = self._value(var)
            if axes != tuple(range(n)):
                value = lax.transpose(value, axes)
            if new is not None:
                value = jnp.expand_dims(value, new)
            needs = not isinstance(var, core.Literal) and var in self._needs
            node = leaf(value, value.shape, group, needs_gradient=needs)
            if isinstance(var, core.Literal):
                return node
            self._leaves[key] = node
        return self._leaves[key]


def _others(n: int, *taken: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(axis for axis in range(n) if not any(axis in some for some in taken))


def _site(equation: Any) -> Site | None:
    try:
        from jax._src import source_info_util

        frame = source_info_util.user_frame(equation.source_info.traceback)
        return Site(frame.file_name, frame.start_line, frame.function_name) if frame is not None else None
    except Exception:  # JAX does not promise this; a table without lines is still a table.
        return None

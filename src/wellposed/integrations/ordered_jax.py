"""`ordered` in JAX: a function is traced, and the products in its jaxpr are written in their best order."""

from __future__ import annotations

import functools
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar, overload

import jax
import numpy as np
from jax.extend import core

from wellposed.chain.lazy import Rewrite, table
from wellposed.integrations.ordered_jaxpr import rewritten

_Function = TypeVar("_Function", bound=Callable[..., Any])

MOST_KEPT = 256
"""Rewritten jaxprs that are kept for each function, one for each set of shapes."""


@dataclass(frozen=True)
class Explanation:
    """What was rewritten for one set of shapes."""

    rewrites: list[Rewrite]
    """The chains: where, as written and as done, and the multiplications of both. Those of a loop's body are of once
    through it."""

    def table(self, *, everything: bool = False) -> str:
        """One line for each product whose order was changed; with `everything`, for all of them."""
        return table(self.rewrites, everything=everything)


@dataclass(frozen=True)
class _Kept:
    closed: Any
    tree: Any


@overload
def ordered(function: _Function, *, explain: bool | Callable[[Explanation], object] = False) -> _Function: ...
@overload
def ordered(
    function: None = None, *, explain: bool | Callable[[Explanation], object] = False
) -> Callable[[_Function], _Function]: ...
def ordered(function: Any = None, *, explain: Any = False) -> Any:
    """The same function with its matrix products in the order with the fewest multiplications.

    The function is traced as by ``jax.jit`` once for each set of shapes and dtypes, and chains of ``dot_general`` in
    its jaxpr, through transposes and factors, are written anew, also in the bodies of ``jit``, ``scan``, ``cond``,
    ``while`` and ``checkpoint``. Intermediates with several uses are computed once, unless going around them is cheaper
    for all of these. Nothing else is changed, and what holds no such chain is evaluated as it is. The result composes
    with ``jit``, ``grad`` and ``vmap``; under ``grad`` the backward pass is counted. Under ``vmap`` the order is that
    for one example: ``ordered(vmap(f))`` counts the batch where ``vmap(ordered(f))`` cannot.

    Arrays among the arguments are traced; Python's numbers and other values are constants of the trace. float16 and
    bfloat16 are multiplied as written.

    `explain` writes to stderr, once for each trace, which products are done in another order, where they stand, and
    how many multiplications that saves; given a function, it is called with an `Explanation` instead. Raises TypeError
    where `function` cannot be called, and whatever tracing it raises.
    """
    if function is None:
        return functools.partial(ordered, explain=explain)
    if not callable(function):
        raise TypeError(f"ordered takes a function, not a {type(function).__name__}")
    kept: OrderedDict[Hashable, _Kept] = OrderedDict()
    lock = threading.Lock()

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        leaves, tree = jax.tree.flatten((args, kwargs))
        traced = [is_traced(leaf) for leaf in leaves]
        arrays = [leaf for leaf, is_array in zip(leaves, traced, strict=True) if is_array]
        constants = [leaf for leaf, is_array in zip(leaves, traced, strict=True) if not is_array]
        needs = tuple(_is_differentiated(array) for array in arrays)
        key = _key(tree, traced, constants, arrays, needs)
        with lock:
            found = kept.get(key) if key is not None else None
        if found is None:
            found, rewrites = _trace(function, tree, traced, constants, arrays, needs)
            # A value of a trace around this one would outlive it.
            outlives = not any(isinstance(constant, jax.core.Tracer) for constant in found.closed.consts)
            if key is not None and outlives:
                with lock:
                    kept[key] = found
                    while len(kept) > MOST_KEPT:
                        kept.popitem(last=False)
            _explain(rewrites, explain)
        return jax.tree.unflatten(found.tree, core.jaxpr_as_fun(found.closed)(*arrays))

    return wrapper


def is_traced(leaf: Any) -> bool:
    return isinstance(leaf, (jax.Array, np.ndarray, np.generic))


def _key(tree: Any, traced: Any, constants: Any, arrays: Any, needs: Any) -> Hashable | None:
    """What a rewritten jaxpr is kept by; None where a constant cannot be told from others."""
    avals = tuple(jax.typeof(array) for array in arrays)
    settings = (jax.config.jax_enable_x64, jax.config.jax_default_matmul_precision)
    # 1 and 1.0 are equal, and other programs.
    key = (tree, tuple(traced), tuple((type(constant), constant) for constant in constants), avals, needs, settings)
    try:
        hash(key)
    except TypeError:
        return None
    return key


def _trace(
    function: Any, tree: Any, traced: Any, constants: Any, arrays: Any, needs: tuple[bool, ...]
) -> tuple[_Kept, list[Rewrite]]:
    out_tree = None

    def flat(*values: Any) -> list[Any]:
        nonlocal out_tree
        from_arrays, from_constants = iter(values), iter(constants)
        leaves = [next(from_arrays if is_array else from_constants) for is_array in traced]
        args, kwargs = jax.tree.unflatten(tree, leaves)
        found, out_tree = jax.tree.flatten(function(*args, **kwargs))
        return found

    rewrites: dict[Rewrite, int] = {}
    closed = rewritten(jax.make_jaxpr(flat)(*arrays), needs, rewrites)
    return _Kept(closed, out_tree), [rewrite._replace(times=times) for rewrite, times in rewrites.items()]


def _explain(rewrites: list[Rewrite], explain: Any) -> None:
    if callable(explain):
        explain(Explanation(rewrites))
    elif explain:
        print(Explanation(rewrites).table(), file=sys.stderr)


def _is_differentiated(value: Any) -> bool:
    """Whether the value stands under a `grad`, perhaps below other transformations."""
    while isinstance(value, jax.core.Tracer):
        if type(value).__name__ in ("JVPTracer", "LinearizeTracer"):
            return True
        value = getattr(value, "val", None)
    return False

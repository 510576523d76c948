"""`ordered`: products of matrices in NumPy and eager PyTorch are done in the order with the fewest multiplications."""

from __future__ import annotations

import functools
import inspect
import logging
import sys
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Any, TypeVar, overload

from wellposed.chain.lazy import Rewrite, table
from wellposed.integrations.ordered_session import Session

_Function = TypeVar("_Function", bound=Callable[..., Any])
Explain = bool | Callable[["Ordered"], object]

log = logging.getLogger("wellposed.ordered")


class Ordered:
    """One stretch of code whose products are ordered; made by `ordered`, and told by it what was done."""

    def __init__(self, explain: Explain = False) -> None:
        self._explain = explain
        self._session = Session()
        self._stack: list[ExitStack] = []

    @property
    def rewrites(self) -> list[Rewrite]:
        """The chains that were multiplied: where, as written and as done, and the multiplications of both."""
        return self._session.rewrites

    def table(self, *, everything: bool = False) -> str:
        """What was done, one line for each product whose order was changed; with `everything`, for all of them."""
        return table(self.rewrites, everything=everything)

    def __enter__(self) -> Ordered:
        stack = ExitStack()
        if "torch" in sys.modules:
            from wellposed.integrations.ordered_torch_mode import intercepting

            stack.enter_context(intercepting(self._session))
        self._stack.append(stack)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.pop().close()
        if error is not None:
            return
        self._session.settle()
        if not self._stack:
            self._tell()

    def _tell(self) -> None:
        if callable(self._explain):
            self._explain(self)
        elif self._explain:
            print(self.table(), file=sys.stderr)
        if log.isEnabledFor(logging.INFO) and any(rewrite.changed for rewrite in self.rewrites):
            log.info("products in another order:\n%s", self.table())

    @overload
    def __call__(self, value: _Function) -> _Function: ...
    @overload
    def __call__(self, value: Any) -> Any: ...
    def __call__(self, value: Any) -> Any:
        """A function decorated; or a NumPy array whose products are ordered, and which is otherwise used as before."""
        if "numpy" in sys.modules:
            from wellposed.integrations import ordered_numpy

            if ordered_numpy.is_array(value):
                return ordered_numpy.wrap(value, self._session)
        if not callable(value):
            raise TypeError(f"ordered takes a function or a numpy array, not a {type(value).__name__}")
        return _decorate(value, self._explain)


@overload
def ordered(function: _Function) -> _Function: ...
@overload
def ordered(function: None = None, *, explain: Explain = False) -> Ordered: ...
def ordered(function: Any = None, *, explain: Explain = False) -> Any:
    """Multiply in the order with the fewest multiplications, whatever order was written.

    As a decorator, ``@wellposed.ordered`` or ``@wellposed.ordered(explain=True)``, or as a context,
    ``with wellposed.ordered() as o:``. Inside, ``@``, ``matmul``, ``dot``, ``mm``, ``mv`` and ``bmm``, transposes of
    their results, and products and quotients of those with numbers are not computed where they are written, but when
    something else is done with the result; then the whole chain is multiplied in its best order, which counts the
    backward pass where gradients are recorded. Results have the type, dtype and shape that they would have had, and are
    equal up to rounding; a chain that was written well is computed exactly as written. float16 and bfloat16 are always
    multiplied as written, as their range is easily left on the way, and so is what runs under autocast.

    PyTorch is intercepted in the thread that entered the context. NumPy cannot be: the decorator hands the function its
    array arguments (in tuples, lists and dicts too) in a wrapper that behaves as an array, and unwraps what it returns;
    in a context, ``o(A)`` wraps. Arrays from elsewhere are copied when they enter a product.

    `explain` writes to stderr which products were done in another order, where they stand, and how many
    multiplications that saved; given a function, it is called with the `Ordered` object instead, whose ``rewrites`` and
    ``table()`` say the same. The logger ``wellposed.ordered`` is told too, at level INFO.

    Shapes that do not fit raise where the product is written. Raises TypeError for generators and coroutines, which
    would leave the context open between their steps.
    """
    if function is None:
        return Ordered(explain)
    return _decorate(function, explain)


def _decorate(function: Any, explain: Explain) -> Any:
    if not callable(function):
        raise TypeError(f"ordered takes a function, not a {type(function).__name__}")
    if (
        inspect.isgeneratorfunction(function)
        or inspect.iscoroutinefunction(function)
        or inspect.isasyncgenfunction(function)
    ):
        raise TypeError(
            f"{getattr(function, '__qualname__', function)} is a generator or a coroutine: decorate the functions that "
            "multiply, or use `with wellposed.ordered():` between its steps"
        )

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        with Ordered(explain) as context:
            if "numpy" not in sys.modules:
                return function(*args, **kwargs)
            from wellposed.integrations.ordered_numpy import call

            return call(function, args, kwargs, context._session)

    return wrapper

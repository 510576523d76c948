"""The mode of `ordered` in eager PyTorch: it answers products, and sees to it that all else finds ordinary tensors."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from wellposed.chain.lazy import Node, Scaling, is_factor, leaf, product, product_shape, scaled, transposed
from wellposed.integrations import ordered_torch_functions as functions
from wellposed.integrations.ordered_session import Session, here
from wellposed.integrations.ordered_torch import Group, LazyTensor, evaluated, storages
from wellposed.integrations.ordered_torch_functions import Kind

_DTYPES = {
    torch.float32, torch.float64, torch.complex64, torch.complex128,
    torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8,
}  # fmt: skip
"""Whose products are ordered: sums of integers wrap around whatever their order; float16 and bfloat16 leave their range
too easily."""


_threads = threading.local()


class _Mode(TorchFunctionMode):
    """Answers products, and sees to it that all else finds ordinary tensors."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if torch.compiler.is_compiling():
            # Traced by the compiler, which must find nothing here.
            return func(*args, **kwargs)
        kind = functions.kind(func)
        if kind is Kind.OTHER:
            args, kwargs = evaluated(args, kwargs)
            if self._session.waits and functions.changes_its_arguments(func, args, kwargs):
                self._before_a_change(func, args, kwargs)
            return func(*args, **kwargs)
        if kind is Kind.METADATA:
            with torch._C.DisableTorchFunctionSubclass():
                return func(*args, **kwargs)
        if not kwargs and not _declines():
            with torch._C.DisableTorchFunction():
                made = _ANSWERS[kind](self._session, func, args)
            if made is not None:
                return made
        args, kwargs = evaluated(args, kwargs)
        if kwargs.get("out") is not None:
            self._before_a_change(func, args, kwargs)
        return func(*args, **kwargs)

    def _before_a_change(self, func: Any, args: Any, kwargs: Any) -> None:
        with torch._C.DisableTorchFunction():
            if func is torch.Tensor.backward:
                self._session.settle()
                return
            changed = set(storages((args, kwargs)))
            self._session.settle(lambda node: not changed.isdisjoint(storages(node.value)))


@contextmanager
def intercepting(session: Session) -> Iterator[None]:
    """Products of this thread become lazy."""
    with _function_apply, _Mode(session):
        yield


def _declines() -> bool:
    """Whether products are done as written: where they are traced or transformed, or autograd itself is running; and
    where hooks on saved tensors are in force, as in a checkpoint, whose recomputation has to save the same ones."""
    return (
        getattr(_threads, "paused", 0)
        or torch._C._current_autograd_node() is not None
        or torch._C._are_functorch_transforms_active()
        or torch._C._get_tracing_state() is not None
        or torch._C._autograd._top_saved_tensors_default_hooks(True) is not None
    )


class _Apply:
    """`torch.autograd.Function.apply` takes its arguments past all modes: it gets ordinary tensors, and inside of it
    products are done at once. Patched while any context is open."""

    def __init__(self) -> None:
        self._open = 0
        self._lock = threading.Lock()
        self._original: Any = None

    def __enter__(self) -> None:
        with self._lock:
            self._open += 1
            if self._open == 1:
                original = self._original = torch.autograd.Function.__dict__["apply"]

                def apply(cls: Any, *args: Any, **kwargs: Any) -> Any:
                    args, kwargs = evaluated(args, kwargs)
                    _threads.paused = getattr(_threads, "paused", 0) + 1
                    try:
                        return original.__get__(None, cls)(*args, **kwargs)
                    finally:
                        _threads.paused -= 1

                torch.autograd.Function.apply = classmethod(apply)  # type: ignore[method-assign, assignment]

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._open -= 1
            if self._open == 0:
                torch.autograd.Function.apply = self._original


_function_apply = _Apply()


# --- answers --------------------------------------------------------------------------------------------------


def _node(tensor: Any) -> Node | None:
    """The node of a tensor that a product may be lazy in; None for what is left alone."""
    kind = type(tensor)
    if kind is LazyTensor:
        return tensor._node
    if kind is not torch.Tensor and kind is not torch.nn.Parameter:
        return None
    if tensor.layout is not torch.strided or tensor.dtype not in _DTYPES or tensor.is_quantized:
        return None
    gradient = torch.is_grad_enabled()
    group = Group(tensor.dtype, tensor.device, gradient, torch.is_inference_mode_enabled())
    node = leaf(tensor, tuple(tensor.shape), group, needs_gradient=gradient and tensor.requires_grad)
    node.stamp = None if tensor.is_inference() else tensor._version
    return node


def _multiplied(session: Session, func: Any, args: Any) -> Any:
    if len(args) != 2:
        return None
    left, right = map(_node, reversed(args) if func in functions.REVERSED else args)
    if left is None or right is None:
        return None
    device = left.group.device.type
    if torch.is_autocast_enabled(device):
        return None
    shape = product_shape(left.shape, right.shape)
    asked = functions.DIMENSIONS.get(func)
    fits = left.group[:2] == right.group[:2] and (asked is None or asked == (len(left.shape), len(right.shape)))
    if shape is None or not fits or (asked == (3, 3) and left.shape[0] != right.shape[0]):
        # The library says what is wrong, here and in its own words, from tensors of these shapes without memory.
        func(*(_without_memory(tensor) for tensor in args))
        return None
    gradient = torch.is_grad_enabled()
    group = Group(*left.group[:2], gradient, torch.is_inference_mode_enabled())
    return LazyTensor(product(left, right, shape, group, gradient=gradient, site=here()), session)


def _without_memory(tensor: torch.Tensor) -> torch.Tensor:
    return torch.empty((), dtype=tensor.dtype, device=tensor.device).expand(tensor.shape)


def _turned(session: Session, func: Any, args: Any) -> Any:
    tensor = args[0] if args else None
    if type(tensor) is not LazyTensor or not functions.turns_matrices(func, tensor, args[1:]):
        return None
    if not _same_state(tensor._node):
        return None
    return LazyTensor(transposed(tensor._node, site=here()), session)


def _scaled(session: Session, func: Any, args: Any) -> Any:
    if func in functions.NEGATIONS:
        tensor, number = (args[0] if len(args) == 1 else None), -1
    elif len(args) != 2:
        return None
    else:
        tensor, number = args
        if type(number) is LazyTensor and func not in functions.QUOTIENTS:
            tensor, number = number, tensor
    divide = func in functions.QUOTIENTS
    if type(tensor) is not LazyTensor or not scales(number, tensor.dtype, divide) or not _same_state(tensor._node):
        return None
    return LazyTensor(scaled(tensor._node, Scaling(divide, number), site=here()), session)


def scales(number: Any, dtype: torch.dtype, divide: bool) -> bool:
    """Whether a chain may be scaled by this anywhere: a number that keeps the dtype, and makes no NaN on its way."""
    if isinstance(number, bool) or not isinstance(number, (int, float, complex)):
        return False
    if not dtype.is_floating_point and not dtype.is_complex:
        return not divide and isinstance(number, int) and abs(number) < 2**63
    return is_factor(number) and (dtype.is_complex or not isinstance(number, complex))


def _same_state(node: Node) -> bool:
    """Whether gradients are recorded as they were at the product."""
    return node.group[2:] == (torch.is_grad_enabled(), torch.is_inference_mode_enabled())


_ANSWERS: dict[Kind, Callable[[Session, Any, Any], Any]] = {
    Kind.PRODUCT: _multiplied,
    Kind.TRANSPOSE: _turned,
    Kind.SCALING: _scaled,
}

"""`ordered` in eager PyTorch: a mode that answers products with lazy tensors, which become ordinary ones when used.

A lazy tensor has shape, dtype and device, and no memory. Whatever is asked of it, but for a product, a transpose or a
factor, first evaluates it and puts the result in its place: the object that the user holds is an ordinary tensor from
then on, with the history that autograd gave the products as they were done.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import torch
from torch.overrides import TorchFunctionMode

from wellposed.chain.lazy import Node, Scaling, is_factor, leaf, product, product_shape, scaled, transposed
from wellposed.integrations import ordered_torch_functions as functions
from wellposed.integrations.ordered_session import Session, here
from wellposed.integrations.ordered_torch_functions import Kind

_DTYPES = {
    torch.float32, torch.float64, torch.complex64, torch.complex128,
    torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8,
}  # fmt: skip
"""Whose products are ordered: sums of integers wrap around whatever their order; float16 and bfloat16 leave their range
too easily."""


class Group(NamedTuple):
    """What products must agree in to be one chain."""

    dtype: torch.dtype
    device: torch.device
    gradient: bool
    inference: bool


class LazyTensor(torch.Tensor):
    """The result of a product that was not done yet."""

    _node: Node
    _session: Session

    @staticmethod
    def __new__(cls, node: Node, session: Session) -> LazyTensor:
        group = node.group
        made = torch.Tensor._make_wrapper_subclass(
            cls, node.shape, dtype=group.dtype, device=group.device, requires_grad=node.needs_gradient
        )
        made._node = node
        made._session = session
        session.hold(made, node, _LIBRARY)
        return made

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if functions.kind(func) is Kind.METADATA:
            with torch._C.DisableTorchFunctionSubclass():
                return func(*args, **kwargs)
        args, kwargs = _evaluated(args, kwargs)
        return func(*args, **kwargs)

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        # Only code that goes past PyTorch's functions gets here: below autograd, so that gradients would be lost.
        for tensor in _lazy_in((args, kwargs or {})):
            node = tensor._node
            if node.needs_gradient and node.group.gradient:
                where = f", written at {node.site.file}:{node.site.line}," if node.site else ""
                raise RuntimeError(
                    f"a product{where} reached {func} before it was done, which would lose its gradient: "
                    "call .clone() on it before it is handed to compiled code"
                )
        args, kwargs = _evaluated(args, kwargs or {})
        return func(*args, **kwargs)


class _Torch:
    """How PyTorch multiplies: a `wellposed.chain.lazy.Library`."""

    @contextmanager
    def within(self, node: Node) -> Iterator[None]:
        group: Group = node.group  # type: ignore[assignment]
        with ExitStack() as stack:
            stack.enter_context(torch._C.DisableTorchFunction())
            if torch._C._are_functorch_transforms_active():
                from torch._functorch.pyfunctorch import temporarily_clear_interpreter_stack

                stack.enter_context(temporarily_clear_interpreter_stack())
            stack.enter_context(_without_hooks())
            if torch.is_inference_mode_enabled() != group.inference:
                stack.enter_context(torch.inference_mode(group.inference))
            if torch.is_grad_enabled() != group.gradient:
                stack.enter_context(torch.set_grad_enabled(group.gradient))
            if torch.is_autocast_enabled(group.device.type):
                stack.enter_context(torch.autocast(group.device.type, enabled=False))
            yield

    def operand(self, node: Node) -> torch.Tensor:
        value: torch.Tensor = node.value
        if node.stamp is not None and value._version != node.stamp:
            raise RuntimeError(
                f"a factor of shape {tuple(value.shape)} was changed in place, unseen by ordered(), after its product "
                "was written and before it was done: change it outside, or use .clone() of it in the product"
            )
        return value

    def matmul(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        return torch.matmul(left, right)

    def transpose(self, value: torch.Tensor) -> torch.Tensor:
        return value.transpose(-2, -1)

    def scale(self, value: torch.Tensor, scaling: Scaling) -> torch.Tensor:
        return value / scaling.number if scaling.divide else value * scaling.number

    def with_axis(self, value: torch.Tensor, axis: int) -> torch.Tensor:
        return value.unsqueeze(axis)

    def without_axis(self, value: torch.Tensor, axis: int) -> torch.Tensor:
        return value.squeeze(axis)

    def keep(self, node: Node, value: torch.Tensor) -> torch.Tensor:
        handle = node.handle() if node.handle is not None else None
        if handle is None:
            return value
        # As torch.utils.swap_tensors does, but references to the tensor may be weak too: they mean what it becomes.
        torch._C._swap_tensor_impl(handle, value)
        session = handle._session
        handle.__class__ = torch.Tensor
        handle.__dict__.clear()
        # Compiled code may have kept what was a tensor without memory: it still leads to the value.
        value.__class__ = LazyTensor
        value._node, value._session = node, session
        return handle


_LIBRARY = _Torch()


# --- what is evaluated before something else is done ----------------------------------------------------------


def _lazy_in(value: Any) -> Iterator[LazyTensor]:
    if type(value) is LazyTensor:
        yield value
    elif isinstance(value, (tuple, list)):
        for entry in value:
            yield from _lazy_in(entry)
    elif isinstance(value, dict):
        for entry in value.values():
            yield from _lazy_in(entry)


def _not_compiled(function: Any) -> Any:
    """What `torch.compile` leaves alone, with all that it calls: as ``torch.compiler.disable``, which would import the
    compiler."""
    function._torchdynamo_disable = True
    try:
        from torch._C._dynamo import eval_frame

        skip = eval_frame._FrameAction.SKIP
        eval_frame.set_code_exec_strategy(function.__code__, eval_frame._FrameExecStrategy(skip, skip))
    except (ImportError, AttributeError):  # Not promised; compiled functions that are handed lazy tensors then fail.
        pass
    return function


@_not_compiled
def _evaluated(args: Any, kwargs: Any) -> tuple[Any, Any]:
    """The same arguments: their lazy tensors have become ordinary ones."""
    left_over = False
    for tensor in _lazy_in((args, kwargs)):
        # The same tensor may come twice, and is an ordinary one the second time.
        if type(tensor) is LazyTensor:
            tensor._session.value(tensor._node, _LIBRARY)
            left_over = left_over or type(tensor) is LazyTensor
    return _replaced((args, kwargs)) if left_over else (args, kwargs)


def _replaced(value: Any) -> Any:
    if type(value) is LazyTensor:
        return value._node.value
    if type(value) in (tuple, list):
        return type(value)([_replaced(entry) for entry in value])
    if type(value) is dict:
        return {key: _replaced(entry) for key, entry in value.items()}
    return value


def _storages(value: Any) -> Iterator[int]:
    if isinstance(value, torch.Tensor):
        if value.layout is torch.strided:
            yield value.untyped_storage()._cdata
    elif isinstance(value, (tuple, list)):
        for entry in value:
            yield from _storages(entry)
    elif isinstance(value, dict):
        for entry in value.values():
            yield from _storages(entry)


# --- the mode -------------------------------------------------------------------------------------------------

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
            args, kwargs = _evaluated(args, kwargs)
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
        args, kwargs = _evaluated(args, kwargs)
        if kwargs.get("out") is not None:
            self._before_a_change(func, args, kwargs)
        return func(*args, **kwargs)

    def _before_a_change(self, func: Any, args: Any, kwargs: Any) -> None:
        with torch._C.DisableTorchFunction():
            if func is torch.Tensor.backward:
                self._session.settle()
                return
            changed = set(_storages((args, kwargs)))
            self._session.settle(lambda node: not changed.isdisjoint(_storages(node.value)))


@contextmanager
def intercepting(session: Session) -> Iterator[None]:
    """Products of this thread become lazy."""
    with _function_apply, _Mode(session):
        yield


@contextmanager
def _without_hooks() -> Iterator[None]:
    """Saved tensors are those of where the product was written, and not of the checkpoint in which it is first used."""
    hooks = []
    while (top := torch._C._autograd._top_saved_tensors_default_hooks(True)) is not None:
        hooks.append(top)
        torch._C._autograd._pop_saved_tensors_default_hooks()
    try:
        yield
    finally:
        for pack, unpack in reversed(hooks):
            torch._C._autograd._push_saved_tensors_default_hooks(pack, unpack)


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
                    args, kwargs = _evaluated(args, kwargs)
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

"""`ordered` in eager PyTorch: tensors whose products were not done yet, and become ordinary ones when they are used.

A lazy tensor has shape, dtype and device, and no memory. Whatever is asked of it, but for a product, a transpose or a
factor, first evaluates it and puts the result in its place: the object that the user holds is an ordinary tensor from
then on, with the history that autograd gave the products as they were done.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import torch

from wellposed.chain.lazy import Node, Scaling
from wellposed.integrations import ordered_torch_functions as functions
from wellposed.integrations.ordered_session import Session
from wellposed.integrations.ordered_torch_functions import Kind


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
        args, kwargs = evaluated(args, kwargs)
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
        args, kwargs = evaluated(args, kwargs or {})
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
def evaluated(args: Any, kwargs: Any) -> tuple[Any, Any]:
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


def storages(value: Any) -> Iterator[int]:
    if isinstance(value, torch.Tensor):
        if value.layout is torch.strided:
            yield value.untyped_storage()._cdata
    elif isinstance(value, (tuple, list)):
        for entry in value:
            yield from storages(entry)
    elif isinstance(value, dict):
        for entry in value.values():
            yield from storages(entry)

"""Operators without a double-double form of their own, by PyTorch's decomposition into operators that have one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from wellposed.shadow.double_double.arithmetic import Pair, exactly
from wellposed.shadow.double_double.moving import leaves, replaced

Apply = Callable[[Any, tuple[Any, ...], dict[str, Any]], Any]


class _Carried(Tensor):
    """A shadow in the clothes of a float64 tensor, so that PyTorch's own code can pass it around."""

    pair: Pair

    @staticmethod
    def __new__(cls, pair: Pair) -> _Carried:
        made: _Carried = torch.Tensor._make_wrapper_subclass(
            cls, pair.high.shape, strides=pair.high.stride(), dtype=torch.float64, device=pair.high.device
        )
        made.pair = pair
        return made

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        raise NotImplementedError(f"{func} outside of a decomposition")


class _Carrying(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Applies operators on carried shadows in double-double, in-place ones through the halves' own memory."""

    def __init__(self, apply: Apply) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._apply = apply

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func.namespace == "prim" or not _concerns(func, args, kwargs):
            return func(*args, **kwargs)
        bare_args, bare_kwargs = replaced((tuple(args), kwargs), _bare)
        result = self._apply(func, bare_args, bare_kwargs)
        if func._schema.is_mutable:
            target = args[0]
            if not isinstance(target, _Carried) or not isinstance(result, Pair):
                raise NotImplementedError(f"{func} on something that isn't carried")
            target.pair.high.copy_(result.high)
            target.pair.low.copy_(result.low)
            return target
        return replaced(result, _carried)


def _concerns(func: Any, args: Any, kwargs: Any) -> bool:
    """Whether it has a shadow among its arguments, or makes a floating-point tensor of none."""
    given = leaves((args, kwargs))
    if any(isinstance(each, _Carried) for each in given):
        return True
    tensors = [each for each in given if isinstance(each, Tensor)]
    if any(each.is_floating_point() for each in tensors):
        return True
    dtype = kwargs.get("dtype")
    asked_for = dtype.is_floating_point if isinstance(dtype, torch.dtype) else not tensors
    return bool(asked_for)


def _bare(value: Any) -> Any:
    return value.pair if isinstance(value, _Carried) else value


def _as_shadow(value: Any) -> Any:
    """What a decomposition made of whole numbers alone, as a count, was never carried."""
    value = _bare(value)
    return exactly(value, value) if isinstance(value, Tensor) and value.is_floating_point() else value


def _carried(value: Any) -> Any:
    return _Carried(value) if isinstance(value, Pair) else value


def _cloned(value: Any) -> Any:
    return Pair(value.high.clone(), value.low.clone()) if isinstance(value, Pair) else value


def decomposed(operator: Any, args: tuple[Any, ...], kwargs: dict[str, Any], apply: Apply) -> Any:
    """`operator` on pairs by its decomposition. Raises NotImplementedError where it has none or needs what has none."""
    from torch._decomp import decomposition_table

    body = decomposition_table.get(operator)
    if body is None and operator.has_kernel_for_dispatch_key(torch._C.DispatchKey.CompositeImplicitAutograd):
        body = operator.decompose
    if body is None:
        raise NotImplementedError(f"{operator} has no double-double form")
    if "batch_norm" in operator._schema.name:
        # Its decomposition writes to the running statistics.
        args, kwargs = replaced((args, kwargs), _cloned)
    carried_args, carried_kwargs = replaced((args, kwargs), _carried)
    with _Carrying(apply):
        result = body(*carried_args, **carried_kwargs)
    if result is NotImplemented:
        raise NotImplementedError(f"{operator} has no decomposition")
    return replaced(result, _as_shadow)

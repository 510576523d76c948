"""A copy of a model in mixed precision: the format's own kernels everywhere but in the modules that are to be kept."""

from __future__ import annotations

import copy
from collections.abc import Collection
from typing import Any

import torch
from torch.utils._pytree import tree_map

_FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)


def mixed(model: torch.nn.Module, dtype: torch.dtype, keep: Collection[str]) -> torch.nn.Module:
    """A copy whose modules compute in `dtype`, those of `keep` (paths that begin with the root's class) in float32.

    What enters a module is cast to what the module computes in. What leaves it goes up to float32 where the module
    around it is kept, and where it is the root: a loss is computed in float32, as under autocast. A cast that the
    program makes itself is left as it is. Raises RuntimeError or TypeError where the model cannot be copied.
    """
    copied = copy.deepcopy(model)
    root = type(model).__name__
    for name, module in copied.named_modules():
        scope = f"{root}.{name}" if name else root
        around = scope.rpartition(".")[0]
        inside = torch.float32 if scope in keep else dtype
        _cast_own(module, inside)
        module.register_forward_pre_hook(_entering(inside), with_kwargs=True)
        if not around or around in keep:
            module.register_forward_hook(_leaving)
    return copied


def _cast_own(module: torch.nn.Module, dtype: torch.dtype) -> None:
    """Its own parameters and buffers, not its children's."""
    for tensor in (*module._parameters.values(), *module._buffers.values()):
        if tensor is not None and tensor.dtype in _FLOATS:
            tensor.data = tensor.data.to(dtype)


def _cast(value: Any, dtype: torch.dtype) -> Any:
    return tree_map(
        lambda each: each.to(dtype) if isinstance(each, torch.Tensor) and each.dtype in _FLOATS else each, value
    )


def _entering(dtype: torch.dtype) -> Any:
    def hook(_module: torch.nn.Module, args: Any, kwargs: Any) -> Any:
        return _cast(args, dtype), _cast(kwargs, dtype)

    return hook


def _leaving(_module: torch.nn.Module, _args: Any, output: Any) -> Any:
    return _cast(output, torch.float32)

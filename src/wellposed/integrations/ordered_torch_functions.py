"""PyTorch's functions, as `ordered` sees them: products, transposes, numbers, questions about a shape, and all else."""

from __future__ import annotations

from enum import Enum, auto
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor


class Kind(Enum):
    """What a function does."""

    PRODUCT = auto()
    TRANSPOSE = auto()
    SCALING = auto()
    METADATA = auto()
    """Asks what a tensor without memory can answer."""
    OTHER = auto()


DIMENSIONS = {
    torch.mm: (2, 2), Tensor.mm: (2, 2),
    torch.mv: (2, 1), Tensor.mv: (2, 1),
    torch.bmm: (3, 3), Tensor.bmm: (3, 3),
    torch.dot: (1, 1), Tensor.dot: (1, 1),
}  # fmt: skip
"""Products that ask for operands of certain dimensions."""

REVERSED = {Tensor.__rmatmul__}
PRODUCTS = {
    *DIMENSIONS, *REVERSED, torch.matmul, Tensor.matmul, Tensor.__matmul__, torch.linalg.matmul,
}  # fmt: skip

_SWAPS = {
    torch.transpose, Tensor.transpose, torch.swapaxes, Tensor.swapaxes, torch.swapdims, Tensor.swapdims,
}  # fmt: skip
_PERMUTES = {torch.permute, Tensor.permute}
_PLAIN = {torch.t, Tensor.t, Tensor.T.__get__}
_MATRIX = {Tensor.mT.__get__}
_CONJUGATE = {torch.adjoint, Tensor.adjoint, Tensor.mH.__get__, Tensor.H.__get__}
TRANSPOSES = {*_SWAPS, *_PERMUTES, *_PLAIN, *_MATRIX, *_CONJUGATE}

QUOTIENTS = {
    torch.div, Tensor.div, torch.divide, Tensor.divide, torch.true_divide, Tensor.true_divide, Tensor.__truediv__,
}  # fmt: skip
NEGATIONS = {torch.neg, Tensor.neg, torch.negative, Tensor.negative, Tensor.__neg__}
SCALINGS = {
    *QUOTIENTS, *NEGATIONS,
    torch.mul, Tensor.mul, torch.multiply, Tensor.multiply, Tensor.__mul__, Tensor.__rmul__,
}  # fmt: skip

METADATA = {
    Tensor.shape.__get__, Tensor.dtype.__get__, Tensor.device.__get__, Tensor.ndim.__get__, Tensor.layout.__get__,
    Tensor.requires_grad.__get__, Tensor.is_cuda.__get__, Tensor.is_sparse.__get__, Tensor.is_quantized.__get__,
    Tensor.size, Tensor.dim, Tensor.ndimension, Tensor.numel, Tensor.nelement, torch.numel, Tensor.__len__,
    Tensor.__hash__, Tensor.is_floating_point, torch.is_floating_point, Tensor.is_complex, torch.is_complex,
    Tensor.element_size, torch.is_tensor,
}  # fmt: skip


@lru_cache(maxsize=4096)
def kind(func: Any) -> Kind:
    if func in PRODUCTS:
        return Kind.PRODUCT
    if func in TRANSPOSES:
        return Kind.TRANSPOSE
    if func in SCALINGS:
        return Kind.SCALING
    return Kind.METADATA if func in METADATA else Kind.OTHER


def turns_matrices(func: Any, tensor: Tensor, rest: tuple[Any, ...]) -> bool:
    """Whether this call turns the last two dimensions of `tensor`, and does nothing else."""
    n = tensor.dim()
    if n < 2:
        return False
    if func in _PLAIN:
        return n == 2 and not rest
    if func in _MATRIX:
        return True
    if func in _CONJUGATE:
        return not rest and not tensor.is_complex() and (n == 2 or func != Tensor.H.__get__)
    axes = rest[0] if len(rest) == 1 and isinstance(rest[0], (tuple, list)) else rest
    if not all(type(axis) is int and -n <= axis < n for axis in axes):
        return False
    at = [axis % n for axis in axes]
    if func in _PERMUTES:
        return at == [*range(n - 2), n - 1, n - 2]
    return sorted(at) == [n - 2, n - 1]


# --- functions that change their arguments --------------------------------------------------------------------

_IN_PLACE = {"__setitem__", "__set__", "__delete__", "backward", "set_data", "batch_norm", "instance_norm"}
_IN_PLACE_OPERATORS = {
    f"__i{name}__"
    for name in (
        "add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and", "or", "xor", "lshift", "rshift", "matmul",
    )
}  # fmt: skip


def changes_its_arguments(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether this call writes to one of the tensors that it is given."""
    if kwargs.get("out") is not None or kwargs.get("inplace") or kwargs.get("max_norm") is not None:
        return True
    if _by_name(func):
        return True
    # torch.nn.functional.relu(x, True)
    return any(arg is True for arg in args) and getattr(func, "__module__", "") == "torch.nn.functional"


@lru_cache(maxsize=4096)
def _by_name(func: Any) -> bool:
    name = getattr(func, "__name__", "")
    return name in _IN_PLACE or name in _IN_PLACE_OPERATORS or (name.endswith("_") and not name.endswith("__"))

"""Operators that only move, repeat or drop elements: they are applied to both halves as they are."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from wellposed.shadow.double_double.arithmetic import Pair, exactly


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


MOVES = _words(
    """
    _neg_view _reshape_alias _reshape_copy _unsafe_index _unsafe_view alias alias_copy as_strided as_strided_copy
    as_strided_scatter atleast_1d atleast_2d atleast_3d block_diag cat channel_shuffle chunk clone concat
    concatenate conj_physical constant_pad_nd contiguous detach detach_copy diag diag_embed diagonal
    diagonal_backward diagonal_copy diagonal_scatter embedding expand expand_as expand_copy fill flatten flip
    full_like gather hstack im2col index index_copy index_fill index_select lift lift_fresh lift_fresh_copy mT
    masked_fill masked_scatter masked_select moveaxis movedim narrow narrow_copy new_full new_ones numpy_T ones_like
    permute permute_copy pixel_shuffle pixel_unshuffle ravel reflection_pad1d reflection_pad2d reflection_pad3d
    repeat repeat_interleave replication_pad1d replication_pad2d replication_pad3d reshape reshape_as resolve_conj
    resolve_neg roll rot90 scatter select select_backward select_copy select_scatter slice slice_backward slice_copy
    slice_scatter split split_with_sizes squeeze squeeze_copy stack swapaxes t t_copy take take_along_dim
    tensor_split tile trace_backward transpose transpose_copy tril triu unbind unflatten unfold unfold_copy
    unsqueeze unsqueeze_copy upsample_nearest1d upsample_nearest2d upsample_nearest3d view view_as view_copy vstack
    """
)
QUESTIONS = _words("isnan isinf isfinite isposinf isneginf isreal signbit")
"""Answered by the leading half alone."""
TRUTHS = _words(
    "any all nonzero logical_not logical_and logical_or logical_xor count_nonzero is_nonzero _local_scalar_dense item"
)
"""Asked of the leading half too: a pair is 0 only where that is."""
_METADATA = {"dtype", "layout", "pin_memory", "memory_format"}
_NUMBER_THAT_FILLS = {"value", "fill_value"}


def moved(operator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """`operator` on the leading halves and on the others, where a number that fills counts as 0."""
    like = next(each.high for each in leaves((args, kwargs)) if isinstance(each, Pair))
    names = [argument.name for argument in operator._schema.arguments]
    kwargs = {name: value for name, value in kwargs.items() if name not in _METADATA}
    if "dtype" in names:
        kwargs["dtype"] = torch.float64
    as_pairs = replaced((args, kwargs), lambda each: _as_pair(each, like))
    high_args, high_kwargs = replaced(as_pairs, lambda each: each.high if isinstance(each, Pair) else each)
    low_args, low_kwargs = replaced(as_pairs, lambda each: each.low if isinstance(each, Pair) else each)
    low_args = tuple(
        0.0 if name in _NUMBER_THAT_FILLS and isinstance(each, int | float) else each
        for name, each in zip(names, low_args, strict=False)
    )
    low_kwargs = {
        name: 0.0 if name in _NUMBER_THAT_FILLS and isinstance(each, int | float) else each
        for name, each in low_kwargs.items()
    }
    if operator._schema.name.split("::")[1] in ("new_ones", "ones_like"):
        high = operator(*high_args, **high_kwargs)
        return Pair(high, torch.zeros_like(high))
    return _joined(operator(*high_args, **high_kwargs), operator(*low_args, **low_kwargs))


def _as_pair(value: Any, like: Tensor) -> Any:
    return exactly(value, like) if isinstance(value, Tensor) and value.is_floating_point() else value


def _joined(high: Any, low: Any) -> Any:
    if isinstance(high, Tensor):
        return Pair(high, low)
    return type(high)(_joined(one, other) for one, other in zip(high, low, strict=True))


def asked(operator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """`operator` on the leading halves: its answer is no floating-point tensor."""
    high_args, high_kwargs = replaced((args, kwargs), lambda each: each.high if isinstance(each, Pair) else each)
    return operator(*high_args, **high_kwargs)


def leaves(value: Any) -> list[Any]:
    if isinstance(value, list | tuple):
        return [leaf for each in value for leaf in leaves(each)]
    if isinstance(value, dict):
        return [leaf for each in value.values() for leaf in leaves(each)]
    return [value]


def replaced(value: Any, change: Any) -> Any:
    if isinstance(value, list | tuple):
        changed = [replaced(each, change) for each in value]
        return tuple(changed) if isinstance(value, tuple) else changed
    if isinstance(value, dict):
        return {name: replaced(each, change) for name, each in value.items()}
    return change(value)

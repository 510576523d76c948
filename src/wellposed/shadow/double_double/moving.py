"""Operators that only move, repeat or drop elements: they are applied to both halves as they are."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from wellposed.shadow.double_double.arithmetic import Pair, exactly

MOVES = frozenset(
    """
    view _unsafe_view reshape _reshape_alias _reshape_copy view_copy permute transpose t numpy_T mT movedim moveaxis
    swapaxes expand expand_as slice select squeeze unsqueeze flatten unflatten ravel alias detach clone contiguous lift
    lift_fresh lift_fresh_copy detach_copy alias_copy permute_copy transpose_copy t_copy expand_copy slice_copy
    select_copy squeeze_copy unsqueeze_copy unbind split split_with_sizes chunk tensor_split narrow narrow_copy
    as_strided as_strided_copy diagonal diagonal_copy diag diag_embed tril triu unfold unfold_copy flip roll rot90
    repeat repeat_interleave tile cat concat concatenate stack hstack vstack index _unsafe_index index_select gather take
    take_along_dim masked_select masked_fill masked_scatter index_fill index_copy scatter select_scatter slice_scatter
    diagonal_scatter as_strided_scatter constant_pad_nd reflection_pad1d reflection_pad2d reflection_pad3d
    replication_pad1d replication_pad2d replication_pad3d im2col pixel_shuffle pixel_unshuffle channel_shuffle embedding
    upsample_nearest1d upsample_nearest2d upsample_nearest3d select_backward slice_backward diagonal_backward
    atleast_1d atleast_2d atleast_3d new_zeros zeros_like new_ones ones_like new_full full_like fill block_diag
    trace_backward copy view_as reshape_as resolve_neg resolve_conj _neg_view conj_physical conj _conj
    """.split()  # noqa: SIM905  (a list of words is read more easily)
)
QUESTIONS = frozenset("isnan isinf isfinite isposinf isneginf isreal signbit nonzero numel size stride dim".split())
"""Answered by the leading half alone."""
TRUTHS = frozenset(
    "any all logical_not logical_and logical_or logical_xor count_nonzero is_nonzero _local_scalar_dense item".split()
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

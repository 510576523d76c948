"""What the engine must know of an ATen operator, told once from its schema: what it writes, draws, decides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch

_aten = torch.ops.aten

# Memory as it was found: whatever lies there says nothing about the program.
_UNINITIALISED = {
    "empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided", "empty_permuted", "resize", "set",
}  # fmt: skip
# What they overwrite makes no difference to what they leave.
_REPLACING = {"copy", "fill", "zero", "_foreach_copy", "_foreach_zero", "_foreach_fill"}
COMPARISONS = {
    "gt", "lt", "ge", "le", "eq", "ne", "isclose", "logical_not", "logical_and", "logical_or", "searchsorted",
    "bucketize", "argmax", "argmin", "argsort", "signbit", "histc",
}  # fmt: skip
# These share their input's memory, though their schema does not say so.
_VIEWS_BY_NAME = {"_unsafe_view", "_reshape_alias", "lift_fresh", "lift"}
_MOVING = {
    "copy", "clone", "cat", "stack", "index_select", "gather", "index", "repeat", "flip", "roll", "permute_copy",
    "constant_pad_nd", "contiguous", "_to_copy", "where", "masked_select", "embedding", "_foreach_copy", "tril", "triu",
    "new_zeros", "zeros_like", "ones_like", "full_like", "new_full", "new_ones", "slice_scatter", "select_scatter",
}  # fmt: skip
# (values, indices): the values are those that the program's own indices point at.
_CHOOSING = {"max", "min", "sort", "topk", "kthvalue", "mode", "median", "nanmedian", "cummax", "cummin"}
_ROUNDING = {"round", "floor", "ceil", "trunc", "sign", "floor_divide", "heaviside"}
# The program branches on their last result, so it is its own.
_DECIDING = {"_amp_foreach_non_finite_check_and_unscale"}
# What they write is the program's own decision altogether.
_SHARED = {"_amp_update_scale"}
# The first output is the result; the rest are statistics kept for backward, whose own digits nobody asks for.
_FIRST_COUNTS = {
    "native_layer_norm", "native_group_norm", "native_batch_norm", "_native_batch_norm_legit", "cudnn_batch_norm",
    "_native_batch_norm_legit_functional", "_fused_rms_norm", "var_mean", "std_mean", "mkldnn_rnn_layer",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Description:
    """One operator."""

    name: str
    """``aten.add.Tensor``."""
    base: str
    """``add``, also for ``add_``."""
    functional: Callable[..., Any]
    """Computes the same and writes into no argument: it returns the results, then what would be written."""
    written: tuple[str, ...]
    """Names of the arguments that are written."""
    results: int
    """How many of the returns are no written argument; -1 where the operator returns one thing and writes nothing."""
    positions: dict[str, int]
    """Where each argument stands."""
    out_forms: tuple[str, ...]
    """Names of ``out=`` arguments, which the functional form does not take."""
    replaces: bool
    """Whether what lay in the written arguments before makes no difference."""
    random: bool
    """Whether its results are the program's own: drawn, or decided."""
    uninitialised: bool
    views: bool
    """Whether its results are other looks at its arguments' memory."""
    moves: bool
    """Whether it only copies numbers: what is exact stays exact."""
    chooses: bool
    rounds: bool
    compares: bool
    first_counts: bool
    in_place: bool
    """Whether it can run as it is on tensors of another dtype, and write them."""
    decides: bool
    """Whether the last of what it writes is the program's own decision."""
    why_not: str
    """Why it has no shadow; empty where it has one."""


_known: dict[Any, Description] = {}


def describe(operator: Any) -> Description:
    """What is known of the operator; computed once."""
    found = _known.get(operator)
    if found is None:
        found = _known[operator] = _describe(operator)
    return found


def describe_call(operator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Description:
    """What is known of this call: a batch normalisation writes its running statistics in training alone."""
    found = describe(operator)
    if not found.written or not found.base.endswith(("batch_norm", "batch_norm_legit")):
        return found
    position = found.positions
    running = args[position["running_mean"]] if len(args) > position["running_mean"] else kwargs.get("running_mean")
    flag = next((name for name in ("training", "train") if name in position), "training")
    training = args[position[flag]] if len(args) > position[flag] else kwargs.get(flag)
    if running is not None and training:
        return found
    return replace(found, functional=operator, written=(), results=-1)


def _describe(operator: Any) -> Description:
    schema = operator._schema
    base = schema.name.split("::")[-1]
    # ``add_`` and ``__ior__`` write; ``_foreach_add_`` too.
    plain = base[:-1] if base.endswith("_") and not base.endswith("__") else base
    arguments = schema.arguments
    written = tuple(each.name for each in arguments if each.alias_info is not None and each.alias_info.is_write)
    outs = tuple(each.name for each in arguments if each.is_out)
    results = sum(1 for each in schema.returns if each.alias_info is None or not each.alias_info.is_write)
    functional: Callable[..., Any] = operator
    why_not = ""
    if base in ("native_batch_norm", "cudnn_batch_norm", "miopen_batch_norm"):
        written, functional = ("running_mean", "running_var"), _aten._native_batch_norm_legit_functional.default
        if base != "native_batch_norm":
            functional = _with_reserve
    elif base == "_native_batch_norm_legit" and written:
        functional = _aten._native_batch_norm_legit_functional.default
    elif written:
        found = _without_out(operator, outs) if outs else _without_writing(operator, plain)
        if found is None:
            why_not = "it has no form that writes into no argument"
        else:
            functional = found
    if not str(operator).startswith(("aten.", "prims.")):
        why_not = "an operator of its own, whose formula is not known"
    if "quantized" in base or "fake_quantize" in base:
        why_not = "quantized numbers have no reference"
    random = plain in _SHARED or (
        torch.Tag.nondeterministic_seeded in operator.tags
        and not base.startswith("_scaled_dot_product")
        and "_dropout" not in base
    )
    return Description(
        name=str(operator),
        base=plain,
        functional=functional,
        written=written,
        results=results if written else -1,
        positions={each.name: index for index, each in enumerate(arguments)},
        out_forms=outs,
        replaces=plain in _REPLACING or bool(outs),
        random=random,
        uninitialised=plain in _UNINITIALISED,
        views=plain in _VIEWS_BY_NAME
        or torch.Tag.inplace_view in operator.tags
        or (not written and any(each.alias_info is not None for each in schema.returns)),
        moves=plain in _MOVING,
        chooses=plain in _CHOOSING and (len(schema.returns) == 2 or bool(outs)),
        rounds=plain in _ROUNDING,
        compares=plain in COMPARISONS or base.startswith("is"),
        first_counts=plain in _FIRST_COUNTS,
        in_place=bool(written) and not outs and plain != base and plain not in _DECIDING and plain not in _ROUNDING,
        decides=plain in _DECIDING,
        why_not="" if random else why_not,
    )


def _with_reserve(*args: Any) -> tuple[Any, ...]:
    """A GPU library's batch normalisation, whose fourth result is memory of its own."""
    out, mean, deviation, *running = _aten._native_batch_norm_legit_functional.default(*args)
    return out, mean, deviation, None, *running


def _without_writing(operator: Any, plain: str) -> Any:
    """The operator of the same overload without the underscore."""
    packet = getattr(_aten, plain, None)
    return getattr(packet, operator._overloadname, None) if packet is not None else None


def _without_out(operator: Any, outs: tuple[str, ...]) -> Any:
    """The overload that takes the same arguments but ``out=``."""
    wanted = [(each.name, str(each.type)) for each in operator._schema.arguments if each.name not in outs]
    packet = operator.overloadpacket
    for overload in packet.overloads():
        candidate = getattr(packet, overload)
        if [(each.name, str(each.type)) for each in candidate._schema.arguments] == wanted:
            return candidate
    return None

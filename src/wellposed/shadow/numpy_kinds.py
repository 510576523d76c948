"""Kinds of NumPy operations, by what must be done so that a shadow keeps computing the same thing."""

from __future__ import annotations

from typing import Any, Literal

Kind = Literal["smooth", "carrying", "comparing", "choosing", "rounding", "remainder", "opaque"]
"""Carrying: moves values and never rounds. Comparing, choosing, rounding: a result of the program's own that is shared
(truth values, indices, whole numbers). Remainder: shares its quotient. Opaque: no counterpart. Smooth: the rest."""

COMPARING = frozenset({
    "equal", "greater", "greater_equal", "isfinite", "isinf", "isnan", "less", "less_equal", "not_equal",
})  # fmt: skip
CHOOSING = frozenset({
    "argmax", "argmin", "argpartition", "argsort", "count_nonzero", "digitize", "nonzero", "searchsorted", "sign",
})  # fmt: skip
ROUNDING = frozenset({
    "around", "ceil", "fix", "floor", "floor_divide", "heaviside", "rint", "round", "trunc",
})  # fmt: skip
REMAINDER = frozenset({
    "fmod", "mod", "remainder",
})  # fmt: skip
CARRYING = frozenset({
    "absolute", "amax", "amin", "append", "array", "array_split", "asanyarray", "asarray", "ascontiguousarray",
    "atleast_1d", "atleast_2d", "atleast_3d", "block", "broadcast_arrays", "broadcast_to", "choose", "clip",
    "column_stack", "compress", "concatenate", "conjugate", "copy", "copysign", "copyto", "delete", "diag",
    "diagonal", "dstack", "expand_dims", "extract", "fabs", "fill", "fill_diagonal", "flatten", "flip", "fliplr",
    "flipud", "float", "fmax", "fmin", "getitem", "hstack", "imag", "insert", "item", "matrix_transpose", "max",
    "maximum", "maximum.accumulate", "maximum.reduce", "meshgrid", "min", "minimum", "minimum.accumulate",
    "minimum.reduce", "moveaxis", "nan_to_num", "nanmax", "nanmin", "negative", "pad", "partition", "permute_dims",
    "place", "positive", "put", "put_along_axis", "putmask", "ravel", "real", "repeat", "reshape", "resize", "roll",
    "rot90", "select", "setitem", "sort", "split", "squeeze", "stack", "swapaxes", "take", "take_along_axis", "tile",
    "tolist", "transpose", "tril", "triu", "unstack", "vstack", "where",
})  # fmt: skip
_OPAQUE = frozenset({
    "allclose", "array2string", "array_equal", "array_equiv", "array_repr", "array_str", "can_cast", "cond", "dump",
    "dumps", "eig", "eigh", "eigvals", "eigvalsh", "empty", "empty_like", "frexp", "frompyfunc", "histogram",
    "histogram2d", "histogramdd", "interp", "isclose", "load", "loadtxt", "lstsq", "matrix_rank", "may_share_memory",
    "modf", "ndim", "nextafter", "pinv", "polyfit", "qr", "result_type", "roots", "save", "savetxt", "savez", "shape",
    "shares_memory", "size", "spacing", "svd", "svdvals", "tobytes", "tofile", "unique", "unwrap", "vectorize", "view",
})  # fmt: skip
_OPAQUE_MODULES = ("numpy.random",)


def kind_of(name: str, function: Any) -> Kind:
    if name in COMPARING:
        return "comparing"
    if name in CHOOSING:
        return "choosing"
    if name in ROUNDING:
        return "rounding"
    if name in REMAINDER:
        return "remainder"
    if name in CARRYING:
        return "carrying"
    module = str(getattr(function, "__module__", ""))
    if name in _OPAQUE or module.startswith(_OPAQUE_MODULES):
        return "opaque"
    return "smooth"

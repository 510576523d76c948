"""One name an operator: what ATen, PyTorch's functions and methods, and NumPy's functions call it."""

from __future__ import annotations

_SYNONYMS = {
    "abs": "absolute fabs", "acos": "arccos", "add": "add_ _foreach_add", "amax": "max nanmax", "amin": "min nanmin",
    "asin": "arcsin", "atan": "arctan", "atan2": "arctan2", "atanh": "arctanh", "ceil": "",
    "cdist": "_cdist_forward _euclidean_dist",
    "clamp": "clip", "cos": "", "cosh": "", "cosine_similarity": "",
    "cholesky": "linalg_cholesky linalg_cholesky_ex", "cumprod": "", "cumsum": "", "det": "linalg_det _linalg_det",
    "div": "divide true_divide", "dot": "mm bmm mv matmul vdot inner addmm baddbmm linalg_vecdot vecdot", "erf": "",
    "erfc": "", "eigh": "linalg_eigh _linalg_eigh", "exp": "", "exp2": "", "expm1": "", "fmod": "", "floor": "",
    "gamma": "", "gammaln": "lgamma", "hypot": "", "i0": "", "inv": "inverse linalg_inv linalg_inv_ex pinv", "log": "",
    "log10": "", "log1p": "", "log2": "", "log_softmax": "_log_softmax", "logaddexp": "", "logit": "",
    "logsumexp": "", "masked_fill": "", "maximum": "fmax", "mean": "average nanmean", "minimum": "fmin",
    "mul": "multiply", "ndtr": "", "neg": "negative", "norm": "linalg_norm linalg_vector_norm",
    "pow": "power float_power",
    "prod": "nanprod", "reciprocal": "", "relu": "", "remainder": "mod", "round": "rint", "rsqrt": "", "rsub": "",
    "sigmoid": "expit", "sign": "sgn", "sin": "", "sinh": "", "softmax": "_softmax _safe_softmax", "softplus": "",
    "solve": "linalg_solve _linalg_solve_ex linalg_solve_ex",
    "sqrt": "", "square": "", "std": "nanstd", "sub": "subtract",
    "sum": "nansum fsum", "svd": "linalg_svd _linalg_svd", "tan": "", "tanh": "", "trace": "", "var": "nanvar",
    "where": "",
    "nan_to_num": "", "binary_cross_entropy": "", "clamp_min": "", "clamp_max": "", "addcdiv": "", "sinc": "",
    "linspace": "", "arange": "",
}  # fmt: skip
OPERATORS = frozenset(_SYNONYMS)
"""The canonical operators."""
_CANONICAL = {other: name for name, others in _SYNONYMS.items() for other in (name, *others.split())}
COMMUTATIVE = frozenset({"add", "mul", "dot", "logaddexp", "maximum", "minimum", "hypot"})
TRANSPARENT = frozenset({
    "_to_copy", "_unsafe_view", "alias", "asarray", "array", "ascontiguousarray", "astype", "atleast_1d", "bfloat16",
    "clone", "contiguous", "copy", "cpu", "cuda", "detach", "diagonal", "double", "expand", "expand_as", "expand_dims",
    "flatten", "float", "float16", "float32", "float64", "half", "item", "lift_fresh", "mT", "moveaxis", "permute",
    "ravel", "reshape", "squeeze", "swapaxes", "T", "t", "tensor", "to", "transpose", "type", "unsqueeze",
    "values", "view",
})  # fmt: skip
"""Operators that pass values on as they are, but for their shape and the rounding to another dtype."""
VALUE_ARGUMENTS = {
    "add": 2, "sub": 2, "rsub": 2, "mul": 2, "div": 2, "pow": 2, "maximum": 2, "minimum": 2, "atan2": 2, "hypot": 2,
    "logaddexp": 2, "dot": 2, "where": 3, "clamp": 3, "clamp_min": 2, "clamp_max": 2, "masked_fill": 3, "fmod": 2,
    "remainder": 2, "cdist": 2, "solve": 2, "cosine_similarity": 2, "binary_cross_entropy": 2, "addcdiv": 3,
}  # fmt: skip
"""How many leading arguments of a function are values; 1 where it is not listed. The rest are options."""


def canonical(name: str) -> str:
    """The canonical operator of a function, method or ATen operator (without overload); the name itself if unknown."""
    name = name.removeprefix("special_").rstrip("_")
    return _CANONICAL.get(name, _CANONICAL.get(name.removeprefix("linalg_"), name))

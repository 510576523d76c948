"""Names of NumPy's functions and Python's operators as the record holds them. Pure data: imports no NumPy.

An operator is called ``numpy.<base>.<name>``: `base` is the name that PyTorch's operators have for the same function,
which is what rules look for; the rest is what the user wrote. In-place forms end in an underscore, as PyTorch's do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

OPERATORS: Final[Mapping[str, str]] = {
    "add": "add", "sub": "subtract", "mul": "multiply", "div": "true_divide", "floordiv": "floor_divide",
    "mod": "remainder", "pow": "power", "matmul": "matmul", "and": "bitwise_and", "or": "bitwise_or",
    "xor": "bitwise_xor", "eq": "equal", "ne": "not_equal", "lt": "less", "le": "less_equal", "gt": "greater",
    "ge": "greater_equal", "neg": "negative", "invert": "invert",
}  # fmt: skip
"""The instrument's methods and the NumPy function that each stands for."""

_BASES: Final[Mapping[str, str]] = {
    "subtract": "sub", "multiply": "mul", "true_divide": "div", "divide": "div", "power": "pow", "float_power": "pow",
    "negative": "neg", "absolute": "abs", "fabs": "abs", "remainder": "remainder", "mod": "remainder",
    "arccos": "acos", "arcsin": "asin", "arctan": "atan", "arctan2": "atan2", "arccosh": "acosh", "arcsinh": "asinh",
    "arctanh": "atanh", "rint": "round", "around": "round", "greater": "gt", "greater_equal": "ge", "less": "lt",
    "less_equal": "le", "equal": "eq", "not_equal": "ne", "invert": "bitwise_not", "max": "amax", "min": "amin",
    "clip": "clamp", "concatenate": "cat", "hstack": "cat", "vstack": "cat", "column_stack": "cat", "copy": "clone",
    "astype": "_to_copy", "array": "_to_copy", "asarray": "_to_copy", "float": "_local_scalar_dense",
    "item": "_local_scalar_dense", "T": "numpy_T", "transpose": "permute", "swapaxes": "transpose", "take": "index",
    "compress": "masked_select", "ravel": "reshape", "flatten": "reshape", "setitem": "index_put",
    "fsum": "sum", "expit": "sigmoid", "logit": "logit", "softmax": "_softmax", "log_softmax": "_log_softmax",
    "identity": "eye", "entr": "special_entr", "xlog1py": "special_xlog1py", "gammaln": "lgamma",
    "linalg.inv": "linalg_inv_ex", "linalg.pinv": "linalg_pinv", "linalg.det": "_linalg_det",
    "linalg.slogdet": "_linalg_slogdet", "linalg.solve": "_linalg_solve_ex", "linalg.svd": "_linalg_svd",
    "linalg.eigh": "_linalg_eigh", "linalg.eig": "linalg_eig", "linalg.qr": "linalg_qr",
    "linalg.cholesky": "linalg_cholesky_ex", "linalg.lstsq": "linalg_lstsq", "linalg.norm": "linalg_vector_norm",
    "linalg.matrix_power": "linalg_matrix_power", "linalg.multi_dot": "linalg_multi_dot", "linalg.cond": "linalg_cond",
    "add.reduce": "sum", "multiply.reduce": "prod", "maximum.reduce": "amax", "minimum.reduce": "amin",
    "add.accumulate": "cumsum", "multiply.accumulate": "cumprod", "multiply.outer": "outer",
}  # fmt: skip

_BINARY: Final = ("self", "other")
_REDUCTION: Final = ("self", "dim", "dtype", "out", "keepdim")
_SPREAD: Final = ("self", "dim", "dtype", "out", "correction", "keepdim")
_ARGUMENTS: Final[Mapping[str, tuple[str, ...]]] = {
    "pow": ("self", "exponent"), "mm": ("self", "mat2"), "mv": ("self", "vec"), "bmm": ("self", "mat2"),
    "dot": ("self", "tensor"), "where": ("condition", "self", "other"), "clamp": ("self", "min", "max"),
    "sum": _REDUCTION, "mean": _REDUCTION, "prod": _REDUCTION, "amax": ("self", "dim", "out", "keepdim"),
    "amin": ("self", "dim", "out", "keepdim"), "std": _SPREAD, "var": _SPREAD, "nansum": _REDUCTION,
    "nanmean": _REDUCTION, "cumsum": ("self", "dim", "dtype", "out"), "cumprod": ("self", "dim", "dtype", "out"),
    "_softmax": ("self", "dim"), "_log_softmax": ("self", "dim"), "logsumexp": ("self", "dim"),
    "index_put": ("self", "indices", "values"), "index": ("self", "indices"), "select": ("self", "indices"),
    "_to_copy": ("self", "dtype"), "full": ("size", "fill_value"), "linalg_vector_norm": ("self", "ord", "dim"),
    "einsum": ("equation", "tensors"), "eye": ("n", "m"), "_linalg_solve_ex": ("A", "B"),
}  # fmt: skip
_KEYWORDS: Final[Mapping[str, str]] = {"axis": "dim", "keepdims": "keepdim", "ddof": "correction"}
_SATURATION: Final[Mapping[str, tuple[float, float]]] = {
    "sigmoid": (0.0025, 0.9975), "tanh": (-0.995, 0.995), "_softmax": (-1.0, 0.9975),
}  # fmt: skip
"""Where these are flat: see capture/operators.py."""
IN_PLACE: Final = frozenset(
    {"sort", "partition", "fill", "put", "resize", "shuffle", "copyto", "putmask", "place", "fill_diagonal", "setitem"}
)
"""Functions that write their first array; `sort` and `partition` as methods alone."""
RANDOM: Final = frozenset(
    {
        "normal", "uniform", "random", "rand", "randn", "randint", "integers", "choice", "permutation", "shuffle",
        "exponential", "gamma", "beta", "poisson", "binomial", "multivariate_normal", "standard_normal", "laplace",
        "lognormal", "standard_t", "dirichlet", "multinomial",
    }
)  # fmt: skip
MAKING: Final = RANDOM | {
    "zeros", "ones", "full", "empty", "eye", "identity", "arange", "linspace", "logspace", "geomspace", "zeros_like",
    "ones_like", "full_like", "empty_like", "tri", "mgrid", "meshgrid",
}  # fmt: skip
"""Functions that make arrays of nothing but numbers. Whatever else does so brings data in."""


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator of the record; compared by identity where the tape looks it up."""

    name: str
    arguments: tuple[str, ...]
    written: tuple[int, ...]
    """Positions of the arguments that it writes."""
    uninitialised: bool
    replaces: bool
    """Whether what lay in the written arguments before makes no difference."""
    saturation: tuple[float, float] | None

    @property
    def base(self) -> str:
        return self.name.split(".")[1].rstrip("_")


def operator_named(library: str, name: str, *, base: str = "", in_place: bool = False, out: bool = False) -> Operator:
    """The operator of a library's function.

    `name` is the function's with its module inside the library (``linalg.solve``); `base` where it depends on the
    arguments; `out` where an array to write was given by that keyword.
    """
    last = name.rpartition(".")[2]
    base = base or _BASES.get(name) or _BASES.get(last) or (last if library == "scipy" else name.replace(".", "_"))
    arguments = _ARGUMENTS.get(base, _BINARY)
    written: tuple[int, ...] = (0,) if in_place else ()
    if out:
        arguments = arguments if "out" in arguments else (*arguments, "out")
        written = (*written, arguments.index("out"))
    return Operator(
        name=f"{library}.{base}{'_' if in_place else ''}.{last}",
        arguments=arguments,
        written=written,
        uninitialised=last in ("empty", "empty_like"),
        replaces=out or base in ("fill", "copyto"),
        saturation=_SATURATION.get(base),
    )


def keyword(name: str) -> str:
    """PyTorch's name of a keyword argument."""
    return _KEYWORDS.get(name, name)


def product_base(left: int, right: int) -> str:
    """Of ``left @ right``, by the number of dimensions of each."""
    if left == right == 2:
        return "mm"
    if left == right == 1:
        return "dot"
    if (left, right) == (2, 1):
        return "mv"
    return "bmm" if left == right == 3 else "matmul"

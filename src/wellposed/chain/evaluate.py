"""The product of a chain of matrices, in the order that costs least."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from wellposed.chain.libraries import library_of
from wellposed.chain.operand import Operand

_known: dict[type, Callable[[Any], Any]] = {}
"""The product for the classes that were met, to find it without a detour."""


def multi_dot(
    arrays: Iterable[Any],
    *,
    out: Any = None,
    structures: Sequence[Operand | str | None] | None = None,
) -> Any:
    """The product ``arrays[0] @ arrays[1] @ … @ arrays[-1]``, multiplied in the order that costs least.

    In place of ``numpy.linalg.multi_dot`` and ``torch.linalg.multi_dot``, and for arrays of JAX, Dask, scipy.sparse,
    CuPy and whatever else follows the array API as well, by their own matrix products.

    `arrays` are matrices of shapes ``(d0, d1), (d1, d2), …``. The first and the last may be vectors, whose axis is then
    missing in the result; all may have batch dimensions in front, which broadcast as in ``numpy.matmul``. One array is
    its own product and is returned as it is. Dtypes are promoted as their library does, all operands to the dtype of
    the result before they are multiplied. Operands of PyTorch that require a gradient, while gradients are recorded,
    are ordered for the forward and the backward pass; what ``vmap`` of PyTorch or JAX maps over counts as a batch.

    `out` is where the result goes, of its shape and dtype, for NumPy and PyTorch; it may be an operand. `structures`
    declares what else is known, one entry an operand: a name of `wellposed.chain.operand.STRUCTURES`, a
    `wellposed.chain.Operand`, or None. Systems are then solved instead of inverted, diagonals scale, identities are
    skipped (see `wellposed.chain.structured`). Declarations are trusted, and not checked.

    float16 and bfloat16 are multiplied in a wider dtype where another order than the one written leaves their range,
    with a `wellposed.chain.HalfPrecisionWarning` once for each chain of shapes.

    Raises TypeError for operands of different libraries, and where `out` or `structures` do not go with the library;
    for shapes that do not fit together `numpy.linalg.LinAlgError` (a ValueError) with NumPy, RuntimeError with PyTorch,
    as their own functions do, ValueError with others; ValueError without any array.

    Orders are kept for the last 4,096 chains of shapes. Calls from several threads are safe.

    >>> import numpy
    >>> tall = numpy.ones((2000, 2))
    >>> multi_dot([tall, tall.T, numpy.ones(2000)]).shape
    (2000,)
    """
    if out is None and structures is None:
        try:
            multiply = _known[type(arrays[0])]  # type: ignore[index]
        except (KeyError, TypeError, IndexError):
            return _first_time(arrays)
        return multiply(arrays)
    operands = _listed(arrays)
    if structures is not None:
        from wellposed.chain.structured import multiply_structured

        return multiply_structured(operands, structures, out)
    library = library_of(operands)
    if not hasattr(library, "multiply_into"):
        raise TypeError(f"out is for arrays that can be written to, not for {type(operands[0]).__name__}")
    if len(operands) == 1 and not operands[0].shape:
        raise ValueError("operand 0 has the shape (), but a number is no matrix")
    return library.multiply_into(operands, out)


def _listed(arrays: Iterable[Any]) -> list[Any]:
    operands = list(arrays)
    if not operands:
        raise ValueError("multi_dot multiplies at least one array, and there is none")
    return operands


def _first_time(arrays: Iterable[Any]) -> Any:
    operands = _listed(arrays)
    library = library_of(operands)
    for kind in getattr(library, "CLASSES", ()):
        _known[kind] = library.multiply
    return library.multiply(operands)

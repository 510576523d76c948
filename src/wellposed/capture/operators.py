"""What the tape must know of an operator, told once from its schema."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# Memory as it was found: whatever lies there says nothing about the program.
_UNINITIALISED = {
    "empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided", "empty_permuted", "resize_", "resize",
    "set_", "empty_quantized", "_efficientzerotensor",
}  # fmt: skip

# These share their input's memory, though their schema does not say so.
_VIEWS_BY_NAME = {"_unsafe_view", "_reshape_alias", "lift_fresh", "_to_copy_view"}

# Where a bounded function's derivative is below 1 % of its largest value, its output is saturated:
# sigmoid' = y (1 - y) against 1/4, tanh' = 1 - y² against 1. Softmax: one class holds nearly all or nearly nothing.
_SATURATION = {
    "sigmoid": (0.0025, 0.9975),
    "tanh": (-0.995, 0.995),
    "_softmax": (-1.0, 0.9975),
    "hardtanh": (-0.995, 0.995),
    "hardsigmoid": (0.0025, 0.9975),
}

# They replace what they write without a look at it, as `out=` forms do.
_REPLACING = {"copy_", "_foreach_copy_", "fill_", "zero_", "_foreach_zero_", "normal_", "uniform_", "exponential_"}

Description = tuple[int, bool, bool, tuple[str, ...], tuple[int, ...], tuple[float, float] | None, bool]


class Operators:
    """Numbers the operators and describes each to the tape."""

    def __init__(self, announce: Callable[[tuple[object, ...]], None]):
        """`announce` receives each new operator as a row of the record's table ``operator``."""
        self._announce = announce
        self.names: dict[int, str] = {}

    def describe(self, func: Any) -> Description:
        """(number, is a view, is uninitialised, argument names, indices of written arguments, saturation range, whether
        what lay in the written arguments before makes no difference)."""
        name = str(func)
        if name.startswith("profiler."):
            return 0, False, False, (), (), None, False  # marks in a profile; number 0 tells the tape to leave it out
        number = len(self.names) + 1
        self.names[number] = name
        self._announce((number, name))
        schema = getattr(func, "_schema", None)
        short = _short_name(name)
        if schema is None:
            return number, False, False, (), (), None, False
        arguments = schema.arguments
        written = tuple(
            index for index, each in enumerate(arguments) if each.alias_info is not None and each.alias_info.is_write
        )
        aliases = any(each.alias_info is not None and not each.alias_info.is_write for each in schema.returns)
        is_view = (aliases and not written) or short in _VIEWS_BY_NAME
        return (
            number,
            is_view,
            short in _UNINITIALISED,
            tuple(each.name for each in arguments),
            tuple(index for index in written if index < 64),
            _SATURATION.get(short.rstrip("_")),
            short in _REPLACING or any(each.is_out for each in arguments),
        )


def _short_name(name: str) -> str:
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else name

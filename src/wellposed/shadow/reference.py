"""What a shadow is made of: numbers of higher precision and what can be done with them."""

from __future__ import annotations

from typing import Any, Protocol


class Reference(Protocol):
    """An arithmetic that stands for the exact one. A *shadow* is a value of it: opaque to whoever carries it along.

    `shadow/float64.py` and `shadow/double_double.py` implement this for PyTorch. Nothing here may change an argument,
    draw random numbers, or leave a trace in autograd.
    """

    name: str
    digits: float
    """Decimal digits it holds."""

    def lift(self, value: Any) -> Any:
        """The shadow that equals a floating-point tensor exactly."""

    def apply(self, operator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """`operator` on arguments in which each floating-point tensor is replaced by its shadow.

        What is returned has the structure of the operator's result, shadows for floating-point tensors, plain tensors
        for the rest. Raises NotImplementedError where the operator has no counterpart in this arithmetic.
        """

    def rounded(self, shadow: Any, like: Any) -> Any:
        """The tensor of `like`'s dtype nearest to the shadow: the best that its dtype can hold."""

    def distance(self, value: Any, shadow: Any) -> Any:
        """value − shadow, elementwise, as a float64 tensor, correct to float64 also where most digits cancel.

        `value` may be a tensor or another shadow.
        """

    def approximate(self, shadow: Any) -> Any:
        """The shadow as a float64 tensor."""

    def write(self, shadow: Any, view: Any, part: Any) -> None:
        """Put the shadow `part` into `shadow` where `view` (a function of a tensor giving a view of it) points."""

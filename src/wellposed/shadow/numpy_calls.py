"""One call of the program's between `before` and `after`: its inputs with their shadows, as they were."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from wellposed.shadow.numpy_dtypes import Array, as_array, is_floating, name_of, rounded_like, unit_roundoff
from wellposed.shadow.numpy_measure import difference, relative
from wellposed.shadow.numpy_operations import Operation, operation_of
from wellposed.shadow.numpy_reference import Reference
from wellposed.shadow.numpy_rows import Row
from wellposed.shadow.numpy_store import Found
from wellposed.shadow.numpy_tape import Read
from wellposed.shadow.numpy_trees import floating_parts, put_back, taken_out

if TYPE_CHECKING:
    from wellposed.shadow.numpy_engine import Engine


NOTHING_TO_FOLLOW = "nothing that rounds goes in"


@dataclass(slots=True)
class Call:
    """What is known before an operation runs. Lists are parallel: an item for each floating-point input."""

    operation: Operation
    template: Any = None
    """Arguments with holes for the inputs."""
    inputs: list[Any] = field(default_factory=list)
    """The program's objects."""
    before: list[Any] = field(default_factory=list)
    """What they were, for they may be written to."""
    lifted: list[Array] = field(default_factory=list)
    shadows: list[Array] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    input_errors: list[tuple[float, str]] = field(default_factory=list)
    is_clean: bool = True
    """No input is off."""
    worst_input: float = 0.0
    worst_uncertainty: float = 0.0
    uncertainty: float = 0.0
    refused: str = ""
    """Why it has no shadow."""
    row: Row | None = None
    whole: Any = None
    """For a remainder, the quotient that the program and its shadow share."""

    def in_reference(self, reference: Reference) -> Callable[[list[Array]], list[Array]]:
        """The operation as a function of its inputs' shadows."""
        template, function = self.template, self.operation.function
        if self.whole is not None:
            whole = self.whole

            def remainder(a: Any, b: Any) -> Any:
                return a - b * whole

            function = remainder

        def run(inputs: list[Array]) -> list[Array]:
            args, kwargs = put_back(template, inputs)
            parts = _parts(reference.apply(function, args, kwargs))
            return [np.asarray(part) for part in parts]

        return run

    def with_best_inputs(self, outputs: list[Any]) -> list[Array] | None:
        """The program's own kernel on the best inputs that their formats can hold; None where it gives nothing."""
        best = [rounded_like(shadow, like) for shadow, like in zip(self.shadows, self.before, strict=True)]
        if all(np.array_equal(one, other, equal_nan=True) for one, other in zip(best, self.before, strict=True)):
            return [as_array(output) for output in outputs]
        args, kwargs = put_back(self.template, best)
        try:
            parts = floating_parts(self.operation.function(*args, **kwargs))
            if len(parts) != len(outputs):
                return None
            return [
                np.broadcast_to(as_array(part).astype(as_array(output).dtype), np.shape(output))
                for part, output in zip(parts, outputs, strict=True)
            ]
        except (ArithmeticError, TypeError, ValueError, np.linalg.LinAlgError):
            return None


def opened(engine: Engine, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
    """See `Engine.before`."""
    try:
        operation = operation_of(function, args, kwargs)
    except (IndexError, KeyError, TypeError, ValueError, AttributeError):
        # The call is wrong, and NumPy is about to say so.
        return Call(
            Operation(str(getattr(function, "__name__", function)), "opaque", function, args, kwargs),
            refused=NOTHING_TO_FOLLOW,
        )
    call = Call(operation)
    call.template = taken_out((operation.args, operation.kwargs), call.inputs)
    if operation.kind == "opaque":
        call.refused = "it has no counterpart in the reference"
        return call
    if operation.kind == "smooth" and _takes_operands(operation):
        wanted = is_operand if call.inputs else is_number
        call.inputs.clear()
        call.template = (
            taken_out(operation.args, call.inputs, wanted),
            taken_out(operation.kwargs, call.inputs),
        )
    if not call.inputs:
        call.refused = NOTHING_TO_FOLLOW
        return call
    found: list[Found | None] = []
    try:
        narrow = _is_narrow(call.inputs)
        for value in call.inputs:
            found.append(_enter(engine, call, value, narrow))
    except NotImplementedError as error:
        call.refused = str(error)
        return call
    call.reads = [
        Read(one.entry.number, one.view, shadow, unit_roundoff(name_of(value)))
        if one is not None
        else Read(None, (0, (), ()), shadow)
        for one, shadow, value in zip(found, call.shadows, call.inputs, strict=True)
    ]
    return call


def _is_narrow(inputs: list[Any]) -> bool:
    """Whether Python's numbers among the inputs take part in a computation narrower than their own float64 (NEP 50)."""
    strong = [value for value in inputs if isinstance(value, (np.ndarray, np.generic))]
    return bool(strong) and all(is_floating(value) and name_of(value) != "float64" for value in strong)


def _enter(engine: Engine, call: Call, value: Any, narrow: bool) -> Found | None:
    """Note an input of `call`; a number that was never seen is a constant, and has no place in the store."""
    reference, found, error = engine.reference, None, 0.0
    if not is_floating(value):
        shadow = lifted = reference.lift(np.asarray(value).astype(np.longdouble))
    elif not isinstance(value, np.ndarray) and not engine.store.known(value):
        shadow = lifted = reference.lift(as_array(value))
    else:
        engine.taken_out.pop(id(value), None)
        found = engine.store.find(value)
        shadow, entry = found.shadow, found.entry
        call.worst_uncertainty = max(call.worst_uncertainty, entry.uncertainty)
        if entry.off is not None and entry.off[0] == found.view:
            error = entry.off[1]
        else:
            error = relative(difference(as_array(value), shadow), shadow)
            entry.off = found.view, error
        lifted = shadow if error == 0 else reference.lift(as_array(value))
    if is_floating(value):
        call.is_clean = call.is_clean and error == 0
        call.worst_input = max(call.worst_input, error)
        call.input_errors.append((error, name_of(value)))
    if narrow and shadow.dtype.char in "gG" and not isinstance(value, (np.ndarray, np.generic)):
        # float64 is reference enough here, and extended precision would spread to all that follows.
        kind = np.complex128 if shadow.dtype.char == "G" else np.float64
        lifted, shadow = lifted.astype(kind), shadow.astype(kind)
    call.before.append(value.copy() if call.operation.writes and isinstance(value, np.ndarray) else value)
    call.lifted.append(lifted)
    call.shadows.append(shadow)
    return found


def is_operand(value: Any) -> bool:
    """Whether a ufunc beside floating-point operands computes with `value`: arrays of whole numbers too."""
    return is_floating(value) or (isinstance(value, (np.ndarray, np.integer)) and value.dtype.kind in "iu")


def is_number(value: Any) -> bool:
    """`is_operand` where no operand is floating-point: whole numbers of Python's too."""
    return is_operand(value) or (isinstance(value, int) and not isinstance(value, bool))


def _takes_operands(operation: Operation) -> bool:
    """Whether all arguments are numbers to compute with, none an axis or an index."""
    function = operation.function
    return (
        isinstance(function, np.ufunc)
        or getattr(function, "__module__", "") == "_operator"
        or (operation.name in ("mean", "var", "std", "sum", "dot", "matmul", "average") and len(operation.args) == 1)
    )


def _parts(result: Any) -> list[Any]:
    """The reference's values in a result; whole numbers and truth values are not among them."""
    if isinstance(result, (np.ndarray, np.generic)):
        return [result] if result.dtype.kind in "fcO" else []
    if isinstance(result, (list, tuple)):
        return [part for member in result for part in _parts(member)]
    if isinstance(result, dict):
        return [part for member in result.values() for part in _parts(member)]
    if isinstance(result, (float, complex)) or hasattr(result, "_mpf_") or hasattr(result, "_mpc_"):
        return [result]
    return []

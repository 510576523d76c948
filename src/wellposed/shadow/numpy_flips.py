"""Where the reference would have gone another way: comparisons, indices, rounding to whole numbers.

The shadow follows the program, so that both keep computing the same thing; what differed is noted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from wellposed.shadow.numpy_dtypes import Array, as_array

if TYPE_CHECKING:
    from wellposed.shadow.numpy_calls import Call
    from wellposed.shadow.numpy_engine import Engine


def follow_the_program(engine: Engine, call: Call, outputs: list[Any], result: Any) -> list[Array] | None:
    """Shadows of the outputs where they are the program's own choice; None where the reference computes them."""
    kind = call.operation.kind
    if kind == "remainder":
        quotient = np.trunc if call.operation.name == "fmod" else np.floor
        left, right = _operands(call, call.lifted)
        call.whole = quotient(left / right)
        return None
    if kind not in ("comparing", "choosing", "rounding"):
        return None
    if kind == "rounding" and outputs:
        return _rounded(engine, call, outputs)
    if call.is_clean:
        return [engine.reference.lift(as_array(output)) for output in outputs]
    from wellposed.shadow.numpy_trees import put_back

    args, kwargs = put_back(call.template, call.shadows)
    try:
        wanted = engine.reference.apply(call.operation.function, args, kwargs)
        ours, theirs = np.asarray(result), np.asarray(wanted)
        if ours.shape == theirs.shape:
            flipped = np.asarray(ours != theirs, bool)
            engine.table.flip(int(flipped.sum()), ours.size, _margin(call, flipped) if flipped.any() else 0.0)
    except NotImplementedError as error:
        engine.table.skip(call.operation.name, str(error))
    return [engine.reference.lift(as_array(output)) for output in outputs]


def _rounded(engine: Engine, call: Call, outputs: list[Any]) -> list[Array]:
    """Whole numbers: the reference's, which are the program's, but where the two are different numbers."""
    true = call.in_reference(engine.reference)(call.shadows)
    decimals = next((value for value in call.template[0][1:2] if isinstance(value, int)), 0)
    decimals = int(call.template[1].get("decimals", decimals)) if call.operation.name in ("round", "around") else 0
    shadows = []
    for output, shadow in zip(outputs, true, strict=False):
        low = engine.reference.lift(as_array(output))
        flipped = np.asarray(np.abs(low - shadow) > 0.5 * 10.0**-decimals, bool)
        if not call.is_clean:
            engine.table.flip(int(flipped.sum()), low.size, _margin(call, flipped) if flipped.any() else 0.0)
        shadows.append(low if decimals == 0 else np.where(flipped, low, shadow))
    return shadows


def _operands(call: Call, values: list[Array]) -> tuple[Any, Any]:
    from wellposed.shadow.numpy_trees import put_back

    args, _ = put_back(call.template, values)
    return args[0], args[1]


def _margin(call: Call, flipped: Array) -> float:
    """Largest distance of the reference from the threshold where it went the other way, relative to the operands.

    For a comparison the threshold is the other operand; for the rest, the distance is that of the program's operand.
    """
    if call.operation.kind == "comparing" and len(call.template[0]) == 2:
        left, right = _operands(call, call.shadows)
    else:
        left, right = call.shadows[0], call.lifted[0]
    gap = np.abs(np.asarray(left - right))
    size = np.maximum(np.abs(left), np.abs(right))
    share = np.asarray(gap / np.where(size > 0, size, 1))
    chosen = np.broadcast_to(share, flipped.shape)[flipped] if share.size and _fits(share, flipped) else share
    chosen = chosen[np.asarray(chosen == chosen, bool)]
    return float(np.max(chosen)) if chosen.size else 0.0


def _fits(share: Array, flipped: Array) -> bool:
    try:
        return np.broadcast_shapes(share.shape, flipped.shape) == flipped.shape
    except ValueError:
        return False

"""Epsilons that a program, or a function of PyTorch's, adds or clamps to in an operation of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from wellposed.advice.epsilon import Use
from wellposed.advice.found import Found
from wellposed.advice.layers import Measurement, distribution_at
from wellposed.advice.misplacement import misplacement, numerator_alone, thrown_away
from wellposed.advice.uses import Served, quantity_of, served_by
from wellposed.record import Module, Operation, Record
from wellposed.rules.numerics.epsilon.guards import Guard, guards_of
from wellposed.rules.numerics.epsilon.oversized_epsilon import is_rounding_noise
from wellposed.rules.numerics.formulas import scalar
from wellposed.rules.numerics.limits import rounded, spacing_at
from wellposed.rules.tracing import SAME_VALUES, location, origin, producer

GUARDS = ("add", "clamp", "clamp_min", "clamp_max", "maximum")
_NAMED = frozenset(
    {
        "normalize", "pairwise_distance", "gaussian_nll_loss", "triplet_margin_loss", "poisson_nll_loss", "rms_norm",
        "cosine_embedding_loss", "layer_norm",
    }
)  # fmt: skip
"""Functions of PyTorch's that do it in Python."""
OUTWEIGHS = 2.0**24
"""1/u of float32: a quotient so much larger than its numerators drowns all that it is added to."""
_NEAR = 10.0
"""Quantity over epsilon: closer than this the epsilon, not the quantity, decides how large a quotient gets."""

Backward = Mapping[int, list[Operation]]
"""Backward operations by the forward operation that they differentiate."""


def guard_epsilons(
    record: Record,
    operation: Operation,
    measured: Mapping[int, Measurement],
    modules: Mapping[str, Module],
    backward: Backward,
) -> Iterator[Found]:
    """The epsilons of this operation: none where its small number protects nothing, two of a clamp on both sides."""
    guards = list(guards_of(operation))
    if not guards or operation.output is None:
        return
    served = served_by(record, operation)
    for guard in guards:
        found = _judge_place(record, guard, served, measured, modules, backward)
        if found is not None:
            yield found


def _judge_place(
    record: Record,
    guard: Guard,
    served: Served | None,
    measured: Mapping[int, Measurement],
    modules: Mapping[str, Module],
    backward: Backward,
) -> Found | None:
    operation = guard.operation
    output = operation.output
    clamps = operation.base != "add"
    misplaced = misplacement(record, guard, served, backward)
    if misplaced is None and served is None:
        misplaced = numerator_alone(record, guard) or (thrown_away(record, guard) if clamps else None)
    if output is None or (served is None and misplaced is None):
        return None
    ineffective = _ineffective(guard, served)
    if not guard.upper and guard.epsilon >= 1 and not ineffective:
        return None
    use: Use = served.use if served is not None else misplaced.use if misplaced is not None else "quotient"
    operand = operation.inputs[0]
    protected = None if guard.upper else distribution_at(operation, operand, measured)
    quotient = served.operation if served is not None else None
    kept_in = quotient.output.dtype if quotient is not None and quotient.output is not None else output.dtype
    path = (served.path | {served.operation.id}) if served is not None else frozenset({operation.id})
    quantity = quantity_of(record, operand, use)
    typical = protected.typical if protected is not None else 0.0
    return Found(
        where=location(operation),
        kind=_kind(record, operation, use, quantity, modules, clamps=clamps),
        use=use,
        value=_written(record, guard),
        dtype=output.dtype,
        forward_dtype=kept_in,
        backward_dtype=kept_in,
        quantity="distance to 1" if guard.upper else quantity,
        protected=protected,
        clamps=clamps,
        upper=guard.upper,
        literal_power=quotient is not None and quotient.base in ("rsqrt", "pow"),
        differentiated=any(each in backward for each in path),
        misplaced=misplaced.why if misplaced is not None else "",
        unguarded=misplaced.unguarded if misplaced is not None else None,
        ineffective=ineffective,
        spoilt="" if guard.upper or served is None else _spoilt(served, guard, backward, path),
        noise=is_rounding_noise(record, operation, typical),
        operation=operation,
    )


def _written(record: Record, guard: Guard) -> float:
    """The number as the program wrote it, where it became a tensor on the way."""
    made = producer(record, guard.operation.input("min"))
    number = scalar(made, "s") if made is not None and made.base == "scalar_tensor" else None
    return guard.epsilon if number is None or guard.upper else abs(number)


def _ineffective(guard: Guard, served: Served | None) -> str:
    operation, dtype = guard.operation, guard.operation.output.dtype if guard.operation.output else "float32"
    held = rounded(guard.epsilon, dtype)
    if guard.upper or guard.epsilon >= 1:
        return f"{guard.epsilon!r} is {held:g} in {dtype}" if held == round(held) else ""
    before = operation.inputs[0].statistics
    if operation.base == "add" and served is not None and served.subtracted and before is not None and not before.zero:
        largest, smallest = before.largest_magnitude, before.smallest_nonzero
        # Half an ulp is rounded away; the tie goes to the even number, which is what is there already or its neighbour.
        if guard.epsilon < spacing_at(smallest, dtype) / 4:
            return f"{largest:g} + {guard.epsilon:g} is {largest:g} in {dtype}, before something is subtracted from it"
    return ""


def _spoilt(served: Served, guard: Guard, backward: Backward, path: frozenset[int]) -> str:
    """What came of the quotient in spite of the guard; empty where nothing did."""
    quotient = served.operation
    result = quotient.output.statistics if quotient.output is not None else None
    if result is not None and result.nonfinite and not any(each.nonfinite for each in quotient.inputs):
        return f"the results hold {result.nonfinite} NaN or infinities"
    for operation in (each for forward in path for each in backward.get(forward, ())):
        made = sum(each.nonfinite for each in operation.outputs)
        if made and not any(each.nonfinite for each in operation.inputs):
            return f"the gradient holds {made} NaN or infinities"
    above = quotient.inputs[0].statistics if len(quotient.inputs) > 1 else None
    below = guard.operation.inputs[0].statistics
    if served.use not in ("quotient", "root quotient") or result is None or above is None or below is None:
        return ""
    reached = below.smallest_magnitude < _NEAR * guard.epsilon
    if reached and result.largest_magnitude > OUTWEIGHS * above.root_mean_square > 0:
        times = result.largest_magnitude / above.root_mean_square
        return f"a quotient is {times:.1e} times as large as its numerators usually are"
    return ""


def _kind(
    record: Record, operation: Operation, use: Use, quantity: str, modules: Mapping[str, Module], *, clamps: bool
) -> str:
    called = operation.site.library_function if operation.site is not None else None
    if called in _NAMED and called is not None:
        return called
    module = modules.get(operation.module)
    name = module.kind.rsplit(".", 1)[-1] if module is not None else ""
    if name.endswith("Norm"):
        return name
    if _is_cosine_similarity(record, operation):
        return "cosine_similarity"
    # Overloads for a bare number are called from C++ alone.
    if operation.operator == "aten.add.Scalar" and use == "norm":
        return "pairwise_distance"
    if clamps:
        return "clamp"
    if use in ("quotient", "root quotient"):
        by_hand = {
            "standard deviation": "standardisation", "variance": "standardisation", "mean of squares": "rms_norm",
            "root mean square": "rms_norm", "norm": "normalisation", "sum of squares": "normalisation",
        }  # fmt: skip
        return f"{by_hand[quantity]} by hand" if quantity in by_hand else "denominator"
    return str(use)


def _is_cosine_similarity(record: Record, operation: Operation) -> bool:
    """PyTorch clamps copies of both norms to one tensor made of the number."""
    bound = operation.input("min")
    if operation.base != "clamp_min" or bound is None or scalar(operation, "min") is not None:
        return False
    made, norm = producer(record, bound), origin(record, operation.inputs[0], SAME_VALUES)
    return (
        made is not None
        and made.base == "scalar_tensor"
        and norm is not None
        and norm.base in ("linalg_vector_norm", "norm")
    )

"""How much of the error of each declared output each operator caused.

To first order an output is off by Σ ⟨adjoint of y, ρ⟩ over all operators, with the adjoints of the float64 run: the
forward error analysis that ADAPT (SC 2018) and CHEF-FP (IPDPS 2023) do for scalar programs. The sum is checked against
the true error. Where it fails, because a branch flipped, a value overflowed, or the error is too large for first order,
the float64 run is repeated with the errors of one place at a time put back in.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass, field

import torch

from wellposed.shadow.measure import unit_roundoff
from wellposed.shadow.outputs import Declared
from wellposed.shadow.rerun import needed_for, rerun
from wellposed.shadow.result import Attribution
from wellposed.shadow.tape import Spot, Tape

LARGE_RESIDUAL = 0.2
"""Part of the true error that first order may leave unexplained before single places are re-executed."""
WORTH_EXPLAINING = 8
"""Units of roundoff; an output with a smaller error is as good as its dtype can make it."""
MOST_OUTPUTS = 4
MOST_PLACES = 16
MOST_REEXECUTED = 20_000
"""Operators, over all re-executions."""


@dataclass(slots=True)
class Attributed:
    """What attribution found, over the outputs that have an error."""

    outputs: dict[int, Attribution] = field(default_factory=dict)
    """By index of the declared output."""
    shares: dict[Hashable, float] = field(default_factory=dict)
    """By place: part of the error it caused, of the output where that is largest."""
    through: dict[Hashable, float] = field(default_factory=dict)
    """By place: part of the error that passes through it, wherever it was caused."""
    formula: dict[Hashable, float] = field(default_factory=dict)
    """By place: λ relative to the result, each element weighted by what of it reaches the output; only where a few
    elements are hit."""
    reaching: set[Hashable] = field(default_factory=set)
    """Places whose result reaches a declared output in the data flow."""
    notes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Sums:
    caused: dict[Hashable, list[torch.Tensor]] = field(default_factory=dict)
    passing: dict[Hashable, list[torch.Tensor]] = field(default_factory=dict)
    inherent: list[torch.Tensor] = field(default_factory=list)
    """For each value that the run started from, the squared effect of rounding it."""
    formula: dict[Hashable, list[torch.Tensor]] = field(default_factory=dict)


def attribute(tape: Tape, outputs: list[Declared]) -> Attributed:
    """Shares of the declared outputs' error. Leaves the random state and the program's tensors alone."""
    found = Attributed()
    if tape.given_up:
        found.notes.append(f"no attribution: {tape.given_up}")
        return found
    placed = [(index, each) for index, each in enumerate(outputs) if each.spot is not None]
    spots = [(each.spot, each.position) for _, each in placed if each.spot is not None]
    found.reaching = {tape.calls[index].key for index in needed_for(tape, spots)} - {None}
    wrong = sorted((pair for pair in placed if pair[1].seed is not None), key=lambda pair: -pair[1].relative_error)
    if len(wrong) > MOST_OUTPUTS:
        found.notes.append(f"attribution of the {MOST_OUTPUTS} outputs with the largest errors, of {len(wrong)}")
    wrong = wrong[:MOST_OUTPUTS]
    if not wrong:
        return found
    try:
        with torch.inference_mode(False), torch.enable_grad(), torch.autocast("cpu", enabled=False):
            _first_order(tape, wrong, found)
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
        found.notes.append(f"no attribution: the operators could not be run again in float64 ({reason})")
    return found


def _first_order(tape: Tape, wrong: list[tuple[int, Declared]], found: Attributed) -> None:
    spots = [(each.spot, each.position) for _, each in wrong if each.spot is not None]
    indices = needed_for(tape, spots)
    sums = _Sums()

    def watch(index: int, output: int, value: torch.Tensor) -> torch.Tensor:
        if not value.requires_grad:
            value = value.detach().requires_grad_()
        call = tape.calls[index]
        rounding = call.rounding[output] if output < len(call.rounding) else None
        total = call.total[output] if output < len(call.total) else None
        formula = call.formula.get(output)
        if rounding is None and total is None and formula is None:
            return value

        def hook(adjoint: torch.Tensor | None) -> None:
            if adjoint is None:
                return
            with torch.no_grad():
                if rounding is not None:
                    sums.caused.setdefault(call.key, []).append(_dot(adjoint, rounding))
                if total is not None:
                    sums.passing.setdefault(call.key, []).append(_dot(adjoint, total))
                if formula is not None:
                    size = (adjoint * value).abs().sum().clamp(min=1e-300)
                    sums.formula.setdefault(call.key, []).append(_dot(adjoint, formula) / size)

        value.register_hook(hook)  # type: ignore[no-untyped-call]
        return value

    def start(value: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        if not dtype.is_floating_point or not value.is_floating_point():
            return value
        value = value.detach().requires_grad_()
        unit = unit_roundoff(dtype)

        def hook(adjoint: torch.Tensor | None) -> None:
            if adjoint is not None:
                with torch.no_grad():
                    sums.inherent.append((adjoint * value * unit).nan_to_num(0.0, 0.0, 0.0).square().sum())

        value.register_hook(hook)  # type: ignore[no-untyped-call]
        return value

    values, cut = rerun(tape, indices, watch, spots, start)
    for name in sorted(cut):
        found.notes.append(f"no derivative of {name}: what passes through it is not attributed")
    for place, ((number, output), value) in enumerate(zip(wrong, values, strict=True)):
        sums.caused.clear()
        sums.passing.clear()
        sums.formula.clear()
        sums.inherent.clear()
        if value.requires_grad and output.seed is not None:
            seed = output.seed.to(value.dtype).reshape(value.shape)
            torch.autograd.backward([value], [seed], retain_graph=place + 1 < len(values))
        caused = {key: _total(each) for key, each in sums.caused.items()}
        explained = math.fsum(each for each in caused.values() if math.isfinite(each))
        of, true = output.of, output.true_error
        residual = (true - explained) / abs(true)
        linear = abs(residual) <= LARGE_RESIDUAL and all(map(math.isfinite, caused.values()))
        if not linear and output.relative_error > WORTH_EXPLAINING * unit_roundoff(output.dtype):
            again = _one_at_a_time(tape, indices, output, value.detach(), caused)
            if again is not None:
                caused, of = again, f"{output.of}; the shares by putting back the error of one place at a time"
        _enter(found, caused, {key: _largest(each) / abs(true) for key, each in sums.passing.items()})
        for key, terms in sums.formula.items() if linear else ():
            found.formula[key] = max(found.formula.get(key, 0.0), _largest(terms))
        inherent = math.sqrt(_total(sums.inherent)) if sums.inherent else 0.0
        if cut:
            inherent = math.nan  # what passes through an operator without derivative is not in it
        found.outputs[number] = Attribution(true, explained, residual, of, inherent)


def _one_at_a_time(
    tape: Tape, indices: list[int], output: Declared, right: torch.Tensor, caused: dict[Hashable, float]
) -> dict[Hashable, float] | None:
    """The effect on the output of each place's rounding errors alone; None where there is too much to run."""
    assert output.spot is not None and output.seed is not None
    spot: Spot = output.spot
    sizes: dict[Hashable, float] = {}
    for index in indices:
        call = tape.calls[index]
        for each in call.rounding:
            if each is not None and call.key is not None:
                length = float(torch.linalg.vector_norm(each))
                sizes[call.key] = max(sizes.get(call.key, 0.0), length if length == length else math.inf)

    def importance(key: Hashable) -> float:
        value = abs(caused.get(key, math.inf))
        return value if math.isfinite(value) else math.inf

    keys = sorted(sizes, key=lambda key: (-importance(key), -sizes[key]))
    keys = keys[: min(MOST_PLACES, MOST_REEXECUTED // max(1, len(indices)))]
    if not keys:
        return None
    effects: dict[Hashable, float] = {}
    with torch.no_grad():
        for key in keys:

            def put_back(index: int, number: int, value: torch.Tensor, key: Hashable = key) -> torch.Tensor:
                call = tape.calls[index]
                rounding = call.rounding[number] if call.key == key and number < len(call.rounding) else None
                return value if rounding is None else value + rounding.to(value.dtype)

            (moved,), _ = rerun(tape, indices, put_back, [(spot, output.position)])
            effects[key] = _dot_of(moved - right, output.seed)
    return effects


def _enter(found: Attributed, caused: dict[Hashable, float], passing: dict[Hashable, float]) -> None:
    infinite = [key for key, each in caused.items() if not math.isfinite(each)]
    whole = math.fsum(abs(each) for each in caused.values() if math.isfinite(each))
    for key, each in caused.items():
        share = (1 / len(infinite) if key in infinite else 0.0) if infinite else (abs(each) / whole if whole else 0.0)
        found.shares[key] = max(found.shares.get(key, 0.0), share)
    for key, each in passing.items():
        found.through[key] = max(found.through.get(key, 0.0), each)


def _dot(adjoint: torch.Tensor, error: torch.Tensor) -> torch.Tensor:
    # Where the derivative is 0 an infinite error does not arrive.
    product = adjoint.conj() * error.to(adjoint.dtype) if adjoint.is_complex() else adjoint * error
    product = torch.where(adjoint == 0, torch.zeros_like(product), product)
    return (product.real if product.is_complex() else product).sum(dtype=torch.float64)


def _dot_of(difference: torch.Tensor, seed: torch.Tensor) -> float:
    return float(_dot(seed.reshape(difference.shape), difference))


def _total(terms: list[torch.Tensor]) -> float:
    return float(torch.stack(terms).sum())


def _largest(terms: list[torch.Tensor]) -> float:
    value = float(torch.stack(terms).abs().amax())
    return value if value == value else math.inf

"""The errors of one call: rounding, formula, propagated, and the bits that cancelled."""

from __future__ import annotations

import math
from typing import Any

import torch

from wellposed.shadow import measure
from wellposed.shadow.as_it_is import AsItIs
from wellposed.shadow.call import Operand, Token
from wellposed.shadow.measure import Errors, norm, relative, weight
from wellposed.shadow.reference import Reference
from wellposed.shadow.sharing import run_in_reference
from wellposed.shadow.trees import is_real, mapped, mapped_keywords

FLAGGED = 32.0
"""Units of roundoff: 5 bits, the limit above which Herbgrind (PLDI 2018) calls an operation's own error large."""

_DIFFERENCES = {"add", "sub", "rsub", "_foreach_add", "_foreach_sub"}
_SUMS = {"sum", "mean", "cumsum", "nansum", "trace"}
_PRODUCTS = {"mm", "bmm", "addmm", "baddbmm", "dot", "vdot", "mv", "addmv", "addbmm", "convolution", "linear"}
ACCUMULATING = _SUMS | _PRODUCTS | {
    "var", "std", "var_mean", "std_mean", "logsumexp", "linalg_vector_norm", "norm", "index_add", "scatter_add",
    "index_put", "embedding_dense_backward", "logcumsumexp", "cumprod", "prod",
}  # fmt: skip


class Comparison:
    """What a call gave, beside what the reference gives for its inputs and for the exact ones."""

    def __init__(self, reference: Reference, token: Token, low: list[Any], outcome: list[Any]) -> None:
        self._reference = reference
        self._token = token
        self._low = low
        self._outcome = outcome
        self._judged = [
            index
            for index, each in enumerate(low)
            if isinstance(each, torch.Tensor)
            and is_real(each)
            and index < len(outcome)
            and outcome[index] is not None
            and (not isinstance(outcome[index], torch.Tensor) or outcome[index].shape == each.shape)
        ]
        inexact = [each for each in token.inputs if each.shadow is not None]
        self._of_own_inputs: list[Any] | None = self._again(low) if inexact else None
        """f(x̂) in the reference; None where it is the outcome itself."""
        self._inexact = inexact
        self._total: dict[int, torch.Tensor] = {}
        self._rounding: dict[int, torch.Tensor] = {}
        for index in self._judged:
            self._total[index] = self._distance(low[index], outcome[index])
            again = self._of_own_inputs
            self._rounding[index] = self._total[index] if again is None else self._distance(low[index], again[index])
        self.large_somewhere: dict[int, torch.Tensor] = {}
        """λ of an output, kept where it is small as a whole and large for some elements."""
        self.lengths: list[float] = [math.inf] * len(low)
        """2-norm of each output's whole error."""
        self._sizes = [0.0] * len(low)
        self._rounding_lengths = [0.0] * len(low)
        self._fetch_lengths()

    def roundings(self) -> list[torch.Tensor | None]:
        return [self._kept(self._rounding, self._rounding_lengths, index) for index in range(len(self._low))]

    def totals(self) -> list[torch.Tensor | None]:
        return [self._kept(self._total, self.lengths, index) for index in range(len(self._low))]

    def measure(self, worst_so_far: float) -> Errors | None:
        """Of the output that lost most; None where no output is real, or where it lost no more than `worst_so_far`."""
        judged = self._judged[:1] if self._token.description.first_counts else self._judged
        judged = [each for each in judged if self._low[each].numel()]
        if not judged:
            return None
        worst = max(judged, key=lambda each: relative(self.lengths[each], self._sizes[each]))
        low, shadow, size = self._low[worst], self._outcome[worst], self._sizes[worst]
        rounding = relative(self._rounding_lengths[worst], size)
        total = relative(self.lengths[worst], size)
        propagated = self._propagated(worst, size)
        entered = max((relative(each.error, each.size) for each in self._inexact), default=0.0)
        formula = self._formula(worst, size, total)
        if weight(formula, total) <= worst_so_far:
            return None
        coarsest = self._coarsest(low.dtype)
        unit = measure.unit_roundoff(coarsest)
        cancelled = self._cancelled_bits(worst, size, formula > FLAGGED * unit)
        digits_in = min(
            (
                measure.digits_left(relative(each.error, each.size), measure.digits_held(each.tensor.dtype))
                for each in self._token.inputs
            ),
            default=measure.digits_held(low.dtype),
        )
        return Errors(
            dtype=low.dtype,
            coarsest=coarsest,
            elements=low.numel(),
            rounding=rounding,
            formula=formula,
            propagated=propagated,
            total=total,
            amplification=relative(propagated, entered) if entered else 0.0,
            cancelled_bits=cancelled,
            digits_in=digits_in,
            digits=measure.significant(self._total[worst], self._reference.approximate(shadow), low.dtype),
            limited=self._limited(low.dtype, cancelled, formula / unit),
        )

    def terms(self) -> int:
        """How many numbers were added up for one element of the result."""
        if self._token.description.base not in ACCUMULATING or not self._judged:
            return 1
        out = self._low[self._judged[0]].numel()
        inputs = [each.tensor for each in self._token.inputs]
        if not out or not inputs:
            return 1
        if self._token.description.base in _PRODUCTS and len(inputs) >= 2:
            left, right = inputs[-2], inputs[-1]
            if self._token.description.base == "convolution":
                left, right = inputs[0], inputs[1]
                return max(1, right.numel() // max(1, right.shape[0]))
            return max(1, left.shape[-1])
        base = self._token.description.base
        along = max(inputs[0].shape, default=1) if base in ("cumsum", "logcumsumexp", "cumprod") else 0
        return int(along or max(1, max(each.numel() for each in inputs) // out))

    def _again(self, low: list[Any]) -> list[Any] | None:
        wide = {}
        for key, each in self._token.operands.items():
            wide[key] = each.wide if each.wide is not None else each.shadow_or_lifted
        return self._run(self._reference, lambda tensor: wide.get(id(tensor), tensor), low)

    def _run(self, reference: Any, change: Any, low: list[Any]) -> list[Any] | None:
        token = self._token
        args, kwargs = mapped(token.args, change), mapped_keywords(token.kwargs, change)
        try:
            return run_in_reference(reference, token.description, args, kwargs, low)[0]
        except Exception:
            return None

    def _distance(self, value: torch.Tensor, shadow: Any) -> torch.Tensor:
        return self._reference.distance(value, shadow)  # type: ignore[no-any-return]

    def _fetch_lengths(self) -> None:
        if not self._judged:
            return
        wanted = []
        for index in self._judged:
            wanted += [
                norm(self._total[index]),
                norm(self._reference.approximate(self._outcome[index])),
                norm(self._rounding[index]),
            ]
        device = wanted[0].device
        values = torch.stack([each if each.device == device else each.to(device) for each in wanted]).tolist()
        for place, index in enumerate(self._judged):
            error, size, rounding = values[3 * place : 3 * place + 3]
            if not all(math.isfinite(each) for each in (error, size, rounding)):
                error, size, rounding = self._without_infinities(index)
            self.lengths[index], self._sizes[index], self._rounding_lengths[index] = error, size, rounding

    def _without_infinities(self, index: int) -> tuple[float, float, float]:
        """The lengths where some elements are infinite or NaN: those that are so on both sides are right."""
        low, shadow = self._low[index], self._reference.approximate(self._outcome[index])
        again = shadow
        if self._of_own_inputs is not None:
            again = self._reference.approximate(self._of_own_inputs[index])
        self._total[index] = measure.finite_difference(self._total[index], low, shadow)
        self._rounding[index] = measure.finite_difference(self._rounding[index], low, again)
        finite = torch.where(shadow.isfinite(), shadow, torch.zeros_like(shadow))
        lengths = [float(norm(each)) for each in (self._total[index], finite, self._rounding[index])]
        error, size, rounding = (each if each == each else math.inf for each in lengths)
        return error, size, rounding

    def _propagated(self, worst: int, size: float) -> float:
        if self._of_own_inputs is None:
            return 0.0
        again = self._of_own_inputs[worst]
        difference = self._distance(again, self._outcome[worst])
        length = float(norm(difference))
        if not math.isfinite(length):
            value, shadow = self._reference.approximate(again), self._reference.approximate(self._outcome[worst])
            length = float(norm(measure.finite_difference(difference, value, shadow)))
        return relative(length, size)

    def _formula(self, worst: int, size: float, total: float) -> float:
        """λ: the operator of low precision on the best inputs that its dtypes can hold."""
        rounded: dict[int, torch.Tensor] = {}
        same = True
        for key, each in self._token.operands.items():
            if each.shadow is None:
                rounded[key] = each.low
                continue
            nearest = self._reference.rounded(each.shadow, each.tensor)
            same = same and torch.equal(nearest, each.low)
            rounded[key] = nearest
        if same:
            self._note_elements(worst, self._total[worst], total)
            return total
        again = self._run(AsItIs(), lambda tensor: rounded.get(id(tensor), tensor), self._low)
        if again is None or not isinstance(again[worst], torch.Tensor):
            return total
        low, shadow = self._low[worst], self._outcome[worst]
        value = again[worst].to(low.dtype)
        difference = self._distance(value, shadow)
        length = float(norm(difference))
        if not math.isfinite(length):
            length = float(norm(measure.finite_difference(difference, value, self._reference.approximate(shadow))))
        else:
            self._note_elements(worst, difference, relative(length, size))
        return relative(length if length == length else math.inf, size)

    def _note_elements(self, index: int, difference: torch.Tensor, formula: float) -> None:
        """Keeps λ where the few elements that it hits may be all that an output depends on."""
        limit = FLAGGED * measure.unit_roundoff(self._coarsest(self._low[index].dtype))
        if formula > limit or difference.is_complex() or not self._token.taped:
            return
        if bool((difference.abs() > limit * self._reference.approximate(self._outcome[index]).abs()).any()):
            self.large_somewhere[index] = difference

    def _coarsest(self, dtype: torch.dtype) -> torch.dtype:
        """The coarsest dtype that takes part: no operator can be expected to do better than its inputs."""
        return max((dtype, *(each.tensor.dtype for each in self._token.inputs)), key=measure.unit_roundoff)

    def _cancelled_bits(self, worst: int, size: float, flagged: bool) -> float:
        base = self._token.description.base
        if base in _DIFFERENCES:
            largest = self._largest_operand(worst)
        elif base in _SUMS or (base in _PRODUCTS and flagged):
            largest = self._of_magnitudes(worst)
        else:
            return 0.0
        if size == 0:
            return 0.0 if largest == 0 else math.inf
        return max(0.0, math.log2(largest / size)) if 0 < largest < math.inf else 0.0

    def _largest_operand(self, worst: int) -> float:
        """2-norm of the larger operand of a sum or difference, broadcast as the operator did."""
        elements = self._low[worst].numel()
        sizes = [0.0]
        alpha = self._token.kwargs.get("alpha", 1)
        for position, each in enumerate(self._token.args[:2]):
            factor = abs(alpha) if position == 1 and isinstance(alpha, (int, float)) else 1
            if isinstance(each, (list, tuple)):
                each = each[worst] if worst < len(each) else 0
            if isinstance(each, torch.Tensor):
                operand = self._token.operands.get(id(each))
                if operand is not None and each.numel():
                    sizes.append(self._size_of(operand) * math.sqrt(elements / each.numel()) * factor)
            elif isinstance(each, (int, float)):
                sizes.append(abs(each) * math.sqrt(elements) * factor)
        return max(sizes)

    def _size_of(self, operand: Operand) -> float:
        if operand.shadow is None:
            operand.size = float(norm(self._reference.approximate(operand.shadow_or_lifted)))
        return operand.size

    def _of_magnitudes(self, worst: int) -> float:
        """2-norm of the same sum over absolute values."""
        magnitudes: dict[int, Any] = {}
        for key, each in self._token.operands.items():
            if not isinstance(each.shadow_or_lifted, torch.Tensor):
                return 0.0
            magnitudes[key] = each.shadow_or_lifted.abs()
        again = self._run(self._reference, lambda tensor: magnitudes.get(id(tensor), tensor), self._low)
        return float(norm(self._reference.approximate(again[worst]))) if again is not None else 0.0

    def _limited(self, dtype: torch.dtype, cancelled: float, condition: float) -> bool:
        """Whether the reference keeps fewer than three digits here, or can see no error of this dtype at all."""
        condition = max(2.0 ** min(cancelled, 1000.0), condition if condition < math.inf else 1.0)
        lost = 10**-self._reference.digits * condition
        blind = measure.digits_held(dtype) >= self._reference.digits and cancelled >= math.log2(FLAGGED)
        return lost > 1e-3 or blind

    @staticmethod
    def _kept(errors: dict[int, torch.Tensor], lengths: list[float], index: int) -> torch.Tensor | None:
        """In float32, which is enough for an error, unless it is too small for that; None where there is none."""
        found = errors.get(index)
        if found is None or lengths[index] == 0:
            return None
        if found.is_complex() or not 1e-25 < lengths[index] < 1e30:
            return found
        return found.to(torch.float32)

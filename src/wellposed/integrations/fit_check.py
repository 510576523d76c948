"""Puts a prediction to the test: does the run break as told, and do the modules in float32 heal it?"""

from __future__ import annotations

import math

import torch

from wellposed.advice.fit_model import Fit
from wellposed.advice.fit_outcome import Check, Member, Outcome
from wellposed.integrations.fake_precision import OUTSIDE, FakePrecision
from wellposed.integrations.fit_local import Replay, agreement
from wellposed.integrations.fit_run import Pass, Setting, outcome
from wellposed.integrations.fit_updates import check_updates

_NATIVE = ("float16", "bfloat16")
_ROUNDED = "float32 kernels, results rounded"
_NO_KERNEL = (
    "not implemented",
    "same dtype",
    "expected scalar type",
    "should be the same",
    "Unsupported dtype",
    "cannot be copied",
)
"""What PyTorch says of a kernel that is missing, or of one that wants all its operands in one dtype: no verdict on the
model, so rounding is to tell."""
_MOST_GROWTH = 12
"""Modules that are added where the predicted ones do not suffice."""
_MOST_RUNS = 60
"""Passes after which the search for the smallest set ends where it is."""
_MOSTLY = 0.5
_MOST_HALVINGS = 12


class Checker:
    """Runs the same batch again and again, each time with other modules in float32."""

    def __init__(self, setting: Setting, fit: Fit, replay: Replay):
        self._setting = setting
        self._fit = fit
        self._replay = replay
        self._runs = 0
        self._native = setting.target.name in _NATIVE
        """Whether mixed precision runs on the format's own kernels; else rounding stands for them."""
        self._reference = Pass(math.nan, {})

    def check(self, optimizer: torch.optim.Optimizer | None) -> Check:
        """Everything that is checked by running."""
        self._reference = self._setting.reference()
        pure = self._pure()
        scale = self._fit.scale.scale if self._fit.scale else 1.0
        keep, scale = self._grown([each.module for each in self._fit.keep], scale)
        members, mixed, minimal = self._shrunk(keep, scale)
        overflows, vanishes = agreement(self._fit, self._replay)
        return Check(
            overflows=overflows,
            vanishes=vanishes,
            simulated=tuple(sorted(self._replay.simulated)),
            pure=pure,
            mixed=mixed,
            keep=members,
            minimal=minimal,
            scale=scale,
            updates=check_updates(self._setting, self._reference, optimizer),
            runs=self._runs + 1,
        )

    def _pure(self) -> Outcome:
        """Everything in the format, by its own kernels where it has them."""
        target = self._setting.target
        kind = f"all in {target.name}"
        if target.name in _NATIVE:
            self._runs += 1
            found = self._setting.native()
            if not any(words in found.error for words in _NO_KERNEL):
                return outcome(kind, f"{target.name} kernels", found, self._reference, target)
        return self._rounded((), 1.0, outside=True, kind=kind)[0]

    def _try(self, keep: list[str], scale: float) -> Outcome:
        """Mixed precision with these modules in float32."""
        if self._native:
            self._runs += 1
            found = self._setting.mixed(keep, scale)
            if not any(words in found.error for words in _NO_KERNEL):
                kernels = f"{self._setting.target.name} kernels"
                return outcome("mixed", kernels, found, self._reference, self._setting.target)
            self._native = False
        return self._rounded(keep, scale)[0]

    def _rounded(
        self, keep: list[str] | tuple[()], scale: float, *, outside: bool = False, kind: str = "mixed"
    ) -> tuple[Outcome, FakePrecision]:
        self._runs += 1
        found, mode = self._setting.rounded(keep, scale, outside=outside)
        return outcome(kind, _ROUNDED, found, self._reference, self._setting.target), mode

    def _grown(self, keep: list[str], scale: float) -> tuple[list[str], float]:
        """Modules until the run survives: where the predicted ones do not suffice, the first in which something still
        overflows. A loss scale that is too high for rounded gradients is halved, as a GradScaler would."""
        for _ in range(_MOST_GROWTH):
            result = self._try(keep, scale)
            for _ in range(_MOST_HALVINGS):
                if result.survives or not _only_gradients_break(result):
                    break
                scale /= 2
                result = self._try(keep, scale)
            if result.survives:
                break
            _, mode = self._rounded(keep, scale)
            broken = [scope for scope, seen in mode.seen.items() if seen.overflow and scope not in (*keep, OUTSIDE)]
            if not broken:
                break
            keep = [*keep, broken[0]]
        return keep, scale

    def _shrunk(self, keep: list[str], scale: float) -> tuple[tuple[Member, ...], Outcome, bool]:
        """Without each in turn: what still survives goes. Then none can be left out, which the last round shows."""
        result = self._try(keep, scale)
        if not result.survives:
            return tuple(Member(each, "the run breaks with it as well") for each in keep), result, False
        needed: dict[str, str] = {}
        shrinks = True
        while shrinks:
            shrinks, needed = False, {}
            # The least serious come last and are tried first. Once one has gone, the others are asked again.
            for module in reversed(keep):
                if self._runs >= _MOST_RUNS:
                    return tuple(Member(each, needed.get(each, "not tried")) for each in keep), result, False
                tried = self._try([each for each in keep if each != module], scale)
                if tried.survives:
                    keep, result, shrinks = [each for each in keep if each != module], tried, bool(needed)
                else:
                    needed[module] = _what_breaks(tried)
        return tuple(Member(each, needed[each]) for each in keep), result, True


def _only_gradients_break(result: Outcome) -> bool:
    return not result.error and math.isfinite(result.loss) and result.gradients_nonfinite > 0


def _what_breaks(result: Outcome) -> str:
    if result.error:
        return result.error
    if not math.isfinite(result.loss):
        return f"the loss is {result.loss}"
    if result.gradients_nonfinite:
        return f"{result.gradients_nonfinite:,} elements of the gradients are not finite"
    if not result.gradient_cosine >= 0.99 and result.loss_error > 0.01:
        return f"the loss is {result.loss:.4g}, in float32 {result.reference_loss:.4g}"
    if result.gradients_lost > _MOSTLY:
        return f"{100 * result.gradients_lost:.0f} % of the gradients are lost"
    turned = f"at a cosine of {result.gradient_cosine:.2f}"
    return f"gradients are {result.gradient_ratio:.2g} times as long as in float32, {turned}"

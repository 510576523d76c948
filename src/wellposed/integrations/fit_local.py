"""Each operator once more in the format, on the operands of the float32 run: what a prediction is held against."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.utils._pytree import tree_flatten, tree_map

from wellposed.advice.fit_model import Fit
from wellposed.advice.fit_outcome import Agreement
from wellposed.advice.formats import Target
from wellposed.integrations.fake_precision import is_wide, round_to

_OPAQUE = ("workspace", "reserve", "reserveSpace")
"""Operands that only the kernel which made them can read, in the dtype in which it made them."""
_NATIVE = ("float16", "bfloat16")
"""Formats in which PyTorch computes; the 8-bit ones are for storage, and for matrix products of some devices."""


class Replay:
    """Runs operators again, told of each by the recorder, which has left its dispatch mode by then."""

    def __init__(self, target: Target):
        self._target = target
        self._dtype: torch.dtype = getattr(torch, target.name)
        self.finite: set[int] = set()
        """Operations of whose operands nothing overflows: an infinity is their own doing."""
        self.whole: set[int] = set()
        """Those of whose operands nothing vanishes either: a zero is their own doing."""
        self.overflowed: set[int] = set()
        self.vanished: set[int] = set()
        self.simulated: set[str] = set()
        """Operators without a kernel of the format."""

    @torch.no_grad()
    def operation(self, number: int, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> None:
        """`number` is the operation's id in the record. An operator that draws random numbers or writes into its
        operands is passed over: running it again would disturb the program. So is one whose result is not its operands'
        doing: memory that nobody wrote to yet, or a kernel's own notes from forward."""
        name = func._schema.name
        if getattr(func, "is_view", False) or func._schema.is_mutable or torch.Tag.nondeterministic_seeded in func.tags:
            return
        if "empty" in name or any(argument.name in _OPAQUE for argument in func._schema.arguments):
            return
        operands = [each for each in tree_flatten((args, kwargs))[0] if is_wide(each)]
        results = [each for each in tree_flatten(out)[0] if is_wide(each)]
        fates = [self._fate(each) for each in operands]
        if not results or not all(finite for finite, _ in fates):
            return
        again = self._again(func, args, kwargs)
        if again is None or [each.shape for each in again] != [each.shape for each in results]:
            return
        self.finite.add(number)
        if all(whole for _, whole in fates):
            self.whole.add(number)
        for before, after in zip(results, again, strict=True):
            wide = after.to(before.dtype)
            finite = torch.isfinite(before)
            beyond = ~torch.isfinite(wide) | (wide.abs() >= self._target.overflow)
            if bool((finite & beyond).any()):
                self.overflowed.add(number)
            # A zero far above the format's smallest numbers is a cancellation, not an underflow.
            tiny = (before != 0) & (before.abs() < self._target.limits.smallest_normal)
            if bool((tiny & (round_to(wide, self._target) == 0)).any()):
                self.vanished.add(number)

    def _fate(self, operand: torch.Tensor) -> tuple[bool, bool]:
        """Whether the operand enters the format with nothing infinite, and with nothing turned into zero."""
        rounded = operand.to(self._dtype).to(operand.dtype)
        beyond = torch.isfinite(operand) & (operand.abs() >= self._target.overflow)
        finite = not bool((beyond | ~torch.isfinite(operand)).any())
        return finite, not bool(((rounded == 0) & (operand != 0)).any())

    def _again(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[torch.Tensor] | None:
        if self._target.name in _NATIVE:
            # Whatever an operator raises in another dtype is none of the program's.
            with contextlib.suppress(Exception):
                return self._results(func, args, kwargs, lambda each: each.to(self._dtype), (self._dtype,))
        self.simulated.add(str(func).removeprefix("aten.").split(".")[0])
        try:
            return self._results(func, args, kwargs, lambda each: round_to(each, self._target), ())
        except Exception:
            return None

    def _results(
        self,
        func: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        convert: Callable[[torch.Tensor], torch.Tensor],
        more: tuple[torch.dtype, ...],
    ) -> list[torch.Tensor]:
        given, named = tree_map(
            lambda each: convert(each) if is_wide(each) else (self._dtype if more and _is_wide_dtype(each) else each),
            (args, kwargs),
        )
        found = tree_flatten(func(*given, **named))[0]
        return [each for each in found if is_wide(each) or (isinstance(each, torch.Tensor) and each.dtype in more)]


def _is_wide_dtype(value: Any) -> bool:
    """A dtype handed to an operator, such as that of a sum."""
    return value in (torch.float32, torch.float64) if isinstance(value, torch.dtype) else False


def agreement(fit: Fit, replay: Replay) -> tuple[Agreement, Agreement]:
    """Predicted against observed: overflows, and results that vanish."""

    def compare(predicted: Iterable[int], observed: set[int], compared: set[int]) -> Agreement:
        found, seen = set(predicted) & compared, observed & compared
        return Agreement(len(found), len(seen), len(found & seen))

    overflows = (number for each in fit.operations for number in each.overflows)
    vanishes = (number for each in fit.operations for number in each.vanishes)
    return (
        compare(overflows, replay.overflowed, replay.finite),
        compare(vanishes, replay.vanished, replay.whole),
    )

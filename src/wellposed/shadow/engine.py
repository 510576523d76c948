"""The observer that runs each operator of a program a second time, in its reference, and measures the difference.

Two calls surround an operator, so that any dispatch mode can drive it:
``token = engine.before(operator, args, kwargs)``, then the operator, then ``engine.after(token, result)``. Both must be
called below autograd and with the mode out of the way, as inside ``__torch_dispatch__``.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import torch

from wellposed.shadow import flips
from wellposed.shadow.call import Operand, Token, lengths_of
from wellposed.shadow.errors import Comparison
from wellposed.shadow.facts import Facts
from wellposed.shadow.operators import describe_call
from wellposed.shadow.outputs import Declared, declared
from wellposed.shadow.overlap import written_twice
from wellposed.shadow.reference import Reference
from wellposed.shadow.sharing import Flipped, run_in_reference
from wellposed.shadow.store import Store
from wellposed.shadow.tape import Call, Tape
from wellposed.shadow.trees import flat, is_real, mapped, mapped_keywords, tensors_in

FULLY_AT_FIRST = 8
"""Calls of a place that are measured in full; of later ones the 16th, 32nd, 64th … where no tape is kept."""

_ORDINARY = (torch.Tensor, torch.nn.Parameter)


class Engine:
    """Shadows, facts by operator and place, and the tape for attribution."""

    def __init__(
        self, reference: Reference, locate: Callable[[], Hashable], *, tape: bool = True, tape_bytes: int = 1 << 30
    ) -> None:
        """`locate` says where the program is now; its answers are the places that facts are gathered by.

        tape: keep what attribution needs, up to `tape_bytes`; every call is then measured in full.
        """
        self.reference = reference
        self.store = Store(reference)
        self.facts = Facts()
        self.tape: Tape | None = Tape(self.store, reference, tape_bytes) if tape else None
        self.declared: list[Declared] = []
        self.executed = 0
        self.devices: set[torch.device] = set()
        """Where the operators ran."""
        self._locate = locate

    @property
    def _taping(self) -> bool:
        return self.tape is not None and not self.tape.given_up

    def before(self, operator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Token | None:
        """To be called before the operator runs; None where there is nothing to see afterwards."""
        if not isinstance(operator, torch._ops.OpOverload):
            self.facts.skip(str(operator), "it is made of other operators that nobody sees")
            return None
        description = describe_call(operator, args, kwargs)
        if description.uninitialised or description.views:
            return None
        token = Token(operator, description, args, kwargs)
        tensors = tensors_in(args) + tensors_in(tuple(kwargs.values())) if kwargs else tensors_in(args)
        token.refused = description.why_not or _unsuitable(tensors) or written_twice(token.written())
        if token.refused or description.random:
            return token
        token.key = (description.name, self._locate())
        token.full = self._taping or self.facts.wants_more(token.key)
        written = {id(each) for each in token.written()}
        for tensor in tensors:
            if id(tensor) not in token.operands and is_real(tensor):
                is_written = id(tensor) in written
                operand = Operand(tensor, self.store.shadow(tensor), ignored=is_written and description.replaces)
                if not operand.ignored and is_written and token.full:
                    operand.low = tensor.clone()
                token.operands[id(tensor)] = operand
        if token.full:
            self._look_at_operands(token)
        if not token.exact or not description.moves:
            self._prepare(token)
            token.in_place = description.in_place and not token.full and self.reference.name == "float64"
        if self._taping and self.tape is not None:
            token.taped = self.tape.arguments(args, kwargs)
        return token

    def after(self, token: Token | None, result: Any) -> None:
        """To be called when the operator has run."""
        if token is None:
            return
        description = token.description
        low = flat(result) if description.results else []
        if description.results > 0:
            low = low[: description.results]
        low += token.written()
        real = [each for each in low if isinstance(each, torch.Tensor) and is_real(each)]
        if token.refused or description.random:
            if token.refused and real:
                self.facts.skip(description.name, token.refused)
            self._take_as_they_are(real)
            return
        if not real:
            if (description.compares or description.base == "_to_copy") and not token.exact:
                self._compare(token, low)
            return
        if not description.written and not description.out_forms and _is_view(real, token.args):
            return
        if not token.inputs and not tensors_in(token.args):
            self._take_as_they_are(real)  # made of nothing: zeros, arange, full
            return
        if token.exact and token.inputs and description.moves and _same_dtypes(real, token.inputs):
            self._take_as_they_are(real)
            return
        if not token.inputs and description.replaces:
            self._take_as_they_are(real)
            return
        self._shadow(token, low, real)

    def declare(self, tensor: torch.Tensor, name: str) -> None:
        """An output of the program, whose digits are asked for; it is looked at as it is now."""
        self.declared.append(self.look_at(tensor, name))

    def look_at(self, tensor: torch.Tensor, name: str) -> Declared:
        """The same, but not declared."""
        tensor = tensor.detach()
        shadow = self.store.shadow(tensor)
        spot, position = None, 0
        if self.tape is not None and not self.tape.given_up:
            spot, position = self.tape.spot(tensor), len(self.tape.calls)
        return declared(self.reference, tensor, shadow, name, spot, position)

    def _look_at_operands(self, token: Token) -> None:
        inexact = [each for each in token.inputs if each.shadow is not None]
        for operand in inexact:
            operand.wide = self.reference.lift(operand.low)
        for operand, (error, size) in zip(inexact, lengths_of(self.reference, inexact), strict=True):
            operand.error, operand.size = error, size
            if self.store.lost(operand.tensor, error):
                operand.shadow, operand.error = None, 0.0

    def _prepare(self, token: Token) -> None:
        """The arguments with shadows in the place of real tensors."""
        for operand in token.operands.values():
            if operand.shadow is not None:
                operand.shadow_or_lifted = operand.shadow
            elif operand.wide is not None:
                operand.shadow_or_lifted = operand.wide
            else:
                operand.shadow_or_lifted = self.reference.lift(operand.low)
        operands = token.operands

        def change(tensor: torch.Tensor) -> Any:
            found = operands.get(id(tensor))
            return tensor if found is None else found.shadow_or_lifted

        token.shadow_args = mapped(token.args, change)
        token.shadow_kwargs = mapped_keywords(token.kwargs, change)

    def _shadow(self, token: Token, low: list[Any], real: list[torch.Tensor]) -> None:
        description = token.description
        try:
            if token.shadow_args is None:
                self._prepare(token)
            if token.in_place:
                self._write_shadows(token)
                return
            outcome, flipped = self._run(token, low)
        except Exception as error:
            self.facts.skip(description.name, _reason(error))
            self._take_as_they_are(real)
            return
        self.executed += 1
        self.devices.add(real[0].device)
        if flipped is not None:
            self.facts.flip(token.key, *flipped)
        comparison = Comparison(self.reference, token, low, outcome) if token.full else None
        if comparison is not None:
            errors = comparison.measure(self.facts.worst_weight(token.key))
            self.facts.add(token.key, errors, comparison.terms())
        else:
            self.facts.count(token.key)
        for index, tensor in enumerate(low):
            if not isinstance(tensor, torch.Tensor) or not is_real(tensor):
                continue
            shadow = outcome[index] if index < len(outcome) else None
            if shadow is None or not _fits(shadow, tensor):
                self._take_as_they_are([tensor])
            elif comparison is None:
                self.store.put(tensor, shadow)
            else:
                length = comparison.lengths[index]
                self.store.put(tensor, None if length == 0 else shadow, length)
        if self._taping and self.tape is not None and comparison is not None and token.taped is not None:
            args, kwargs, reads = token.taped
            spots = [self.tape.spot(each) if isinstance(each, torch.Tensor) and is_real(each) else None for each in low]
            self.tape.append(
                Call(description, args, kwargs, token.key, reads, spots, _decisions(description, low),
                     comparison.roundings(), comparison.totals(), comparison.large_somewhere)
            )  # fmt: skip

    def _write_shadows(self, token: Token) -> None:
        """The operator as it is, on shadows that it may write: saves the memory of a form that writes nothing."""
        assert token.shadow_args is not None and token.shadow_kwargs is not None
        token.operator(*token.shadow_args, **token.shadow_kwargs)
        self.executed += 1
        self.facts.count(token.key)
        for tensor in token.written():
            operand = token.operands[id(tensor)]
            if operand.shadow is None:
                self.store.put(tensor, operand.shadow_or_lifted)
            else:
                self.store.written(tensor)

    def _run(self, token: Token, low: list[Any]) -> tuple[list[Any], Flipped | None]:
        args, kwargs = token.shadow_args, token.shadow_kwargs
        assert args is not None and kwargs is not None
        outcome, flipped = run_in_reference(self.reference, token.description, args, kwargs, low)
        inputs = {each.shadow_or_lifted.untyped_storage()._cdata for each in token.operands.values()
                  if isinstance(each.shadow_or_lifted, torch.Tensor)}  # fmt: skip
        for index, each in enumerate(outcome):
            if isinstance(each, torch.Tensor) and is_real(each) and each.untyped_storage()._cdata in inputs:
                outcome[index] = each.clone()  # a shadow must be its tensor's alone
        return outcome, flipped

    def _compare(self, token: Token, low: list[Any]) -> None:
        """A comparison or a rounding to integers: shared, and noted where the reference decides otherwise."""
        try:
            if token.shadow_args is None:
                self._prepare(token)
            assert token.shadow_args is not None and token.shadow_kwargs is not None
            wide = flat(self.reference.apply(token.description.functional, token.shadow_args, token.shadow_kwargs))
        except Exception:
            return
        if not low or not isinstance(low[0], torch.Tensor) or not isinstance(wide[0], torch.Tensor):
            return
        approximate = self.reference.approximate
        inputs = [
            approximate(token.operands[id(each)].shadow_or_lifted) if id(each) in token.operands else each
            for each in token.args[:2]
            if isinstance(each, (torch.Tensor, int, float))
        ]
        found = flips.compared(token.description, inputs, low[0], wide[0])
        if found is not None:
            self.facts.flip(token.key, *found)

    def _take_as_they_are(self, tensors: list[torch.Tensor]) -> None:
        for each in tensors:
            if _unsuitable([each]):
                continue
            if self.store.known(each) is not None:
                self.store.put(each, None)
                if self._taping and self.tape is not None:
                    self.tape.constant(each)


def _unsuitable(tensors: list[torch.Tensor]) -> str:
    """Why these tensors can have no shadow; empty where they can."""
    for each in tensors:
        if type(each) not in _ORDINARY:
            return f"a tensor of another kind ({type(each).__name__})"
        if each.layout != torch.strided:
            return f"a tensor of layout {str(each.layout).removeprefix('torch.')}"
        if each.is_meta:
            return "a tensor without data"
        if each.is_quantized:
            return "quantized numbers have no reference"
        if each.is_conj() or each.is_neg():
            return "a view that conjugates lazily"
    return ""


def _is_view(real: list[torch.Tensor], args: tuple[Any, ...]) -> bool:
    sources = {each.untyped_storage()._cdata for each in tensors_in(args)}
    return all(each.untyped_storage()._cdata in sources for each in real)


def _same_dtypes(real: list[torch.Tensor], inputs: list[Operand]) -> bool:
    return {each.dtype for each in real} == {each.tensor.dtype for each in inputs}


def _fits(shadow: Any, tensor: torch.Tensor) -> bool:
    return not isinstance(shadow, torch.Tensor) or shadow.shape == tensor.shape


def _decisions(description: Any, low: list[Any]) -> list[Any]:
    """The program's own results that a second run must follow."""
    keep = description.chooses or description.rounds or description.decides
    return [each.clone() if keep and isinstance(each, torch.Tensor) else None for each in low]


def _reason(error: Exception) -> str:
    first = str(error).strip().splitlines()
    return (first[0] if first else type(error).__name__)[:160]

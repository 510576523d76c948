"""A format without its kernels: everything computed in float32, every operand and result rounded to the format."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

from wellposed.advice.formats import Target

OUTSIDE = ""
"""The scope of what runs outside of any module."""
_MOST_NODES = 2_000_000
_current_node: Callable[[], Any] = getattr(torch._C, "_current_autograd_node", lambda: None)
_next_sequence: Callable[[], int] = getattr(torch.autograd, "_get_sequence_nr", lambda: 0)


def round_to(values: torch.Tensor, target: Target) -> torch.Tensor:
    """The nearest numbers of the format, in the tensor's own dtype. Where the format has no infinity, what is beyond it
    is clipped, as conversions do that follow the OCP specification's saturating mode."""
    if not target.has_infinity:
        values = values.clamp(-target.limits.largest, target.limits.largest)
    return values.to(getattr(torch, target.name)).to(values.dtype)


def is_wide(value: Any) -> bool:
    """Whether this is a dense tensor of float32 or float64."""
    wide = isinstance(value, torch.Tensor) and value.dtype in (torch.float32, torch.float64)
    return wide and value.layout == torch.strided


@dataclass(slots=True)
class Seen:
    """What rounding did in one scope."""

    overflow: int = 0
    """Finite results that became infinite or were clipped."""
    vanish: int = 0
    """Results that were not zero and became zero."""


class FakePrecision(TorchDispatchMode):
    """Rounds what runs in the modules of `model`, forward and backward, but for the scopes of `keep`.

    Views keep sharing memory, in-place operators round in place, and parameters themselves are left alone: it is what
    operators read of them that is rounded. Enter it with `applied`, which tells modules apart by hooks, or give
    `scope_of`, which tells the path of the module that runs.
    """

    def __init__(
        self,
        target: Target,
        keep: Collection[str] = (),
        *,
        rounds_outside: bool = False,
        scope_of: Callable[[], str] | None = None,
    ):
        super().__init__()
        self.paused = False
        """True while nothing is to be rounded."""
        self.target = target
        self.keep = frozenset(keep)
        self.seen: dict[str, Seen] = defaultdict(Seen)
        """By scope, forward only."""
        self._rounds_outside = rounds_outside
        self._stack: list[str] = []
        self._scope_of = scope_of or (lambda: self._stack[-1] if self._stack else OUTSIDE)
        self._scopes: dict[int, str] = {}
        """Scope of each forward node by autograd's sequence number."""

    @contextmanager
    def applied(self, model: torch.nn.Module) -> Iterator[FakePrecision]:
        """While this lasts, operators in the model's modules are rounded."""
        handles = []
        root = type(model).__name__
        for name, module in model.named_modules():
            scope = f"{root}.{name}" if name else root

            def enter(_module: Any, _args: Any, scope: str = scope) -> None:
                self._stack.append(scope)

            handles.append(module.register_forward_pre_hook(enter, prepend=True))
            handles.append(module.register_forward_hook(lambda *_: self._leave(), always_call=True))
        try:
            with self:
                yield self
        finally:
            for handle in handles:
                handle.remove()

    def _forget(self) -> None:
        """Of nodes made long ago: their backward has run, or never will."""
        if len(self._scopes) > _MOST_NODES:
            for number in sorted(self._scopes)[: _MOST_NODES // 2]:
                del self._scopes[number]

    def _leave(self) -> None:
        if self._stack:
            self._stack.pop()

    def _rounds(self, scope: str | None) -> bool:
        if scope is None or scope in self.keep:
            return False
        return scope != OUTSIDE or self._rounds_outside

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if self.paused:
            return func(*args, **kwargs)
        node = _current_node()
        scope: str | None
        if node is None:
            scope = self._scope_of()
            if torch.is_grad_enabled():
                # The node was made above us, before the operator came here.
                self._scopes[_next_sequence() - 1] = scope
                self._forget()
        else:
            scope = self._scopes.get(node._sequence_nr())
        if not self._rounds(scope) or getattr(func, "is_view", False):
            return func(*args, **kwargs)
        written = _written(func, args, kwargs)
        # A scalar gradient is the loss scale itself, which a scaler keeps in float32.
        most = 1 if node is not None else 0
        alone = {id(each) for each in written}

        def rounded(value: Any) -> Any:
            if is_wide(value) and value.numel() > most and id(value) not in alone:
                return round_to(value, self.target)
            return value

        args, kwargs = tree_map(rounded, (args, kwargs))
        out = func(*args, **kwargs)
        if written:
            if func._schema.name.endswith("_"):
                for each in written:
                    if is_wide(each) and each.numel() > most:
                        each.copy_(self._result(each, scope, node is None))
            return out
        return tree_map(lambda each: self._result(each, scope, node is None) if is_wide(each) else each, out)

    def _result(self, value: torch.Tensor, scope: str | None, forward: bool) -> torch.Tensor:
        if not forward and value.numel() <= 1:
            return value
        result = round_to(value, self.target)
        if forward:
            seen = self.seen[scope or OUTSIDE]
            finite = torch.isfinite(value)
            seen.overflow += int((finite & (value.abs() >= self.target.overflow)).sum())
            seen.vanish += int(((result == 0) & (value != 0)).sum())
        return result


def _written(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[torch.Tensor]:
    """The tensors that the operator writes into."""
    schema = func._schema
    if not schema.is_mutable:
        return []
    found: list[torch.Tensor] = []
    for position, argument in enumerate(schema.arguments):
        if argument.alias_info is None or not argument.alias_info.is_write:
            continue
        value = args[position] if position < len(args) else kwargs.get(argument.name)
        values = value if isinstance(value, (list, tuple)) else [value]
        found += [each for each in values if isinstance(each, torch.Tensor)]
    return found

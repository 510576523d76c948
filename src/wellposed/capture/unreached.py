"""Parameters that an optimizer holds and that no gradient reaches."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

_ASKED_UPDATES = 3
"""Updates of an optimizer after which a parameter that never had a gradient is told: one that is trained every other
step (alternating players, layers thawed after a warm-up of a step or two) has had one by then."""
_MOST_NAMES = 200


@dataclass(slots=True)
class _Seen:
    updates: int
    without: list[weakref.ref[torch.Tensor]]


class Unreached:
    """Looks at the first updates of each optimizer; the caller has switched dispatch modes off."""

    def __init__(self, name_of: Callable[[torch.Tensor], str], tell: Callable[[dict[str, object]], None]):
        """`tell` receives the details of the event ``no-gradient``, at most once for an optimizer."""
        self._name_of = name_of
        self._tell = tell
        self._seen: weakref.WeakKeyDictionary[torch.optim.Optimizer, _Seen] = weakref.WeakKeyDictionary()

    def update(self, optimizer: torch.optim.Optimizer, parameters: Sequence[torch.Tensor]) -> None:
        seen = self._seen.get(optimizer)
        if seen is None:
            seen = self._seen[optimizer] = _Seen(0, [weakref.ref(each) for each in parameters])
        if seen.updates >= _ASKED_UPDATES:
            return
        seen.updates += 1
        seen.without = [each for each in seen.without if _has_none(each())]
        if seen.updates == _ASKED_UPDATES and seen.without:
            names = [self._name_of(tensor) for each in seen.without if (tensor := each()) is not None]
            self._tell({"parameters": names[:_MOST_NAMES], "without": len(names), "of": len(parameters)})


def _has_none(parameter: torch.Tensor | None) -> bool:
    return parameter is not None and parameter.requires_grad and parameter.grad is None

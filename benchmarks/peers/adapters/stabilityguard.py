"""StabilityGuard: an optimizer's guard that skips the steps whose gradients are not finite or jump."""

from __future__ import annotations

import re
import types
from typing import Any

from benchmarks.peers.messages import Message
from benchmarks.peers.watching import Watch

NAME = "stabilityguard"
DISTRIBUTION = "stabilityguard"
HOW = "`GuardedOptimizer(optimizer, model)` with its defaults in place of the optimizer."

CAUSES = {"spike": ("exploding-gradient",)}
"""A gradient that is not finite is reported as such, with its layer but without a cause."""

_COLOUR = re.compile(r"\x1b\[\d+m")
_BOX = re.compile(
    r"SPIKE DETECTED @ step (?P<step>\d+).*?Trigger layer\s*: (?P<layer>\S+).*?(?P<norm>Grad norm\s*: [^\n]*)",
    re.DOTALL,
)


class _Base:
    """The optimizer as it was, for the guard that has taken the place of its `step`."""

    def __init__(self, optimizer: Any):
        self._optimizer = optimizer
        self.step = optimizer.step

    def __getattr__(self, name: str) -> Any:
        return getattr(self._optimizer, name)


def install(watch: Watch):
    from stabilityguard import GuardedOptimizer

    guards: list[Any] = []

    def put_on(model: Any, optimizer: Any) -> None:
        if optimizer is None:
            return
        guard = GuardedOptimizer(_Base(optimizer), model)
        guards.append(guard)

        def step(_: Any, closure: Any = None) -> Any:
            return guard.step(closure)

        optimizer.step = types.MethodType(step, optimizer)

    watch.on_model(put_on)

    def collect(ended: BaseException | None, printed: str) -> tuple[list[Message], bool]:
        return messages(printed, watch), bool(guards)

    return collect


def messages(printed: str, watch: Watch) -> list[Message]:
    """The first box of each kind; later ones repeat it step by step."""
    first: dict[str, Message] = {}
    for box in _BOX.finditer(_COLOUR.sub("", printed)):
        kind = "nan" if "NaN/Inf" in box["norm"] else "spike"
        text = f"SPIKE DETECTED @ step {box['step']}, Trigger layer: {box['layer']}, {box['norm'].strip()}"
        name = "" if box["layer"] == "root" else box["layer"]
        first.setdefault(kind, Message(kind, text, module=name, module_lines=watch.lines_of(name)))
    return list(first.values())

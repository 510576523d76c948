"""What code runs as a data-flow graph: a dispatch mode over torch, and the source reader over NumPy."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from wellposed.rewrites import Value
from wellposed.rewrites.names import VALUE_ARGUMENTS, canonical


class Tracer(TorchDispatchMode):
    """Keeps a node for every operator that ran, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.nodes: list[Value] = []
        self._made: dict[int, Value] = {}
        self._alive: list[Any] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = canonical(func.name().split("::")[1].split(".")[0])
        given = [arg for arg in args if isinstance(arg, (torch.Tensor, int, float)) and not isinstance(arg, bool)]
        if name == "clamp" and len(args) > 2 and args[1] is None:
            name = "clamp_max"
        given = given[: VALUE_ARGUMENTS.get(name, 1)]
        node = Value(name, tuple(self._operand(arg) for arg in given), len(self.nodes) + 1)
        outputs = result if isinstance(result, (tuple, list)) else [result]
        for output in outputs:
            if isinstance(output, torch.Tensor):
                self._made[id(output)] = node
                self._alive.append(output)
        self.nodes.append(node)
        return result

    def _operand(self, value: Any) -> Any:
        if not isinstance(value, torch.Tensor):
            return value
        self._alive.append(value)
        return self._made.setdefault(id(value), Value("", (), ("leaf", id(value))))


def traced(run: Callable[..., Any], bindings: dict[str, Any]) -> list[Value]:
    """The nodes of running it, in order. An error of the library ends the trace early."""
    with Tracer() as tracer, contextlib.suppress(RuntimeError):
        run(**bindings)
    return tracer.nodes

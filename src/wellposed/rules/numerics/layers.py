"""The layers of a model as one forward pass used them: weight, what came in, what came out, what followed.

A layer is an operation that multiplies by a parameter of two dimensions or more. How it is multiplied tells which of
the weight's dimensions is the fan-in, also for a matrix that no module owns.
"""

from __future__ import annotations

import math
import weakref
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Final

from wellposed.record import Operand, Operation, Parameter, Record, Statistics
from wellposed.rules.tracing import SAME_VALUES, origin

PRODUCTS: Final = frozenset({"mm", "addmm", "bmm", "baddbmm", "mv", "addmv", "convolution", "linear", "matmul"})
ACTIVATIONS: Final = frozenset(
    {
        "relu", "leaky_relu", "gelu", "silu", "elu", "celu", "selu", "softplus", "sigmoid", "tanh", "hardtanh",
        "hardsigmoid", "hardswish", "mish", "relu6", "threshold", "clamp", "clamp_min", "clamp_max", "prelu", "sin",
        "_prelu_kernel", "_softmax", "_log_softmax", "rrelu_with_noise", "log_sigmoid_forward", "exp",
    }
)  # fmt: skip
IDEAL: Final = {"relu": 2**0.5, "leaky_relu": 2**0.5, "clamp_min": 2**0.5, "tanh": 5 / 3, "selu": 0.75}
"""torch.nn.init.calculate_gain, after He et al. 2015, Glorot & Bengio 2010 and Klambauer et al. 2017."""
LINEAR_STEPS: Final = SAME_VALUES | {"add", "mul", "dropout", "native_dropout", "sub", "div"}
"""What may stand between a layer and its activation without making another layer of it."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One use of a weight."""

    operation: Operation
    weight: Parameter
    fan_in: int
    entering: Statistics | None
    """Of what the weight is multiplied with."""
    source: Operand | None
    leaving: Statistics | None
    """Of the product, with its bias where that is added at once."""
    initial: Statistics | None
    """Of the weight before the first update."""
    ideal: float = 1.0
    """The gain that the activation which follows asks for."""

    @property
    def gain(self) -> float:
        """rms · sqrt(fan-in): what the weight multiplies the rms of an uncorrelated input by. He et al. 2015 give
        sqrt(2) before a ReLU, Glorot & Bengio 2010 and LeCun 1 otherwise; PyTorch's nn.Linear starts with sqrt(1/3)."""
        return self.initial.root_mean_square * math.sqrt(self.fan_in) if self.initial is not None else math.nan


_known: weakref.WeakKeyDictionary[Record, dict[int, list[Layer]]] = weakref.WeakKeyDictionary()


def layers(record: Record, step: int) -> list[Layer]:
    """The uses of weights in the forward pass of a step, in order."""
    cache = _known.setdefault(record, {})
    if step not in cache:
        parameters = {each.name: each for each in record.parameters()}
        found = []
        for operation in record.operations(*PRODUCTS, step=step, phase="forward"):
            layer = _layer(operation, parameters)
            if layer is not None:
                following = activation_after(record, operation)
                found.append(replace(layer, ideal=IDEAL.get(following.base if following is not None else "", 1.0)))
        cache[step] = found
    return cache[step]


def first_uses(record: Record, step: int) -> list[Layer]:
    """The first use of each weight, in order: layers that are applied many times count once."""
    found: dict[int, Layer] = {}
    for each in layers(record, step):
        found.setdefault(each.weight.id, each)
    return list(found.values())


def _layer(operation: Operation, parameters: dict[str, Parameter]) -> Layer | None:
    weights = [
        each
        for each in operation.inputs
        if each.label in parameters and len(parameters[each.label].shape) >= 2 and each.name not in ("bias",)
    ]
    if len(weights) != 1:
        return None
    used = weights[0]
    weight = parameters[used.label]
    added = ("bias", "self") if operation.base in ("addmm", "baddbmm", "addmv") else ("bias",)
    source = next((each for each in operation.inputs if each is not used and each.name not in added), None)
    if operation.base == "convolution":
        fan_in = weight.fan_in or 1
    elif source is not None and operation.inputs.index(source) < operation.inputs.index(used):
        fan_in = used.shape[-2] if len(used.shape) >= 2 else used.shape[-1]
    else:
        fan_in = used.shape[-1]
    output = operation.output
    return Layer(
        operation=operation,
        weight=weight,
        fan_in=max(1, fan_in),
        entering=source.statistics if source is not None else None,
        source=source,
        leaving=output.statistics if output is not None else None,
        initial=weight.initial,
    )


def activation_after(record: Record, operation: Operation, hops: int = 4) -> Operation | None:
    """The first activation that the operation's result enters, through additions and the like; None where another
    product comes first."""
    waiting, seen = [(operation, 0)], {operation.id}
    while waiting:
        current, depth = waiting.pop(0)
        for use in record.consumers(current.id):
            if use.id in seen or use.phase != "forward":
                continue
            seen.add(use.id)
            if use.base in ACTIVATIONS:
                return use
            if depth < hops and (use.is_view or use.base in LINEAR_STEPS or "norm" in use.base):
                waiting.append((use, depth + 1))
    return None


def made_by(record: Record, weight: Parameter, step: int = 0) -> Operation | None:
    """The operation that gave the weight its first values: ``normal_``, ``zeros``, ``kaiming_uniform_`` …; None where
    it ran before the recording."""
    for operation in record.operations(step=step, phase="forward"):
        for operand in operation.inputs:
            if operand.label == weight.name and operand.producer:
                made = origin(record, operand)
                if made is not None and made.id < operation.id:
                    return made
                return None
    return None


def producing_layer(record: Record, operation: Operation, hops: int = 6) -> Layer | None:
    """The layer whose result enters the operation, through additions and the like; None where other things do."""
    uses = {each.operation.id: each for each in layers(record, operation.step)}
    waiting, seen = [(operation, 0)], {operation.id}
    while waiting:
        current, depth = waiting.pop(0)
        for operand in current.inputs:
            made = record.operation(operand.producer) if operand.producer else None
            if made is None or made.id in seen:
                continue
            seen.add(made.id)
            if made.id in uses:
                return uses[made.id]
            if depth < hops and (made.is_view or made.base in LINEAR_STEPS or "norm" in made.base):
                waiting.append((made, depth + 1))
    return None


def at_each_place(record: Record, operators: tuple[str, ...], steps: list[int]) -> list[dict[int, Operation]]:
    """The activations of these operators by place and order within the pass, each as it ran in the steps."""
    groups: dict[tuple[object, ...], dict[int, Operation]] = defaultdict(dict)
    for step in steps:
        order: dict[tuple[object, ...], int] = defaultdict(int)
        for operation in record.operations(*operators, step=step, phase="forward"):
            if operation.call == 0:
                key = (operation.site.id if operation.site else None, operation.module)
                order[key] += 1
                place = (*key, order[key])
                groups[place][step] = operation
    return list(groups.values())


def is_relu(operation: Operation) -> bool:
    """Of operators that may be a ReLU: ``clamp_min`` is one where its bound is 0."""
    return operation.base != "clamp_min" or operation.arguments.get("min") == 0

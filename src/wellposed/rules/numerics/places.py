"""Where the user can change what an operation does: its own line, the line that makes its module, or the line that
gives a weight its first values."""

from __future__ import annotations

from typing import Final

from wellposed.findings import Location
from wellposed.record import Operation, Parameter, Record, Site
from wellposed.rules.numerics.layers import Layer, made_by
from wellposed.rules.sources import lines_calling, place_of
from wellposed.rules.tracing import line_of, location

CLASSES: Final[dict[str, tuple[str, ...]]] = {
    "relu": ("ReLU",), "threshold": ("ReLU", "Threshold"), "clamp_min": ("ReLU",), "relu6": ("ReLU6",),
    "sigmoid": ("Sigmoid",), "tanh": ("Tanh",), "hardtanh": ("Hardtanh", "ReLU6"), "hardsigmoid": ("Hardsigmoid",),
    "_softmax": ("Softmax",), "gelu": ("GELU",), "silu": ("SiLU",), "leaky_relu": ("LeakyReLU",),
}  # fmt: skip
"""Modules whose forward is nothing but this operator."""


def place_of_activation(record: Record, operation: Operation, layer: Layer | None = None) -> Location:
    """The line that calls the activation by name; else the line that makes its module, the one nearest to where the
    layer before it is made; else the line that runs it."""
    here = location(operation)
    name = operation.base.strip("_")
    if operation.site is None or name in line_of(record, operation).lower():
        return here
    file = layer.weight.site.file if layer is not None and layer.weight.site is not None else operation.site.file
    lines = lines_calling(record, file, CLASSES.get(operation.base, ()))
    made = layer.weight.site.line if layer is not None and layer.weight.site is not None else None
    if not lines:
        return here
    line = min(lines, key=lambda each: (abs(each - made), -each)) if made is not None else lines[0]
    return Location(
        file, line, None, operation.module or None, operation.operator, operation.phase, library=here.library
    )


def place_of_start(record: Record, weight: Parameter) -> Location | None:
    """Where the weight got its first values, or where its module was made; None where neither is known."""
    made = made_by(record, weight)
    site: Site | None = made.site if made is not None and made.site is not None else weight.site
    place = place_of(site)
    if place is None:
        return None
    module = weight.name.rpartition(".")[0]
    return Location(place.file, place.line, place.function, module or None, phase="forward")

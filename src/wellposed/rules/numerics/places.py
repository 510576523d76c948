"""Where the user can change what an operation does: its own line, the line that makes its module, or the line that
gives a weight its first values."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from wellposed.findings import Location
from wellposed.record import Module, Operation, Parameter, Record, Site
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


def line_to_change(record: Record, operation: Operation) -> Location:
    """The operation's own line; where a container runs it (``nn.Sequential``), the line that makes its module, for the
    line that runs the container says nothing of what is in it."""
    here = location(operation)
    modules = record.modules()
    module = modules.get(operation.module)
    around = modules.get(operation.module.rpartition(".")[0])
    if module is None or around is None or not is_container(around) or not module.kind.startswith("torch.nn."):
        return here
    weights = (each.site for each in record.parameters() if each.name.rpartition(".")[0] == module.path)
    site = next((each for each in weights if each is not None), None)
    if site is not None:
        return replace(here, file=site.file, line=site.line, function=site.function or None)
    site = module.site or around.site or operation.site
    lines = lines_calling(record, site.file, CLASSES.get(operation.base, ())) if site is not None else []
    return replace(here, file=site.file, line=lines[0], function=None) if lines and site is not None else here


def line_of_module(record: Record, operation: Operation) -> Location:
    """The line that makes the module of ``torch.nn`` which is nothing but this operation; else where it runs."""
    module = record.modules().get(operation.module)
    if module is not None and module.site is not None and module.kind.startswith("torch.nn.modules."):
        place = place_of(module.site)
        if place is not None:
            return replace(location(operation), file=place.file, line=place.line, function=place.function)
    return line_to_change(record, operation)


def is_container(module: Module) -> bool:
    """Whether it does nothing but run the modules in it, one after the other."""
    return module.kind.rpartition(".")[2] == "Sequential"


def place_of_start(record: Record, weight: Parameter) -> Location | None:
    """Where the weight got its first values, or where its module was made; None where neither is known."""
    made = made_by(record, weight)
    site: Site | None = made.site if made is not None and made.site is not None else weight.site
    place = place_of(site)
    if place is None:
        return None
    module = weight.name.rpartition(".")[0]
    return Location(place.file, place.line, place.function, module or None, phase="forward")

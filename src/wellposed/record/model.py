"""The facts of a recording, as plain immutable rows. Nothing here knows who wrote them or what they mean."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

Phase = Literal["forward", "backward", "optimizer"]
Level = Literal["full", "check", "modules", "off"]
"""How closely a stretch was watched: every operator with statistics; every output checked for NaN and infinities, with
rows only where trouble showed; the outputs of modules alone; or loss and gradients alone."""

PHASES: tuple[Phase, ...] = ("forward", "backward", "optimizer")


@dataclass(frozen=True, slots=True)
class Statistics:
    """Statistics of a tensor's elements; extremes, mean, standard deviation and rms are over the finite ones.

    Where no element is finite those are NaN; where none is finite and non-zero, `smallest_nonzero` is NaN.
    """

    count: int
    nan: int
    positive_infinity: int
    negative_infinity: int
    zero: int
    subnormal: int
    minimum: float
    maximum: float
    smallest_nonzero: float
    mean: float
    standard_deviation: float
    root_mean_square: float
    saturated: int | None = None
    """Elements in the flat part of a saturating function's output; None where the function does not saturate."""

    @property
    def infinite(self) -> int:
        return self.positive_infinity + self.negative_infinity

    @property
    def nonfinite(self) -> int:
        return self.nan + self.positive_infinity + self.negative_infinity

    @property
    def largest_magnitude(self) -> float:
        """Of the finite elements; NaN where there is none."""
        return max(abs(self.minimum), abs(self.maximum)) if not math.isnan(self.minimum) else math.nan

    @property
    def smallest_magnitude(self) -> float:
        """0.0 where an element is zero, else the smallest magnitude of the finite elements."""
        return 0.0 if self.zero else self.smallest_nonzero


@dataclass(frozen=True, slots=True)
class Site:
    """A place in the source: the innermost frame of the user's own code, and the innermost library frame beside it."""

    id: int
    file: str
    """Relative to the script's folder where it lies under it, else absolute."""
    line: int
    function: str
    library_file: str | None = None
    library_line: int | None = None
    library_function: str | None = None


@dataclass(frozen=True, slots=True)
class Operand:
    """A tensor that an operation read or made."""

    role: Literal["in", "out"]
    position: int
    """Among the operation's tensors of this role, in schema order."""
    name: str
    """The schema's name of the argument (``self``, ``other``, ``weight`` …); ``out`` for results."""
    shape: tuple[int, ...]
    dtype: str
    """PyTorch's name without the prefix: ``float32``, ``bfloat16`` …"""
    device: str
    producer: int | None
    """The operation that last wrote these values, seen through views; None where it was not recorded."""
    label: str
    """The parameter's or buffer's name, where it is one; else empty."""
    statistics: Statistics | None
    """None where none were taken; an input's are those of its producer's output where nothing wrote in between."""

    @property
    def nonfinite(self) -> int:
        return self.statistics.nonfinite if self.statistics else 0


@dataclass(frozen=True, slots=True)
class Operation:
    """One operator as it ran."""

    id: int
    """Its order in the program, from 1."""
    step: int
    call: int
    """The outermost module call (or stretch of operators outside any) of the step it belongs to, from 0."""
    phase: Phase
    operator: str
    """Such as ``aten.log.default``."""
    site: Site | None
    module: str
    """Dotted path from the outermost module: ``GPT2LMHeadModel.transformer.h.3.attn``; empty outside modules."""
    seconds: float
    forward: int | None
    """For a backward operation, the forward operation that it differentiates, where that was recorded."""
    is_view: bool
    """Whether its outputs share the memory of an input; then they carry no statistics of their own."""
    arguments: dict[str, Any]
    """The arguments that are no tensors, by the schema's names (``eps``, ``dim``, ``alpha``, a scalar ``other`` …)."""
    inputs: tuple[Operand, ...]
    outputs: tuple[Operand, ...]
    probes: dict[str, Any]
    """What was looked up on the spot where trouble showed: see docs/record.md."""

    def input(self, name: str) -> Operand | None:
        """The tensor argument of this name in the operator's schema, or None."""
        return next((operand for operand in self.inputs if operand.name == name), None)

    @property
    def output(self) -> Operand | None:
        """The first result, or None."""
        return self.outputs[0] if self.outputs else None

    @property
    def base(self) -> str:
        """The operator's name without namespace, overload and in-place underscore: ``log`` of ``aten.log_.default``."""
        return operator_base(self.operator)


def operator_base(operator: str) -> str:
    """An operator's name without namespace, overload and the underscore of in-place forms: ``log``."""
    parts = operator.split(".")
    name = parts[1] if len(parts) > 1 else parts[0]
    return name.rstrip("_")


@dataclass(frozen=True, slots=True)
class Step:
    """One optimizer step (or what stands for one: docs/record.md), from 0."""

    id: int
    level: Level
    loss: float | None = None
    """The scalar that backward() was called on; None where there was none."""
    learning_rate: float | None = None
    """The largest over the optimizer's parameter groups."""
    gradient_norm: float | None = None
    """Euclidean norm over all parameters' gradients before the update, unscaled where a GradScaler scaled them."""
    gradient_nonfinite: int | None = None
    """Elements of the parameters' gradients that are NaN or infinite."""
    update_norm: float | None = None
    scale: float | None = None
    """The GradScaler's loss scale."""
    skipped: bool = False
    """Whether a GradScaler skipped the update."""
    seconds: float | None = None
    recording_seconds: float | None = None
    loss_operation: int | None = None
    """The operation that made the loss, where it was recorded."""
    backwards: int | None = None
    """How often backward() was called."""
    curvature: float | None = None
    """Of the loss along the update before: change of the gradient along it over its length, per unit of length. None
    unless this step and the one before were measured."""
    backward_site: Site | None = None
    """Where backward() was called last."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter and how it started."""

    id: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    module: str
    """Class name of the module that owns it; empty where none does."""
    fan_in: int | None
    fan_out: int | None
    site: Site | None
    """Where the user's code made the module that owns it."""
    initial: Statistics | None
    """Before the first update."""
    units: int | None = None
    """Rows (along the first dimension) that were compared with one another; None for vectors and scalars."""
    distinct_units: int | None = None
    """How many of these rows differ from each other: 1 where all units start the same."""


@dataclass(frozen=True, slots=True)
class ParameterStep:
    """A parameter at one step."""

    step: int
    parameter: int
    gradient: Statistics | None
    """None where the parameter had no gradient."""
    weight_rms: float | None
    update_ratio: float | None
    """Euclidean norm of the update over that of the weights; None where not measured."""
    unchanged: float | None = None
    """Of the elements that had a gradient, the share (0 to 1) that the update left as they were, to the last bit."""
    silent_units: int | None = None
    """Units (rows) whose gradient was exactly zero in this measured step and the two before."""
    adam_ratio: float | None = None
    """Rms of g / sqrt(v), v being the second moment that Adam keeps of the gradient g, after the update."""


@dataclass(frozen=True, slots=True)
class Exponents:
    """How the magnitudes of a gradient are spread: counts of floor(log2 |g|) over its sampled elements."""

    step: int
    parameter: int
    lowest: int
    """The exponent of the first count."""
    counts: tuple[int, ...]
    zero: int
    """Elements that are exactly zero."""


@dataclass(frozen=True, slots=True)
class Spread:
    """How the magnitudes of a result are spread: counts of floor(log2 |x|) over its finite elements, not all of them
    where it is large."""

    lowest: int
    """The exponent of the first count."""
    counts: tuple[int, ...]
    zero: int
    """Elements that are exactly zero."""


@dataclass(frozen=True, slots=True)
class Module:
    """A module that ran."""

    path: str
    """Dotted, as in `Operation.module`."""
    site: Site | None
    """Where the user's code made it; None where that was not seen."""
    kind: str
    """Its class with the package it comes from: ``torch.nn.modules.linear.Linear``."""


@dataclass(frozen=True, slots=True)
class ModuleStep:
    """The output of a module at one step, where no operators were recorded."""

    step: int
    module: str
    """Dotted path, as in `Operation.module`."""
    output: Statistics


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened once: see docs/record.md for the kinds and their details."""

    id: int
    step: int
    kind: str
    site: Site | None
    details: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Program:
    """The program that was recorded, and how it ended."""

    argv: tuple[str, ...]
    folder: str
    """Absolute path that relative files are relative to."""
    exit_code: int | None
    """None while it runs, or where it was killed."""
    error: str | None
    """The last line of the traceback, where an exception ended it."""
    started: str
    """ISO 8601, UTC."""
    wall_seconds: float | None
    recording_seconds: float | None
    operations: int
    """Operators that ran while we watched, recorded or not."""
    rank: int | None
    world_size: int | None
    versions: dict[str, str]

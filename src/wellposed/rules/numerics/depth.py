"""Gradients over the depth of a model: the weights in the order in which they were made, with what reached each."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from wellposed.findings import Location, Series
from wellposed.record import Operation, Parameter, Record
from wellposed.rules.numerics.trends import Fit, log_linear, median
from wellposed.rules.tracing import first_at_each_place, line_of, location

FEWEST_LAYERS = 4
"""Fewer weights make no depth to speak of."""
LOOKED_UP = frozenset({"Embedding", "EmbeddingBag"})
"""Modules whose gradient tells how rare their rows are, not how deep they lie."""
UNDERFLOWED = 1e-30
"""Where the next layer's gradient is below this, an exact zero is an underflow and no dead end."""
SQUASHING = ("sigmoid", "tanh")
SATURATED = 0.5
"""Share of an activation's outputs in its flat part from which on the layer is saturated (SageMaker Debugger)."""


@dataclass(frozen=True, slots=True)
class Depth:
    """The weights that had a gradient at one step, first made first."""

    step: int
    weights: tuple[Parameter, ...]
    sizes: tuple[float, ...]
    """Rms of each weight's gradient; above zero but for those that underflowed."""

    @property
    def fit(self) -> Fit | None:
        """Over those that did not underflow, without the output layer's, which meets other values than the rest; its
        factor is that of one layer further from the input."""
        hidden = self.sizes[:-1] if len(self.sizes) > FEWEST_LAYERS else self.sizes
        return log_linear([size for size in hidden if size > 0])

    @property
    def ratio(self) -> float:
        """The first weight's gradient against the last ones': the median of the last quarter, two at least."""
        return self.sizes[0] / median(self.sizes[-max(2, len(self.sizes) // 4) :])

    def series(self) -> Series:
        return Series("gradient rms per layer", tuple(each.name for each in self.weights), self.sizes, logarithmic=True)


def depth_of(record: Record, step: int) -> Depth | None:
    """None where fewer than `FEWEST_LAYERS` weights have a finite gradient that is not exactly zero."""
    parameters = {each.id: each for each in record.parameters()}
    weights: list[Parameter] = []
    sizes: list[float] = []
    for row in record.parameter_steps(step=step):
        parameter = parameters.get(row.parameter)
        if parameter is None or row.gradient is None or len(parameter.shape) < 2 or parameter.module in LOOKED_UP:
            continue
        if row.gradient.nonfinite:
            return None
        weights.append(parameter)
        sizes.append(row.gradient.root_mean_square)
    kept = [
        index
        for index, size in enumerate(sizes)
        if size > 0 or next((each for each in sizes[index:] if each > 0), 1.0) < UNDERFLOWED
    ]
    if sum(sizes[index] > 0 for index in kept) < FEWEST_LAYERS:
        return None
    return Depth(step, tuple(weights[index] for index in kept), tuple(sizes[index] for index in kept))


@dataclass(frozen=True, slots=True)
class Squashing:
    """The bounded activations of one step's forward pass."""

    operations: tuple[Operation, ...]

    @property
    def name(self) -> str:
        """The most frequent one; empty where there is none."""
        names = Counter(each.base for each in self.operations)
        return names.most_common(1)[0][0] if names else ""

    @property
    def saturated(self) -> float:
        """The share of the outputs that lie in the flat part, in the layer where it is largest."""
        outputs = [each.output.statistics for each in self.operations if each.output and each.output.statistics]
        return max((each.saturated / each.count for each in outputs if each.saturated and each.count), default=0.0)


def squashing(record: Record, step: int) -> Squashing:
    return Squashing(tuple(record.operations(*SQUASHING, step=step, phase="forward")))


def place_of_activation(record: Record, between: Squashing) -> Location | None:
    """The line on which the activation is written, where the user calls it by name; None inside a module."""
    for operation in first_at_each_place(between.operations):
        if between.name and operation.base == between.name and between.name in line_of(record, operation):
            return location(operation)
    return None


def place_of_layers(depth: Depth) -> Location | None:
    """The line that makes most of the layers (the first of them, where no line makes two); None where unknown."""
    sites = [(each.site, each) for each in depth.weights if each.site is not None]
    if not sites:
        return None
    lines = Counter((site.file, site.line) for site, _ in sites)
    wanted = lines.most_common(1)[0][0]
    site, weight = next((site, each) for site, each in sites if (site.file, site.line) == wanted)
    module = weight.name.rpartition(".")[0]
    return Location(
        file=site.file, line=site.line, function=site.function or None, module=module or None, phase="backward"
    )

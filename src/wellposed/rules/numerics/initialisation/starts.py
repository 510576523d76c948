"""What the first forward pass says of the weights: gains, growth from layer to layer, the loss against chance."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from dataclasses import dataclass

from wellposed.record import Record
from wellposed.rules.numerics.layers import Layer, activation_after, first_uses
from wellposed.rules.numerics.trends import median

LARGE = 3.0
"""rms · sqrt(fan-in) of a weight. He et al. 2015 ask for 1.41 before a ReLU, Glorot & Bengio 2010 for 1 (5/3 before a
tanh, as torch.nn.init.calculate_gain has it): at twice that and more each layer at least doubles what enters."""
SMALL = 0.25
"""torch.nn.Linear starts with 0.58, the smallest in common use; 0.02 at a width of 768 (GPT-2) is 0.55."""
FEWEST_BLOCKS = 4
"""Blocks of a kind from which on their series is looked at."""


@dataclass(frozen=True, slots=True)
class Start:
    """The layers of the first pass, in the order in which they were used."""

    step: int
    layers: tuple[Layer, ...]

    @property
    def hidden(self) -> tuple[Layer, ...]:
        return self.layers[:-1] if len(self.layers) > 1 else self.layers

    @property
    def gain(self) -> float:
        """The median gain of all layers but the last."""
        return median([layer.gain for layer in self.hidden])

    @property
    def input_rms(self) -> float:
        """Rms of what enters the first layer; NaN where unknown."""
        entering = self.layers[0].entering if self.layers else None
        return entering.root_mean_square if entering is not None else math.nan

    def signal(self) -> list[float]:
        """Rms of what enters each layer and of what the last one makes: the signal over depth."""
        sizes = [each.entering.root_mean_square for each in self.layers if each.entering is not None]
        last = self.layers[-1].leaving if self.layers else None
        return [*sizes, last.root_mean_square] if last is not None else sizes

    def stream(self) -> list[float]:
        """Rms of what enters the same layer of each block, block after block, and of what the last layer makes: where
        the modules are named by numbers (``blocks.3.mlp.0``) the longest series of one name, else the signal."""
        alike: dict[str, list[float]] = defaultdict(list)
        for each in self.layers:
            if each.entering is not None:
                alike[re.sub(r"\d+", "#", each.weight.name)].append(each.entering.root_mean_square)
        longest = max(alike.values(), key=len, default=[])
        if len(alike) < 2 or len(longest) < FEWEST_BLOCKS:
            return self.signal()
        # The input of the last layers is what the blocks have made of theirs.
        last = self.layers[-1].entering
        return [*longest, last.root_mean_square] if last is not None else longest

    @property
    def is_plain(self) -> bool:
        """Whether each layer is fed by the one before, and nothing else: the output of each is about what enters the
        next, times what its activation leaves of it."""
        pairs = zip(self.layers, self.layers[1:], strict=False)
        steps = [(one.leaving, other.entering) for one, other in pairs]
        return all(made is not None and taken is not None for made, taken in steps) and all(
            taken.root_mean_square <= 1.1 * made.root_mean_square
            for made, taken in steps
            if made is not None and taken is not None
        )

    @property
    def own_growth(self) -> float:
        """What the weights multiply the rms by over all layers, each against the gain that its activation asks for
        (torch.nn.init.calculate_gain: sqrt(2) before a ReLU, 5/3 before a tanh, else 1)."""
        return math.exp(sum(math.log(each.gain / each.ideal) for each in self.layers if each.gain > 0))


def start_of(record: Record) -> Start | None:
    """None where no layer was seen at the first step with gradients."""
    steps = record.gradient_steps() or [step.id for step in record.steps()][:1]
    used = first_uses(record, steps[0]) if steps else []
    trained = {row.parameter for row in record.parameter_steps(step=steps[0])} if steps else set()
    used = [each for each in used if not trained or each.weight.id in trained] or used
    return Start(steps[0], tuple(used)) if used else None


def activation_name(record: Record, layer: Layer) -> str:
    found = activation_after(record, layer.operation)
    return found.base.strip("_") if found is not None else "nothing"

"""What an order is to have little of: multiplications, memory, time, or a weighted sum of them."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

Minimize: TypeAlias = "str | Mapping[str, float]"

WEIGHTS = ("multiplications", "moved", "memory")
"""What a weighted sum may hold."""

NAMES = ("multiplications", "memory", "time")


@dataclass(frozen=True)
class Objective:
    """``multiplications`` times the scalar multiplications, plus ``moved`` times the elements that products read and
    write, plus ``memory`` times the elements alive at once."""

    name: str
    multiplications: float = 0
    moved: float = 0
    memory: float = 0

    @property
    def only_multiplications(self) -> bool:
        return not self.moved and not self.memory

    @property
    def only_memory(self) -> bool:
        return not self.moved and not self.multiplications


MULTIPLICATIONS = Objective("multiplications", multiplications=1)
MEMORY = Objective("memory", memory=1)


def objective(minimize: Minimize) -> Objective:
    """What `minimize` names. Raises ValueError for a name or a weight that there is not."""
    if isinstance(minimize, str):
        if minimize == "multiplications":
            return MULTIPLICATIONS
        if minimize == "memory":
            return MEMORY
        if minimize == "time":
            from wellposed.chain.calibration import coefficients

            machine = coefficients()
            return Objective("time", machine.seconds_per_multiplication, machine.seconds_per_element)
        raise ValueError(_unknown("minimize", minimize, NAMES))
    if not isinstance(minimize, Mapping):
        raise ValueError(f"minimize is one of {', '.join(NAMES)}, or a mapping of weights, not {minimize!r}")
    for name, weight in minimize.items():
        if name not in WEIGHTS:
            raise ValueError(_unknown("a weight of minimize", name, WEIGHTS))
        if isinstance(weight, bool) or not isinstance(weight, (int, float)):
            raise ValueError(f"the weight of {name} is {weight!r}, which is no number")
        if not 0 <= weight < math.inf:
            raise ValueError(f"the weight of {name} is {weight}, but weights are finite and not negative")
    if not any(minimize.values()):
        raise ValueError("minimize gives no weight to anything")
    written = " + ".join(f"{weight:g}·{name}" for name, weight in minimize.items() if weight)
    return Objective(written, **minimize)


def _unknown(what: str, name: object, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(str(name), known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"{what} is {name!r}, but there are {', '.join(known)}{hint}"

"""Chooses the planner for a chain: O(n log n) where three dimensions are all that counts, else O(n³), exact as well."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from wellposed import _native
from wellposed.chain.cost import Objective
from wellposed.chain.dimensions import Chain, batch_sizes, same_batch_everywhere
from wellposed.chain.operand import plan_structured

LONGEST_BY_INTERVALS = 3_000
"""Matrices that the dynamic programme takes on: time grows with the cube, and memory with the square."""

LONGEST_WITH_STRUCTURES = 200
"""The same for operands with a structure, whose programme is in Python: about a second."""

LONGEST_WITH_MEMORY = 500
"""The same where the peak of memory counts, which keeps a list of trades for every interval."""


@dataclass(frozen=True)
class Planned:
    """An order, packed as the core gives it, and what it has of the objective."""

    sequence: bytes
    cost: int | None
    """Scalar multiplications, where the planner has counted them."""
    value: float


def plan_chain(chain: Chain, objective: Objective, limit: int | None, gradients: Sequence[bool]) -> Planned:
    """The best order. Raises ValueError where none fits into `limit`, or the chain is too long to be planned so."""
    if chain.structures:
        return _structured(chain, objective, limit, gradients)
    if limit is None and objective.only_multiplications:
        return _fewest_multiplications(chain, objective, gradients)
    if limit is None and not objective.memory:
        _check_length(chain, LONGEST_BY_INTERVALS, f"to minimize {objective.name}")
        value, sequence = _native.chain_weighted_order(
            chain.dimensions, objective.multiplications, objective.moved, batch_sizes(chain), gradients
        )
        return Planned(sequence, None, value)
    if limit is None and objective.only_memory:
        _check_length(chain, LONGEST_WITH_MEMORY, "to minimize memory")
        limit = _native.chain_least_peak(chain.dimensions, batch_sizes(chain))
    points = front(chain, objective, limit, gradients)
    return min(points, key=lambda point: point.value)


def front(chain: Chain, objective: Objective, limit: int | None, gradients: Sequence[bool]) -> list[Planned]:
    """All trades of memory against the rest of the objective, the least memory first.

    Raises ValueError where no order fits into `limit`.
    """
    if chain.structures:
        raise ValueError(_ONLY_MULTIPLICATIONS)
    _check_length(chain, LONGEST_WITH_MEMORY, "with an eye on memory")
    batches = batch_sizes(chain)
    memory = objective.memory
    if objective.moved:
        weighted = _native.chain_weighted_front(
            chain.dimensions, objective.multiplications, objective.moved, limit, batches, gradients
        )
        points = [Planned(sequence, None, value + memory * peak) for peak, value, sequence in weighted]
    else:
        counted = _native.chain_front(chain.dimensions, limit, batches, gradients)
        weight = objective.multiplications
        points = [Planned(sequence, cost, weight * cost + memory * peak) for peak, cost, sequence in counted]
    if not points:
        least = _native.chain_least_peak(chain.dimensions, batches)
        raise ValueError(f"no order fits into {limit:,} elements: the least possible is {least:,}")
    return points


def _fewest_multiplications(chain: Chain, objective: Objective, gradients: Sequence[bool]) -> Planned:
    # One factor for every product changes no order: the same batch, or three passes where all need a gradient.
    if same_batch_everywhere(chain) and (not gradients or all(gradients)):
        cost, sequence = _native.chain_order(chain.dimensions)
        if gradients:
            cost *= 3
        if chain.batches:
            for size in chain.batches[0]:
                cost *= size
    else:
        _check_length(chain, LONGEST_BY_INTERVALS, "with batches or gradients that differ")
        cost, sequence = _native.chain_interval_order(chain.dimensions, batch_sizes(chain), gradients)
    return Planned(sequence, cost, cost if objective.multiplications == 1 else objective.multiplications * cost)


_ONLY_MULTIPLICATIONS = (
    "operands with a structure are planned for the fewest multiplications, without memory limits and gradients"
)


def _structured(chain: Chain, objective: Objective, limit: int | None, gradients: Sequence[bool]) -> Planned:
    if limit is not None or gradients or not objective.only_multiplications:
        raise ValueError(_ONLY_MULTIPLICATIONS)
    _check_length(chain, LONGEST_WITH_STRUCTURES, "with structures")
    cost, sequence = plan_structured(chain.structures)
    packed = array("i", sequence).tobytes()
    return Planned(packed, cost, cost if objective.multiplications == 1 else objective.multiplications * cost)


def _check_length(chain: Chain, longest: int, purpose: str) -> None:
    if chain.operands > longest:
        raise ValueError(
            f"{chain.operands:,} matrices are too many {purpose}: at most {longest:,} "
            "(the fewest multiplications of a plain chain are found for any number)"
        )

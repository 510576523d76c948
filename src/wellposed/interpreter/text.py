"""Costs as plain text."""

from __future__ import annotations

import os

from wellposed.interpreter.causes import CALLS, MEANINGS
from wellposed.interpreter.costs import TIERS, Costs, PlaceCosts

_LINES = 8
_NATIVE = 4


def as_text(costs: Costs) -> str:
    """The causes with their intervals, the costliest lines, threads that waited, and the remarks."""
    if not costs.samples:
        return summary(costs)
    out = [summary(costs), ""]
    width = max(len(each.name) for each in costs.causes)
    for each in costs.causes:
        interval = f"{each.low:>4.0%} to {each.high:>4.0%}"
        out.append(f"  {each.share:>4.0%}  {interval}  {each.name:<{width}}  {MEANINGS[each.name]}")
    if costs.lines:
        out.append("\nCostliest lines:")
        out.extend(_line(each) for each in costs.lines[:_LINES])
    return "\n".join([*out, "", *remarks(costs)])


def summary(costs: Costs) -> str:
    """One sentence: how much of the CPU time is Python's, out of how many samples."""
    if not costs.samples:
        why = "; ".join(costs.warnings) or "the block has not ended"
        return f"No costs of Python: nothing was sampled ({why})."
    python = costs.python
    return (
        f"Python itself takes {python.share:.0%} of the CPU time ({python.low:.0%} to {python.high:.0%}): "
        f"{costs.cpu_seconds:.2f} s of CPU time, {costs.wall_seconds:.2f} s elapsed, {costs.samples} samples."
    )


def remarks(costs: Costs) -> list[str]:
    """What stands below the tables, a line each."""
    out = []
    if CALLS in {each.name for each in costs.causes}:
        low, high = costs.calls_range
        out.append(
            f"Calls: {low:.0%} in call and return alone, {high:.0%} with all that prepares them, lookups included."
        )
    if costs.native:
        libraries = ", ".join(f"{each.name} {each.share:.0%}" for each in costs.native[:_NATIVE])
        out.append(f"Native work: {libraries}.")
    out.extend(_threads(costs))
    if costs.sizes:
        sizes = "; ".join(
            f"{each.kind} {each.bytes_each:.0f} bytes with the pointer to it, {each.bytes_unboxed} as a machine number"
            for each in costs.sizes
        )
        out.append(f"Sizes here: {sizes}.")
    out.append(f"Evidence: {costs.tier}: {TIERS[costs.tier]}.")
    out.extend(f"Note: {each}." for each in costs.warnings)
    return out


def main_causes(place: PlaceCosts) -> str:
    """The causes that make up most of a place, in words."""
    told = [f"{cause} {share / place.share.share:.0%}" for cause, share in place.causes.items() if place.share.share]
    return ", ".join(told[:3])


def _line(place: PlaceCosts) -> str:
    where = f"{os.path.basename(place.file)}:{place.line}"
    return f"  {place.share.share:>4.0%}  {where}  {place.source[:60]}\n        {main_causes(place)}"


def _threads(costs: Costs) -> list[str]:
    waited = [each for each in costs.threads if each.interpreter_wait > 0.02 * each.wall]
    if not waited:
        return []
    out = ["Threads (of the time that passed):"]
    for each in costs.threads:
        wall = each.wall or 1.0
        out.append(
            f"  {each.name}: {each.cpu / wall:.0%} running, {each.interpreter_wait / wall:.0%} waiting for the "
            f"interpreter's lock (GIL), {each.queued / wall:.0%} waiting for a processor, "
            f"{each.blocked / wall:.0%} blocked otherwise"
        )
    return out

"""How one fault led to the next, as boxes below one another in order of time, with the arrows between them.

The layout is that of a graph of commits: a box stands in a lane; an only consequence stands straight below its cause,
several branch off to the right of it. No coordinates: the page stretches the lines to the boxes' heights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wellposed.findings import Severity

MOST_BOXES = 12
LANES = 4
"""Deeper branches are drawn in the last one."""


@dataclass(frozen=True, slots=True)
class Link:
    """One finding of a chain."""

    id: int
    after: tuple[int, ...]
    """Ids of the findings that it follows from; none for the root."""
    step: int | None
    phase: str
    place: str
    message: str
    rule: str
    severity: Severity
    confidence: str
    ranks: str = ""


@dataclass(frozen=True, slots=True)
class Box:
    link: Link
    number: int
    """Its place in the order of time, from 1."""
    lane: int
    enters: int | None
    """The lane that the arrow comes from; None for the root."""
    passing: tuple[int, ...]
    """Lanes whose line runs on past this box."""
    after: tuple[int, ...]
    """Numbers of the boxes that it follows from, where that is not simply the box above."""


@dataclass(frozen=True, slots=True)
class Unfolding:
    boxes: tuple[Box, ...]
    more: int
    """Consequences that were left out."""
    summary: str
    """The rules in one line with arrows; empty unless each follows from the one before, and there are three or more."""


def unfold(links: Sequence[Link], most: int = MOST_BOXES) -> Unfolding:
    """Lay out a root (the first) and its consequences, in order of time."""
    shown = links[:most]
    numbers = {link.id: number for number, link in enumerate(shown, 1)}
    causes = {link.id: _known(link, numbers) for link in shown}
    # Of several causes the latest is drawn; the others are told in words.
    parent = {each: max(found) if (found := causes[each]) else None for each in causes}
    children: dict[int, list[int]] = {}
    for number, link in enumerate(shown, 1):
        above = parent[link.id]
        if above is not None:
            children.setdefault(above, []).append(number)
    boxes: list[Box] = []
    lanes: dict[int, int] = {}
    for number, link in enumerate(shown, 1):
        above = parent[link.id]
        busy = {lanes[each] for each, below in children.items() if each in lanes and max(below) > number}
        lane, enters = _lane(above, children, lanes, busy)
        lanes[number] = lane
        told = () if causes[link.id] in ((), (number - 1,)) else causes[link.id]
        boxes.append(Box(link, number, lane, enters, tuple(sorted(busy)), told))
    straight = len(links) > 2 and all(parent[link.id] == number for number, link in enumerate(shown[1:], 1))
    return Unfolding(tuple(boxes), len(links) - len(shown), _summary(links) if straight else "")


def _known(link: Link, numbers: Mapping[int, int]) -> tuple[int, ...]:
    """Numbers of the boxes that it follows from; a cause that is not shown or not earlier is the root's."""
    own = numbers[link.id]
    if own == 1:
        return ()
    return tuple(sorted({numbers[each] for each in link.after if numbers.get(each, own) < own})) or (1,)


def _lane(
    above: int | None, children: Mapping[int, list[int]], lanes: Mapping[int, int], busy: set[int]
) -> tuple[int, int | None]:
    if above is None:
        return 0, None
    cause = lanes[above]
    alone = len(children[above]) == 1
    if alone and not any(lane >= cause for lane in busy):
        return cause, cause
    return min(LANES, max({cause, *busy}) + 1), cause


def _summary(links: Sequence[Link]) -> str:
    parts: list[str] = []
    step: int | None = None
    for link in links:
        when = "" if link.step is None or link.step == step else f" (step {link.step})"
        step = link.step if link.step is not None else step
        parts.append(f"{link.rule}{when}")
    if len(parts) > 6:
        parts = [*parts[:4], "…", parts[-1]]
    return " → ".join(parts)

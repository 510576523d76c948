"""What was measured, gathered by operator and place; the worst call of each is kept."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

from wellposed.shadow.flips import FlipFacts
from wellposed.shadow.measure import Errors

_FULLY_AT_FIRST = 8


@dataclass(slots=True)
class PlaceFacts:
    """One operator at one place."""

    number: int
    calls: int = 0
    worst: Errors | None = None
    terms: int = 1
    """Most numbers that were added up for one element."""


@dataclass(slots=True)
class Facts:
    """Of a whole run. A key is (the operator's name, the place)."""

    places: dict[Any, PlaceFacts] = field(default_factory=dict)
    flips: dict[Any, FlipFacts] = field(default_factory=dict)
    skipped: dict[tuple[str, str], int] = field(default_factory=dict)

    def wants_more(self, key: Hashable) -> bool:
        """Whether the next call of this place is worth a full measurement: the first 8, then every doubling."""
        found = self.places.get(key)
        calls = 0 if found is None else found.calls
        return calls < _FULLY_AT_FIRST or calls & (calls - 1) == 0

    def count(self, key: Hashable) -> PlaceFacts:
        found = self.places.get(key)
        if found is None:
            found = self.places[key] = PlaceFacts(len(self.places) + 1)
        found.calls += 1
        return found

    def worst_weight(self, key: Hashable) -> float:
        """What a call of this place must exceed to be the worst so far."""
        found = self.places.get(key)
        return -1.0 if found is None or found.worst is None else found.worst.weight

    def add(self, key: Hashable, errors: Errors | None, terms: int) -> None:
        """`errors` is None for a call that is not the worst."""
        found = self.count(key)
        found.terms = max(found.terms, terms)
        if errors is not None:
            found.worst = errors

    def flip(self, key: Hashable, share: float, margin: float) -> None:
        found = self.flips.setdefault(key, FlipFacts())
        if share > found.share:
            found.share, found.margin = share, margin

    def skip(self, name: str, reason: str) -> None:
        self.skipped[name, reason] = self.skipped.get((name, reason), 0) + 1

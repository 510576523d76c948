"""How closely the next stretch of the program is watched. Pure arithmetic: clock readings come in as arguments."""

from __future__ import annotations

from dataclasses import dataclass

from wellposed.record import Level

FULL_AT_FIRST = 3
"""Steps recorded in full at the start: initialisation, the first update, and what the update did."""
FULL_CALLS_AT_FIRST = 4
"""Outermost calls recorded in full inside one step (evaluation, generation)."""
LONG_LOOP = 8
"""Calls without gradients within one step from which on they are a loop of their own (evaluation, generation)."""
FULL_AFTER_TROUBLE = 2
"""Steps recorded in full after one in which an operator made a NaN or an infinity."""
GROWTH = 1.3
"""Recorded steps lie further and further apart, each at 1.3 times the last: their number grows with log(steps)."""
GRACE_SECONDS = 15.0
"""Recording may cost this much before the budget counts: nobody waits for it, and most faults show within it."""
DISPATCH_SECONDS = 6e-6
"""What one operator costs under a dispatch mode, beyond what the recorder can measure of itself (measured: 5.5 to
5.9 µs; docs/benchmarks.md)."""


@dataclass(slots=True)
class Budget:
    """Chooses a level for each stretch so that recording stays below `share` of the program's own time."""

    share: float | None
    """Allowed recording time over the program's own time; None for no limit."""
    full_steps: tuple[int, int] | None = None
    """Steps (first, last) that the user wants in full."""
    grace_seconds: float = GRACE_SECONDS
    full_at_first: int = FULL_AT_FIRST
    """Steps recorded in full at the start; with 0 none is, then or later, but around trouble."""
    watches_operators: bool = True
    """Whether steps between the full ones have every operator's output checked; else only the outputs of modules."""
    _next_full: float = 0.0
    _next_full_call: float = 0.0
    _last_full: int = -1
    _trouble_until: int = -1
    _full_cost: float = 0.0
    _between_cost: float = 0.0

    def level(self, step: int, call: int, elapsed: float, spent: float) -> Level:
        """The level for the stretch that begins.

        `elapsed` and `spent` are seconds since the program began: all of them, and those that went into recording.
        """
        if call == 0:
            self._next_full_call = 0.0
        if self.full_steps is not None and self.full_steps[0] <= step <= self.full_steps[1]:
            return "full"
        if step <= self._trouble_until and call < FULL_CALLS_AT_FIRST:
            return "full"
        room = self._room(elapsed, spent)
        if step < self.full_at_first and call < FULL_CALLS_AT_FIRST:
            return "full"
        if self._due(step, call) and room >= self._full_cost:
            self._count(step, call)
            return "full"
        if room < self._between_cost:
            return "off"
        return "check" if self.watches_operators else "modules"

    def trouble(self, step: int) -> None:
        """An operator made a NaN or an infinity in `step`: what follows is recorded in full for a while."""
        self._trouble_until = max(self._trouble_until, step + FULL_AFTER_TROUBLE)

    def learn(self, level: Level, seconds: float) -> None:
        """A stretch at `level` cost this much recording time."""
        if level == "full":
            self._full_cost = seconds if not self._full_cost else 0.5 * (self._full_cost + seconds)
        elif level != "off":
            self._between_cost = seconds if not self._between_cost else 0.5 * (self._between_cost + seconds)

    def _due(self, step: int, call: int) -> bool:
        if self.full_at_first == 0:
            return False
        if call == 0:
            return step >= self._next_full
        if step < self.full_at_first:
            return call >= self._next_full_call
        # A teacher or a target network that is asked inside a step belongs to it; a long loop is sampled by itself.
        return (step == self._last_full and call < FULL_CALLS_AT_FIRST) or call >= max(self._next_full_call, LONG_LOOP)

    def _count(self, step: int, call: int) -> None:
        if call == 0:
            self._last_full = step
            self._next_full = max(self._next_full + 1, step * GROWTH)
        else:
            self._next_full_call = max(self._next_full_call + 1, call * GROWTH)

    def _room(self, elapsed: float, spent: float) -> float:
        if self.share is None:
            return float("inf")
        return self.grace_seconds + self.share * max(elapsed - spent, 0.0) - spent

"""What Python cost: the result of an observation, as plain data."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from wellposed.interpreter.causes import PYTHON_CAUSES, UNATTRIBUTED

SYMBOLS = "symbols"
OPCODES = "opcodes only"
MACHINE_CODE = "machine code only"
TIERS = {
    SYMBOLS: "each sample is told by bytecode instruction, C function and machine instruction",
    OPCODES: "this interpreter is stripped: inside it, a sample is told by its bytecode instruction, and by the C "
    "function only where the file still names it",
    MACHINE_CODE: "the running bytecode cannot be seen here: no lines, and causes by C function alone",
}
"""How much a sample tells, printed with every result."""


@dataclass(frozen=True, slots=True)
class Share:
    """A part of the CPU time of the threads that ran Python, with its 95 % interval; all from 0 to 1."""

    name: str
    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class PlaceCosts:
    """A line, a function or a bytecode instruction, and its share of the CPU time by cause."""

    file: str
    line: int
    """0 for a bytecode instruction."""
    function: str
    source: str
    share: Share
    causes: dict[str, float]
    """Shares of the whole, the greatest first."""


@dataclass(frozen=True, slots=True)
class ThreadCosts:
    """A thread that ran Python; seconds. wall = cpu + queued + waiting for the interpreter's lock + blocked."""

    name: str
    wall: float
    cpu: float
    queued: float
    """Ready to run, but the machine had no processor free."""
    interpreter_wait: float
    """Blocked by the interpreter's lock (GIL)."""
    blocked: float
    """Blocked by anything else."""


@dataclass(frozen=True, slots=True)
class Size:
    """What one value takes here, and what it holds."""

    kind: str
    count: int
    bytes_each: float
    bytes_unboxed: int
    """What the same value takes in an array of machine numbers."""


@dataclass(slots=True)
class Costs:
    """Where the CPU time of a stretch of Python went, cause by cause. Empty until its ``with`` block ends."""

    causes: tuple[Share, ...] = ()
    """The greatest first; they add up to 1."""
    lines: tuple[PlaceCosts, ...] = ()
    functions: tuple[PlaceCosts, ...] = ()
    opcodes: tuple[PlaceCosts, ...] = ()
    native: tuple[Share, ...] = ()
    """Native work by library, as shares of the whole."""
    calls_range: tuple[float, float] = (0.0, 0.0)
    """From call and return alone to everything that prepares them; the share of calls lies between."""
    threads: tuple[ThreadCosts, ...] = ()
    sizes: tuple[Size, ...] = ()
    tier: str = SYMBOLS
    warnings: tuple[str, ...] = ()
    samples: int = 0
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    """Of the threads that ran Python."""
    native_thread_seconds: float = 0.0
    """CPU time of threads that never ran Python, such as the workers of BLAS."""
    python: Share = field(default_factory=lambda: Share("Python", 0.0, 0.0, 1.0))
    """All causes that compiled code would not have."""
    result: Any = None
    """What the observed function returned."""

    def share(self, cause: str) -> float:
        """The share of `cause`, 0 to 1; 0 for one that was not seen."""
        return next((each.share for each in self.causes if each.name == cause), 0.0)

    @property
    def first(self) -> str:
        """The cause that costs most; "unattributed" where nothing was sampled."""
        return self.causes[0].name if self.causes else UNATTRIBUTED

    def to_json(self) -> dict[str, Any]:
        """Plain data for JSON; the schema is ``wellposed-python/1`` and only grows."""
        data = {name: value for name, value in _plain(self).items() if name != "result"}
        return {"schema": "wellposed-python/1", "first": self.first, "python_causes": list(PYTHON_CAUSES), **data}

    def __str__(self) -> str:
        from wellposed.interpreter.text import as_text

        return as_text(self)


def _plain(costs: Costs) -> dict[str, Any]:
    result, costs.result = costs.result, None
    try:
        return asdict(costs)
    finally:
        costs.result = result

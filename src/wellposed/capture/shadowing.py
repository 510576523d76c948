"""Runs the operators of some steps beside a shadow of higher precision, and notes which formulas lost digits.

Nothing here may change the program: the engine works below autograd, on copies, and draws no random numbers.
"""

from __future__ import annotations

import contextlib
import linecache
import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from typing import Any

import torch
from torch.utils._python_dispatch import _disable_current_modes

from wellposed.capture.notes import Notes
from wellposed.findings import Location
from wellposed.shadow.contract import to_plain
from wellposed.shadow.engine import Engine
from wellposed.shadow.references import reference_named
from wellposed.shadow.summary import report_of

MOST_READINGS = 4
"""Numbers read at one place (``.item()``, ``print``) that are outputs whose digits are asked for."""
MOST_OUTPUTS = 24
MOST_BYTES = 256 << 20
"""Of values kept for attribution."""
MOST_OPERATORS = 60
"""Operators that are written down of one report."""
SHARE = 0.05
"""Of the program's time that later looks may take, beyond what is free at the beginning."""
_READS = ("aten._local_scalar_dense.default",)
_current_node: Callable[[], Any] = getattr(torch._C, "_current_autograd_node", lambda: None)
_next_sequence: Callable[[], int] = getattr(torch.autograd, "_get_sequence_nr", lambda: 0)


class Shadowing:
    """One engine at a time, from the beginning of a step to its end, or until its time is up."""

    def __init__(self, notes: Notes, free_seconds: float, every_step: bool = False):
        """`free_seconds` may be spent whatever the program takes; beyond that a share of the program's own time."""
        self._notes = notes
        self._every_step = every_step
        self._free_seconds = free_seconds
        self._engine: Engine | None = None
        self._is_over = False
        """Whether the time of this step's look is up."""
        self._failed = False
        self.working = False
        """Whether what runs now is our own work: gradients of its own among it."""
        self._began = time.thread_time()
        self._spent = 0.0
        self._next_step = 0
        self._of_forward: dict[int, int] = {}
        self._readings: Counter[int] = Counter()
        self._phase = "forward"
        self._backward_called_at: Any = None

    @property
    def active(self) -> bool:
        """Whether operators are to be handed over."""
        return self._engine is not None and not self._is_over

    def begin(self, step: int) -> None:
        """A step begins: look at the first, and at later ones ever further apart while there is time."""
        if step < self._next_step or self._left() <= 0:
            return
        self._next_step = step + 1 if self._every_step else max(3, 10 * step)
        self._of_forward.clear()
        self._readings.clear()
        self._is_over = False
        self._engine = Engine(reference_named("float64", has_float64=False), self._here, tape_bytes=MOST_BYTES)

    def before(
        self, operator: Any, args: tuple[Any, ...], kwargs: dict[str, Any] | None, phase: str, backward_called_at: Any
    ) -> Any:
        """To be called before each operator, with our own work hidden; returns what `after` wants."""
        engine = self._engine
        if engine is None:
            return None
        self._phase, self._backward_called_at = phase, backward_called_at
        with self._work():
            if str(operator) in _READS:
                self._reading(engine, args[0])
            else:
                return engine.before(operator, args, kwargs or {})
        return None

    def after(self, token: Any, result: Any) -> None:
        """To be called when the operator has run."""
        engine = self._engine
        if engine is None:
            return
        with self._work():
            engine.after(token, result)
        # What is computed from here on has no shadow, so that nothing can be said of it.
        self._is_over = self._is_over or self._left() <= 0

    def loss(self, loss: torch.Tensor) -> None:
        """Backward is called on a scalar."""
        if self.active and self._engine is not None and _is_measured(loss):
            with self._work():
                self._declare(self._engine, loss, "loss")

    def end(self, step: int) -> None:
        """The step is over: say what was lost in it."""
        engine, self._engine = self._engine, None
        if engine is None:
            return
        with self._work():
            if engine.declared and not self._failed:
                with _disable_current_modes():
                    report = report_of(engine, self._describe)
                self._notes.event(step, "digits", to_plain(report, MOST_OPERATORS))
            engine.store.clear()
            if engine.tape is not None:
                engine.tape.give_up("the step is over")

    def _left(self) -> float:
        own = max(time.thread_time() - self._began - self._spent, 0.0)
        return self._free_seconds + SHARE * own - self._spent

    def _reading(self, engine: Engine, tensor: torch.Tensor) -> None:
        """A number leaves for Python: somebody looks at it, or decides by it."""
        if not _is_measured(tensor):
            return
        site = self._notes.sites.here()
        self._readings[site] += 1
        if self._readings[site] <= MOST_READINGS:
            location, _ = self._describe((site, "forward"))
            self._declare(engine, tensor, f"number read at line {location.line}")

    def _declare(self, engine: Engine, tensor: torch.Tensor, name: str) -> None:
        if len(engine.declared) < MOST_OUTPUTS:
            engine.declare(tensor, name)

    @contextlib.contextmanager
    def _work(self) -> Iterator[None]:
        """A fault of ours ends the look, not the recording."""
        began = time.thread_time()
        self.working = True
        try:
            with torch._C.DisableTorchFunction(), torch.no_grad():
                yield
        except Exception as error:
            self._is_over = self._failed = True
            self._notes.event(0, "shadow-failed", {"error": f"{type(error).__name__}: {error}"[:300]}, once=True)
        finally:
            self.working = False
            self._spent += time.thread_time() - began

    def _here(self) -> Hashable:
        """Where the program is: the place and the phase; of a backward operator, the place of its forward."""
        node = _current_node()
        if node is None:
            site = self._notes.sites.here()
            if torch.is_grad_enabled():
                self._of_forward[_next_sequence() - 1] = site
            return site, self._phase
        site = self._notes.sites.here(self._backward_called_at)
        return (site if site >= 0 else self._of_forward.get(node._sequence_nr(), -1)), "backward"

    def _describe(self, place: Any) -> tuple[Location, str]:
        number, phase = place
        found = self._notes.place(number)
        if found is None:
            return Location(phase=phase), ""
        path, row = found
        _, file, line, function, library, library_line, library_function = row
        beside = f"{library}:{library_line} in {library_function}" if library else None
        text = linecache.getline(path, line).strip()
        return Location(file, line, function or None, phase=phase, library=beside), text


def _is_measured(tensor: torch.Tensor) -> bool:
    return type(tensor) in (torch.Tensor, torch.nn.Parameter) and tensor.is_floating_point() and tensor.numel() == 1

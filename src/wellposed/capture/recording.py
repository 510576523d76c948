"""A recording of this process: opened before the program starts, armed until PyTorch is imported, closed at the end.

Imports no torch: a program that never uses it never pays for it.
"""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING, Any

from wellposed.capture.budget import FULL_AT_FIRST, GRACE_SECONDS
from wellposed.capture.importing import when_imported
from wellposed.record import RecordWriter

if TYPE_CHECKING:
    import torch

    from wellposed.capture.numpy_import import NumpySources
    from wellposed.capture.numpy_session import NumpySession
    from wellposed.capture.session import Session
    from wellposed.signals import EarlyWarning


@dataclass(frozen=True, slots=True)
class Options:
    """What the user may choose about a recording."""

    budget: float | None = 0.25
    """Recording time over the program's own time; None for no limit."""
    max_bytes: int | None = 500_000_000
    full_steps: tuple[int, int] | None = None
    """Steps (first, last) to record in full, whatever the budget says."""
    grace_seconds: float = GRACE_SECONDS
    """Recording time that is free before the budget counts."""
    full_at_first: int = FULL_AT_FIRST
    """Steps recorded in full at the start; with 0 none is, then or later, but around trouble."""
    reads_host: bool = True
    """False takes the processor's own memory for an accelerator's: to try the way of such tensors without one."""
    watches_operators: bool = True
    """Whether every operator's output is checked between the full steps; else only the outputs of modules."""
    shadow_seconds: float = 0.0
    """Time that running operators beside a shadow of higher precision may take before a share of the program's own
    counts; 0 runs none."""
    shadows_every_step: bool = False
    """Whether each step recorded in full is run in shadow, not only the first and ever fewer later ones."""
    counts_exponents: bool = False
    """Whether the exponents of every result are counted in full steps."""
    on_operation: Callable[[int, Any, tuple[Any, ...], dict[str, Any], Any], None] | None = None
    """Told, where exponents are counted, of each operation's number, operator, arguments and result."""
    warns: bool = False
    """Whether early-warning signals are followed."""
    on_warning: Callable[[EarlyWarning], None] | None = None
    stop_on: tuple[str, ...] = ()
    """Names of signals that stop the program before the next update."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What a live line shows."""

    step: int
    loss: float | None
    troubles: int
    overhead: float
    """Recording time over the program's own time."""


class Recording:
    """Records this process into one file."""

    def __init__(
        self,
        path: Path,
        options: Options,
        meta: dict[str, Any],
        on_progress: Callable[[Progress], None] | None = None,
        *,
        force: bool = False,
    ):
        """Create the file. `meta` holds at least ``argv``, ``script`` and ``folder``.

        Raises RecordExistsError where the path holds something else, OSError where it cannot be written.
        """
        self.path = path
        self.options = options
        self.folder = str(meta.get("folder", os.getcwd()))
        self.on_progress = on_progress
        self.writer = RecordWriter(
            path,
            meta={
                "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
                "versions": {"python": platform.python_version()},
                **_rank(),
                **meta,
            },
            max_bytes=options.max_bytes,
            force=force,
        )
        self._began = time.perf_counter()
        self._session: Session | None = None
        self._numpy: NumpySession | None = None
        self._sources: NumpySources | None = None
        self._may_shadow = True
        self._left_alone: list[dict[str, str]] = []
        self._disarm: Callable[[], None] = lambda: None
        self._disarm_numpy: Callable[[], None] = lambda: None

    def start(self) -> None:
        """Record from now on, or from the moment PyTorch is imported."""
        self._began = time.perf_counter()
        disarm = when_imported("torch", self._begin_session)
        if callable(disarm):
            self._disarm = disarm

    def instrument_numpy(self) -> Callable[[bytes, str], CodeType | None]:
        """Run the program's own modules that use NumPy, and no other framework, from instrumented source.

        Returns what compiles the main script: given its bytes and file, the code, or None where it is to be run as
        it is.
        """
        from wellposed.capture.numpy_import import NumpySources

        self._sources = NumpySources(self.folder, self._is_left_alone)
        self._sources.arm()
        self._disarm_numpy = when_imported("numpy", self._begin_numpy)
        compile_script = self._sources.compile_script

        def compile_main(source: bytes, file: str) -> CodeType | None:
            # NumPy resizes in place only what nobody refers to, and a shadow refers to it, if weakly.
            self._may_shadow = b".resize(" not in source
            return compile_script(source, file)

        return compile_main

    def adopt(self, *models: torch.nn.Module, optimizers: Iterable[torch.optim.Optimizer] = ()) -> None:
        """Learn of models and optimizers that were made before recording began; PyTorch is imported by then."""
        if self._session is not None:
            self._session.adopt(models, optimizers)

    def gradients_without_update(self, optimizer: torch.optim.Optimizer | None, details: dict[str, Any]) -> None:
        """An audit has made gradients that no update follows."""
        if self._session is not None:
            self._session.gradients_without_update(optimizer, details)

    def stop(self, exit_code: int | None, error: str | None) -> None:
        """Take the hooks away, write what is left and close the file."""
        with contextlib.suppress(Exception):
            self._disarm()
        wall = time.perf_counter() - self._began
        facts: dict[str, Any] = {"operations": 0, "recording_seconds": 0.0}
        with contextlib.suppress(Exception):
            self._disarm_numpy()
            if self._sources is not None:
                self._sources.disarm()
        if self._numpy is not None:
            for details in self._left_alone:
                self._numpy.note("left-uninstrumented", details)
            facts = self._numpy.close()
        if self._session is not None:
            facts = self._session.close()
        self.writer.set_meta(exit_code=exit_code, error=error, wall_seconds=wall, **facts)
        self.writer.close()

    def _is_left_alone(self, file: str, reason: str) -> None:
        self._left_alone.append({"file": file, "reason": reason})

    def _begin_numpy(self) -> None:
        if self._session is not None or (self._sources is not None and self._sources.other_framework):
            return
        from wellposed.capture.numpy_session import NumpySession

        numpy = sys.modules["numpy"]
        shadow = None
        if self.options.shadow_seconds > 0 and self._may_shadow:
            from wellposed.capture.numpy_shadowing import NumpyShadowing

            shadow = NumpyShadowing(self.folder, self.options.shadow_seconds)
        self._numpy = NumpySession(self.writer, self.options, self.folder, self.on_progress, shadow)
        self._numpy.install()
        self.writer.set_meta(versions={"python": platform.python_version(), "numpy": str(numpy.__version__)})

    def _begin_session(self, *_: Any) -> None:
        if self._numpy is not None:
            if self._numpy.operations:
                self._numpy.note("torch-unwatched", {})
                return
            self._numpy.abandon()
            self._numpy = None
        from wellposed.capture.session import Session

        torch = sys.modules["torch"]
        self._session = Session(self.writer, self.options, self.folder, self.on_progress)
        self._session.install()
        self.writer.set_meta(versions={"python": platform.python_version(), "torch": str(torch.__version__)})


def _rank() -> dict[str, int]:
    """The rank that torchrun gave this process."""
    facts = {}
    for key, variable in (("rank", "RANK"), ("world_size", "WORLD_SIZE")):
        value = os.environ.get(variable, "")
        if value.isdigit():
            facts[key] = int(value)
    return facts

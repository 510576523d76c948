"""Digits of PyTorch programs: the dispatch mode that drives the engine, and the block that a user enters."""

from __future__ import annotations

import linecache
import sys
import warnings
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from torch.optim import optimizer as torch_optimizer
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes

from wellposed.capture.patches import Patches, force_eager
from wellposed.capture.sites import Sites, UserFrame
from wellposed.findings import Location
from wellposed.shadow.engine import Engine
from wellposed.shadow.outputs import Declared
from wellposed.shadow.references import reference_named
from wellposed.shadow.result import DigitsReport
from wellposed.shadow.summary import report_of

MOST_OUTPUTS = 64
"""Tensors of a result that are looked at."""

_current_node: Callable[[], Any] = getattr(torch._C, "_current_autograd_node", lambda: None)
_next_sequence: Callable[[], int] = getattr(torch.autograd, "_get_sequence_nr", lambda: 0)


class DigitsMode(TorchDispatchMode):
    """Drives an engine, and says where in the user's source each operator stands."""

    def __init__(self, make_engine: Callable[[Callable[[], Hashable]], Engine]) -> None:
        super().__init__()
        self.engine = make_engine(self._here)
        self.paused = False
        self.optimizing = False
        self.backward_called_at: UserFrame | None = None
        self._places: dict[int, tuple[Any, ...]] = {}
        self.sites = Sites(str(Path.cwd()), self._new_place)
        self._of_forward: dict[int, int] = {}
        """The place of each autograd node's forward, by its sequence number."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # else PyTorch imports its compiler to hide this method from it

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if self.paused:
            return func(*args, **kwargs)
        token = self._guarded(self.engine.before, func, args, kwargs)
        result = func(*args, **kwargs)
        if token is not None:
            self._guarded(self.engine.after, token, result)
        return result

    def _guarded(self, work: Callable[..., Any], *args: Any) -> Any:
        """Our own work is hidden from the program's other modes, and its errors from the program."""
        try:
            with torch._C.DisableTorchFunction():
                if torch._C._len_torch_dispatch_stack():
                    with _disable_current_modes():
                        return work(*args)
                return work(*args)
        except Exception as error:
            self.engine.facts.skip("wellposed", f"could not measure: {type(error).__name__}: {error}"[:200])
            return None

    def _new_place(self, row: tuple[Any, ...]) -> None:
        self._places[row[0]] = row

    def _here(self) -> Hashable:
        node = _current_node()
        if node is None:
            site = self.sites.here()
            if torch.is_grad_enabled():
                self._of_forward[_next_sequence() - 1] = site
            return site, "optimizer" if self.optimizing else "forward"
        site = self.sites.here(self.backward_called_at)
        if site < 0:
            site = self._of_forward.get(node._sequence_nr(), -1)
        return site, "backward"

    def describe(self, place: Any) -> tuple[Location, str]:
        """The location and source line of a place."""
        number, phase = place
        row = self._places.get(number)
        if row is None:
            return Location(phase=phase), ""
        _, file, line, function, library, library_line, library_function = row
        beside = f"{library}:{library_line} in {library_function}" if library else None
        return Location(file, line, function or None, phase=phase, library=beside), self._text(file, line)

    def _text(self, file: str, line: int) -> str:
        for candidate in self.sites.files:
            if candidate == file or self.sites.relative(candidate) == file:
                return linecache.getline(candidate, line).strip()
        return ""

    def files(self) -> dict[str, str]:
        """Sources by file, as locations name them."""
        return {self.sites.relative(each): "".join(linecache.getlines(each)) for each in sorted(self.sites.files)}


class DigitsBlock:
    """What ``wellposed.digits()`` gives without a function: a run in shadow as long as the ``with`` block lasts."""

    def __init__(self, reference: str = "auto", *, attribution: bool = True, has_float64: bool = False) -> None:
        arithmetic = reference_named(reference, has_float64=has_float64)
        self._mode = DigitsMode(lambda locate: Engine(arithmetic, locate, tape=attribution))
        self._patches = Patches()
        self._handles: list[Any] = []
        self._default: Declared | None = None
        self._report: DigitsReport | None = None
        self._entered = False
        self._stance: Any = None

    def __enter__(self) -> DigitsBlock:
        if self._entered:
            raise RuntimeError("a block of wellposed.digits() is entered once; make another one")
        self._entered = True
        self._handles = [
            torch_optimizer.register_optimizer_step_pre_hook(self._update_begins),
            torch_optimizer.register_optimizer_step_post_hook(self._update_ended),
        ]
        self._patches.wrap(torch.autograd, "backward", self._wrap_backward)
        force_eager(self._patches, self._run_eagerly)
        if "torch._dynamo" in sys.modules:  # something was compiled before
            self._run_eagerly()
        self._mode.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._mode.__exit__(kind, error, trace)
        for handle in self._handles:
            handle.remove()
        self._patches.restore()
        if self._stance is not None:
            self._stance.__exit__(None, None, None)
        try:
            self._finish()
        except Exception as failure:
            if kind is None:
                raise
            warnings.warn(f"wellposed: no report of digits ({failure})", RuntimeWarning, stacklevel=2)

    def output(self, tensor: torch.Tensor, name: str | None = None) -> None:
        """Declare an output, as it is now: a loss, a prediction.

        Raises TypeError for what is no floating-point tensor, RuntimeError outside the block.
        """
        if not isinstance(tensor, torch.Tensor) or not (tensor.is_floating_point() or tensor.is_complex()):
            raise TypeError("an output is a floating-point tensor")
        if self._report is not None or not self._entered:
            raise RuntimeError("outputs are declared inside the block")
        engine = self._mode.engine
        with self._pausing():
            engine.declare(tensor, name or f"output {len(engine.declared) + 1}")

    @property
    def report(self) -> DigitsReport:
        """The report. Raises RuntimeError before the block has ended."""
        if self._report is None:
            raise RuntimeError("the report of wellposed.digits() is ready when its block has ended")
        return self._report

    def __str__(self) -> str:
        return str(self.report)

    def _finish(self) -> None:
        engine = self._mode.engine
        if not engine.declared and self._default is not None:
            engine.declared.append(self._default)
        self._default = None
        self._report = report_of(engine, self._mode.describe, self._mode.files())
        engine.store.clear()
        if engine.tape is not None:
            engine.tape.give_up("the run is over")

    def _run_eagerly(self) -> None:
        """Compiled code has no operators to see: what it was compiled from runs in its place."""
        if self._stance is None:
            self._stance = torch.compiler.set_stance("force_eager")
            self._stance.__enter__()

    def _pausing(self) -> _Paused:
        return _Paused(self._mode)

    def _update_begins(self, *_: Any) -> None:
        self._mode.optimizing = True

    def _update_ended(self, *_: Any) -> None:
        self._mode.optimizing = False

    def _wrap_backward(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def backward(tensors: Any, *args: Any, **kwargs: Any) -> Any:
            self._mode.backward_called_at = self._mode.sites.user_frame()
            root = tensors if isinstance(tensors, torch.Tensor) else tensors[0] if len(tensors) == 1 else None
            if type(root) is torch.Tensor and root.is_floating_point() and root.layout == torch.strided:
                with self._pausing():
                    self._default = self._mode.engine.look_at(root, "loss")
            return original(tensors, *args, **kwargs)

        return backward


class _Paused:
    """Our own operators between those of the program."""

    def __init__(self, mode: DigitsMode) -> None:
        self._mode = mode
        self._no_grad = torch.no_grad()

    def __enter__(self) -> None:
        self._mode.paused = True
        self._no_grad.__enter__()

    def __exit__(self, *_: Any) -> None:
        self._no_grad.__exit__(None, None, None)
        self._mode.paused = False


def digits_of_torch(
    fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], reference: str, *, attribution: bool = True
) -> DigitsReport:
    """The report of one call; the function's own exceptions pass."""
    owners = [fn, getattr(fn, "__self__", None), *args, *kwargs.values()]
    given = [each for _, each in tensors_of((args, kwargs), "")]
    given += [each for owner in owners if isinstance(owner, torch.nn.Module) for each in owner.parameters()]
    has_float64 = any(each.dtype == torch.float64 for each in given)
    block = DigitsBlock(reference, attribution=attribution, has_float64=has_float64)
    with block:
        result = fn(*args, **kwargs)
        for name, tensor in list(tensors_of(result, "result"))[:MOST_OUTPUTS]:
            block.output(tensor, name)
    return replace(block.report, result=result)


def tensors_of(value: Any, name: str) -> Iterator[tuple[str, torch.Tensor]]:
    """The real tensors in tuples, lists, mappings and data classes, with a name for each."""
    if isinstance(value, torch.Tensor):
        if (value.is_floating_point() or value.is_complex()) and value.layout == torch.strided:
            yield name, value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from tensors_of(each, f"{name}.{key}" if isinstance(key, str) else f"{name}[{key!r}]")
    elif isinstance(value, (tuple, list)):
        for index, each in enumerate(value):
            yield from tensors_of(each, f"{name}[{index}]")
    elif is_dataclass(value) and not isinstance(value, type):
        for each in fields(value):
            yield from tensors_of(getattr(value, each.name, None), f"{name}.{each.name}")

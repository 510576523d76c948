"""One recording at work inside a PyTorch program: ties the recorder, the hooks, the budget and the writer together."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import _disable_current_modes

from wellposed import _native
from wellposed.capture.budget import DISPATCH_SECONDS, Budget
from wellposed.capture.modules import Modules
from wellposed.capture.operators import Operators
from wellposed.capture.parameters import Parameters
from wellposed.capture.patches import Patches, force_eager
from wellposed.capture.probes import probe
from wellposed.capture.recorder import FORWARD, OPTIMIZER, Recorder
from wellposed.capture.recording import Options, Progress
from wellposed.capture.sites import Sites
from wellposed.capture.steps import StepWatch
from wellposed.record import Level, RecordWriter
from wellposed.record.writer import number

_PROBES_A_PLACE = 3
"""Times that the same operator at the same place is looked into: a fault that repeats every step is known by then."""
_COMMIT_SECONDS = 1.0
_TAPE_LEVEL = {"check": 1, "full": 2}


class Session:
    """Hooks installed by `install` and taken away by `close`. Never raises into the program: a failure of ours ends
    the recording with an event, the program goes on."""

    def __init__(
        self,
        writer: RecordWriter,
        options: Options,
        folder: str,
        began: float,
        on_progress: Callable[[Progress], None] | None,
    ):
        self._writer = writer
        self._began = began
        self._on_progress = on_progress
        self._process = os.getpid()
        self._threads = torch.get_num_threads()
        self._sites = Sites(folder, self._announce_site)
        self._operators = Operators(lambda row: writer.add("operator", [row]))
        self._modules = Modules(self._sites, lambda row: writer.add("module", [row]))
        self._parameters = Parameters(self._modules, writer.add, self._threads)
        self._tape = _native.Tape(torch.Tensor, self._operators.describe, self._threads)
        self._recorder = Recorder(self._tape, self._sites, self._modules, self._trouble, self._fail)
        self._patches = Patches()
        self._watch = StepWatch(self, self._patches, self._fail)
        self._budget = Budget(options.budget, options.full_steps)
        self._modules.on_outermost = self._outermost_call
        self._recorder.on_rows = self._many_rows
        self._recorder.on_forward_again = self._forward_again

        self._dead = False
        self._mode_active = False
        self._level: Level = "off"
        self._step_level: Level = "off"
        self._keep = False
        self._step, self._call = 0, 0
        self._optimizer_seen = False
        self._stretch_began_spent = 0.0
        self._step_began, self._step_began_spent = time.perf_counter(), 0.0
        self._spent_elsewhere = 0.0
        self._last_commit = time.perf_counter()
        self._probed: Counter[tuple[int, int]] = Counter()
        self._troubles = 0
        self._events = 0
        self._written_files: set[str] = set()
        self._said: set[str] = set()
        self._facts_of_step: dict[str, Any] = {}

    # --- installing -------------------------------------------------------------------------------------------

    def install(self) -> None:
        self._modules.install()
        self._watch.install()
        force_eager(self._patches, self._compiled)
        os.register_at_fork(after_in_child=self._die_in_child)
        self._begin_stretch()

    def adopt(self, model: torch.nn.Module) -> None:
        """Learn the names of a model that was built before recording began."""
        self._modules.adopt(model)
        self._parameters.track(model.parameters())

    def close(self) -> dict[str, Any]:
        """Write what is left, take the hooks away, and return what the record's meta table should hold."""
        with self._own_work():
            if not self._dead:
                self._end_stretch()
                self._end_step()
                self._write_sources()
        self._leave_mode()
        self._modules.remove()
        self._watch.remove()
        self._patches.restore()
        if "compile" in self._said:
            torch.compiler.set_stance("default")
        return {"operations": self._recorder.operators, "recording_seconds": self._spent()}

    def _die_in_child(self) -> None:
        """A forked child (a DataLoader's worker) inherits our hooks; its operators are none of our business."""
        self._dead = True
        self._recorder.paused = True

    def _fail(self, error: BaseException) -> None:
        """A fault of ours: say so in the record and let the program run on unrecorded."""
        if self._dead:
            return
        self._dead = True
        with contextlib.suppress(Exception):
            self._event("recorder-failed", -1, {"error": f"{type(error).__name__}: {error}"[:500]})
            self._writer.commit()

    # --- stretches: what is recorded at one level --------------------------------------------------------------

    def _begin_stretch(self) -> None:
        self._keep = False
        self._stretch_began_spent = self._spent()
        elapsed = time.perf_counter() - self._began
        level = self._budget.level(self._step, self._call, elapsed, self._stretch_began_spent)
        self._set_level(level)
        self._step_level = _closer(self._step_level, level) if self._call else level

    def _set_level(self, level: Level) -> None:
        self._level = level
        if level == "off":
            self._leave_mode()
            return
        self._tape.set_level(_TAPE_LEVEL[level])
        if level == "full":
            for parameter, name in self._parameters.labels():
                self._tape.label(parameter, name)
        self._enter_mode()

    def _end_stretch(self) -> None:
        if self._level == "full" or self._keep:
            self._drain()
        else:
            self._tape.discard()
        self._budget.learn(self._level, self._spent() - self._stretch_began_spent)

    def _drain(self) -> None:
        operations, operands = self._tape.drain(self._step, self._call)
        self._writer.add("operation", [self._with_arguments(row) for row in operations])
        self._writer.add("operand", operands)

    @staticmethod
    def _with_arguments(row: tuple[Any, ...]) -> tuple[Any, ...]:
        return row if row[-1] is None else (*row[:-1], json.dumps(row[-1], default=_plain))

    def _many_rows(self) -> None:
        if self._level == "full" or self._keep:
            self._drain()

    def _enter_mode(self) -> None:
        self._recorder.muted = False
        if not self._mode_active:
            self._recorder.__enter__()
            self._mode_active = True

    def _leave_mode(self) -> None:
        if not self._mode_active:
            return
        # Only the innermost mode can be left; while the program has one of its own above ours, ours stays.
        top = torch.utils._python_dispatch._get_current_dispatch_mode()
        if top is self._recorder:
            self._recorder.__exit__(None, None, None)
            self._mode_active = False
        else:
            self._recorder.muted = True

    def _outermost_call(self) -> None:
        if self._dead or torch.is_grad_enabled():
            return
        with self._own_work():
            # Evaluation and generation: each call is a stretch of its own, so that a long loop is sampled.
            self._end_stretch()
            self._call += 1
            self._begin_stretch()

    # --- steps ------------------------------------------------------------------------------------------------

    def backward_begins(self, loss: torch.Tensor | None) -> None:
        if self._dead:
            return
        with self._own_work():
            if self._recorder.awaiting_forward:
                self._next_step()
            self._recorder.backward_called_at = self._sites.user_frame()
            if loss is not None and loss.numel() == 1:
                value = float(loss.detach())
                self._facts_of_step["loss"] = value
                self._facts_of_step["loss_operation"] = self._tape.producer(loss) or None
                if value != value or abs(value) == float("inf"):
                    self._trouble_with_loss(value)
            self._look_for_hidden_nan()

    def gradient_begins(self) -> None:
        """torch.autograd.grad: backward operators, but no end of a step."""
        self._recorder.backward_called_at = self._sites.user_frame()

    def gradient_ended(self) -> None:
        self._recorder.backward_called_at = None

    def backward_ended(self) -> None:
        self._recorder.backward_called_at = None
        if not self._optimizer_seen and not self._dead:
            self._recorder.awaiting_forward = True
            self._recorder.phase = OPTIMIZER

    def _forward_again(self) -> None:
        """In a program without optimizers: a forward operation after backward() begins the next step."""
        with self._own_work():
            self._next_step()

    def optimizer_made(self, optimizer: torch.optim.Optimizer) -> None:
        if self._dead:
            return
        with self._own_work():
            self._optimizer_seen = True
            self._recorder.awaiting_forward = False
            site = self._sites.here()
            group = optimizer.param_groups[0] if optimizer.param_groups else {}
            details = {
                name: _plain_number(group[name])
                for name in ("lr", "eps", "betas", "momentum", "weight_decay", "alpha", "foreach", "fused")
                if name in group
            }
            self._event("optimizer", site, {"class": type(optimizer).__name__, **details})
            self._parameters.track(_parameters_of(optimizer))

    def update_begins(self, optimizer: torch.optim.Optimizer) -> None:
        if self._dead:
            return
        self._recorder.phase = OPTIMIZER
        with self._own_work():
            self._optimizer_seen = True
            parameters = _parameters_of(optimizer)
            self._parameters.track(parameters)
            rates = [_plain_number(group.get("lr")) for group in optimizer.param_groups]
            known = [rate for rate in rates if isinstance(rate, float)]
            self._facts_of_step["learning_rate"] = max(known, default=None)
            full = self._level == "full" or self._keep
            norm = self._parameters.gradients(parameters, self._step, write=full)
            self._facts_of_step["gradient_norm"] = norm.norm
            self._facts_of_step["gradient_nonfinite"] = norm.nonfinite
            if norm.nonfinite:
                self._escalate("gradient")

    def update_ended(self, _optimizer: torch.optim.Optimizer) -> None:
        self._recorder.phase = FORWARD
        if self._dead:
            return
        with self._own_work():
            self._facts_of_step["update_norm"] = self._parameters.updated()
            self._next_step()

    def update_skipped(self, scale: float) -> None:
        if self._dead:
            return
        with self._own_work():
            self._facts_of_step["scale"] = scale
            self._facts_of_step["skipped"] = True
            self._next_step()

    def _next_step(self) -> None:
        self._end_stretch()
        self._end_step()
        self._recorder.phase = FORWARD
        self._recorder.awaiting_forward = False
        self._step += 1
        self._call = 0
        self._tape.forget_flow()
        self._begin_stretch()

    def _end_step(self) -> None:
        facts, self._facts_of_step = self._facts_of_step, {}
        now, spent = time.perf_counter(), self._spent()
        self._writer.add(
            "step",
            [
                (
                    self._step, self._step_level, number(facts.get("loss")), facts.get("learning_rate"),
                    number(facts.get("gradient_norm")), facts.get("gradient_nonfinite"), number(facts.get("update_norm")),
                    facts.get("scale"), int(facts.get("skipped", False)), now - self._step_began,
                    spent - self._step_began_spent, facts.get("loss_operation"),
                )
            ],
        )  # fmt: skip
        self._step_began, self._step_began_spent = now, spent
        if now - self._last_commit > _COMMIT_SECONDS:
            self._writer.commit()
            self._last_commit = now
        if self._on_progress is not None:
            elapsed = now - self._began
            overhead = spent / max(elapsed - spent, 1e-9)
            self._on_progress(Progress(self._step, facts.get("loss"), self._troubles, overhead))

    # --- trouble ----------------------------------------------------------------------------------------------

    def _trouble(self, bits: int, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> None:
        """An operator has just made a NaN or an infinity that its inputs did not hold."""
        place = (id(func), self._tape.last_site)
        self._probed[place] += 1
        if self._probed[place] > _PROBES_A_PLACE:
            return
        self._troubles += 1
        operation = self._tape.last
        with _disable_current_modes(), torch.no_grad():
            facts = probe(func, args, kwargs, out)
        self._writer.add("probe", [(operation, name, json.dumps(value)) for name, value in facts.items()])
        self._keep = True
        self._budget.trouble(self._step)
        if self._level == "check":
            self._level = self._step_level = "full"
            self._tape.set_level(_TAPE_LEVEL["full"])

    def _escalate(self, signal: str) -> None:
        """Record the next steps in full, the first times that a signal is not finite: later ones tell nothing new."""
        self._probed[(hash(signal), 0)] += 1
        if self._probed[(hash(signal), 0)] <= _PROBES_A_PLACE:
            self._budget.trouble(self._step)

    def _trouble_with_loss(self, value: float) -> None:
        self._escalate("loss")
        if "loss" not in self._said:
            self._said.add("loss")
            self._event("nonfinite-loss", self._sites.here(), {"loss": str(value), "level": self._level})

    def _look_for_hidden_nan(self) -> None:
        """Hugging Face's Trainer replaces NaN losses in its log unless told otherwise: note it, once."""
        if "trainer" in self._said or "transformers.trainer" not in sys.modules:
            return
        self._said.add("trainer")
        frame = sys._getframe(1)
        while frame is not None:
            if frame.f_code.co_filename.endswith("transformers/trainer.py"):
                arguments = getattr(frame.f_locals.get("self"), "args", None)
                hides = bool(getattr(arguments, "logging_nan_inf_filter", False))
                self._event("trainer", -1, {"class": "Trainer", "logging_nan_inf_filter": hides})
                return
            frame = frame.f_back  # type: ignore[assignment]

    def _compiled(self) -> None:
        """The program compiles a model: from here on such models run eagerly, since compiled code cannot be seen."""
        if "compile" in self._said:
            return
        self._said.add("compile")
        torch.compiler.set_stance("force_eager")
        self._event("compiled-model-run-eagerly", self._sites.here(), {})

    # --- small things -----------------------------------------------------------------------------------------

    def _event(self, kind: str, site: int, details: dict[str, Any]) -> None:
        self._events += 1
        row = (self._events, self._step, kind, site if site > 0 else None, json.dumps(details, default=_plain))
        self._writer.add("event", [row])

    def _announce_site(self, row: tuple[object, ...]) -> None:
        self._writer.add("site", [row])
        self._write_sources()

    def _write_sources(self) -> None:
        for file in self._sites.files - self._written_files:
            self._written_files.add(file)
            with contextlib.suppress(OSError, UnicodeDecodeError), open(file, encoding="utf-8") as stream:
                self._writer.add("source", [(self._sites.relative(file), stream.read(1_000_000))])

    def _spent(self) -> float:
        """Seconds that recording has cost the program so far, with what dispatching to us costs outside our code."""
        inside = self._recorder.spent_nanoseconds * 1e-9
        return inside + self._recorder.operators * DISPATCH_SECONDS + self._spent_elsewhere

    @contextlib.contextmanager
    def _own_work(self) -> Iterator[None]:
        """Our own tensors are none of the program's operators; the time they take is ours."""
        began = time.perf_counter()
        paused = self._recorder.paused
        self._recorder.paused = True
        try:
            with torch.no_grad():
                yield
        finally:
            self._recorder.paused = paused
            self._spent_elsewhere += time.perf_counter() - began


def _closer(one: Level, other: Level) -> Level:
    order: Sequence[Level] = ("off", "check", "full")
    return max(one, other, key=order.index)


def _parameters_of(optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _plain_number(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return float(value) if value.numel() == 1 else None
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _plain(value: Any) -> str:
    """Arguments that JSON does not know (dtypes, devices, memory formats) as PyTorch prints them."""
    text = str(value)
    return text if len(text) <= 200 else text[:200] + "…"

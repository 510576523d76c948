"""One recording at work inside a PyTorch program: what is done when a step begins, breaks or ends."""

from __future__ import annotations

import contextlib
import math
import os
import time
import warnings
import weakref
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import torch

from wellposed import _native
from wellposed.capture.alarm import Alarm
from wellposed.capture.budget import Budget
from wellposed.capture.device_readings import DeviceReadings
from wellposed.capture.early_warnings import EarlyWarnings
from wellposed.capture.graph_walk import find_in_graph
from wellposed.capture.modules import Modules
from wellposed.capture.notes import Notes
from wellposed.capture.operators import Operators
from wellposed.capture.overhead import Overhead
from wellposed.capture.parameters import Parameters, leaves_of
from wellposed.capture.patches import Patches, force_eager
from wellposed.capture.recorder import FORWARD, OPTIMIZER, Recorder, address_of, next_sequence
from wellposed.capture.recording import Options, Progress
from wellposed.capture.spreads import Spreads
from wellposed.capture.steps import StepWatch
from wellposed.capture.stretches import Stretches
from wellposed.capture.trainers import trainer_in_stack
from wellposed.capture.trouble import Troubles
from wellposed.capture.unreached import Unreached
from wellposed.capture.updates import GradientNorm, Updates
from wellposed.record import RecordWriter
from wellposed.record.writer import number

_COMMIT_SECONDS = 1.0


class Session:
    """Hooks installed by `install` and taken away by `close`. Never raises into the program: a failure of ours ends
    the recording with an event, the program goes on."""

    def __init__(
        self,
        writer: RecordWriter,
        options: Options,
        folder: str,
        on_progress: Callable[[Progress], None] | None,
    ):
        self._writer = writer
        self._on_progress = on_progress
        self._notes = Notes(writer, folder)
        self._operators = Operators(lambda row: writer.add("operator", [row]))
        self._modules = Modules(self._notes.sites, lambda row: writer.add("module", [row]))
        threads, host = torch.get_num_threads(), options.reads_host
        self._tape = _native.Tape(torch.Tensor, self._operators.describe, threads, host=host)
        self._readings = DeviceReadings(self._tape, threads, lambda found: self._troubles.late(found), host=host)
        self._parameters = Parameters(self._modules, writer.add, self._readings)
        self._updates = Updates(self._parameters.number, writer.add, self._readings)
        self._unreached = Unreached(self._parameters.name, partial(self._note, "no-gradient"))
        self._recorder = Recorder(self._tape, self._notes.sites, self._modules, self._fail)
        self._overhead = Overhead(self._recorder)
        budget = Budget(
            options.budget,
            options.full_steps,
            grace_seconds=options.grace_seconds,
            full_at_first=options.full_at_first,
            watches_operators=options.watches_operators,
        )
        self._stretches = Stretches(
            self._recorder, self._tape, budget, writer, self._overhead, self._parameters.labels, self._readings.fetch
        )
        self._troubles = Troubles(
            self._tape, self._operators, writer, self._stretches.escalate, self._readings.read_operands
        )
        self._recorder.on_trouble = self._troubles.operator
        if options.shadow_seconds > 0:
            from wellposed.capture.shadowing import Shadowing

            self._recorder.shadow = Shadowing(self._notes, options.shadow_seconds, options.shadows_every_step)
        if options.counts_exponents:
            self._recorder.on_result = Spreads(
                writer.add, lambda: self._stretches.level == "full", options.on_operation
            ).count
        self._patches = Patches()
        self._steps = StepWatch(self, self._patches, self._fail)
        if (shadow := self._recorder.shadow) is not None:
            self._steps.is_ours = lambda: shadow.working
        self._modules.on_outermost = self._outermost_call
        self._modules.on_failure = self._fail
        self._recorder.on_forward_again = self._forward_again
        self._recorder.on_leaf = self._leaf

        self._warnings = self._early_warnings(options) if options.warns else None

        self._dead = False
        self._optimizer_seen = False
        self._started = False
        """Whether a gradient was asked for: from then on weights are no longer as they started."""
        self._leaves: list[torch.Tensor] = []
        """What the loss gives a gradient to, in a program without optimizer."""
        self._roots: weakref.WeakSet[torch.nn.Module] = weakref.WeakSet()
        self._step, self._call = 0, 0
        self._facts: dict[str, Any] = {}
        self._began = self._step_began = self._last_commit = time.perf_counter()
        self._step_began_spent = 0.0
        self._sequence_at_begin = 0
        self._full_sequence_at_begin = 0
        self._loss_alarm, self._gradient_alarm = Alarm(), Alarm()

    def _early_warnings(self, options: Options) -> EarlyWarnings:
        warnings = EarlyWarnings(
            options,
            self._recorder,
            self._readings,
            self._parameters.name,
            lambda: self._step,
            lambda: self._modules.path_of(self._modules.current),
            self._note,
        )
        self._recorder.hear = warnings.ears
        self._stretches.listens = warnings.listens
        return warnings

    def _note(self, kind: str, details: dict[str, Any]) -> None:
        self._notes.event(self._step, kind, details)

    # Installing and closing

    def install(self) -> None:
        self._modules.install()
        self._steps.install()
        force_eager(self._patches, self._compiled)
        # Handlers stay for good, the session does not.
        session = weakref.ref(self)
        os.register_at_fork(after_in_child=lambda: (alive := session()) and alive._die())
        self._begin_stretch()

    def adopt(self, models: Iterable[torch.nn.Module], optimizers: Iterable[torch.optim.Optimizer]) -> None:
        """Learn of models and optimizers that were made before recording began."""
        with self._overhead.own_work():
            for model in models:
                self._modules.adopt(model)
                self._track(model.parameters())
        for optimizer in optimizers:
            self.optimizer_made(optimizer)

    def close(self) -> dict[str, Any]:
        """Write what is left, take the hooks away, and return what the record's meta table should hold."""
        try:
            if not self._dead:
                self._write_the_rest()
        except Exception as error:
            self._fail(error)
        self._stretches.leave()
        self._modules.remove()
        self._steps.remove()
        self._patches.restore()
        if self._notes.said("compiled-model-run-eagerly"):
            torch.compiler.set_stance("default")
        return {"operations": self._recorder.operators, "recording_seconds": self._overhead.seconds()}

    def _write_the_rest(self) -> None:
        with self._overhead.own_work():
            self._stretches.end()
            self._updates.without_update()
            # What runs after the last update, or after a program that never made one, is no step of training.
            if self._facts or self._step == 0:
                self._end_step()

    def _die(self) -> None:
        """A forked child (a DataLoader's worker) inherits our hooks; its operators are none of our business."""
        self._dead = True
        self._recorder.muted = True

    def _fail(self, error: BaseException) -> None:
        """A fault of ours: say so in the record and let the program run on unrecorded."""
        if self._dead:
            return
        self._die()
        with contextlib.suppress(Exception):
            self._notes.event(self._step, "recorder-failed", {"error": f"{type(error).__name__}: {error}"[:500]})
            self._writer.commit()

    # Steps

    def optimizer_made(self, optimizer: torch.optim.Optimizer) -> None:
        if self._dead:
            return
        with self._overhead.own_work():
            self._optimizer_seen = True
            self._recorder.awaiting_forward = False
            self._recorder.on_leaf = None
            group = optimizer.param_groups[0] if optimizer.param_groups else {}
            names = ("lr", "eps", "betas", "momentum", "weight_decay", "alpha", "foreach", "fused")
            details = {name: _plain_number(group[name]) for name in names if name in group}
            details = {"class": type(optimizer).__name__, **details}
            self._notes.event(self._step, "optimizer", details, self._notes.sites.here())
            self._track(_parameters_of(optimizer))

    def backward_begins(self, loss: torch.Tensor | None) -> None:
        if self._dead:
            return
        with self._overhead.own_work():
            if self._recorder.awaiting_forward:
                self._next_step()
            self._recorder.backward_called_at = self._notes.sites.user_frame()
            self._facts["backwards"] = self._facts.get("backwards", 0) + 1
            self._facts["backward_site"] = self._notes.sites.here()
            self._starts_with(loss)
            if not self._notes.said("trainer") and (trainer := trainer_in_stack()) is not None:
                self._notes.event(self._step, "trainer", trainer)
            if not self._stretches.reaches_here():
                self._notes.event(self._step, "unwatched-thread", {}, self._notes.sites.here(), once=True)
            if loss is not None and loss.numel() == 1:
                if self._recorder.shadow is not None:
                    self._recorder.shadow.loss(loss)
                self._facts["loss_operation"] = self._tape.producer(loss) or None
                if self._readings.is_elsewhere(loss):
                    site = self._notes.sites.here()
                    self._readings.values(loss, lambda values: self._loss_known(values[0], None, site))
                else:
                    self._loss_known(float(loss.detach()), loss)

    def _starts_with(self, loss: torch.Tensor | None) -> None:
        """The last moment to see the weights as they start, and, without an optimizer, to learn which they are."""
        if not self._optimizer_seen and loss is not None and self._stretches.level == "full":
            self._leaves = leaves_of(loss)
            self._track(self._leaves)
        if not self._started:
            self._started = True
            self._parameters.measure_again()

    def _leaf(self, tensor: torch.Tensor) -> None:
        """In the first pass of a program without optimizer, the weights become known when they are first used."""
        if self._started:
            self._recorder.on_leaf = None
        elif self._parameters.number(tensor) is None:
            with self._overhead.own_work():
                self._track([tensor])

    def _loss_known(self, value: float, loss: torch.Tensor | None, site: int | None = None) -> None:
        """`loss` is given while its graph is still there."""
        self._facts["loss"] = value
        if not math.isfinite(value):
            self._loss_is_not_finite(loss, value, site)
        elif self._loss_alarm.suspicious(abs(value)) and self._troubles.worth_a_look("loss"):
            self._stretches.escalate()

    def gradient_begins(self) -> None:
        """torch.autograd.grad: backward operators, but no end of a step."""
        self._recorder.backward_called_at = self._notes.sites.user_frame()

    def gradient_ended(self) -> None:
        self._recorder.backward_called_at = None

    def backward_ended(self, gradients: Sequence[tuple[torch.Tensor, torch.Tensor]] | None = None) -> None:
        """`gradients` are those that torch.autograd.grad returned; else they lie in the parameters."""
        self._recorder.backward_called_at = None
        if not self._optimizer_seen and not self._dead:
            self._recorder.awaiting_forward = True
            self._recorder.phase = OPTIMIZER
            with self._overhead.own_work():
                leaves, self._leaves = self._leaves, []
                found = _with_gradients(leaves) if gradients is None else gradients
                self._recorder.updated = frozenset(address_of(each) for pair in found for each in pair)
                if found and self._stretches.level == "full":
                    self._updates.before(found, self._step, self._gradients_known, write=True)

    @property
    def grad_is_backward(self) -> bool:
        """Whether torch.autograd.grad takes backward()'s place: nothing else makes updates from gradients."""
        return not self._optimizer_seen and not self._dead

    def _forward_again(self) -> None:
        """In a program without optimizers: a forward operation after backward() begins the next step."""
        with self._overhead.own_work():
            self._next_step()

    def update_begins(self, optimizer: torch.optim.Optimizer) -> None:
        if self._dead:
            return
        self._recorder.phase = OPTIMIZER
        with self._overhead.own_work():
            self._optimizer_seen = True
            parameters = _parameters_of(optimizer)
            self._track(parameters)
            rates = [_plain_number(group.get("lr")) for group in optimizer.param_groups]
            self._facts["learning_rate"] = max((rate for rate in rates if isinstance(rate, float)), default=None)
            full = self._stretches.level == "full"
            self._unreached.update(optimizer, parameters)
            found = _with_gradients(parameters)
            self._updates.before(found, self._step, self._gradients_known, write=full)
            if self._warnings is not None:
                self._warnings.before_update(optimizer, found, self._facts)
        self._deliver()

    def gradients_without_update(self, optimizer: torch.optim.Optimizer | None, details: dict[str, Any]) -> None:
        """An audit has made gradients that no update follows; `details` of the curvature, where it was measured."""
        if optimizer is not None:
            self.update_begins(optimizer)
        if details and not self._dead:
            self._notes.event(self._step, "curvature", details, self._notes.sites.here())

    def _deliver(self) -> None:
        if self._warnings is not None:
            self._warnings.deliver()

    def take_stop(self) -> BaseException | None:
        return self._warnings.take_stop() if self._warnings is not None else None

    def _gradients_known(self, norm: GradientNorm, curvature: float | None) -> None:
        self._facts["curvature"] = curvature
        self._facts["gradient_norm"] = norm.norm
        self._facts["gradient_nonfinite"] = norm.nonfinite
        suspicious = self._gradient_alarm.suspicious(norm.norm)
        if (norm.nonfinite or suspicious) and self._troubles.worth_a_look("gradient"):
            self._stretches.escalate()

    def update_ended(self, optimizer: torch.optim.Optimizer) -> None:
        self._recorder.phase = FORWARD
        if self._dead:
            return
        with self._overhead.own_work():
            if not self._notes.said("optimizer-state"):
                self._notes.event(self._step, "optimizer-state", _state_of(optimizer))
            self._updates.after(partial(self._facts.__setitem__, "update_norm"), optimizer)
            if self._warnings is not None:
                self._warnings.after_update()
            self._next_step()
        self._deliver()

    def update_skipped(self, scale: float) -> None:
        if self._dead:
            return
        with self._overhead.own_work():
            self._facts["scale"] = scale
            self._facts["skipped"] = True
            self._next_step()
        self._deliver()

    def scale_known(self, scale: float) -> None:
        self._facts["scale"] = scale

    def _next_step(self) -> None:
        if not self._optimizer_seen:
            self._updates.after(partial(self._facts.__setitem__, "update_norm"))
        self._stretches.end()
        self._end_step()
        self._recorder.phase = FORWARD
        self._recorder.awaiting_forward = False
        self._step += 1
        self._call = 0
        self._tape.forget_flow()
        self._begin_stretch()

    def _begin_stretch(self) -> None:
        self._stretches.begin(self._step, self._call)
        if self._recorder.shadow is not None and self._call == 0 and self._stretches.level == "full":
            self._recorder.shadow.begin(self._step)
        self._modules.on_output = self._module_output if self._stretches.level == "modules" else None
        if self._call == 0:
            self._sequence_at_begin = next_sequence()
            if self._stretches.level in ("check", "full"):
                self._full_sequence_at_begin = self._sequence_at_begin

    def _end_step(self) -> None:
        if self._recorder.shadow is not None:
            self._recorder.shadow.end(self._step)
        facts, self._facts = self._facts, {}
        if self._warnings is not None:
            self._warnings.step_ends(facts)
        now, spent = time.perf_counter(), self._overhead.seconds()
        row = (
            self._step, self._stretches.step_level, number(facts.get("loss")), facts.get("learning_rate"),
            number(facts.get("gradient_norm")), facts.get("gradient_nonfinite"), number(facts.get("update_norm")),
            facts.get("scale"), int(facts.get("skipped", False)), now - self._step_began,
            spent - self._step_began_spent, facts.get("loss_operation"), facts.get("backwards"), facts.get("curvature"),
            site if (site := facts.get("backward_site", -1)) > 0 else None,
        )  # fmt: skip
        self._writer.add("step", [row])
        self._step_began, self._step_began_spent = now, spent
        if now - self._last_commit > _COMMIT_SECONDS:
            self._writer.commit()
            self._last_commit = now
        if self._on_progress is not None:
            elapsed = now - self._began
            self._on_progress(
                Progress(self._step, facts.get("loss"), self._troubles.count, spent / max(elapsed - spent, 1e-9))
            )

    def _outermost_call(self, module: torch.nn.Module) -> None:
        if self._dead:
            return
        training = torch.is_grad_enabled()  # asked before our own work, which needs no gradients
        with self._overhead.own_work():
            if module not in self._roots:
                self._roots.add(module)
                self._modules.adopt(module)
                self._track(module.parameters())
            if not training:
                # Evaluation and generation: each call is a stretch of its own, so that a long loop is sampled.
                self._stretches.end()
                self._call += 1
                self._begin_stretch()

    def _track(self, parameters: Iterable[torch.Tensor]) -> None:
        if self._parameters.track(parameters):
            self._stretches.relabel()

    # Trouble

    def _module_output(self, module: int, output: torch.Tensor) -> None:
        """A module has run in a step whose operators nobody watches."""
        with self._overhead.own_work():
            self._readings.statistics(output, partial(self._module_output_known, module))

    def _module_output_known(self, module: int, row: tuple[Any, ...]) -> None:
        self._writer.add("module_step", [(self._step, module, *row)])
        if row[0] is not None and row[1] + row[2] + row[3] and self._troubles.worth_a_look("module"):
            self._notes.event(
                self._step, "nonfinite-module-output", {"module": self._modules.path_of(module)}, once=True
            )
            self._stretches.escalate()

    def _loss_is_not_finite(self, loss: torch.Tensor | None, value: float, site: int | None) -> None:
        if not self._troubles.worth_a_look("loss"):
            return
        site = self._notes.sites.here() if site is None else site
        details = {"loss": str(value), "level": self._stretches.level}
        self._notes.event(self._step, "nonfinite-loss", details, site, once=True)
        if self._stretches.level in ("off", "modules") and loss is not None:
            found = find_in_graph(loss)
            if found is not None:
                # Steps make their autograd nodes in the same order: the place in a recorded step tells the line.
                sequence = found.sequence - self._sequence_at_begin + self._full_sequence_at_begin
                self._notes.event(self._step, "found-in-graph", found.details(), self._tape.site_of(sequence))
        self._stretches.escalate()

    def _compiled(self) -> None:
        """The program compiles a model: from here on such models run eagerly, since compiled code cannot be seen."""
        if self._notes.said("compiled-model-run-eagerly"):
            return
        with contextlib.suppress(Exception):
            self._notes.event(self._step, "compiled-model-run-eagerly", {}, self._notes.sites.here())
            warnings.filterwarnings("ignore", message="Using `torch.compile\\(module\\)` when there are global hooks")
            torch.compiler.set_stance("force_eager")


def _parameters_of(optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _with_gradients(parameters: Iterable[torch.Tensor]) -> list[tuple[torch.Tensor, torch.Tensor]]:
    return [(parameter, parameter.grad) for parameter in parameters if parameter.grad is not None]


def _state_of(optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """What the optimizer keeps of its first parameter that has a state, by name and dtype."""
    for parameter, state in optimizer.state.items():
        kept = {
            str(name): str(value.dtype).removeprefix("torch.")
            for name, value in state.items()
            if isinstance(value, torch.Tensor) and value.shape == parameter.shape
        }
        if kept:
            weights = str(parameter.dtype).removeprefix("torch.")
            return {"class": type(optimizer).__name__, "weights": weights, "state": kept}
    return {"class": type(optimizer).__name__, "state": {}}


def _plain_number(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return float(value) if value.numel() == 1 else None
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value

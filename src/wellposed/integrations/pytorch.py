"""The library face: record a stretch of a running program, or probe a model once without training it."""

from __future__ import annotations

import copy
import io
import tempfile
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import Any

import torch

from wellposed.capture.budget import FULL_AT_FIRST
from wellposed.capture.curvature import curvature_of
from wellposed.capture.recording import Options, Recording
from wellposed.capture.telling import Listener, listener_of
from wellposed.diagnosis import Diagnosis, diagnose
from wellposed.record import Record
from wellposed.signals import check_names

_Optimizers = torch.optim.Optimizer | Iterable[torch.optim.Optimizer] | None


class NoLossError(ValueError):
    """The model's output is no scalar, and holds none as its loss."""


class Watch:
    """What ``wellposed.watch`` gives: a recording that lasts as long as the ``with`` block.

    Afterwards `diagnosis` and `record` tell what was seen.
    """

    def __init__(self, model: torch.nn.Module | None, optimizers: _Optimizers, path: Path, options: Options):
        self.path = path
        """Where the record is; readable while the block still runs."""
        self._models = [] if model is None else [model]
        single = isinstance(optimizers, torch.optim.Optimizer)
        self._optimizers: list[torch.optim.Optimizer] = [optimizers] if single else list(optimizers or ())  # type: ignore[list-item, arg-type]
        self._options = options
        self._recording: Recording | None = None
        self._diagnosis: Diagnosis | None = None

    def __enter__(self) -> Watch:
        folder = str(Path.cwd())
        meta = {"argv": ["wellposed.watch"], "script": f"watch:{folder}", "folder": folder}
        self._recording = Recording(self.path, self._options, meta)
        self._recording.start()
        self._recording.adopt(*self._models, optimizers=self._optimizers)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        assert self._recording is not None
        last = f"{kind.__name__}: {error}" if kind is not None else None
        try:
            self._recording.stop(0 if kind is None else 1, last)
        except Exception as failure:  # a full disk is no reason to end a training
            warnings.warn(f"wellposed: the record could not be closed ({failure})", RuntimeWarning, stacklevel=2)

    def _gradients_without_update(self, optimizer: torch.optim.Optimizer | None, details: dict[str, Any]) -> None:
        assert self._recording is not None
        self._recording.gradients_without_update(optimizer, details)

    @property
    def record(self) -> Record:
        """The record, opened for reading. Raises RecordError before the block was entered."""
        return Record(self.path)

    @property
    def diagnosis(self) -> Diagnosis:
        """The diagnosis, made once the block has ended."""
        if self._diagnosis is None:
            with self.record as record:
                self._diagnosis = diagnose(record)
        return self._diagnosis

    def report(self) -> str:
        """The report as plain text, for a notebook or a log."""
        from wellposed.report.terminal import print_report

        text = io.StringIO()
        with self.record as record:
            print_report([(record, self.diagnosis)], text)
        return text.getvalue()


def watch(
    model: torch.nn.Module | None = None,
    optimizer: _Optimizers = None,
    *,
    path: str | Path | None = None,
    budget: float | None = 0.03,
    max_bytes: int | None = 500_000_000,
    operators: bool = False,
    on_warning: str | Listener | None = "warnings",
    stop_on: str | Iterable[str] = (),
) -> Watch:
    """Record what runs inside a ``with`` block: in a notebook, or for good in a training loop.

    `model` and `optimizer` (one or several) are those made before the block; what is made inside is found by itself.
    `budget` is the time that recording may add, as a share of the program's own (None: no limit). Between the steps
    that are recorded in full only the outputs of modules, the loss and the gradients are looked at, unless `operators`
    asks for every operator. `path` is where the record goes (default: a temporary file).

    `on_warning` hears of early warnings (docs/watch.md), each signal once and again when it gets much worse:
    "warnings" gives Python warnings of the category InstabilityWarning, "logging" writes to the logger ``wellposed``,
    a callable receives an EarlyWarning, None tells nobody. `stop_on` names signals (or "any") at which
    StoppedByWatch is raised out of ``optimizer.step()``, before the update is made wherever the signal is known by
    then; on an accelerator this waits for the device once a step.

    Raises RecordExistsError where `path` holds anything but a record of this folder's, ValueError where `stop_on` or
    `on_warning` names what is not there.
    """
    stops = check_names(stop_on)
    tell = listener_of(on_warning)
    chosen = Path(path) if path is not None else Path(tempfile.mkdtemp(prefix="wellposed-")) / "watch.wellposed"
    options = Options(
        budget=budget,
        max_bytes=max_bytes,
        grace_seconds=1.0,
        full_at_first=FULL_AT_FIRST if operators else 1,
        watches_operators=operators,
        warns=tell is not None or bool(stops),
        on_warning=tell,
        stop_on=stops,
    )
    return Watch(model, optimizer, chosen, options)


def audit(
    model: torch.nn.Module,
    batch: Any,
    loss_fn: Callable[..., torch.Tensor] | None = None,
    optimizer: torch.optim.Optimizer | None = None,
    *,
    curvature: bool = False,
    path: str | Path | None = None,
) -> Watch:
    """One forward and backward pass on `batch`, recorded in full, without training.

    `batch` is what the model is called with: a mapping (keyword arguments), or a tuple or list whose last element is
    the target where `loss_fn` is given, else a single input. `loss_fn(output, target)` gives a scalar; without it the
    model's output must be the loss, or hold it as ``.loss`` or ``["loss"]``. The settings of `optimizer` (learning
    rate, eps) are judged too; it makes no step. `curvature` compares the loss's curvature with the learning rate, at
    the cost of about a dozen backward passes.

    The model is left as it was: gradients, buffers (running statistics) and the random state are put back.
    Raises ValueError where no scalar loss comes out.
    """
    return audited(model, batch, loss_fn, optimizer, curvature=curvature, path=path)


def audited(
    model: torch.nn.Module,
    batch: Any,
    loss_fn: Callable[..., torch.Tensor] | None,
    optimizer: torch.optim.Optimizer | None,
    *,
    curvature: bool = False,
    path: str | Path | None = None,
    during_forward: AbstractContextManager[Any] | None = None,
    needs_loss: bool = True,
) -> Watch:
    """As `audit`, with the forward pass inside the context `during_forward`; without `needs_loss`, a model that gives
    no scalar loss, or one without parameters, is recorded without a backward pass."""
    watched = watch(model, optimizer, path=path, budget=None, operators=True, on_warning=None)
    return _record_once(
        watched, model, batch, loss_fn, optimizer,
        curvature=curvature, during_forward=during_forward, needs_loss=needs_loss,
    )  # fmt: skip


def record_once(
    model: torch.nn.Module,
    batch: Any,
    loss_fn: Callable[..., torch.Tensor] | None,
    optimizer: torch.optim.Optimizer | None,
    path: Path,
    options: Options,
) -> Watch:
    """As `audit`, recorded as `options` say."""
    watched = Watch(model, optimizer, path, options)
    return _record_once(watched, model, batch, loss_fn, optimizer, curvature=False)


def _record_once(
    watched: Watch,
    model: torch.nn.Module,
    batch: Any,
    loss_fn: Callable[..., torch.Tensor] | None,
    optimizer: torch.optim.Optimizer | None,
    *,
    curvature: bool,
    during_forward: AbstractContextManager[Any] | None = None,
    needs_loss: bool = True,
) -> Watch:
    gradients = [(parameter, parameter.grad) for parameter in model.parameters()]
    buffers = [(buffer, buffer.detach().clone()) for buffer in model.buffers()]
    devices = [device.index or 0 for device in {each.device for each, _ in gradients} if device.type == "cuda"]
    details: dict[str, Any] = {}
    try:
        if curvature:
            trained = [parameter for parameter, _ in gradients if parameter.requires_grad]
            with torch.random.fork_rng(devices=devices):
                details = curvature_of(lambda: loss_of(model, batch, loss_fn), trained, optimizer)
            put_back(buffers)
        with torch.random.fork_rng(devices=devices), watched, torch.enable_grad():
            for parameter, _ in gradients:
                parameter.grad = None
            try:
                with during_forward or nullcontext():
                    loss = loss_of(model, batch, loss_fn)
            except NoLossError:
                if needs_loss:
                    raise
                return watched
            if not needs_loss and not loss.requires_grad:
                return watched
            loss.backward()
            watched._gradients_without_update(optimizer, details)
    finally:
        put_back(buffers)
        for parameter, gradient in gradients:
            parameter.grad = gradient
    return watched


def put_back(buffers: list[tuple[torch.Tensor, torch.Tensor]]) -> None:
    """Give buffers the values they had."""
    with torch.no_grad():
        for buffer, before in buffers:
            buffer.copy_(before)


def loss_of(model: torch.nn.Module, batch: Any, loss_fn: Callable[..., torch.Tensor] | None) -> torch.Tensor:
    """The scalar loss of the model on a batch, as `audit` understands it. Raises ValueError where there is none."""
    target: Any = None
    if isinstance(batch, Mapping):
        output = model(**copy.copy(batch))
    elif isinstance(batch, Sequence) and not isinstance(batch, (str, bytes)):
        inputs = list(batch)
        if loss_fn is not None:
            target = inputs.pop()
        output = model(*inputs)
    else:
        output = model(batch)
    if loss_fn is not None:
        loss = loss_fn(output) if target is None else loss_fn(output, target)
    elif isinstance(output, torch.Tensor):
        loss = output
    else:
        loss = output.get("loss") if isinstance(output, Mapping) else getattr(output, "loss", None)
    if not isinstance(loss, torch.Tensor) or loss.numel() != 1:
        raise NoLossError("a scalar loss is needed: give a loss_fn, or a batch with which the model returns its loss")
    return loss

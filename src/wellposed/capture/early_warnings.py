"""Feeds the early-warning signals with what is known of each step, and keeps what is to be told until it can be.

Nothing here calls the user's code but `tell`, which is called outside of our own work.
"""

from __future__ import annotations

import time
import warnings
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import torch

from wellposed.capture.budget import DISPATCH_SECONDS
from wellposed.capture.device_readings import DeviceReadings
from wellposed.capture.ears import Ears
from wellposed.capture.recorder import Recorder
from wellposed.capture.recording import Options
from wellposed.capture.samples import Name, Samples
from wellposed.signals import ANY, EarlyWarning, InstabilityWarning, Panel, StoppedByWatch

LISTEN_EVERY = 10
"""Steps between two in which attention and output softmaxes are listened to: what they warn of takes dozens."""
SHARE = 1 / 3
"""Of the recording's budget, for samples and listening: gradients and outputs of modules are looked at as before."""
CONVERGED = 1e-3
"""Of a loss that fell to a thousandth of its first value, gradients below Adam's eps are no news."""
_FACTS = ("loss", "gradient_nonfinite", "gradient_norm")

Event = Callable[[str, dict[str, Any]], object]


class EarlyWarnings:
    def __init__(
        self,
        options: Options,
        recorder: Recorder,
        readings: DeviceReadings,
        name_of: Name,
        step: Callable[[], int],
        place: Callable[[], str],
        event: Event,
    ):
        """`step` gives the number of the step, `place` the name of the running module; `event` writes an event of the
        current step into the record."""
        self.ears = Ears(readings, self._feed, place)
        self.stop: BaseException | None = None
        """What the program is to be stopped by."""
        self._tell = options.on_warning
        self._stop_on = frozenset(options.stop_on)
        self._event = event
        self._recorder = recorder
        self._readings = readings
        self._samples = Samples(name_of, readings, self._feed)
        self._panel = Panel()
        self._waiting: deque[EarlyWarning] = deque()
        self._complained = False
        self._share = None if options.budget is None else options.budget * SHARE
        self._grace = options.grace_seconds * SHARE
        self._began = time.perf_counter()
        self._spent = 0.0
        self._sample_cost = self._listen_cost = 0.0
        self._next_listening = 0
        self._listened: tuple[int, int] | None = None
        self._step = step
        self._optimizers: weakref.WeakKeyDictionary[torch.optim.Optimizer, str] = weakref.WeakKeyDictionary()
        self._where = ""
        self._fed: set[str] = set()
        self._first_loss: float | None = None
        self._loss: float | None = None

    # What the session tells

    def listens(self) -> bool:
        """Whether the softmaxes of the step that begins, whose operators nobody watches, are to be listened to."""
        step = self._step()
        if step < self._next_listening or self._room() < self._listen_cost:
            return False
        self._next_listening = step + LISTEN_EVERY
        self._listened = self._recorder.operators, self._recorder.spent_nanoseconds
        return True

    def before_update(
        self,
        optimizer: torch.optim.Optimizer,
        gradients: Sequence[tuple[torch.Tensor, torch.Tensor]],
        facts: dict[str, Any],
    ) -> None:
        began = time.perf_counter()
        self._where = self._name(optimizer)
        sampling = self._room() >= self._sample_cost
        if sampling:
            converged = self._loss is not None and self._loss <= CONVERGED * (self._first_loss or 0.0)
            self._samples.before(optimizer, gradients, self._where, epsilon=not converged)
        else:
            self._samples.skip(optimizer)
        if self._stop_on:
            self._readings.fetch()  # waits for an accelerator: the update must not run ahead
        self._feed_facts(facts)
        if sampling:
            self._sample_cost = self._pay(time.perf_counter() - began)

    def after_update(self) -> None:
        began = time.perf_counter()
        self._samples.after()
        self._sample_cost += self._pay(time.perf_counter() - began)

    def step_ends(self, facts: dict[str, Any]) -> None:
        """What came late, from an accelerator or because no optimizer made a step."""
        if self._listened is not None:
            (operators, spent), self._listened = self._listened, None
            ran, took = self._recorder.operators - operators, self._recorder.spent_nanoseconds - spent
            self._listen_cost = self._pay(took * 1e-9 + ran * DISPATCH_SECONDS)
        self._feed_facts(facts)
        if facts.get("scale") is not None:
            self._feed("loss_scale", facts["scale"], "")
        self._fed.clear()
        self.ears.forget()

    def deliver(self) -> None:
        """Tell the listener; called where the user's code may run."""
        while self._waiting:
            found = self._waiting.popleft()
            if self._tell is None:
                continue
            try:
                self._tell(found)
            except (StoppedByWatch, InstabilityWarning) as stop:  # Python turns warnings into errors where asked to
                self.stop = self.stop or stop
            except Exception as error:
                self._complain(error)

    def take_stop(self) -> BaseException | None:
        """What to raise now, once."""
        stop, self.stop = self.stop, None
        return stop

    # How it works

    def _feed_facts(self, facts: dict[str, Any]) -> None:
        for name in _FACTS:
            value = facts.get(name)
            if value is None or name in self._fed:
                continue
            self._fed.add(name)
            if facts.get("skipped"):
                continue  # a GradScaler looks for its scale
            if name == "loss":
                value /= facts.get("scale") or 1.0
                self._loss = value
                self._first_loss = value if self._first_loss is None else self._first_loss
            self._feed(name, value, self._where)

    def _feed(self, quantity: str, value: float, where: str) -> None:
        for found in self._panel.see(quantity, self._step(), float(value), where):
            if self._panel.is_news(found):
                self._event("early-warning", _details(found))
                self._waiting.append(found)
            if self.stop is None and (found.signal in self._stop_on or ANY in self._stop_on):
                self.stop = StoppedByWatch(found)

    def _name(self, optimizer: torch.optim.Optimizer) -> str:
        """The first optimizer goes without a name: most programs have one."""
        found = self._optimizers.get(optimizer)
        if found is None:
            number = len(self._optimizers) + 1
            found = "" if number == 1 else f"optimizer {number}, {type(optimizer).__name__}"
            self._optimizers[optimizer] = found
        return found

    def _room(self) -> float:
        if self._share is None:
            return float("inf")
        return self._grace + self._share * (time.perf_counter() - self._began) - self._spent

    def _pay(self, seconds: float) -> float:
        self._spent += seconds
        return seconds

    def _complain(self, error: Exception) -> None:
        if self._complained:
            return
        self._complained = True
        text = f"wellposed: on_warning raised {type(error).__name__}: {error}; training goes on"
        try:
            warnings.warn(text, RuntimeWarning, stacklevel=2)
        except RuntimeWarning as raised:  # where warnings are errors, this one is raised with the next update
            self.stop = self.stop or raised


def _details(found: EarlyWarning) -> dict[str, Any]:
    return {
        "signal": found.signal,
        "value": found.value,
        "threshold": found.threshold,
        "history": list(found.history),
        "precedes": found.precedes,
        "where": found.where,
    }

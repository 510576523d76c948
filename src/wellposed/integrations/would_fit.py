"""``wellposed.would_fit``: would this model survive in float16, bfloat16 or an 8-bit format, and what would it take?"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch

from wellposed.advice.fit import fit
from wellposed.advice.fit_model import Fit
from wellposed.advice.fit_outcome import Check
from wellposed.advice.formats import target_of
from wellposed.capture.recording import Options
from wellposed.integrations.fit_check import Checker
from wellposed.integrations.fit_local import Replay
from wellposed.integrations.fit_run import LossFunction, Setting
from wellposed.integrations.pytorch import record_once
from wellposed.report.fit import fit_json, fit_text


class FitReport:
    """The prediction, and what came of trying it.

    `keep` and `scale` are those that were tried where `check` was asked for, else the predicted ones.
    """

    def __init__(self, prediction: Fit, check: Check | None, path: Path):
        self.prediction = prediction
        """What the float32 run says."""
        self.check = check
        """What running it so says; None where nobody asked."""
        self.path = path
        """The record of the float32 run."""

    @property
    def survives(self) -> bool:
        """Whether it would train in the format with `keep` in float32 and the loss scaled by `scale`."""
        if self.check is not None:
            return self.check.mixed.survives
        return self.prediction.verdict != "gradients-too-wide"

    @property
    def keep(self) -> tuple[str, ...]:
        """Dotted paths of the modules whose own operations are to stay in float32."""
        if self.check is not None:
            return tuple(each.module for each in self.check.keep)
        return tuple(each.module for each in self.prediction.keep)

    @property
    def scale(self) -> float:
        """The loss scale, a power of two."""
        if self.check is not None:
            return self.check.scale
        return self.prediction.scale.scale if self.prediction.scale is not None else 1.0

    def report(self) -> str:
        """The report as plain text."""
        return fit_text(self.prediction, self.check)

    def to_json(self) -> dict[str, Any]:
        """The report made of JSON values; what ``run --json`` holds under ``fit``."""
        return fit_json(self.prediction, self.check)

    def __str__(self) -> str:
        return self.report()


def would_fit(
    model: torch.nn.Module,
    batch: Any,
    loss_fn: LossFunction = None,
    dtype: str | torch.dtype = "float16",
    optimizer: torch.optim.Optimizer | None = None,
    *,
    check: bool = True,
    path: str | Path | None = None,
) -> FitReport:
    """Predict from one forward and backward pass in float32 what overflows, goes subnormal or vanishes in `dtype`.

    `batch` and `loss_fn` are as in `audit`. `dtype` is float16, bfloat16, float8_e4m3fn or float8_e5m2. Proposed are
    a loss scale and the modules to keep in float32; with `check` the prediction is put to the test: each operator once
    more in the format, the whole model cast to it, and the model in mixed precision, with ever fewer modules in
    float32 until none can be left out. `optimizer` (which makes no step) adds updates that would be lost and states
    that would vanish. `path` is where the record goes (default: a temporary file).

    Parameters, gradients, buffers and the random state stay as they were; a copy of the model is made while it is
    checked. Raises ValueError for another dtype, a model that holds no float32 parameter, or where no scalar loss
    comes out.
    """
    target = target_of(dtype)
    held = {parameter.dtype for parameter in model.parameters()}
    if held and not held & {torch.float32, torch.float64}:
        names = ", ".join(sorted(str(each).removeprefix("torch.") for each in held))
        raise ValueError(f"the model is in {names} already: what would fit is told from a run in float32")
    chosen = Path(path) if path is not None else Path(tempfile.mkdtemp(prefix="wellposed-")) / "fit.wellposed"
    replay = Replay(target)
    options = Options(
        budget=None,
        grace_seconds=1.0,
        counts_exponents=True,
        on_operation=replay.operation if check else None,
    )
    watched = record_once(model, batch, loss_fn, optimizer, chosen, options)
    with watched.record as record:
        prediction = fit(record, target.name)
    tried = Checker(Setting(model, batch, loss_fn, target), prediction, replay).check(optimizer) if check else None
    return FitReport(prediction, tried, chosen)

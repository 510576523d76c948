"""A run that went wrong, one that did not, and one on two ranks; with the diagnoses that belong to them."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from tests.records import RecordBuilder, statistics
from wellposed.diagnosis import Diagnosis
from wellposed.findings import Evidence, Finding, Fix, Location, Series
from wellposed.record import Record

SOURCE = '''\
import torch
from torch import nn


class Distance(nn.Module):
    """How far two embeddings are from each other."""

    def __init__(self, width):
        super().__init__()
        self.project = nn.Linear(width, width)

    def forward(self, left, right):
        difference = self.project(left) - self.project(right)
        squared = difference.pow(2).sum(dim=-1)
        return squared.sqrt()


torch.manual_seed(0)
layers = nn.Sequential(*[nn.Linear(64, 64) for _ in range(8)])
model = Distance(64)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

for step in range(200):
    left, right = torch.randn(32, 64), torch.randn(32, 64)
    if step == 12:
        right = left
    loss = model(layers(left), layers(right)).mean()
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
'''
STEPS = 40
BROKEN_AT = 12


def write_broken(path: Path, **meta: object) -> Path:
    """Forty steps of a small network; at step 12 a square root is differentiated at zero, and all is NaN after it."""
    with RecordBuilder(path, argv=["train.py", "--steps", "200"], **meta) as record:
        record.source("train.py", SOURCE)
        layers = [f"Sequential.{n}" for n in range(8)] + ["Distance.project", "Distance"]
        names = [f"layers.{n}.weight" for n in range(8)] + ["project.weight"]
        parameters = [record.parameter(name, (64, 64)) for name in names]
        for step in range(STEPS):
            broken = step > BROKEN_AT
            full = step < 4 or step in (11, 12, 13, 14) or step % 8 == 0
            record.step(
                step,
                "full" if full else "check",
                loss=math.nan if broken else 2.0 * 0.95**step + 0.1 * math.sin(step),
                learning_rate=1e-3,
                gradient_norm=0.0 if step >= BROKEN_AT else 0.4 * 0.97**step * (1 + 0.2 * math.cos(3 * step)),
                gradient_nonfinite=64 * 64 if step >= BROKEN_AT else 0,
            )
            if full:
                _operations(record, step, layers)
            for depth, parameter in enumerate(parameters):
                bad = step >= BROKEN_AT
                rms = math.nan if bad else 1e-2 * 0.3 ** (8 - depth) * (1 + 0.3 * math.sin(step + depth))
                record.gradient(step, parameter, statistics(4096, rms=rms, nan=4096 if bad else 0))
                if step in (0, 3, BROKEN_AT - 1):
                    record.writer.add("exponents", [(step, parameter, -20 - depth, "[5, 40, 90, 60]", 3)])
    return path


def _operations(record: RecordBuilder, step: int, layers: list[str]) -> None:
    bad = step > BROKEN_AT
    for depth, layer in enumerate(layers[:-1]):
        rms = math.nan if bad else 0.6 * 0.8**depth
        made = statistics(2048, rms=rms, nan=2048 if bad else 0)
        line = 27 if layer.startswith("Seq") else 13
        record.operation("aten.addmm.default", step=step, line=line, module=layer, shape=(32, 64), output=made)
    smallest = 0.0 if step == BROKEN_AT else 0.01
    made = statistics(32, rms=math.nan if bad else 3.0, nan=32 if bad else 0, minimum=smallest)
    record.operation("aten.sum.dim_IntList", step=step, line=14, module="Distance", shape=(32,), output=made)
    record.operation("aten.sqrt.default", step=step, line=15, module="Distance", shape=(32,), output=made)
    nan = 32 if step >= BROKEN_AT else 0
    record.operation(
        "aten.div.Tensor", step=step, phase="backward", line=15, module="Distance", shape=(32,),
        output=statistics(32, rms=math.nan if nan else 0.02, nan=nan),
    )  # fmt: skip
    record.operation("aten._fused_adam_.default", step=step, phase="optimizer", line=29, output=None, shape=(64, 64))


def broken_diagnosis() -> Diagnosis:
    root = Finding(
        rule="sqrt-at-zero",
        code="N241",
        cause="unstable-function",
        severity="error",
        where=Location(
            "train.py", 15, "forward", "Distance", "aten.sqrt.default", "backward",
            "torch/_tensor.py:1012 in sqrt",
        ),
        message="The square root is differentiated where its input is 0: its slope there is infinite, and 32 elements "
        "of the gradient became NaN.",
        step=BROKEN_AT,
        evidence=(
            Evidence("smallest input of sqrt", 0.0, "", 1e-12),
            Evidence("gradient that came in", 0.03125),
            Evidence("elements that became NaN", 32, "of 32", 0),
        ),
        fixes=(
            Fix("Keep the root away from zero", "return (squared + 1e-12).sqrt()", verified=True),
            Fix("Or work with the square", "Leave the root out and compare squared distances where you can."),
        ),
        series=(
            Series(
                "gradient rms per layer, step 11",
                (*(f"layers.{n}.weight" for n in range(8)), "project.weight"),
                (*(1e-2 * 0.3 ** (8 - depth) for depth in range(8)), math.nan),
                logarithmic=True,
            ),
        ),
        operations=(60,),
        id=1,
    )  # fmt: skip
    followed = (
        Finding(
            "nonfinite-gradient", "N210", "unstable-function", "error",
            Location("train.py", 28, None, None, None, "backward"),
            "The gradients of all 9 parameters are NaN.", BROKEN_AT, "consequence", id=2, caused_by=(1,),
        ),
        Finding(
            "nonfinite-weight", "N211", "unstable-function", "error", Location("train.py", 29, phase="optimizer"),
            "The update writes NaN into every weight.", BROKEN_AT, "consequence", id=3, caused_by=(2,),
        ),
        Finding(
            "nonfinite-loss", "N212", "unstable-function", "error", Location("train.py", 27, phase="forward"),
            "The loss is NaN from here on.", BROKEN_AT + 1, "consequence", id=4, caused_by=(3,),
        ),
    )  # fmt: skip
    advice = Finding(
        "epsilon-vanishes", "N251", "epsilon", "note", Location("train.py", 21),
        "Adam's eps of 1e-8 is larger than the rms of 2 of 9 gradients.", 0, "advice",
        fixes=(Fix("A smaller eps", "torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-12)"),), id=5,
    )  # fmt: skip
    return Diagnosis((root, *followed, advice))


def write_healthy(path: Path, **meta: object) -> Path:
    with RecordBuilder(path, **meta) as record:
        record.source("train.py", SOURCE)
        record.operation("aten.addmm.default", line=13, module="Distance.project", output=statistics())
        for step in range(3):
            record.step(step, loss=1.0 / (step + 1), gradient_norm=0.5)
    return path


@pytest.fixture
def broken(tmp_path: Path):
    with Record(write_broken(tmp_path / "train.wellposed")) as record:
        yield [(record, broken_diagnosis())]


@pytest.fixture
def healthy(tmp_path: Path):
    with Record(write_healthy(tmp_path / "healthy.wellposed")) as record:
        yield [(record, Diagnosis(()))]


@pytest.fixture
def ranks(tmp_path: Path):
    """Two ranks that broke in the same place."""
    paths = [write_broken(tmp_path / f"train.rank{n}.wellposed", rank=n, world_size=2) for n in range(2)]
    with Record(paths[0]) as first, Record(paths[1]) as second:
        yield [(first, broken_diagnosis()), (second, broken_diagnosis())]

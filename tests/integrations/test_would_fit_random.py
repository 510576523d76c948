"""Predictions over random compositions of formulas at random magnitudes, against the operators themselves."""

from __future__ import annotations

import math
import random

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

import wellposed  # noqa: E402

FORMULAS = [
    lambda x, k: x * k,
    lambda x, k: (x * k).square(),
    lambda x, k: x.exp() * k,
    lambda x, k: x / (x.abs() + 1 / k),
    lambda x, k: F.gelu(x * k),
    lambda x, k: (x * k).softmax(-1),
    lambda x, k: (x * k) @ (x.T * k) @ x,
    lambda x, k: F.layer_norm(x * k, (8,)),
    lambda x, k: (x * k).cumsum(0),
    lambda x, k: torch.tanh(x / k),
    lambda x, k: (x * k).var(0, keepdim=True) + x,
    lambda x, k: torch.log1p((x * k).abs()),
    lambda x, k: x * (x * k).norm(),
    lambda x, k: (x.abs() / k + 1e-8).rsqrt() * x,
]
MODELS = 14


class Composition(nn.Module):
    def __init__(self, parts):
        super().__init__()
        self.inner = nn.Linear(8, 8)
        self.parts = parts

    def forward(self, x):
        x = self.inner(x)
        for formula, factor in self.parts:
            x = formula(x, factor)
        return x


@pytest.mark.parametrize(("dtype", "least"), [("float16", (0.95, 0.9)), ("float8_e5m2", (0.85, 0.75))])
def test_overflows_and_underflows_are_those_that_come(dtype, least):
    choose = random.Random(1)
    predicted, observed, both = [0, 0], [0, 0], [0, 0]
    for seed in range(MODELS):
        torch.manual_seed(seed)
        parts = [(choose.choice(FORMULAS), 10.0 ** choose.uniform(-1, 4)) for _ in range(choose.randint(1, 3))]
        weights = torch.randn(16, 8)
        report = wellposed.would_fit(
            Composition(parts), torch.randn(16, 8), lambda out, by=weights: (out.float() * by).mean(), dtype
        )
        check = report.check
        for n, each in enumerate((check.overflows, check.vanishes)):
            predicted[n] += each.predicted
            observed[n] += each.observed
            both[n] += each.both
        if report.prediction.verdict == "fits" and dtype == "float16":
            # What is said to fit is finite where all of it runs in the format.
            assert not check.pure.error and not check.pure.gradients_nonfinite and math.isfinite(check.pure.loss)
    assert observed[0] >= 3 and observed[1] >= 3
    # Rounded operands shift a result by a few units of roundoff (12 % each in float8_e5m2): near a limit, that decides.
    assert both[0] >= least[0] * max(predicted[0], observed[0])
    assert both[1] >= least[1] * max(predicted[1], observed[1])

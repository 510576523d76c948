"""Stable forms of culprits: found by what was computed, and evaluated on the same inputs."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

import wellposed
from wellposed import rewrites

pytestmark = pytest.mark.skipif(not hasattr(rewrites, "match"), reason="the catalogue of rewrites is empty")


@pytest.mark.parametrize(
    ("function", "x", "code"),
    [
        (lambda x: (x**2).mean() - x.mean() ** 2, 300 + torch.linspace(0, 3, 1000), "var("),
        (lambda x: torch.exp(x) - 1, torch.full((10,), 1.1e-5), "expm1"),
        (lambda x: torch.log(1 + x), torch.full((10,), 1.1e-5), "log1p"),
        (lambda x: -torch.log(torch.softmax(x, -1))[0], torch.tensor([16.0, 0, 3]).half(), "log_softmax"),
    ],
    ids=["variance", "expm1", "log1p", "log-softmax"],
)
def test_a_culprit_comes_with_a_form_that_keeps_its_digits(
    function: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor, code: str
) -> None:
    (culprit,) = wellposed.digits(function, x).culprits
    form = culprit.forms[0]
    assert code in form.code
    assert form.digits is not None and form.digits > culprit.operator.digits.normwise
    assert form.digits > (2.5 if x.dtype == torch.float16 else 6)
    assert form.source


def test_a_difference_of_no_known_formula_has_none() -> None:
    report = wellposed.digits(lambda x: (x.sin() * 3).sum() - (x.sin() * 3.000001).sum(), torch.linspace(1, 2, 50))
    assert report.culprits and all(each.forms == () for each in report.culprits)

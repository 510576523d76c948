"""Which of the four kinds a culprit is, each with a program that has it and a near miss."""

from __future__ import annotations

import torch
import torch.nn.functional as F

import wellposed
from wellposed.shadow import culprits
from wellposed.shadow.result import DigitsReport


def _kinds(report: DigitsReport) -> set[str]:
    return {culprits.kind_of(each.operator) for each in report.culprits}


def running_sum(x: torch.Tensor) -> torch.Tensor:
    total = torch.zeros((), dtype=x.dtype)
    for each in x:
        total += each
    return total


def test_a_running_sum_in_bfloat16_is_a_long_accumulation() -> None:
    torch.manual_seed(0)
    report = wellposed.digits(running_sum, torch.rand(1000).bfloat16())
    assert _kinds(report) == {culprits.ACCUMULATION}
    (culprit,) = report.culprits
    assert culprit.operator.text == "total += each"
    assert "1,000 numbers in bfloat16" in culprit.message


def test_a_short_running_sum_is_none() -> None:
    torch.manual_seed(0)
    assert wellposed.digits(running_sum, torch.rand(8).bfloat16()).culprits == ()


def test_one_call_of_sum_accumulates_well() -> None:
    torch.manual_seed(0)
    assert wellposed.digits(lambda x: x.sum(), torch.rand(4096).bfloat16()).culprits == ()


def test_a_nearly_singular_system_is_ill_conditioned() -> None:
    hilbert = torch.tensor([[1 / (i + j + 1) for i in range(6)] for j in range(6)])
    report = wellposed.digits(torch.linalg.solve, hilbert, torch.ones(6))
    assert _kinds(report) == {culprits.ILL_CONDITIONED}


def test_a_good_system_is_not() -> None:
    torch.manual_seed(0)
    matrix = 4 * torch.eye(6) + torch.randn(6, 6) / 4
    assert wellposed.digits(torch.linalg.solve, matrix, torch.ones(6)).culprits == ()


def test_an_arccosine_near_one_is_an_unstable_function() -> None:
    def angle(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        cosine = (a * b).sum() / (a.norm() * b.norm())
        return torch.acos(cosine)

    a = torch.tensor([1.0, 2.0, 3.0])
    report = wellposed.digits(angle, a, a + torch.tensor([1e-3, -2e-3, 1e-3]))
    assert _kinds(report) == {culprits.UNSTABLE}
    assert report.culprits[0].operator.text == "return torch.acos(cosine)"


def test_an_arccosine_in_the_middle_is_not() -> None:
    assert wellposed.digits(torch.acos, torch.tensor([0.3, -0.2])).culprits == ()


def test_overflow_is_told_as_what_it_is() -> None:
    report = wellposed.digits(lambda x: (x * x).mean(), torch.tensor([300.0, 400.0]).half())
    assert "goes beyond what float16 can hold" in report.culprits[0].message


def test_a_cancellation_that_no_output_depends_on_is_not_told() -> None:
    def program(x: torch.Tensor) -> torch.Tensor:
        wasted = (x**2).mean() - x.mean() ** 2
        return x.mean() + 0 * wasted

    torch.manual_seed(0)
    report = wellposed.digits(program, 300 + torch.rand(61))
    assert report.outputs[0].error != 0
    assert report.culprits == ()
    assert "sub" not in {culprits.base_of(each.where.operator) for each in report.operators}


def test_a_cancellation_drowned_by_a_large_term_is_not_told() -> None:
    def program(x: torch.Tensor) -> torch.Tensor:
        return ((x**2).mean() - x.mean() ** 2) + 1e6

    assert wellposed.digits(program, 300 + torch.linspace(0, 1, 64)).culprits == ()


def test_a_difference_of_exact_data_loses_nothing() -> None:
    def program(x: torch.Tensor) -> torch.Tensor:
        return (x[1:] - x[:-1]).square().mean()

    assert wellposed.digits(program, 1000 + torch.linspace(0, 1, 64)).culprits == ()


def test_ordinary_trainings_have_no_culprit() -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Linear(16, 64), torch.nn.GELU(), torch.nn.LayerNorm(64), torch.nn.Linear(64, 5)
    )
    x, y = torch.randn(32, 16), torch.randint(0, 5, (32,))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    with wellposed.digits() as d:
        for _ in range(3):
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = F.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    assert d.report.culprits == ()


def test_names_of_operators() -> None:
    assert culprits.base_of("aten._foreach_add_.List") == "add"
    assert culprits.base_of("aten._linalg_solve_ex.default") == "solve"
    assert culprits.base_of("aten.linalg_inv_ex.default") == "inv"
    assert culprits.base_of("numpy.subtract") == "subtract"
    assert culprits.base_of(None) == ""

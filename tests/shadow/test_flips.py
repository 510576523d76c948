"""Decisions follow the program, and are told where the reference would have decided otherwise."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

import wellposed

# 0.1 + 0.2 in float32 is above 0.3 in float32; the sum of the float32 numbers 0.1 and 0.2 is below it.
TENTH, FIFTH = torch.tensor([0.1]), torch.tensor([0.2])
BOUND = torch.tensor([0.3])


def test_a_comparison_that_rounding_turns() -> None:
    def program() -> torch.Tensor:
        total = TENTH + FIFTH
        return torch.where(total >= BOUND, total, -total)

    exact = TENTH.double() + FIFTH.double() >= BOUND.double()
    report = wellposed.digits(program)
    assert bool(report.result > 0) != bool(exact)
    (flip,) = report.flips
    assert flip.share == 1.0
    assert 0 < flip.margin < 1e-7
    assert flip.text.startswith("return torch.where(total >= BOUND")
    # The shadow follows the program's branch: both are +0.3.
    assert report.outputs[0].digits.normwise > 7


def test_a_comparison_far_from_its_threshold_is_none() -> None:
    report = wellposed.digits(lambda: torch.where(TENTH + FIFTH > 0.1, 1.0, -1.0) * TENTH)
    assert report.flips == ()


def test_a_python_branch_is_told() -> None:
    def program() -> torch.Tensor:
        total = TENTH + FIFTH
        if total >= BOUND:
            return total * 2
        return total * 3

    report = wellposed.digits(program)
    assert len(report.flips) == 1
    assert report.outputs[0].reference == pytest.approx(0.6, rel=1e-6)


@pytest.mark.parametrize(
    "choose",
    [
        lambda x: x.max(0).values,
        lambda x: x.sort(0).values[-1],
        lambda x: x.topk(1).values[0],
        lambda x: x[x.argmax()],
    ],
    ids=["max", "sort", "topk", "argmax"],
)
def test_a_choice_of_indices_is_followed(choose: Callable[[torch.Tensor], torch.Tensor]) -> None:
    # In bfloat16 both are 256; exactly, the second is larger, yet the program may take either.
    small = torch.tensor([0.1, 0.9, 0.0]).bfloat16()

    def program() -> torch.Tensor:
        return choose(torch.tensor([256.0, 256.0, 0.0]).bfloat16() + small)

    report = wellposed.digits(program)
    low = float(report.result)
    assert low == 256
    first, second = float(small[0]), float(small[1])
    assert report.outputs[0].reference in (256 + first, 256 + second)
    taken_first = report.outputs[0].reference == 256 + first
    assert bool(report.flips) == taken_first


def test_a_rounding_to_another_integer() -> None:
    def program() -> torch.Tensor:
        return torch.floor((TENTH + FIFTH) / BOUND * 1.0)

    low = program()
    exact = torch.floor((TENTH.double() + FIFTH.double()) / BOUND.double())
    assert low != exact
    report = wellposed.digits(program)
    assert len(report.flips) == 1
    assert report.outputs[0].error == 0


def test_a_cast_to_integers() -> None:
    def program() -> torch.Tensor:
        index = ((TENTH + FIFTH) / BOUND).long()
        return torch.tensor([5.0, 7.0])[index] * TENTH

    report = wellposed.digits(program)
    assert len(report.flips) == 1
    assert report.outputs[0].reference == pytest.approx(0.7, rel=1e-6)

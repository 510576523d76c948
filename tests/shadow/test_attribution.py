"""Shares of the output's error: their sum is checked, and so is each by running one operator alone in low precision."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F

import wellposed
from tests.shadow.trainings import Transformer
from wellposed.integrations.digits_torch import DigitsBlock
from wellposed.shadow.attribution import attribute
from wellposed.shadow.culprits import base_of


def _shares(report: wellposed.DigitsReport) -> dict[str, float]:
    found: dict[str, float] = {}
    for each in report.operators:
        found[base_of(each.where.operator)] = found.get(base_of(each.where.operator), 0.0) + each.share
    return found


def test_each_share_is_what_that_operator_alone_causes() -> None:
    torch.manual_seed(0)
    x = torch.rand(200)

    def program(x: torch.Tensor) -> torch.Tensor:
        return (torch.exp(x) * torch.sin(3 * x)).double().sum()

    report = wellposed.digits(program, x, reference="float64")
    # By hand: each kernel's own rounding times the derivative of the sum.
    wide, thrice = x.double(), 3 * x
    product = torch.exp(x) * torch.sin(thrice)
    by_hand = {
        "exp": ((torch.exp(x).double() - torch.exp(wide)) * torch.sin(3 * wide)).sum(),
        "sin": ((torch.sin(thrice).double() - torch.sin(thrice.double())) * torch.exp(wide)).sum(),
        "scaling": ((thrice.double() - 3 * wide) * torch.cos(3 * wide) * torch.exp(wide)).sum(),
        "product": (product.double() - torch.exp(x).double() * torch.sin(thrice).double()).sum(),
    }
    whole = sum(abs(float(each)) for each in by_hand.values())
    shares = _shares(report)
    assert shares["exp"] == pytest.approx(abs(float(by_hand["exp"])) / whole, rel=1e-3)
    assert shares["sin"] == pytest.approx(abs(float(by_hand["sin"])) / whole, rel=1e-3)
    (output,) = report.outputs
    assert output.attribution is not None
    assert output.attribution.explained == pytest.approx(sum(float(each) for each in by_hand.values()), rel=1e-4)
    assert output.error == pytest.approx(float(program(x) - program(wide)), rel=1e-9)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16], ids=str)
def test_the_sum_explains_the_error_of_a_forward_pass(precision: torch.dtype) -> None:
    torch.manual_seed(4)
    model = Transformer().to(precision).eval()
    tokens = torch.randint(0, 11, (3, 7))

    def loss_of() -> torch.Tensor:
        return F.cross_entropy(model(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())

    report = wellposed.digits(loss_of)
    (output,) = report.outputs
    assert output.attribution is not None and report.notes == () and report.skipped == ()
    assert abs(output.attribution.residual) < (0.01 if precision == torch.float32 else 0.2)
    exact = float(_in_float64(model, tokens).detach())
    assert output.reference == pytest.approx(exact, rel=1e-12)


def _in_float64(model: torch.nn.Module, tokens: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(model.double()(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())


def test_a_tensor_is_projected_on_its_error() -> None:
    torch.manual_seed(0)
    x = torch.rand(50)
    report = wellposed.digits(lambda x: torch.tanh(x * 3).cumsum(0), x)
    (output,) = report.outputs
    exact = torch.tanh(x.double() * 3).cumsum(0)
    error = report.result.double() - exact
    assert output.attribution is not None
    assert output.attribution.true_error == pytest.approx(float(error.norm()), rel=1e-9)
    assert abs(output.attribution.residual) < 1e-4
    assert "projected" in output.attribution.of


def test_gradients_may_be_outputs() -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(6, 9), torch.nn.Tanh(), torch.nn.Linear(9, 1))
    x = torch.randn(5, 6)
    with wellposed.digits() as d:
        model(x).square().mean().backward()
        d.output(model[0].weight.grad, "gradient")
    (output,) = d.report.outputs
    assert output.name == "gradient" and output.attribution is not None
    assert abs(output.attribution.residual) < 1e-3
    assert {each.where.phase for each in d.report.operators} == {"forward", "backward"}


def test_the_error_of_an_earlier_step_is_followed_through_the_optimizer() -> None:
    torch.manual_seed(0)
    weight = torch.randn(8, requires_grad=True)
    x = torch.randn(20, 8)
    optimizer = torch.optim.SGD([weight], lr=0.1, momentum=0.9)
    with wellposed.digits() as d:
        for _ in range(4):
            optimizer.zero_grad()
            loss = (x @ weight).tanh().square().mean()
            loss.backward()
            optimizer.step()
        d.output(weight.detach(), "weight")
    (output,) = d.report.outputs
    assert output.attribution is not None
    assert abs(output.attribution.residual) < 1e-3
    assert "optimizer" in {each.where.phase for each in d.report.operators}


def test_where_first_order_fails_single_places_are_put_back() -> None:
    def program(x: torch.Tensor) -> torch.Tensor:
        total = (x**2).mean() - x.mean() ** 2
        return torch.exp(total * 20000)

    torch.manual_seed(0)
    report = wellposed.digits(program, 30 + 1e-2 * torch.rand(512))
    (output,) = report.outputs
    assert output.attribution is not None
    assert abs(output.attribution.residual) > 0.2
    assert "putting back" in output.attribution.of
    shares = _shares(report)
    assert shares["mean"] + shares.get("pow", 0) > 0.9


def test_an_overflow_is_attributed_to_where_it_happened() -> None:
    def program(x: torch.Tensor) -> torch.Tensor:
        return (torch.exp(x) / 4).mean()

    report = wellposed.digits(program, torch.tensor([1.0, 12.0]).half())
    assert math.isinf(report.outputs[0].value)
    assert max(report.operators, key=lambda each: each.share).where.operator == "aten.exp.default"


def test_too_much_to_keep_is_said() -> None:
    with DigitsBlock("float64") as block:
        assert block._mode.engine.tape is not None
        block._mode.engine.tape._most_bytes = 10_000
        x = torch.rand(4000)
        for _ in range(5):
            x = torch.sin(x)
        block.output(x)
        assert block._mode.engine.tape.bytes == 0
    assert block.report.outputs[0].attribution is None
    assert any("no attribution" in each and "MiB" in each for each in block.report.notes)
    assert block.report.operators


def test_the_random_state_and_the_tensors_stay() -> None:
    torch.manual_seed(0)
    with DigitsBlock("float64") as block:
        x = torch.rand(100)
        y = torch.nn.functional.dropout(x.sin(), 0.2).sum()
        block.output(y)
        engine = block._mode.engine
        state, value = torch.get_rng_state(), x.clone()
        block._mode.paused = True
        assert engine.tape is not None
        attribute(engine.tape, engine.declared)
        block._mode.paused = False
        assert torch.equal(state, torch.get_rng_state())
        assert torch.equal(value, x) and not x.requires_grad


@pytest.mark.parametrize(
    "function",
    [
        lambda x: F.layer_norm(x, (8,)).pow(3).mean(),
        lambda x: F.group_norm(x.view(2, 4, 8), 2).exp().mean(),
        lambda x: F.batch_norm(x, None, None, training=True).exp().mean(),
        lambda x: torch.var_mean(x, 1)[0].log().sum(),
        lambda x: F.conv1d(x.view(1, 8, 8), x.view(8, 8, 1)[:3]).tanh().sum(),
        lambda x: torch.einsum("ij,kj->ik", x, x).sigmoid().sum(),
        lambda x: F.scaled_dot_product_attention(x.view(1, 2, 4, 8), *[x.view(1, 2, 4, 8)] * 2).sum(),
        lambda x: torch.cat([x, x.exp()]).max(0).values.sum(),
        lambda x: x.index_add(0, torch.tensor([0, 0, 3]), x[:3].sin()).logsumexp(1).sum(),
        lambda x: torch.fft.rfft(x).abs().log().sum(),
        lambda x: torch.linalg.solve(x + 5 * torch.eye(8), x).sum(),
        lambda x: F.embedding(torch.tensor([1, 2, 1]), x * 1.1).softmax(-1).log().sum(),
    ],
    ids=["layer-norm", "group-norm", "batch-norm", "var-mean", "conv", "einsum", "attention", "max", "index-add", "fft",
         "solve", "embedding"],
)  # fmt: skip
def test_many_operators_are_followed(function: Callable[[torch.Tensor], torch.Tensor]) -> None:
    torch.manual_seed(0)
    x = torch.rand(8, 8) + 0.1
    report = wellposed.digits(function, x)
    (output,) = report.outputs
    assert report.skipped == () and report.notes == ()
    assert output.reference == pytest.approx(float(function(x.double())), rel=1e-12)
    if output.error:
        assert output.attribution is not None
        assert abs(output.attribution.residual) < 0.05

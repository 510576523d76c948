"""The public face: a function, a block, what they declare, and what they say of what they cannot do."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

import wellposed
from wellposed.report.digits import render_digits
from wellposed.report.digits_json import digits_to_json_text
from wellposed.shadow.references import reference_named


def variance(x: torch.Tensor) -> torch.Tensor:
    return (x**2).mean() - x.mean() ** 2


def _sample() -> torch.Tensor:
    return 300 + torch.randn(1000, generator=torch.Generator().manual_seed(0))


def test_a_function_gives_its_result_and_a_report() -> None:
    report = wellposed.digits(variance, _sample())
    assert isinstance(report, wellposed.DigitsReport)
    assert torch.equal(report.result, variance(_sample()))
    assert [each.name for each in report.outputs] == ["result"]
    assert report.reference == "float64"
    assert report.backend.startswith(f"torch {torch.__version__.split('+')[0]} CPU")
    where = report.culprits[0].operator.where
    assert where.file is not None and where.file.endswith("test_digits.py")
    assert where.line == variance.__code__.co_firstlineno + 1
    assert (where.function, where.operator, where.phase) == ("variance", "aten.sub.Tensor", "forward")
    assert report.culprits[0].operator.text == "return (x**2).mean() - x.mean() ** 2"
    assert report.files is not None and "def variance" in report.files[where.file]


def test_keywords_reach_the_function() -> None:
    report = wellposed.digits(torch.sum, _sample(), dim=0, keepdim=True, reference="float64")
    assert report.result.shape == (1,)


def test_every_tensor_of_a_structure_is_an_output() -> None:
    @dataclass
    class Pair:
        left: torch.Tensor
        count: int

    def program(x: torch.Tensor) -> Any:
        return OrderedDict(loss=x.sum(), parts=[x.exp(), (x.sin(), torch.arange(3))], pair=Pair(x.cos(), 3), none=None)

    report = wellposed.digits(program, torch.rand(4))
    assert [each.name for each in report.outputs] == [
        "result.loss", "result.parts[0]", "result.parts[1][0]", "result.pair.left",
    ]  # fmt: skip


def test_a_block_declares_its_outputs() -> None:
    with wellposed.digits() as d:
        first = variance(_sample())
        d.output(first, name="variance")
        d.output(first.exp())
    assert [each.name for each in d.report.outputs] == ["variance", "output 2"]
    assert "of 24 bits cancel" in str(d)


def test_an_output_is_looked_at_when_it_is_declared() -> None:
    with wellposed.digits() as d:
        x = torch.rand(4).sin()
        d.output(x)
        x.zero_()
    assert d.report.outputs[0].value > 0
    assert d.report.outputs[0].attribution is not None
    assert abs(d.report.outputs[0].attribution.residual) < 1e-6


def test_without_declaration_the_last_loss_counts() -> None:
    weight = torch.rand(5, requires_grad=True)
    with wellposed.digits() as d:
        for power in (2, 3):
            loss = (weight.sin() ** power).sum()
            loss.backward()
    (output,) = d.report.outputs
    assert output.name == "loss" and output.value == float(loss.detach())


def test_without_any_output_it_says_so() -> None:
    with wellposed.digits() as d:
        variance(_sample())
    assert d.report.outputs == ()
    assert any("no output was declared" in each for each in d.report.notes)
    assert d.report.culprits


def test_backward_operators_stand_at_their_forwards_line() -> None:
    weight = torch.rand(5, requires_grad=True)
    with wellposed.digits() as d:
        inner = weight.exp()
        inner.log().sum().backward()
        d.output(weight.grad)
    lines = {each.text for each in d.report.operators if each.where.phase == "backward"}
    assert "inner = weight.exp()" in lines


def test_misuse_is_told_in_one_sentence() -> None:
    with pytest.raises(TypeError, match="takes a function and its arguments, not Tensor"):
        wellposed.digits(torch.ones(3))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="there is no reference 'float128': choose one of auto, float64"):
        wellposed.digits(variance, _sample(), reference="float128")
    with wellposed.digits() as d:
        with pytest.raises(TypeError, match="floating-point tensor"):
            d.output(torch.arange(3))
        with pytest.raises(RuntimeError, match="when its block has ended"):
            _ = d.report
    with pytest.raises(RuntimeError, match="inside the block"):
        d.output(torch.ones(3))
    with pytest.raises(RuntimeError, match="entered once"), d:
        pass


def test_what_has_no_shadow_is_said() -> None:
    def program(x: torch.Tensor) -> torch.Tensor:
        sparse = x.to_sparse()
        return (sparse.to_dense().sin() + torch.sparse.mm(sparse, x)).sum()

    report = wellposed.digits(program, torch.rand(3, 3))
    assert torch.equal(report.result, program(torch.rand(3, 3))) or report.result.isfinite()
    assert any("sparse" in reason for _, reason, _ in report.skipped)


def test_an_operator_of_the_users_own_is_said() -> None:
    @torch.library.custom_op("wellposed_tests::cube", mutates_args=())
    def cube(x: torch.Tensor) -> torch.Tensor:
        return x * x * x

    report = wellposed.digits(lambda x: cube(x).sum(), torch.rand(4))
    assert ("wellposed_tests.cube.default", "an operator of its own, whose formula is not known", 1) in report.skipped


def test_a_number_that_python_takes_is_the_programs() -> None:
    def program(x: torch.Tensor) -> torch.Tensor:
        scale = (x.sum() / 3).item()
        return x * scale

    report = wellposed.digits(program, torch.rand(7))
    assert report.outputs[0].digits.normwise > 7


def test_compiled_models_run_eagerly() -> None:
    model = torch.compile(torch.nn.Linear(4, 2), backend="eager")
    x = torch.rand(3, 4)
    with wellposed.digits() as d:
        compiled = torch.compile(torch.nn.Linear(2, 2), backend="eager")
        d.output(compiled(model(x)))
    assert d.report.executed == 2
    assert [each.where.operator for each in d.report.operators] == ["aten.addmm.default"] * 2
    torch.testing.assert_close(model(x), model._orig_mod(x))


def test_data_loaders_and_inference_mode() -> None:
    loader = DataLoader(TensorDataset(torch.rand(8, 3)), batch_size=4)
    with wellposed.digits() as d, torch.inference_mode():
        total = torch.zeros(())
        for (batch,) in loader:
            total += batch.exp().sum()
        d.output(total)
    assert d.report.outputs[0].digits.normwise > 6
    assert [each for each in d.report.skipped if each[0] == "wellposed"] == []


def test_custom_autograd_functions() -> None:
    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
            (x,) = ctx.saved_tensors
            return 2 * x * gradient

    x = torch.rand(5, requires_grad=True)
    with wellposed.digits() as d:
        Square.apply(x.sin()).sum().backward()
        d.output(x.grad)
    assert abs(d.report.outputs[0].attribution.residual) < 1e-3  # type: ignore[union-attr]


def test_vmap_and_functional_gradients_run_through() -> None:
    def program(x: torch.Tensor) -> torch.Tensor:
        return torch.func.vmap(torch.func.grad(lambda row: (row.sin() ** 2).sum()))(x)

    x = torch.rand(3, 4)
    report = wellposed.digits(program, x)
    assert torch.equal(report.result, program(x))
    assert report.outputs[0].reference == pytest.approx(float(program(x.double()).square().mean().sqrt()), rel=1e-9)


def test_complex_numbers() -> None:
    x = torch.rand(16)
    report = wellposed.digits(lambda x: torch.fft.ifft(torch.fft.fft(x) * 2j).imag, x)
    assert report.outputs[0].reference == pytest.approx(float((2 * x.double()).square().mean().sqrt()), rel=1e-9)


@pytest.mark.slow
def test_a_model_of_transformers_runs_through() -> None:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.GPT2Config(n_layer=2, n_head=2, n_embd=32, vocab_size=50, n_positions=16)
    model = transformers.GPT2LMHeadModel(config)
    tokens = torch.randint(0, 50, (2, 10))
    torch.manual_seed(1)
    expected = model(tokens, labels=tokens).loss
    torch.manual_seed(1)
    with wellposed.digits() as d:
        loss = model(tokens, labels=tokens).loss
        loss.backward()
    assert torch.equal(loss, expected)
    report = d.report
    assert report.skipped == () and report.culprits == ()
    assert report.outputs[0].attribution is not None
    assert abs(report.outputs[0].attribution.residual) < 0.1
    assert any(each.where.library and "gpt2" in each.where.library for each in report.operators)


def test_the_report_renders_everywhere() -> None:
    report = wellposed.digits(variance, _sample())
    assert "bits cancel" in render_digits(report)
    found = json.loads(digits_to_json_text(report))
    assert found["outputs"][0]["name"] == "result" and "result" not in found and "files" not in found
    lines = str(report).splitlines()
    assert lines[0].startswith("Digits against float64")
    assert any(each.startswith("! ") and "bits cancel" in each for each in lines)


def test_programs_in_float64_get_a_finer_reference_where_there_is_one() -> None:
    assert reference_named("auto").name == "float64"
    finer = reference_named("auto", has_float64=True)
    assert finer.digits >= reference_named("float64").digits


def test_importing_the_function_loads_no_torch() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import sys, wellposed; wellposed.digits; print('torch' in sys.modules)"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "False"

"""A program under `digits` computes, draws and leaves behind exactly what it does without."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable

import pytest
import torch

import wellposed
from tests.shadow.trainings import TRAININGS


def _bits(tensor: torch.Tensor) -> torch.Tensor:
    return (
        tensor.detach().contiguous().view(torch.uint8) if tensor.dim() else tensor.detach().reshape(1).view(torch.uint8)
    )


@pytest.mark.parametrize("training", TRAININGS, ids=lambda each: each.__name__)
@pytest.mark.parametrize("attribution", [True, False], ids=["with-attribution", "without"])
def test_a_training_is_the_same_to_the_bit(training: Callable[[], list[torch.Tensor]], attribution: bool) -> None:
    expected = training()
    with wellposed.digits(attribution=attribution) as d:
        got = training()
    assert len(got) == len(expected)
    for ours, theirs in zip(got, expected, strict=True):
        assert ours.dtype == theirs.dtype and ours.stride() == theirs.stride()
        assert torch.equal(_bits(ours), _bits(theirs))
    report = d.report
    assert report.executed > 50
    assert report.outputs[0].name == "loss"
    assert [each for each in report.skipped if each[0] == "wellposed"] == []


def test_nothing_is_skipped_silently() -> None:
    for training in TRAININGS:
        with wellposed.digits() as d:
            training()
        assert {name for name, _, _ in d.report.skipped} <= {
            "aten.mkldnn_rnn_layer.default", "aten.mkldnn_rnn_layer_backward.default",
        }, training.__name__  # fmt: skip


def test_versions_gradients_and_formats_stay() -> None:
    def program() -> tuple[object, ...]:
        x = torch.ones(2, 3, 4, 4).to(memory_format=torch.channels_last).requires_grad_()
        y = x * 2
        y.add_(1)
        view = y[:, 1]
        z = (y * view.unsqueeze(1)).relu_()
        z.sum().backward()
        assert x.grad is not None
        return y._version, view._version, x._version, z.stride(), x.grad.stride(), z.grad_fn.name(), x.is_leaf

    expected = program()
    with wellposed.digits():
        assert program() == expected


def test_an_exception_of_the_program_passes() -> None:
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        wellposed.digits(torch.mm, torch.ones(2, 3), torch.ones(2, 3))
    with pytest.raises(ZeroDivisionError), wellposed.digits():
        torch.ones(3).exp().sum()
        raise ZeroDivisionError
    assert torch._C._len_torch_dispatch_stack() == 0


def test_shadows_die_with_their_tensors() -> None:
    with wellposed.digits(attribution=False) as d:
        store = d._mode.engine.store
        x = torch.rand(1000)
        for _ in range(50):
            x = torch.sin(x) * 1.1
        gc.collect()
        assert len(store) == 1
        assert store.bytes == 8 * 1000
        assert store.most_bytes <= 4 * 8 * 1000
        del x
        assert len(store) == 0 and store.bytes == 0


def test_tensors_die_as_early_as_without_us() -> None:
    with wellposed.digits():
        x = torch.rand(1000).sin()
        gone = weakref.ref(x)
        del x
        assert gone() is None


def test_the_random_state_is_the_programs() -> None:
    def program() -> torch.Tensor:
        x = torch.randn(100)
        x = torch.nn.functional.dropout(x, 0.3)
        x.bernoulli_(0.5)
        return torch.cat(
            [x, torch.rand(3), torch.normal(torch.zeros(2), 1.0), torch.multinomial(torch.ones(5), 2).float()]
        )

    torch.manual_seed(3)
    expected = program()
    torch.manual_seed(3)
    report = wellposed.digits(program)
    assert torch.equal(report.result, expected)
    assert report.outputs[0].digits.normwise == pytest.approx(7.2)


def test_other_modes_see_the_programs_operators_alone() -> None:
    from torch.utils._python_dispatch import TorchDispatchMode

    class Counter(TorchDispatchMode):
        seen = 0

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            self.seen += 1
            return func(*args, **(kwargs or {}))

    x = torch.rand(10)
    with Counter() as counter, wellposed.digits():
        (x.exp() + 1).log()
    assert counter.seen == 3

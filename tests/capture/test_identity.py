"""Recording changes nothing: losses, weights, random state, hooks and modes are those of the program alone."""

from __future__ import annotations

import random

import pytest

torch = pytest.importorskip("torch")

from torch.nn.modules import module as torch_module  # noqa: E402
from torch.optim import optimizer as torch_optimizer  # noqa: E402
from torch.utils import _python_dispatch  # noqa: E402

from tests.capture.programs import PROGRAMS  # noqa: E402
from tests.capture.recording import LEVELS, recorded  # noqa: E402
from wellposed.record import Record  # noqa: E402


def _run(name):
    torch.manual_seed(7)
    random.seed(7)
    out = [each.detach().clone() for each in PROGRAMS[name]()]
    return out, torch.get_rng_state(), random.getstate()


def _bits(tensor):
    plain = torch.view_as_real(tensor) if tensor.is_complex() else tensor
    return plain.contiguous().view(torch.uint8) if plain.dim() else plain.reshape(1).view(torch.uint8)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", PROGRAMS)
def test_results_and_random_state_are_bit_identical(tmp_path, name, level):
    plain, rng, python_rng = _run(name)
    with recorded(tmp_path / "r.wellposed", LEVELS[level]):
        watched, rng_after, python_rng_after = _run(name)
    assert len(plain) == len(watched)
    for before, after in zip(plain, watched, strict=True):
        assert torch.equal(_bits(before), _bits(after))
    assert torch.equal(rng, rng_after)
    assert python_rng == python_rng_after
    with Record(tmp_path / "r.wellposed") as record:
        assert not record.events("recorder-failed")
        if level in ("full", "check"):
            assert record.program.operations > 0


def test_hooks_modes_and_functions_are_put_back(tmp_path):
    def state():
        return (
            len(torch_module._global_forward_hooks),
            len(torch_module._global_forward_pre_hooks),
            len(torch_module._global_module_registration_hooks),
            len(torch_module._global_parameter_registration_hooks),
            len(torch_optimizer._global_optimizer_pre_hooks),
            len(torch_optimizer._global_optimizer_post_hooks),
            torch.autograd.backward,
            torch.autograd.grad,
            torch.compile,
            torch.optim.Optimizer.__init__,
            torch.amp.GradScaler.update,
            _python_dispatch._get_current_dispatch_mode(),
            torch.is_grad_enabled(),
        )

    before = state()
    with recorded(tmp_path / "r.wellposed"):
        assert state() != before
        _run("mlp_with_dropout")
    assert state() == before


def test_the_users_hooks_keep_working(tmp_path):
    seen = []
    layer = torch.nn.Linear(2, 2)
    layer.register_forward_hook(lambda *_: seen.append("forward"))
    layer.register_full_backward_hook(lambda *_: seen.append("backward"))
    layer.weight.register_hook(lambda gradient: seen.append("gradient") or gradient)
    with recorded(tmp_path / "r.wellposed"):
        layer(torch.ones(1, 2, requires_grad=True)).sum().backward()
    assert sorted(seen) == ["backward", "forward", "gradient"]


def test_the_users_dispatch_mode_keeps_working(tmp_path):
    seen = []

    class Mode(_python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            seen.append(str(func))
            return func(*args, **(kwargs or {}))

    with recorded(tmp_path / "r.wellposed"), Mode():
        torch.ones(2).exp()
    assert "aten.exp.default" in seen
    with Record(tmp_path / "r.wellposed") as record:
        assert any(each.operator == "aten.exp.default" for each in record.operations())


def test_an_exception_of_an_operator_reaches_the_program_unchanged(tmp_path):
    with recorded(tmp_path / "r.wellposed"), pytest.raises(RuntimeError, match="must match the size"):
        torch.ones(2) + torch.ones(3)


def test_a_fault_of_the_recorder_leaves_the_program_running(tmp_path, monkeypatch):
    from wellposed.capture.sites import Sites

    with recorded(tmp_path / "r.wellposed"):
        monkeypatch.setattr(Sites, "here", lambda *_: 1 / 0)
        assert torch.ones(3).sum().item() == 3.0
    with Record(tmp_path / "r.wellposed") as record:
        assert "ZeroDivisionError" in record.events("recorder-failed")[0].details["error"]

"""Each verdict has programs that deserve it, and near misses that do not."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

from tests.advice.programs import PAIRS, SOUND, Pair
from tests.rules.running import Ran, run_program
from wellposed.advice import VERDICTS, Epsilon, epsilons_in


def _on_the_line(ran: Ran) -> list[Epsilon]:
    line = ran.line_of("# here")
    return [each for each in epsilons_in(ran.record) if each.where.line == line]


def _told(ran: Ran) -> str:
    lines = [f"{each.verdict} {each.kind} line {each.where.line}: {each.message}" for each in epsilons_in(ran.record)]
    return "\n".join([ran.text, *lines, repr(ran.error)])


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_a_program_that_deserves_the_verdict_gets_it(pair: Pair, tmp_path: Path) -> None:
    ran = run_program(pair.program, tmp_path)
    found = [(each.verdict, each.kind) for each in _on_the_line(ran)]
    assert (pair.verdict, pair.kind) in found, _told(ran)
    message = next(each.message for each in _on_the_line(ran) if each.verdict == pair.verdict)
    assert pair.says in message, _told(ran)
    assert all(each.verdict in ("sound", pair.verdict) for each in epsilons_in(ran.record)), _told(ran)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_its_near_miss_is_sound(pair: Pair, tmp_path: Path) -> None:
    ran = run_program(pair.near_miss, tmp_path)
    assert all(each.sound for each in epsilons_in(ran.record)), _told(ran)
    assert bool(_on_the_line(ran)) != pair.absent_in_near_miss, _told(ran)


def test_every_verdict_has_a_program() -> None:
    assert {pair.verdict for pair in PAIRS} == set(VERDICTS) - {"sound"}


@pytest.mark.parametrize("text", SOUND.values(), ids=SOUND)
def test_sound_programs_are_left_alone(text: str, tmp_path: Path) -> None:
    ran = run_program(text, tmp_path)
    assert ran.error is None
    assert all(each.sound for each in epsilons_in(ran.record)), _told(ran)


def test_an_epsilon_of_a_loop_is_told_once(tmp_path: Path) -> None:
    ran = run_program(
        """
        import torch
        x = torch.rand(3, 4)
        for n in range(5):
            y = x / (x.sum(-1, keepdim=True) + 1e-6 * 2)
        for n in range(2):
            z = x / (x.sum(-1, keepdim=True) + 1e-7)
        """,
        tmp_path,
    )
    assert [(each.value, each.times) for each in epsilons_in(ran.record)] == [(2e-6, 5), (1e-7, 2)]


def test_the_recommended_range_heals(tmp_path: Path) -> None:
    """The value in the middle of what is recommended is sound in the same program."""
    program = """
    import torch
    torch.manual_seed(0)
    h = (torch.randn(8, 16) * torch.tensor([0.0, 1, 1, 1, 1, 1, 1, 1]).unsqueeze(1)).half().requires_grad_()
    y = h * torch.rsqrt(h.pow(2).mean(-1, keepdim=True) + EPSILON)
    y.sum().backward()
    """
    bad = epsilons_in(run_program(program.replace("EPSILON", "1e-6"), tmp_path).record)[0]
    assert bad.verdict == "too small"
    assert bad.recommended.low is not None and bad.recommended.high is not None
    middle = (bad.recommended.low * bad.recommended.high) ** 0.5
    ran = run_program(program.replace("EPSILON", repr(middle)), tmp_path)
    assert [each.verdict for each in epsilons_in(ran.record)] == ["sound"]
    assert ran.namespace["h"].grad.isfinite().all()


@pytest.mark.parametrize(("scale", "verdict"), [(2e-8, "sound"), (5e-9, "too large")])
def test_adam_is_too_large_from_the_gradients_rms_on(scale: float, verdict: str, tmp_path: Path) -> None:
    """The gradient is `scale` everywhere: ε = 1e-8 takes a third of the update, or two thirds."""
    ran = run_program(
        f"""
        import torch
        w = torch.nn.Parameter(torch.ones(4))
        optimizer = torch.optim.Adam([w])
        (w * {scale}).sum().backward()
        optimizer.step()
        """,
        tmp_path,
    )
    (found,) = epsilons_in(ran.record)
    assert found.verdict == verdict
    assert found.bias == pytest.approx(1e-8 / (1e-8 + scale), rel=1e-3)

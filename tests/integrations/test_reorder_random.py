"""Random programs of products, views, scalings, sums and shared intermediates compute the same after a rewrite."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch.fx.experimental.proxy_tensor import make_fx  # noqa: E402

import wellposed.torch  # noqa: E402
from wellposed.integrations.torch_reorder import choosing  # noqa: E402

SIZES = (1, 2, 3, 4, 6, 8, 12)


def _product(a: Any, pool: list[Any], draw: random.Random) -> Any:
    def fit(b: Any) -> bool:
        together = min(a.dim(), b.dim()) < 3 or a.shape[:-2] == b.shape[:-2]
        return together and a.shape[-1:] == (b.shape[-2:-1] or b.shape[-1:])

    fits = [b for b in pool if fit(b)]
    return a @ draw.choice(fits) if a.dim() and fits else None


def _biased(a: Any, pool: list[Any], draw: random.Random) -> Any:
    fits = [b for b in pool if a.dim() == b.dim() == 2 and a.shape[1] == b.shape[0]]
    biases = [(c, b) for b in fits for c in pool if c.shape == b.shape[1:]]
    if not biases:
        return None
    bias, b = draw.choice(biases)
    return torch.addmm(bias, a, b, beta=draw.choice([1, 0.5, 0]), alpha=draw.choice([1, 2]))


def _elementwise(a: Any, pool: list[Any], draw: random.Random) -> Any:
    fits = [b for b in pool if b.shape == a.shape or (b.dim() == 1 < a.dim() and b.shape[0] in (1, a.shape[-1]))]
    b = draw.choice(fits)
    return draw.choice([a + b, a - b, a * b])


def _reshaped(a: Any, pool: list[Any], draw: random.Random) -> Any:
    return a.reshape(draw.choice([size for size in SIZES if a.numel() % size == 0]), -1)


STEPS: tuple[Callable[[Any, list[Any], random.Random], Any], ...] = (
    _product,
    _product,
    _product,
    _biased,
    _elementwise,
    _reshaped,
    lambda a, pool, draw: a.transpose(-1, -2) if a.dim() > 1 else None,
    lambda a, pool, draw: a * draw.choice([2, -0.5]),
    lambda a, pool, draw: -a / 4,
    lambda a, pool, draw: a.sum(draw.randrange(a.dim()), keepdim=draw.random() < 0.5) if a.dim() > 1 else None,
    lambda a, pool, draw: a[None].expand(3, *a.shape) if a.dim() == 2 else None,
    lambda a, pool, draw: torch.tanh(a) if draw.random() < 0.3 else None,
)


def _outputs(seed: int, leaves: tuple[Any, ...]) -> list[Any]:
    draw, pool = random.Random(seed), list(leaves)
    for _ in range(draw.randint(3, 9)):
        made = draw.choice(STEPS)(draw.choice(pool), pool, draw)
        if made is not None:
            pool.append(made)
    return [pool[-1] * 1, draw.choice(pool[-3:]) * 1]


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 60, 20))
def test_random_programs_compute_the_same_in_both_passes(first, monkeypatch):
    monkeypatch.setattr(choosing, "LEAST_SAVED", 1)
    rewrites = 0
    for seed in range(first, first + 20):
        draw = random.Random(seed)
        shapes = [tuple(draw.choices(SIZES, k=k)) for k in (2, 2, 2, 2, 1, 3)]
        leaves = [
            torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) for shape in shapes
        ]

        def both(*given: Any, seed: int = seed) -> list[Any]:
            given = tuple(one.detach().requires_grad_() for one in given)
            outputs = _outputs(seed, given)
            loss = sum((one * one.detach().cos()).sum() for one in outputs)
            gradients = torch.autograd.grad(loss, given, allow_unused=True)
            return [*outputs, *(one for one in gradients if one is not None)]

        graph = make_fx(both, tracing_mode="symbolic" if seed % 2 else "fake")(*leaves)
        expected = [one.detach() for one in graph(*leaves)]
        report = wellposed.torch.reorder_graph(graph)
        assert report.after <= report.before
        rewrites += len(report.rewrites)
        for one, other in zip(expected, graph(*leaves), strict=True):
            scale = max(1.0, float(one.abs().max()))
            assert one.shape == other.shape and torch.allclose(one, other.detach(), rtol=1e-8, atol=1e-9 * scale)
    assert rewrites

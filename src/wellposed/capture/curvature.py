"""The curvature of a loss before training: along the first update, and the largest, by products with its Hessian."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

ITERATIONS = 10
"""Of the power method: the largest curvature is then known to about a tenth, from below."""
SGD_EDGE = 2.0
"""Gradient descent: learning rate times curvature below 2, with momentum 2 (1 + beta) (arXiv 2103.00065)."""

_Product = Callable[[list[torch.Tensor]], list[torch.Tensor]]


def curvature_of(
    compute_loss: Callable[[], torch.Tensor],
    parameters: Sequence[torch.Tensor],
    optimizer: torch.optim.Optimizer | None,
) -> dict[str, Any]:
    """Details of the record's event ``curvature``; with a `note` and no numbers where some operator has no second
    derivative. The fused attention operators have none: those run as their plain formula.

    Gradients are left alone; buffers and the random state are the caller's business.
    """
    group = optimizer.param_groups[0] if optimizer is not None else {}
    betas = group.get("betas")
    adaptive = isinstance(betas, (tuple, list)) and len(betas) > 1
    rate = float(group["lr"]) if "lr" in group else None
    details: dict[str, Any] = {"rate": rate, "adaptive": adaptive}
    if optimizer is not None:
        details["class"] = type(optimizer).__name__
        beta = float(betas[0]) if adaptive else float(group.get("momentum", 0.0))  # type: ignore[index]
        # Cohen et al. 2022 (arXiv 2207.14484): 38 for Adam with beta1 = 0.9.
        details["edge"] = SGD_EDGE * (1 + beta) / (1 - beta if adaptive else 1.0)
    try:
        with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH), torch.backends.cudnn.flags(enabled=False):
            loss = compute_loss()
            found = torch.autograd.grad(loss, parameters, create_graph=True, allow_unused=True)
            pairs = [(p, g) for p, g in zip(parameters, found, strict=True) if g is not None]
            _must_be_twice_differentiable([g for _, g in pairs])
            epsilon = float(group.get("eps", 0.0)) if adaptive else None
            details |= _measure([p for p, _ in pairs], [g for _, g in pairs], epsilon)
    except (RuntimeError, NotImplementedError) as error:
        details["note"] = f"no second derivative: {str(error).splitlines()[0][:200]}"
    return details


def _must_be_twice_differentiable(gradients: list[torch.Tensor], most: int = 200_000) -> None:
    """Raises RuntimeError where a function has said that it is not: PyTorch then gives no second derivative, unsaid."""
    waiting, seen = [each.grad_fn for each in gradients], set()
    while waiting and len(seen) < most:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if node.name().split("::")[-1] in ("Error", "DelayedError"):
            raise RuntimeError("a function of the model is marked once_differentiable")
        waiting.extend(following for following, _ in node.next_functions)


def _measure(
    parameters: list[torch.Tensor], gradients: list[torch.Tensor], epsilon: float | None
) -> dict[str, float | int]:
    """`along`: u·Hu over g·u for the first update's direction u, which is g, or its sign for Adam; a step of rate r
    along -u raises a quadratic loss where r times it is above 2. `largest`: of the eigenvalues, in Adam's metric with
    `epsilon`, whose second moment is taken for each parameter as a whole: a single gradient says no more of it."""
    flat = [g.detach() for g in gradients]
    size = math.sqrt(_dot(flat, flat))
    if not size or not math.isfinite(size):
        return {"gradient_norm": size}

    def product(vector: list[torch.Tensor]) -> list[torch.Tensor]:
        return _hessian_times(gradients, parameters, vector)

    update = flat if epsilon is None else [g.sign() for g in flat]
    along = _dot(update, product(update)) / _dot(flat, update)
    scales = [torch.ones((), device=g.device) for g in flat]
    if epsilon is not None:
        scales = [(g.square().mean().sqrt() + epsilon).rsqrt() if bool(g.any()) else g.new_zeros(()) for g in flat]
    largest = _largest(lambda v: _scaled(product(_scaled(v, scales)), scales), flat)
    return {"gradient_norm": size, "along": along, "largest": largest, "iterations": ITERATIONS}


def _largest(product: _Product, start: list[torch.Tensor]) -> float:
    """The largest eigenvalue. Where the one of largest magnitude is negative, the method runs again beside it."""
    value = _power(product, start, 0.0)
    return value if value >= 0 else _power(product, start, value)


def _power(product: _Product, start: list[torch.Tensor], shift: float) -> float:
    vector, value = _unit(start), 0.0
    for _ in range(ITERATIONS):
        image = product(vector)
        value = _dot(vector, image)
        vector = _unit([each - shift * v for each, v in zip(image, vector, strict=True)])
    return value


def _hessian_times(
    gradients: list[torch.Tensor], parameters: list[torch.Tensor], vector: list[torch.Tensor]
) -> list[torch.Tensor]:
    curved = [(g, v) for g, v in zip(gradients, vector, strict=True) if g.requires_grad]
    if not curved:  # a loss without curvature
        return [torch.zeros_like(each) for each in parameters]
    found = torch.autograd.grad(
        [g for g, _ in curved], parameters, [v for _, v in curved], retain_graph=True, allow_unused=True
    )
    return [torch.zeros_like(p) if h is None else h for p, h in zip(parameters, found, strict=True)]


def _dot(left: list[torch.Tensor], right: list[torch.Tensor]) -> float:
    return sum(float((a.double() * b.double()).sum()) for a, b in zip(left, right, strict=True))


def _unit(vector: list[torch.Tensor]) -> list[torch.Tensor]:
    size = math.sqrt(_dot(vector, vector))
    return [each / size for each in vector] if size > 0 else vector


def _scaled(vector: list[torch.Tensor], scales: list[torch.Tensor]) -> list[torch.Tensor]:
    return [each * scale for each, scale in zip(vector, scales, strict=True)]

"""ATen's fused attention in double-double, without dropout."""

from __future__ import annotations

import torch

from wellposed.shadow.double_double import reductions
from wellposed.shadow.double_double.arithmetic import Pair, square_root
from wellposed.shadow.double_double.products import matmul
from wellposed.shadow.double_double.reductions import both, total
from wellposed.shadow.double_double.registry import Operand, form, pairs


def _scores(query: Pair, key: Pair, causal: bool, mask: Operand | None, scale: float | None) -> tuple[Pair, Pair]:
    """What the softmax is taken of, and the scale; without one it is 1/√(size of a head)."""
    factor = 1.0 / square_root(pairs(query.shape[-1], query)[0]) if scale is None else pairs(scale, query)[0]
    scores = matmul(query, _turned(key)) * factor
    if causal:
        later = torch.ones(scores.shape[-2:], dtype=torch.bool, device=query.high.device).triu(1)
        scores = Pair(scores.high.masked_fill(later, -torch.inf), scores.low.masked_fill(later, 0.0))
    if mask is not None:
        scores = scores + pairs(mask, query)[0]
    return scores, factor


def _turned(x: Pair) -> Pair:
    return both(torch.transpose, x, -1, -2)


@form("_scaled_dot_product_flash_attention_for_cpu")
def attention(
    query: Pair,
    key: Pair,
    value: Pair,
    dropout: float = 0.0,
    causal: bool = False,
    *,
    attn_mask: Operand | None = None,
    scale: float | None = None,
) -> tuple[Pair, Pair]:
    """The result and the log of the sum of the exponentials; heads of (…, places, size)."""
    scores, _ = _scores(query, key, causal, attn_mask, scale)
    return matmul(reductions.softmax(scores, -1), value), reductions.logsumexp(scores, -1)


@form("_scaled_dot_product_flash_attention_for_cpu_backward")
def slopes_of_attention(
    gradient: Operand,
    query: Operand,
    key: Operand,
    value: Operand,
    result: Operand,
    logarithm: Operand,
    dropout: float,
    causal: bool,
    *,
    attn_mask: Operand | None = None,
    scale: float | None = None,
) -> tuple[Pair, Pair, Pair]:
    gradient, query, key, value, result = pairs(gradient, query, key, value, result)
    scores, factor = _scores(query, key, causal, attn_mask, scale)
    weights = reductions.softmax(scores, -1)
    of_weights = matmul(gradient, _turned(value)) - total(gradient * result, -1, True)
    of_scores = weights * of_weights * factor
    of_key = matmul(_turned(of_scores), query)
    return matmul(of_scores, key), of_key, matmul(_turned(weights), gradient)

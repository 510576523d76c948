"""What stands for a kernel that exists in low precision only: the same function, written with operators of float64."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

_aten = torch.ops.aten


def _softmax(x: torch.Tensor, dimension: int, half_to_float: bool) -> torch.Tensor:
    result: torch.Tensor = _aten._softmax.default(x, dimension, False)
    return result


def _log_softmax(x: torch.Tensor, dimension: int, half_to_float: bool) -> torch.Tensor:
    result: torch.Tensor = _aten._log_softmax.default(x, dimension, False)
    return result


def _copy(written: torch.Tensor, source: torch.Tensor, non_blocking: bool = False) -> torch.Tensor:
    # The shape and device of what is written; its old values make no difference.
    return source.to(written.device, written.dtype).expand(written.shape).clone()


def _attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    bias: torch.Tensor | None,
    is_causal: bool,
    scale: float | None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Attention as its definition has it, and the logarithm of each row's sum of exponentials."""
    if key.shape[1] != query.shape[1]:  # grouped queries share keys
        key = key.repeat_interleave(query.shape[1] // key.shape[1], 1)
        value = value.repeat_interleave(query.shape[1] // value.shape[1], 1)
    scores = query @ key.transpose(-1, -2) * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
    if bias is not None:
        scores = scores.masked_fill(~bias, -math.inf) if bias.dtype == torch.bool else scores + bias
    if is_causal:
        rows, columns = scores.shape[-2:]
        allowed = torch.ones(rows, columns, dtype=torch.bool, device=scores.device).tril()
        scores = scores.masked_fill(~allowed, -math.inf)
    weights = torch.softmax(scores, -1)
    return weights @ value, torch.logsumexp(scores, -1)


def _flash_attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    dropout: float = 0.0,
    is_causal: bool = False,
    return_debug_mask: bool = False,
    *,
    scale: float | None = None,
) -> tuple[Any, ...]:
    if dropout:
        raise NotImplementedError("the dropout mask inside a fused attention kernel cannot be had")
    result, log_sums = _attention(query, key, value, None, is_causal, scale)
    return result, log_sums, None, None, None, None, None, None, None


def _efficient_attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    bias: torch.Tensor | None,
    compute_log_sumexp: bool,
    dropout: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
) -> tuple[Any, ...]:
    if dropout:
        raise NotImplementedError("the dropout mask inside a fused attention kernel cannot be had")
    result, log_sums = _attention(query, key, value, bias, is_causal, scale)
    return result, log_sums, None, None


def _cudnn_attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    bias: torch.Tensor | None,
    compute_log_sumexp: bool,
    dropout: float = 0.0,
    is_causal: bool = False,
    return_debug_mask: bool = False,
    *,
    scale: float | None = None,
) -> tuple[Any, ...]:
    if dropout:
        raise NotImplementedError("the dropout mask inside a fused attention kernel cannot be had")
    result, log_sums = _attention(query, key, value, bias, is_causal, scale)
    return result, log_sums.unsqueeze(-1), None, None, None, None, None, None, None


def attention_gradients(
    output_gradient: torch.Tensor,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    bias: torch.Tensor | None,
    is_causal: bool,
    scale: float | None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Written out, for autograd is not to be had below autograd."""
    factor = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    groups = query.shape[1] // key.shape[1]
    wide_key = key.repeat_interleave(groups, 1) if groups > 1 else key
    wide_value = value.repeat_interleave(groups, 1) if groups > 1 else value
    identity = torch.eye(key.shape[-2], dtype=key.dtype, device=key.device).expand(*wide_key.shape[:-1], -1)
    weights = _attention(query, wide_key, identity, bias, is_causal, scale)[0]
    value_gradient = weights.transpose(-1, -2) @ output_gradient
    weights_gradient = output_gradient @ wide_value.transpose(-1, -2)
    centre = (weights_gradient * weights).sum(-1, keepdim=True)
    scores_gradient = weights * (weights_gradient - centre) * factor
    query_gradient = scores_gradient @ wide_key
    key_gradient = scores_gradient.transpose(-1, -2) @ query
    if groups > 1:
        batch, _, length = key.shape[:3]
        key_gradient = key_gradient.reshape(batch, -1, groups, length, key.shape[3]).sum(2)
        value_gradient = value_gradient.reshape(batch, -1, groups, length, value.shape[3]).sum(2)
    return query_gradient, key_gradient, value_gradient


def _flash_attention_backward(
    gradient: torch.Tensor,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    out: torch.Tensor,
    logsumexp: torch.Tensor,
    cum_seq_q: Any,
    cum_seq_k: Any,
    max_q: Any,
    max_k: Any,
    dropout: float,
    is_causal: bool,
    philox_seed: Any,
    philox_offset: Any,
    *,
    scale: float | None = None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    if dropout:
        raise NotImplementedError("the dropout mask inside a fused attention kernel cannot be had")
    return attention_gradients(gradient, query, key, value, None, is_causal, scale)


def _efficient_attention_backward(
    gradient: torch.Tensor,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    bias: torch.Tensor | None,
    out: torch.Tensor,
    logsumexp: torch.Tensor,
    philox_seed: Any,
    philox_offset: Any,
    dropout: float,
    gradients_wanted: list[bool],
    is_causal: bool = False,
    *,
    scale: float | None = None,
) -> tuple[Any, ...]:
    if dropout or (bias is not None and gradients_wanted[3]):
        raise NotImplementedError("fused attention with dropout, or with a bias that is learnt")
    return *attention_gradients(gradient, query, key, value, bias, is_causal, scale), None


def _cudnn_attention_backward(
    gradient: torch.Tensor,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    out: torch.Tensor,
    logsumexp: torch.Tensor,
    philox_seed: Any,
    philox_offset: Any,
    bias: torch.Tensor | None,
    cum_seq_q: Any,
    cum_seq_k: Any,
    max_q: Any,
    max_k: Any,
    dropout: float,
    is_causal: bool,
    *,
    scale: float | None = None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    if dropout:
        raise NotImplementedError("the dropout mask inside a fused attention kernel cannot be had")
    return attention_gradients(gradient, query, key, value, bias, is_causal, scale)


def _unscale(
    gradients: list[torch.Tensor], found_infinity: torch.Tensor, inverse_scale: torch.Tensor
) -> tuple[list[torch.Tensor], torch.Tensor]:
    return [each * inverse_scale for each in gradients], found_infinity.clone()


COUNTERPARTS: dict[Any, Callable[..., Any]] = {
    _aten._softmax.default: _softmax,
    _aten._log_softmax.default: _log_softmax,
    _aten.copy.default: _copy,
    _aten._amp_foreach_non_finite_check_and_unscale.default: _unscale,
    _aten._scaled_dot_product_flash_attention.default: _flash_attention,
    _aten._scaled_dot_product_flash_attention_backward.default: _flash_attention_backward,
    _aten._scaled_dot_product_efficient_attention.default: _efficient_attention,
    _aten._scaled_dot_product_efficient_attention_backward.default: _efficient_attention_backward,
    _aten._scaled_dot_product_cudnn_attention.default: _cudnn_attention,
    _aten._scaled_dot_product_cudnn_attention_backward.default: _cudnn_attention_backward,
}
"""By operator. Operators that are missing here run as they are, on float64 tensors."""

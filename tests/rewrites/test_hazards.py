"""Formulas known to fail in practice: which entry covers each, or why none does."""

from __future__ import annotations

import pytest

from wellposed.rewrites import find
from wellposed.rewrites.source import matches_on

COVERED = {
    "torch.log(torch.softmax(x, -1))": "log-of-softmax",
    "torch.log(torch.sigmoid(x))": "log-of-sigmoid",
    "torch.log(1 - torch.sigmoid(x))": "log-of-one-minus-sigmoid",
    "-(y * torch.log(torch.sigmoid(x)) + (1 - y) * torch.log(1 - torch.sigmoid(x)))": "cross-entropy-of-probabilities",
    "F.binary_cross_entropy(torch.sigmoid(x), y)": "cross-entropy-after-sigmoid",
    "torch.log(1 + torch.exp(x))": "softplus-overflow",
    "torch.log1p(torch.exp(x))": "softplus-overflow",
    "torch.log(1 + torch.exp(-x))": "softplus-underflow",
    "x.exp().sum().log()": "logsumexp-overflow",
    "x.exp().mean().log()": "log-mean-exp",
    "x.exp() / x.exp().sum()": "softmax-by-hand",
    "torch.exp(x) / (1 + torch.exp(x))": "sigmoid-by-hand",
    "(torch.exp(x) - torch.exp(-x)) / (torch.exp(x) + torch.exp(-x))": "tanh-by-hand",
    "torch.exp(x) - 1": "exp-minus-one",
    "torch.log(1 + x)": "log-one-plus",
    "torch.log(1 - x)": "log-one-minus",
    "torch.log(1 - torch.exp(x))": "log1mexp",
    "torch.log(a.exp() + b.exp())": "logaddexp-by-hand",
    "torch.log(torch.cosh(x))": "log-cosh",
    "torch.log(p + 1e-8)": "log-of-guarded-zero",
    "torch.log(1e-10 + 1 - p)": "log-one-minus",  # 1e-10 + 1 is 1 for the reader of source too
    "x / (x.sum() + 1e-8)": "ratio-guarded-by-zero",
    "torch.log(1 - p.clamp(1e-8, 1 - 1e-8))": "upper-clamp-that-is-one",
    "x / x.sum()": "normalise-by-sum",
    "(x * m).sum() / m.sum()": "masked-mean",
    "x / x.norm()": "unit-vector",
    "(x - x.mean()) / x.std()": "standardise",
    "x.std()": "single-sample-deviation",
    "(x - x.min()) / (x.max() - x.min())": "scale-to-range",
    "torch.rsqrt(v)": "inverse-root-of-variance",
    "2 * (a * b).sum() / (a.sum() + b.sum())": "dice-coefficient",
    "(x @ y) / (x.norm() * y.norm())": "cosine-similarity-of-zero",
    "(x * y).sum() / (x.pow(2).sum().sqrt() * y.pow(2).sum().sqrt())": "normalise-by-product-of-norms",
    "x.sqrt()": "square-root-at-zero",
    "((a - b) ** 2).sum().sqrt()": "distance-gradient-at-zero",
    "torch.where(x > 0, x.sqrt(), 0)": "where-after-square-root",
    "torch.where(x <= 0, x.exp(), 1 + x)": "where-after-exponential",
    "torch.where(x > 0, x * torch.log(x), 0)": "where-after-logarithm",
    "torch.acos(u @ v)": "arccos-of-dot",
    "torch.atan(y / x)": "angle-by-arctangent-of-quotient",
    "x ** (1 / 3)": "cube-root-by-power",
    "x ** 0.3": "fractional-power-at-zero",
    "torch.atanh(torch.tanh(x))": "inverse-tanh-of-tanh",
    "torch.log(1 - torch.tanh(x) ** 2)": "log-of-tanh-complement",
    "torch.logit(torch.sigmoid(x))": "logit-of-sigmoid",
    "(x * x).mean() - x.mean() ** 2": "variance-by-moments",
    "((x * x).mean() - x.mean() ** 2).sqrt()": "standard-deviation-by-moments",
    "(a * a).sum() + (b * b).sum() - 2 * (a * b).sum()": "squared-distance-by-expansion",
    "torch.cdist(a, a)": "pairwise-distance-by-product",
    "1 - torch.cos(x)": "one-minus-cosine",
    "(x + 1).sqrt() - x.sqrt()": "difference-of-square-roots",
    "(-b + torch.sqrt(b ** 2 - 4 * a * c)) / (2 * a)": "quadratic-formula",
    "1 - torch.erf(x)": "complement-of-erf",
    "torch.log(0.5 * torch.erfc(-x / 2 ** 0.5))": "log-of-normal-cdf",
    "torch.exp(x * x) * torch.erfc(x)": "exp-of-squared-times-erfc",
    "torch.exp(torch.lgamma(n + 1)) / torch.exp(torch.lgamma(n))": "ratio-of-gammas",
    "torch.log(torch.special.i0(x))": "log-of-bessel",
    "torch.sin(x) / x": "sine-over-argument",
    "-(p * p.log()).sum()": "entropy",
    "(p * (p / q).log()).sum()": "divergence-with-zeros",
    "-(x.exp() * x).sum()": "entropy-from-log-probabilities",
    "0.5 * (v.log() + d * d / v)": "gaussian-nll-at-zero-variance",
    "s.exp() - 1 - s": "gaussian-divergence-near-prior",
    "logvar.exp().sqrt()": "square-root-of-exponential",
    "p.prod().log()": "log-of-product",
    "torch.log(p.cumprod(0))": "log-of-cumulative-product",
    "x.exp().cumsum(0).log()": "log-of-cumulative-sum-of-exp",
    "torch.softmax(x.masked_fill(m, -1e9), -1)": "fully-masked-softmax",
    "(q @ k) / 8": "dot-product-overflow",
    "x * torch.rsqrt(x.pow(2).mean() + 1e-6)": "root-mean-square-overflow",
    "((a - b) ** 2).mean()": "mean-squared-error-in-half-precision",
    "x.sum()": "sum-in-half-precision",
    "x.sum() / x.numel()": "mean-by-sum",
    "x.pow(2).sum().sqrt()": "norm-overflow",
    "w - 0.001 * g": "small-weight-update",
    "torch.sin(6.283185 * x)": "sine-of-large-argument",
    "torch.linalg.inv(x.T @ x) @ (x.T @ y)": "normal-equations",
    "torch.linalg.cholesky(x.T @ x)": "cholesky-of-gram",
    "torch.log(torch.det(a))": "log-of-determinant",
    "torch.exp(loss)": "exponential-in-half-precision",
    "torch.nan_to_num(x.sqrt())": "guard-after-the-fact",
}

BY_THEIR_VALUES = (
    "reciprocal-of-count",
    "mean-of-selection", "mask-by-multiplication", "running-total", "compensated-sum", "moving-average-update",
    "position-in-half-precision", "gradient-underflow", "integer-product-overflow", "unsigned-difference",
    "identifier-through-float", "equality-of-sums", "masks-that-add-up",
)  # fmt: skip
"""Covered, and told by dtype, loop or values instead of one source expression."""

LEFT_OUT = {
    "log(p) at p = 0": "no form of that line is right: carry the logarithm from where p is made",
    "Adam on float16 parameters": "a setting, not a formula; the rule gradients-below-epsilon tells it",
    "x.norm(p=0.5) at a zero entry": "the slope of that norm is infinite by definition",
    "x ** y with a learned y and negative x": "undefined, not unstable; the rule power-of-negative tells it",
    "(log_p - log_p_old).exp() of far apart policies": "the ratio itself overflows: a clamp is another algorithm",
    "masked_fill(-1e9) in float16": "raises an error of its own that says so",
    "acos at ±1, its gradient": "infinite by definition",
    "the tail of a softmax in float16": "nothing of the same dtype holds such a probability",
    "float to int32 beyond its range": "undefined in C; there is no value to keep",
    "inverse of a singular matrix": "data, not a formula; inverse-times-vector covers the avoidable part",
    "gradient of eigenvectors or singular vectors at equal values": "does not exist",
    "clip_grad_norm_ with an infinite gradient": "a consequence; the rule misplaced-clip and the births of NaN tell it",
    "a clamp whose result is thrown away": "a statement without effect, not a graph",
}  # fmt: skip


@pytest.mark.parametrize(("text", "name"), COVERED.items())
def test_the_formula_is_covered(text: str, name: str) -> None:
    found = [each.match.rewrite.name for each in matches_on(f"value = {text}\n", 1)]
    assert name in found


@pytest.mark.parametrize("name", BY_THEIR_VALUES)
def test_what_values_tell_is_covered(name: str) -> None:
    assert find(name).fails

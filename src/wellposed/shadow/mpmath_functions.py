"""ATen's operators in mpmath: of one element each, or of the terms of one reduction.

Functions take an mpmath context and Python numbers or mpf; they may raise ZeroDivisionError or ValueError, or return a
complex number, where the operator gives an infinity or NaN. Data only: nothing is imported here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

Exact = Any
"""An mpf; mpmath has no types of its own to name."""


def _power(m: Any, x: Exact, y: Exact) -> Exact:
    return m.mpf(x) ** y


def _softplus(m: Any, x: Exact, beta: float = 1, threshold: float = 20) -> Exact:
    return x if x * beta > threshold else m.log1p(m.exp(x * beta)) / beta


def _gelu(m: Any, x: Exact, *, approximate: str = "none") -> Exact:
    if approximate == "none":
        return x * m.ncdf(x)
    return x / 2 * (1 + m.tanh(m.sqrt(2 / m.pi) * (x + m.mpf(0.044715) * x**3)))


def _logit(m: Any, x: Exact, eps: float | None = None) -> Exact:
    if eps is not None:
        x = min(max(x, m.mpf(eps)), 1 - m.mpf(eps))
    return m.log(x / (1 - x))


def _log_of_sum(m: Any, x: Exact, y: Exact, base: Callable[[Exact], Exact], power: Callable[[Exact], Exact]) -> Exact:
    top = max(x, y)
    return top + base(1 + power(min(x, y) - top))


ELEMENTWISE: dict[str, Callable[..., Exact]] = {
    "add": lambda m, x, y, *, alpha=1: x + y * m.mpf(alpha),
    "sub": lambda m, x, y, *, alpha=1: x - y * m.mpf(alpha),
    "rsub": lambda m, x, y, alpha=1: y - x * m.mpf(alpha),
    "mul": lambda m, x, y: m.mpf(x) * y,
    "div": lambda m, x, y: m.mpf(x) / y,
    "pow": _power,
    "neg": lambda m, x: -x,
    "abs": lambda m, x: abs(x),
    "reciprocal": lambda m, x: 1 / x,
    "sqrt": lambda m, x: m.sqrt(x),
    "rsqrt": lambda m, x: 1 / m.sqrt(x),
    "exp": lambda m, x: m.exp(x),
    "exp2": lambda m, x: m.mpf(2) ** x,
    "expm1": lambda m, x: m.expm1(x),
    "log": lambda m, x: m.log(x),
    "log2": lambda m, x: m.log(x) / m.ln2,
    "log10": lambda m, x: m.log(x) / m.ln10,
    "log1p": lambda m, x: m.log1p(x),
    "sin": lambda m, x: m.sin(x),
    "cos": lambda m, x: m.cos(x),
    "tan": lambda m, x: m.tan(x),
    "asin": lambda m, x: m.asin(x),
    "acos": lambda m, x: m.acos(x),
    "atan": lambda m, x: m.atan(x),
    "atan2": lambda m, y, x: m.atan2(y, x),
    "sinh": lambda m, x: m.sinh(x),
    "cosh": lambda m, x: m.cosh(x),
    "tanh": lambda m, x: m.tanh(x),
    "asinh": lambda m, x: m.asinh(x),
    "acosh": lambda m, x: m.acosh(x),
    "atanh": lambda m, x: m.atanh(x),
    "sinc": lambda m, x: m.sincpi(x),
    "hypot": lambda m, x, y: m.sqrt(m.mpf(x) ** 2 + m.mpf(y) ** 2),
    "sigmoid": lambda m, x: 1 / (1 + m.exp(-x)),
    "silu": lambda m, x: x / (1 + m.exp(-x)),
    "softplus": _softplus,
    "gelu": _gelu,
    "logit": _logit,
    "logaddexp": lambda m, x, y: _log_of_sum(m, x, y, m.log, m.exp),
    "logaddexp2": lambda m, x, y: _log_of_sum(m, x, y, lambda z: m.log(z) / m.ln2, lambda z: m.mpf(2) ** z),
    "erf": lambda m, x: m.erf(x),
    "erfc": lambda m, x: m.erfc(x),
    "special_erfcx": lambda m, x: m.exp(x * x) * m.erfc(x),
    "erfinv": lambda m, x: m.erfinv(x),
    "special_ndtr": lambda m, x: m.ncdf(x),
    "special_ndtri": lambda m, x: m.sqrt(2) * m.erfinv(2 * x - 1),
    "special_log_ndtr": lambda m, x: m.log(m.erfc(-x / m.sqrt(2)) / 2),
    "lgamma": lambda m, x: m.log(abs(m.gamma(x))) if x < 0 else m.loggamma(x),
    "digamma": lambda m, x: m.digamma(x),
    "polygamma": lambda m, n, x: m.polygamma(int(n), x),
    "igamma": lambda m, a, x: m.gammainc(a, 0, x, regularized=True),
    "igammac": lambda m, a, x: m.gammainc(a, x, m.inf, regularized=True),
    "i0": lambda m, x: m.besseli(0, x),
    "special_i0e": lambda m, x: m.besseli(0, x) * m.exp(-abs(x)),
    "special_i1": lambda m, x: m.besseli(1, x),
    "special_i1e": lambda m, x: m.besseli(1, x) * m.exp(-abs(x)),
    "special_bessel_j0": lambda m, x: m.besselj(0, x),
    "special_bessel_j1": lambda m, x: m.besselj(1, x),
    "special_bessel_y0": lambda m, x: m.bessely(0, x),
    "special_bessel_y1": lambda m, x: m.bessely(1, x),
    "special_entr": lambda m, x: -x * m.log(x) if x > 0 else (m.mpf(0) if x == 0 else -m.inf),
    "xlogy": lambda m, x, y: m.mpf(0) if x == 0 else x * m.log(y),
    "special_xlog1py": lambda m, x, y: m.mpf(0) if x == 0 else x * m.log1p(y),
    "special_zeta": lambda m, x, q: m.zeta(x, q),
    "lerp": lambda m, x, y, weight: x + m.mpf(weight) * (y - x),
    "addcmul": lambda m, x, y, z, *, value=1: x + m.mpf(value) * y * z,
    "addcdiv": lambda m, x, y, z, *, value=1: x + m.mpf(value) * y / z,
}


def _spread(m: Any, terms: Sequence[Exact], correction: float) -> Exact:
    mean = m.fsum(terms) / len(terms)
    return m.fsum((each - mean) ** 2 for each in terms) / (len(terms) - m.mpf(correction))


def _vector_norm(m: Any, terms: Sequence[Exact], order: float) -> Exact:
    sizes = [abs(each) for each in terms]
    if order == float("inf"):
        return max(sizes)
    if order == float("-inf"):
        return min(sizes)
    if order == 0:
        return m.mpf(sum(each != 0 for each in sizes))
    return m.fsum(each ** m.mpf(order) for each in sizes) ** (1 / m.mpf(order))


REDUCTIONS: dict[str, Callable[..., Exact]] = {
    "sum": lambda m, terms: m.fsum(terms),
    "mean": lambda m, terms: m.fsum(terms) / len(terms),
    "prod": lambda m, terms: m.fprod(terms),
    "var": lambda m, terms, correction=1: _spread(m, terms, correction),
    "std": lambda m, terms, correction=1: m.sqrt(_spread(m, terms, correction)),
    "linalg_vector_norm": lambda m, terms, order=2: _vector_norm(m, terms, order),
    "logsumexp": lambda m, terms: m.log(m.fsum(m.exp(each) for each in terms)),
}
"""Of the terms of one element of the result."""

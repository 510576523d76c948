"""What to do instead, in the words of a program that uses NumPy: rules speak of PyTorch's functions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from wellposed.findings import Finding, Fix
from wellposed.record import Record

_FORMS: Final[dict[str, str]] = {
    "((a - b).pow(2).sum(-1) + 1e-12).sqrt()": "np.sqrt(((a - b) ** 2).sum(-1) + 1e-12)",
    "(x.var(dim) + 1e-8).sqrt()": "np.sqrt(x.var(axis) + 1e-8)",
    "p.log().cumsum(dim)": "np.log(p).cumsum(axis)",
    "p.log().sum(dim)": "np.log(p).sum(axis)",
    "2 * torch.atan2((u - v).norm(dim=-1), (u + v).norm(dim=-1))":
        "2 * np.arctan2(np.linalg.norm(u - v, axis=-1), np.linalg.norm(u + v, axis=-1))",
    "x / n.clamp_min(1)": "x / np.maximum(n, 1)",
    "x / d.clamp_min(eps)  # eps on the scale of d": "x / np.maximum(d, eps)  # eps on the scale of d",
    "d.clamp_min(eps).sqrt()": "np.sqrt(np.maximum(d, eps))",
    "x.clamp_min(eps).sqrt()": "np.sqrt(np.maximum(x, eps))",
    "x / d.clamp_min(floor)": "x / np.maximum(d, floor)",
    "x.clamp(max=20.0).exp()": "np.exp(np.minimum(x, 20.0))",
    "x.clamp_min(torch.finfo(x.dtype).tiny).log()": "np.log(np.maximum(x, np.finfo(x.dtype).tiny))",
    "x.clamp_min(1e-8) ** p": "np.maximum(x, 1e-8) ** p",
    "x.clamp_min(eps) ** p": "np.maximum(x, eps) ** p",
    "x.var(correction=0)  # not (x * x).mean() - x.mean() ** 2": "x.var()  # not (x * x).mean() - x.mean() ** 2",
    "eps = torch.finfo(x.dtype).eps  # beside 1; finfo.tiny beside 0":
        "eps = np.finfo(x.dtype).eps  # beside 1; finfo.tiny beside 0",
    "f(torch.where(ok, x, 1.0))  # then torch.where(ok, ..., other)":
        "f(np.where(ok, x, 1.0))  # then np.where(ok, ..., other)",
    "f(x.float()).to(x.dtype)": "f(x.astype(np.float64)).astype(x.dtype)",
    "x[mask].sum() / mask.sum().clamp_min(1)": "x[mask].sum() / max(mask.sum(), 1)",
    "x.std(dim, correction=0)": "x.std(axis)  # ddof=0",
    "x = x[x.isfinite().all(dim=1)]": "x = x[np.isfinite(x).all(axis=1)]",
    "lu, pivots = torch.linalg.lu_factor(A)": "lu = scipy.linalg.lu_factor(A)  # then scipy.linalg.lu_solve(lu, b)",
    "x = torch.where(x.isnan(), column_median, x)": "x = np.where(np.isnan(x), column_median, x)",
    "(0.5 * x).exp()": "np.exp(0.5 * x)",
    "torch.sqrt(x.clamp_min(1e-12))": "np.sqrt(np.maximum(x, 1e-12))",
    "x.clamp(low, high)  # before the operator": "np.clip(x, low, high)  # before the operator",
    "2 * (math.log(2) - x - F.softplus(-2 * x))": "2 * (np.log(2) - x - np.logaddexp(0, -2 * x))",
    "F.logsigmoid(x), F.logsigmoid(-x)": "-np.logaddexp(0, -x), -np.logaddexp(0, x)",
    "assert torch.isfinite(x).all()": "assert np.isfinite(x).all()",
    "y = torch.log1p(y)": "y = np.log1p(y)",
    "x.sign() * x.abs() ** p": "np.sign(x) * np.abs(x) ** p",
    "x.masked_fill(weight == 0, 0.0) * weight": "np.where(weight == 0, 0.0, x) * weight",
    "torch.logsumexp(x, dim)  # or F.log_softmax, F.softplus":
        "scipy.special.logsumexp(x, axis)  # or log_softmax; np.logaddexp(0, x) for a softplus",
    "x - torch.logsumexp(x, dim, keepdim=True)": "x - scipy.special.logsumexp(x, axis, keepdims=True)",
    "x.clamp(-1 + 1e-6, 1 - 1e-6)": "np.clip(x, -1 + 1e-6, 1 - 1e-6)",
    "x.clamp(-1 + 1e-6, 1 - 1e-6).acos()": "np.arccos(np.clip(x, -1 + 1e-6, 1 - 1e-6))",
    "x.clamp(low + 1e-6, high - 1e-6)": "np.clip(x, low + 1e-6, high - 1e-6)",
    "difference = second.float() - first.float()": "difference = second.astype(np.float32) - first.astype(np.float32)",
    "e = (x - x.amax(dim, keepdim=True)).exp()": "e = np.exp(x - x.max(axis, keepdims=True))",
    "torch.log_softmax(logits, dim=-1)": "scipy.special.log_softmax(logits, axis=-1)",
    "torch.linalg.slogdet(a).logabsdet": "np.linalg.slogdet(a).logabsdet",
    "torch.special.log_ndtr(x)": "scipy.special.log_ndtr(x)",
    "F.softplus(x)": "np.logaddexp(0, x)",
    "torch.logaddexp(a, b)": "np.logaddexp(a, b)",
    "torch.logsumexp(x, dim) - math.log(x.shape[dim])": "scipy.special.logsumexp(x, axis) - np.log(x.shape[axis])",
    "torch.logsumexp(x, dim)": "scipy.special.logsumexp(x, axis)",
    "torch.sigmoid(x)": "scipy.special.expit(x)",
    "torch.softmax(x, dim)": "scipy.special.softmax(x, axis)",
    "torch.tanh(x)": "np.tanh(x)",
    "x.std(dim)": "x.std(axis)",
    "torch.linalg.vector_norm(a - b, dim=-1)": "np.linalg.norm(a - b, axis=-1)",
    "torch.linalg.svdvals(a), torch.linalg.eigvalsh(a)":
        "np.linalg.svd(a, compute_uv=False), np.linalg.eigvalsh(a)",
    "torch.xlogy(p, p)": "scipy.special.xlogy(p, p)",
    "torch.linalg.solve(A, b)  # for inv(A) @ b": "np.linalg.solve(A, b)  # for inv(A) @ b",
    "torch.linalg.solve(A, b, left=False)": "np.linalg.solve(A.T, b.T).T  # for b @ inv(A)",
}  # fmt: skip
_PLAIN: Final = {"torch.linalg.multi_dot": "np.linalg.multi_dot"}
"""Functions of the same name, called alike."""
_OF_PYTORCH: Final = re.compile(r"\b(torch|nn|F|model|optimizer|layer)\.|\.(clamp|pow|detach|amax|masked_fill)\(")


def uses_numpy_alone(record: Record) -> bool:
    """Whether what was recorded are NumPy's operations."""
    versions = record.program.versions
    return "numpy" in versions and "torch" not in versions


def in_numpy(findings: Iterable[Finding]) -> list[Finding]:
    """The findings with fixes for NumPy; those that only PyTorch could follow are left out."""
    return [
        replace(each, fixes=tuple(fix for fix in map(_translated, each.fixes) if fix is not None)) for each in findings
    ]


def _translated(fix: Fix) -> Fix | None:
    how = _FORMS.get(fix.how, fix.how)
    for ours, theirs in _PLAIN.items():
        how = how.replace(ours, theirs)
    return None if _OF_PYTORCH.search(how) else replace(fix, how=how)

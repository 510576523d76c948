"""Pairs of programs: one whose epsilon deserves a verdict, and a near miss whose epsilon is sound.

Each has one epsilon that counts, on the line that ends in ``# here``.
"""

from __future__ import annotations

from dataclasses import dataclass

from wellposed.advice import Verdict

_PRELUDE = """
import torch
from torch import nn
from torch.nn import functional as F

x = torch.linspace(-2.0, 2.0, 12).reshape(3, 4).requires_grad_()
"""


@dataclass(frozen=True, slots=True)
class Pair:
    name: str
    verdict: Verdict
    kind: str
    program: str
    near_miss: str
    says: str
    """What the message of the verdict holds."""
    absent_in_near_miss: bool = False
    """Whether the near miss has no epsilon at all on its line."""


def _pair(
    name: str, verdict: Verdict, kind: str, program: str, near_miss: str, says: str, *, absent: bool = False
) -> Pair:
    return Pair(name, verdict, kind, _PRELUDE + program, _PRELUDE + near_miss, says, absent)


PAIRS = (
    _pair(
        "zero in float16", "ineffective", "normalize",
        "y = F.normalize(x.half(), eps=1e-12)  # here\ny.sum().backward()\n",
        "y = F.normalize(x.half(), eps=1e-3)  # here\ny.sum().backward()\n",
        "1e-12 is 0 in float16: it guards nothing (nor was it needed here: the smallest norm",
    ),
    _pair(
        "zero in float16, cosine similarity", "ineffective", "cosine_similarity",
        "y = F.cosine_similarity(x.half(), x.half() + 1, dim=-1)  # here\ny.sum().backward()\n",
        "y = F.cosine_similarity(x.bfloat16(), x.bfloat16() + 1, dim=-1)  # here\ny.sum().backward()\n",
        "1e-08 is 0 in float16",
    ),
    _pair(
        "upper bound rounds to 1", "ineffective", "clamp",
        "p = x.sigmoid().clamp(max=1 - 1e-8)  # here\n(-torch.log(1 - p)).mean().backward()\n",
        "p = x.sigmoid().clamp(max=1 - 1e-6)  # here\n(-torch.log(1 - p)).mean().backward()\n",
        "0.99999999 is 1 in float32",
    ),
    _pair(
        "absorbed, then subtracted from", "ineffective", "denominator",
        "d = (x.detach() + 1000 + 1e-6) - 1000  # here\nz = x / d\nz.sum().backward()\n",
        "d = (x.detach() + 1000 + 5e-3) - 1000  # here\nz = x / d\nz.sum().backward()\n",
        "before something is subtracted",
    ),
    _pair(
        "clamp without gradient bound in float16", "too small", "rms_norm by hand",
        "h = (x * torch.tensor([[0.0], [1.0], [1.0]])).half()\n"
        "y = h * torch.rsqrt(h.pow(2).mean(-1, keepdim=True) + 1e-6)  # here\ny.sum().backward()\n",
        "h = (x * torch.tensor([[0.0], [1.0], [1.0]])).half()\n"
        "y = h * torch.rsqrt(h.pow(2).mean(-1, keepdim=True) + 1e-3)  # here\ny.sum().backward()\n",
        "float16",
    ),
    _pair(
        "the same without zeros", "too small", "rms_norm by hand",
        "h = (x * torch.tensor([[0.0], [1.0], [1.0]])).half()\n"
        "y = h * torch.rsqrt(h.pow(2).mean(-1, keepdim=True) + 1e-6)  # here\ny.sum().backward()\n",
        "h = x.half()\ny = h * torch.rsqrt(h.pow(2).mean(-1, keepdim=True) + 1e-6)  # here\ny.sum().backward()\n",
        "comes down to 0",
    ),
    _pair(
        "logarithm of a float16 zero", "too small", "logarithm",
        "p = (x * 20).half().softmax(-1)\ny = -torch.log(p + 1e-7)  # here\ny.mean().backward()\n",
        "p = (x * 20).softmax(-1)\ny = -torch.log(p + 1e-7)  # here\ny.mean().backward()\n",
        "float16",
    ),
    _pair(
        "a quotient that outweighs all", "too small", "denominator",
        "d = torch.tensor([0.0, 1.0, 1.0, 1.0])\ny = x / (d + 1e-12)  # here\ny.sum().backward()\n",
        "d = torch.tensor([0.5, 1.0, 1.0, 1.0])\ny = x / (d + 1e-12)  # here\ny.sum().backward()\n",
        "times as large as its numerators",
    ),
    _pair(
        "batch norm of tiny values", "too large", "batch_norm",
        "n = nn.BatchNorm1d(4)  # here\nn(x * 1e-4).sum().backward()\n",
        "n = nn.BatchNorm1d(4)  # here\nn(x).sum().backward()\n",
        "decides the result",
    ),
    _pair(
        "rms norm by hand of small values", "too large", "rms_norm by hand",
        "h = x * 1e-2\ny = h * torch.rsqrt(h.pow(2).mean(-1, keepdim=True) + 1e-2 / 2)  # here\ny.sum().backward()\n",
        "h = x\ny = h * torch.rsqrt(h.pow(2).mean(-1, keepdim=True) + 1e-2 / 2)  # here\ny.sum().backward()\n",
        "decides the result",
    ),
    _pair(
        "Adam above its gradients", "too large", "Adam",
        "w = nn.Parameter(torch.ones(4))\no = torch.optim.Adam([w], eps=1e-8)  # here\n"
        "((x.detach() * w).square().mean() * 1e-10).backward()\no.step()\n",
        "w = nn.Parameter(torch.ones(4))\no = torch.optim.Adam([w], eps=1e-8)  # here\n"
        "((x.detach() * w).square().mean()).backward()\no.step()\n",
        "of what they are without it",
    ),
    _pair(
        "after the root", "misplaced", "normalisation by hand",
        "h = x * torch.tensor([[0.0], [1.0], [1.0]])\n"
        "y = h / (h.pow(2).sum(-1, keepdim=True).sqrt() + 1e-8)  # here\ny.sum().backward()\n",
        "h = x * torch.tensor([[0.0], [1.0], [1.0]])\n"
        "y = h / (h.pow(2).sum(-1, keepdim=True) + 1e-8).sqrt()  # here\ny.sum().backward()\n",
        "after the root",
    ),
    _pair(
        "after the root, and no zero", "misplaced", "normalisation by hand",
        "h = x * torch.tensor([[0.0], [1.0], [1.0]])\n"
        "y = h / (h.pow(2).sum(-1, keepdim=True).sqrt() + 1e-8)  # here\ny.sum().backward()\n",
        "y = x / (x.pow(2).sum(-1, keepdim=True).sqrt() + 1e-8)  # here\ny.sum().backward()\n",
        "gradient is infinite",
    ),
    _pair(
        "after the logarithm", "misplaced", "logarithm",
        "y = torch.log(x.sigmoid()) + 1e-8  # here\ny.sum().backward()\n",
        "y = torch.log(x.sigmoid() + 1e-8)  # here\ny.sum().backward()\n",
        "after the logarithm",
    ),
    _pair(
        "a denominator of both signs", "misplaced", "denominator",
        "y = 1 / (x + 1e-8)  # here\ny.sum().backward()\n",
        "y = 1 / (x.abs() + 1e-8)  # here\ny.sum().backward()\n",
        "both signs",
    ),
    _pair(
        "in the numerator", "misplaced", "denominator",
        "d = torch.tensor([0.0, 1.0, 2.0, 3.0])\ny = (x + 1e-8) / d  # here\ny.sum().backward()\n",
        "d = torch.tensor([0.5, 1.0, 2.0, 3.0])\ny = (x + 1e-8) / d  # here\ny.sum().backward()\n",
        "the denominator is 0 in 1 of 4 places", absent=True,
    ),
    _pair(
        "of a single element", "misplaced", "standardisation by hand",
        "h = x[:, :1]\ny = h / (h.std(-1, keepdim=True) + 1e-5)  # here\n",
        "h = x[:, :2]\ny = h / (h.std(-1, keepdim=True) + 1e-5)  # here\n",
        "single element",
    ),
    _pair(
        "clamped after the division", "misplaced", "clamp",
        "d = torch.tensor([0.0, 1.0, 2.0, 3.0])\ny = (x.abs() / d).clamp(min=1e-6)  # here\ny.log().sum().backward()\n",
        "d = torch.tensor([1.0, 1.0, 2.0, 3.0])\ny = (x.abs() / d).clamp(min=1e-6)  # here\ny.log().sum().backward()\n",
        "already made infinite",
    ),
    _pair(
        "thrown away", "misplaced", "clamp",
        "d = x.detach().abs()\nd.clamp(min=1e-6)  # here\ny = (1 / d).sum()\n",
        "d = x.detach().abs()\nd.clamp_(min=1e-6)  # here\ny = (1 / d).sum()\n",
        "never used",
    ),
    _pair(
        "denominator that is zero", "missing", "denominator",
        "h = x * torch.tensor([[0.0], [1.0], [1.0]])\n"
        "y = h / h.norm(dim=-1, keepdim=True)  # here\ny.sum().backward()\n",
        "y = x / x.norm(dim=-1, keepdim=True)  # here\ny.sum().backward()\n",
        "divided by without", absent=True,
    ),
    _pair(
        "logarithm of zero", "missing", "logarithm",
        "y = -torch.log((x * 200).softmax(-1)).mean()  # here\ny.backward()\n",
        "y = -torch.log(x.softmax(-1)).mean()  # here\ny.backward()\n",
        "logarithm is taken without", absent=True,
    ),
    _pair(
        "root of zero", "missing", "root",
        "h = x * torch.tensor([[0.0], [1.0], [1.0]])\ny = h.pow(2).sum(-1).sqrt()  # here\ny.sum().backward()\n",
        "h = x.detach() * torch.tensor([[0.0], [1.0], [1.0]])\ny = h.pow(2).sum(-1).sqrt()  # here\n"
        "(y * x.sum()).sum().backward()\n",
        "root is differentiated without", absent=True,
    ),
    _pair(
        "Adam without epsilon", "missing", "Adam",
        "w = nn.Parameter(torch.ones(4))\no = torch.optim.Adam([w], eps=0.0)  # here\n"
        "(w[:2] * 1.0).sum().backward()\no.step()\n",
        "w = nn.Parameter(torch.ones(4))\no = torch.optim.Adam([w], eps=0.0)  # here\n"
        "(w * 1.0).sum().backward()\no.step()\n",
        "0 / 0",
    ),
)  # fmt: skip

SOUND = {
    "smoothing of a ratio": "a = x.abs()\ny = (a.sum() + 1e-5) / (a.sum(-1) + 1e-5)\ny.sum().backward()\n",
    "padding that is zero": (
        "h = x * torch.tensor([[0.0], [1.0], [1.0]])\ny = F.normalize(h, dim=-1)\ny.sum().backward()\n"
    ),
    "layer norm of constant rows": (
        "n = nn.LayerNorm(4)\nh = x * torch.tensor([[0.0], [1.0], [1.0]])\nn(h).square().sum().backward()\n"
    ),
    "layer norm in float16": "n = nn.LayerNorm(4).half()\nn(x.half()).sum().backward()\n",
    "charbonnier's loss": "y = torch.sqrt((x * 1e-4).square() + 1e-6)\ny.sum().backward()\n",
    "division that a mask puts aside": (
        "d = torch.tensor([0.0, 1.0, 2.0, 3.0])\ny = torch.where(d > 0, x.detach() / d, 0.0)\ny.sum()\n"
    ),
    "clipping gradients": "n = nn.Linear(4, 1)\nn(x).sum().backward()\nnn.utils.clip_grad_norm_(n.parameters(), 1.0)\n",
    "standard deviation of equal values": "y = (x * 0 + 1) / ((x * 0 + 1).std(-1, keepdim=True) + 1e-5)\n",
    "noise that is added": "y = (x + 1e-3).square().mean()\ny.backward()\n",
    "evaluation of batch norm": "n = nn.BatchNorm1d(4).eval()\nn(x * 1e-4).sum().backward()\n",
    "label smoothing": (
        "t = F.one_hot(torch.tensor([0, 1, 2]), 4).float() * 0.99 + 0.0025\nF.cross_entropy(x, t).backward()\n"
    ),
}
"""Programs without an epsilon to complain of."""
SOUND = {name: _PRELUDE + text for name, text in SOUND.items()}

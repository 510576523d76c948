"""PyTorch's own anomaly mode: raises at the first backward operator that returns NaN, shows its forward call."""

from __future__ import annotations

import re
from collections.abc import Iterator

from benchmarks.peers.messages import Message
from benchmarks.peers.watching import Watch

NAME = "`torch.autograd.set_detect_anomaly`"
DISTRIBUTION = "torch"
HOW = "`torch.autograd.set_detect_anomaly(True)` before the program's first line."

_UNSTABLE = ("unstable-function",)
_DIVIDES = ("division-by-small", "epsilon", *_UNSTABLE)
CAUSES = {
    **dict.fromkeys(("Div", "Reciprocal", "Rsqrt", "Pow"), _DIVIDES),
    **dict.fromkeys(("Norm", "LinalgVectorNorm", "Std", "Var", "NativeLayerNorm"), _DIVIDES),
    **dict.fromkeys(("Log", "Log2", "Log10", "Log1P", "Exp", "Exp2", "Expm1", "Sqrt", "Logsumexp"), _UNSTABLE),
    **dict.fromkeys(("Acos", "Asin", "Acosh", "Atanh", "Atan2", "Erfinv", "Logit", "Xlogy", "Prod"), _UNSTABLE),
    **dict.fromkeys(("Softmax", "LogSoftmax", "BinaryCrossEntropy", "KlDiv"), _UNSTABLE),
}
"""It names an operator, no cause; the operator is taken to name the ways in which it goes wrong."""

_RAISED = re.compile(r"Function '(\w+?)(?:Backward\d*)?' returned nan values in its \d+th output\.")
_FRAME = re.compile(r'File "([^"]+)", line (\d+), in ')


def install(watch: Watch):
    import torch

    torch.autograd.set_detect_anomaly(True)

    def collect(ended: BaseException | None, printed: str) -> tuple[list[Message], bool]:
        return list(messages(str(ended), printed, watch.program)), True

    return collect


def messages(raised: str, printed: str, program: str) -> Iterator[Message]:
    found = _RAISED.search(raised)
    if found:
        line = _forward_line(printed, program)
        where = f" Forward call: line {line}." if line else " No line of the forward call."
        yield Message(found[1], raised + where, line=line)


def _forward_line(printed: str, program: str) -> int | None:
    """The innermost line of the program in the traceback of the forward call."""
    _, _, after = printed.partition("Traceback of forward call that caused the error")
    after = after.partition("Traceback (most recent call last)")[0].partition("induced the previous calculation")[0]
    lines = [int(line) for file, line in _FRAME.findall(after) if file == program]
    return lines[-1] if lines else None

"""Known hazards (functions outside their range, divisions by nothing, guards that guard nothing) as people write them.

Each program fails; the line at fault is marked ``# <--``. Several causes where a reader could defend each.
"""

from __future__ import annotations

from dataclasses import dataclass

FUNCTION, DIVISION, EPSILON = "unstable-function", "division-by-small", "epsilon"
CANCELLATION, HALF = "cancellation", "float16-range"
MARK = "# <--"


@dataclass(frozen=True, slots=True)
class Hazard:
    name: str
    rule: str
    """The one that recognises it."""
    causes: tuple[str, ...]
    program: str


PRELUDE = """
import torch
from torch import nn
import torch.nn.functional as F

torch.manual_seed(0)
"""

_LOOP = """
for step in range(4):
    loss = criterion(net(x))
    opt.zero_grad()
    loss.backward()
    opt.step()
"""


def trained(criterion: str, scale: float = 1.0, outputs: int = 3, before: str = "") -> str:
    """A small network whose outputs are `scale` times ordinary ones, trained on the given criterion."""
    return (
        PRELUDE
        + before
        + criterion
        + f"""
x = torch.randn(16, 8)
net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, {outputs}))
with torch.no_grad():
    net[2].weight.mul_({scale})
opt = torch.optim.SGD(net.parameters(), lr=1e-3)
"""
        + _LOOP
    )


def fitted(criterion: str, start: str, rate: float = 1e-2) -> str:
    """A tensor `w` that starts at `start` and is fitted by the given criterion."""
    return (
        PRELUDE
        + criterion
        + f"""
w = nn.Parameter(torch.tensor({start}))
opt = torch.optim.Adam([w], lr={rate})
for step in range(3):
    loss = criterion(w)
    opt.zero_grad()
    loss.backward()
    opt.step()
"""
    )

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
    causes: tuple[str, ...]
    program: str


_NET = """
import torch
from torch import nn
import torch.nn.functional as F

torch.manual_seed(0)
"""

_TRAIN = """
for step in range(4):
    loss = criterion(net(x))
    opt.zero_grad()
    loss.backward()
    opt.step()
"""


def trained(criterion: str, scale: float = 1.0, outputs: int = 3, before: str = "") -> str:
    """A small network whose outputs are `scale` times ordinary ones, trained on the given criterion."""
    return (
        _NET
        + before
        + criterion
        + f"""
x = torch.randn(16, 8)
net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, {outputs}))
with torch.no_grad():
    net[2].weight.mul_({scale})
opt = torch.optim.SGD(net.parameters(), lr=1e-3)
"""
        + _TRAIN
    )


def fitted(criterion: str, start: str, rate: float = 1e-2) -> str:
    """A tensor `w` that starts at `start` and is fitted by the given criterion."""
    return (
        _NET
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


HAZARDS = [
    Hazard("H01 log(softmax)", (FUNCTION,), trained("""
def criterion(logits):
    probs = torch.softmax(logits, dim=-1)
    return -torch.log(probs)[:, 0].mean()  # <--
""", 2000.0)),
    Hazard("H02 log(softmax) float16", (FUNCTION, HALF), _NET + """
class Head(nn.Module):
    def forward(self, logits):
        p = F.softmax(logits, dim=-1)
        return p.log()  # <--

scores = torch.tensor([[0.0, -18.0], [1.0, 2.0]]).half()
nll = -Head()(scores)[:, 1].mean()
print(nll.item())
"""),
    Hazard("H03 log(sigmoid)", (FUNCTION,), trained("""
def criterion(logits):
    return -torch.log(torch.sigmoid(logits)).mean()  # <--
""", 2000.0)),
    Hazard("H04 log(1 - sigmoid)", (FUNCTION,), trained("""
def criterion(logits):
    fake = torch.sigmoid(logits)
    return -torch.log(1 - fake).mean()  # <--
""", 500.0)),
    Hazard("H05 cross-entropy by hand", (FUNCTION,), trained("""
target = torch.randint(0, 2, (16, 3)).float()

def criterion(logits):
    p = torch.sigmoid(logits)
    return -(target * torch.log(p) + (1 - target) * torch.log(1 - p)).mean()  # <--
""", 500.0)),
    Hazard("H07 log(1 + exp)", (FUNCTION,), trained("""
def criterion(logits):
    return torch.log(1 + torch.exp(logits)).mean()  # <--
""", 2000.0)),
    Hazard("H08 log1p(exp)", (FUNCTION,), trained("""
def criterion(logits):
    grown = torch.exp(logits)  # <--
    return torch.log1p(grown).mean()
""", 2000.0)),
    Hazard("H10 log-sum-exp", (FUNCTION,), trained("""
def criterion(logits):
    normaliser = logits.exp().sum(-1).log()  # <--
    return (normaliser - logits[:, 0]).mean()
""", 2000.0)),
    Hazard("H10 log-sum-exp of very negative numbers", (FUNCTION,), fitted("""
def criterion(w):
    return w.exp().sum().log()  # <--
""", "[-110.0, -120.0]")),
    Hazard("H11 log-mean-exp", (FUNCTION,), trained("""
def criterion(logits):
    return logits.exp().mean(-1).log().sum()  # <--
""", 2000.0)),
    Hazard("H12 softmax by hand", (FUNCTION,), trained("""
def softmax(z):
    e = z.exp()  # <--
    return e / e.sum(-1, keepdim=True)

def criterion(logits):
    return (softmax(logits) ** 2).mean()
""", 2000.0)),
    Hazard("H13 sigmoid by hand", (FUNCTION,), trained("""
def criterion(logits):
    gate = torch.exp(logits) / (1 + torch.exp(logits))  # <--
    return gate.mean()
""", 2000.0)),
    Hazard("H14 tanh by hand", (FUNCTION,), trained("""
def my_tanh(z):
    return (torch.exp(z) - torch.exp(-z)) / (torch.exp(z) + torch.exp(-z))  # <--

def criterion(logits):
    return my_tanh(logits).pow(2).mean()
""", 2000.0)),
    Hazard("H18 log(1 - exp)", (FUNCTION,), fitted("""
def criterion(w):
    return torch.log(1 - torch.exp(w)).sum()  # <--
""", "[-1.0, -1e-9]")),
    Hazard("H19 log(exp + exp)", (FUNCTION,), fitted("""
def criterion(w):
    return torch.log(w[0].exp() + w[1].exp())  # <--
""", "[100.0, 99.0]")),
    Hazard("H20 log(cosh)", (FUNCTION,), trained("""
y = torch.randn(16, 3)

def criterion(pred):
    return torch.log(torch.cosh(pred - y)).mean()  # <--
""", 2000.0)),
    Hazard("H21 log of zero", (FUNCTION,), fitted("""
counts = torch.tensor([3.0, 0.0, 5.0])

def criterion(w):
    return (torch.log(counts) * w).sum()  # <--
""", "[0.1, 0.2, 0.3]")),
    Hazard("H22 log(p + 1e-8) in float16", (EPSILON,), _NET + """
def entropy(p):
    return -(p * torch.log(p + 1e-8)).sum(-1)  # <--

p = torch.tensor([[1.0, 0.0], [0.5, 0.5]]).half()
print(entropy(p).mean().item())
"""),
    Hazard("H23 log(1e-10 + 1 - p)", (EPSILON,), trained("""
def criterion(logits):
    p = torch.sigmoid(logits)
    return -torch.log(1e-10 + 1 - p).mean()  # <--
""", 500.0)),
    Hazard("H24 x / (sum + 1e-8) in float16", (EPSILON,), _NET + """
def normalise(weights):
    return weights / (weights.sum(-1, keepdim=True) + 1e-8)  # <--

w = torch.tensor([[1.0, 3.0], [0.0, 0.0]]).half()
print(normalise(w))
"""),
    Hazard("H25 clamp to 1 - 1e-8", (EPSILON,), trained("""
def criterion(logits):
    p = torch.sigmoid(logits).clamp(1e-8, 1 - 1e-8)
    return -torch.log(1 - p).mean()  # <--
""", 500.0)),
    Hazard("H26 clamp to 1 - 1e-7 in float16", (EPSILON,), _NET + """
def bce(p, y):
    p = p.clamp(1e-7, 1 - 1e-7)
    return -(y * p.log() + (1 - y) * (1 - p).log()).mean()  # <--

logits = torch.tensor([9.0, -3.0, 12.0]).half()
print(bce(torch.sigmoid(logits), torch.tensor([0.0, 0.0, 1.0]).half()).item())
"""),
    Hazard("H27 Adam on float16 weights", (EPSILON, "low-precision-update", HALF), _NET + """
x, y = torch.randn(64, 8).half(), torch.randn(64, 1).half()
net = nn.Linear(8, 1).half()
opt = torch.optim.Adam(net.parameters(), lr=1e-3)  # <--
for step in range(5):
    loss = ((net(x) - y) * 0.0001).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
"""),
    Hazard("H28 x / sum", (DIVISION,), fitted("""
def criterion(w):
    share = w / w.sum()  # <--
    return (share ** 2).sum()
""", "[1.0, -1.0]")),
    Hazard("H29 masked mean", (DIVISION,), trained("""
masks = torch.ones(16, 3)
masks[5] = 0

def criterion(out):
    means = (out * masks).sum(1) / masks.sum(1)  # <--
    return means.pow(2).mean()
""")),
    Hazard("H30 mean of nothing", (DIVISION,), trained("""
positive = torch.zeros(16, dtype=torch.bool)

def criterion(out):
    return out.pow(2).mean() + out[positive].abs().mean()  # <--
""")),
    Hazard("H31 x / norm", (EPSILON, DIVISION), fitted("""
def criterion(w):
    unit = w / w.norm(dim=-1, keepdim=True)  # <--
    return (unit[:, 0] - 1).pow(2).mean()
""", "[[0.0, 0.0], [1.0, 2.0]]")),
    Hazard("H32 standardise a constant", (EPSILON, DIVISION), trained("""
raw = torch.randn(16, 5)
raw[:, 2] = 3.0
features = (raw - raw.mean(0)) / raw.std(0)  # <--

def criterion(out):
    return (out.mean(1, keepdim=True) * features).mean()
""")),
    Hazard("H33 std of one sample", (DIVISION, FUNCTION), trained("""
def criterion(out):
    spread = out[:1].std(dim=0)  # <--
    return spread.mean()
""")),
    Hazard("H34 min-max of a constant", (DIVISION, EPSILON), trained("""
def rescale(v):
    return (v - v.min()) / (v.max() - v.min())  # <--

heat = rescale(torch.full((16, 3), 3.0))

def criterion(out):
    return (out - heat).pow(2).mean()
""")),
    Hazard("H35 rsqrt of a variance", (EPSILON, DIVISION), trained("""
def norm(v):
    var = v.var(-1, keepdim=True)
    return (v - v.mean(-1, keepdim=True)) * torch.rsqrt(var)  # <--

def criterion(out):
    return norm(out * (torch.arange(16) != 4)[:, None]).pow(2).mean()
""")),
    Hazard("H36 1 / counts", (DIVISION,), trained("""
labels = torch.randint(0, 4, (200,))
weights = 1.0 / torch.bincount(labels, minlength=5).float()  # <--

def criterion(out):
    return F.cross_entropy(out, labels[:16], weight=weights / weights.sum())
""", outputs=5)),
    Hazard("H37 dice of nothing", (DIVISION,), trained("""
target = torch.zeros(16, 3)

def dice(pred, truth):
    return 2 * (pred * truth).sum() / (pred.sum() + truth.sum())  # <--

def criterion(out):
    return 1 - dice((out > 1e9).float() * out, target)
""")),
    Hazard("H38 cosine by hand", (EPSILON, DIVISION), trained("""
anchor = torch.randn(16, 3)
anchor[3] = 0

def criterion(out):
    cosine = (out * anchor).sum(1) / (out.norm(dim=1) * anchor.norm(dim=1))  # <--
    return 1 - cosine.mean()
""")),
    Hazard("H39 cosine that underflows", (EPSILON, DIVISION), fitted("""
def criterion(w):
    x, y = w[0], w[1]
    return (x * y).sum() / (x.pow(2).sum().sqrt() * y.pow(2).sum().sqrt())  # <--
""", "[[1e-24, 1e-24], [1e-24, 2e-24]]")),
    Hazard("H40 sqrt at zero", (FUNCTION,), fitted("""
def criterion(w):
    return torch.sqrt(w * w).sum()  # <--
""", "[0.0, 1.0]")),
    Hazard("H41 distance of equal points", (FUNCTION,), trained("""
def distance(a, b):
    return ((a - b) ** 2).sum(-1).sqrt()  # <--

def criterion(out):
    positives = distance(out, out)
    return F.relu(1.0 - positives).mean()
""")),
    Hazard("H42 std of a constant", (FUNCTION,), trained("""
def criterion(out):
    return (1 - (out * 0.0).var(dim=0).sqrt()).pow(2).mean()  # <--
""")),
    Hazard("H43 half norm", (FUNCTION,), fitted("""
def criterion(w):
    return w.abs().pow(0.5).sum() ** 2  # <--
""", "[0.0, 1.0]")),
    Hazard("H44 where over sqrt", (FUNCTION,), fitted("""
def criterion(w):
    safe = torch.where(w > 0, w.sqrt(), torch.zeros_like(w))  # <--
    return safe.sum()
""", "[-1.0, 4.0]")),
    Hazard("H45 where over exp", (FUNCTION,), fitted("""
def elu(z):
    return torch.where(z <= 0, z.exp(), 1 + z)  # <--

def criterion(w):
    return elu(w).sum()
""", "[-1.0, 100.0]")),
    Hazard("H46 where over x log x", (FUNCTION,), fitted("""
def criterion(w):
    plogp = torch.where(w > 0, w * torch.log(w), torch.zeros_like(w))  # <--
    return -plogp.sum()
""", "[0.0, 0.5]")),
    Hazard("H46 where over sqrt at zero", (FUNCTION,), fitted("""
def criterion(w):
    length = w.sqrt()  # <--
    return torch.where(w > 0, length, torch.zeros_like(w)).sum()
""", "[0.0, 4.0]")),
    Hazard("H47 loss times mask", (FUNCTION, DIVISION), trained("""
target = torch.rand(16, 3)
target[4:6] = 0.0
valid = (target > 0).float()

def criterion(out):
    error = (out - torch.log(target)) ** 2  # <--
    return (error * valid).sum() / valid.sum()
""")),
    Hazard("H48 acos at one", (FUNCTION,), fitted("""
def criterion(w):
    return torch.acos(w).sum()  # <--
""", "[1.0, 0.3]")),
    Hazard("H49 acos beyond one", (FUNCTION,), _NET + """
def angle(u, v):
    cosine = (u * v).sum(-1)
    return torch.acos(cosine)  # <--

u = nn.Parameter(torch.randn(4, 3))
opt = torch.optim.Adam([u], lr=1e-2)
for step in range(3):
    loss = angle(u * 1.000001, F.normalize(u.detach(), dim=-1) / u.detach().norm(dim=-1, keepdim=True)).sum()
    opt.zero_grad()
    loss.backward()
    opt.step()
"""),
    Hazard("H51 atan of a quotient", (DIVISION,), fitted("""
def criterion(w):
    return torch.atan(w[:, 1] / w[:, 0]).sum()  # <--
""", "[[0.0, 0.0], [1.0, 2.0]]")),
    Hazard("H52 cube root of a negative", (FUNCTION,), fitted("""
def criterion(w):
    return (w ** (1 / 3)).sum()  # <--
""", "[-8.0, 8.0]")),
    Hazard("H53 root as a power", (FUNCTION,), fitted("""
def criterion(w):
    return (w ** 0.5).sum()  # <--
""", "[0.0, 8.0]")),
    Hazard("H53 gamma correction", (FUNCTION,), _NET + """
image = torch.rand(4, 3, 8, 8)
image[0, :, :2] = 0.0
gain = nn.Parameter(torch.ones(1))
opt = torch.optim.Adam([gain], lr=1e-2)
for step in range(3):
    corrected = (image * gain).pow(1 / 2.2)  # <--
    loss = (corrected - image).abs().mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
"""),
    Hazard("H54 learnable exponent", (FUNCTION,), _NET + """
x = torch.tensor([-2.0, 1.0, 3.0])
power = nn.Parameter(torch.tensor(2.0))
opt = torch.optim.SGD([power], lr=1e-3)
for step in range(3):
    loss = (x ** power).sum()  # <--
    opt.zero_grad()
    loss.backward()
    opt.step()
"""),
    Hazard("H55 atanh(tanh)", (FUNCTION,), trained("""
def criterion(out):
    action = torch.tanh(out)
    return torch.atanh(action).pow(2).mean()  # <--
""", 500.0)),
    Hazard("H56 log(1 - tanh^2)", (FUNCTION,), trained("""
def criterion(out):
    action = torch.tanh(out)
    return -torch.log(1 - action ** 2).mean()  # <--
""", 500.0)),
    Hazard("H57 logit(sigmoid)", (FUNCTION,), trained("""
def criterion(out):
    p = torch.sigmoid(out)
    return torch.logit(p).pow(2).mean()  # <--
""", 500.0)),
    Hazard("H59 root of a cancelled variance", (CANCELLATION, FUNCTION), trained("""
signal = torch.full((16, 3), 4097.1)
std = ((signal * signal).mean(0) - signal.mean(0) ** 2 - 1e-3).sqrt()  # <--

def criterion(out):
    return (out * std).mean()
""")),
    Hazard("H67 exp times erfc", (FUNCTION,), fitted("""
def criterion(w):
    return (torch.exp(w * w) * torch.erfc(w)).sum()  # <--
""", "[20.0, 1.0]")),
    Hazard("H68 ratio of gammas", (FUNCTION,), fitted("""
def criterion(w):
    return (torch.exp(torch.lgamma(w + 1)) / torch.exp(torch.lgamma(w))).sum()  # <--
""", "[40.0, 3.0]")),
    Hazard("H66 log of a normal tail", (FUNCTION,), fitted("""
def criterion(w):
    return -torch.log(0.5 * torch.erfc(-w / 2 ** 0.5)).sum()  # <--
""", "[-20.0, 1.0]")),
    Hazard("H69 log of a Bessel function", (FUNCTION,), fitted("""
def criterion(w):
    return torch.log(torch.special.i0(w)).sum()  # <--
""", "[200.0, 1.0]")),
    Hazard("H70 sin(x) / x", (DIVISION,), fitted("""
def criterion(w):
    return (torch.sin(w) / w).sum()  # <--
""", "[0.0, 1.0]")),
    Hazard("H71 entropy", (FUNCTION,), fitted("""
def criterion(w):
    p = torch.relu(w) / torch.relu(w).sum()
    return -(p * p.log()).sum()  # <--
""", "[-1.0, 0.5, 0.5]")),
    Hazard("H72 divergence with zeros", (FUNCTION,), trained("""
p = torch.tensor([1.0, 0.0, 0.0])

def criterion(out):
    q = torch.softmax(out, -1)
    return (p * (p / q).log()).sum(-1).mean()  # <--
""")),
    Hazard("H73 divergence from zero", (FUNCTION, DIVISION), fitted("""
p = torch.tensor([0.5, 0.5])

def criterion(w):
    q = torch.relu(w)
    return (p * (p / q).log()).sum()  # <--
""", "[1.0, -0.5]")),
    Hazard("H74 entropy of masked logits", (FUNCTION,), trained("""
mask = torch.tensor([False, True, False])

def criterion(out):
    lp = F.log_softmax(out.masked_fill(mask, float("-inf")), -1)
    return -(lp.exp() * lp).sum(-1).mean()  # <--
""")),
    Hazard("H75 Gaussian likelihood", (FUNCTION, DIVISION, EPSILON), fitted("""
y = torch.tensor([1.0, 2.0])

def criterion(w):
    var = torch.relu(w)
    return (0.5 * (var.log() + (y - 1.0) ** 2 / var)).mean()  # <--
""", "[-1.0, 1.0]")),
    Hazard("H76 divergence of a log-variance", (FUNCTION,), trained("""
def criterion(out):
    mu, logvar = out[:, :2], out[:, 2:]
    return 0.5 * (mu ** 2 + logvar.exp() - 1 - logvar).sum(1).mean()  # <--
""", 2000.0, 4)),
    Hazard("H77 root of an exponential", (FUNCTION,), fitted("""
def criterion(w):
    std = w.exp().sqrt()  # <--
    return (std * torch.randn(2)).sum()
""", "[-110.0, 0.0]")),
    Hazard("H78 log of a product", (FUNCTION,), _NET + """
class Chain(nn.Module):
    def __init__(self):
        super().__init__()
        self.raw = nn.Parameter(torch.full((80,), -2.2))

    def forward(self):
        p = torch.sigmoid(self.raw)
        return -torch.log(p.prod())  # <--

model = Chain()
opt = torch.optim.Adam(model.parameters(), lr=1e-2)
for step in range(3):
    loss = model()
    opt.zero_grad()
    loss.backward()
    opt.step()
"""),
    Hazard("H79 log of a cumulative product", (FUNCTION,), fitted("""
def criterion(w):
    survival = torch.cumprod(w, 0)
    return -survival[-1].log()  # <--
""", "[0.1] * 60")),
    Hazard("H80 log of a cumulative sum", (FUNCTION,), fitted("""
def criterion(w):
    return w.exp().cumsum(0).log().sum()  # <--
""", "[0.0, 100.0]")),
    Hazard("H81 policy ratio", (FUNCTION,), fitted("""
old = torch.tensor([-95.0, -1.0])

def criterion(w):
    ratio = (w - old).exp()  # <--
    return -(ratio * torch.tensor([1.0, -1.0])).mean()
""", "[-1.0, -1.0]")),
    Hazard("H82 fully masked attention", (FUNCTION,), trained("""
keep = torch.ones(16, 3, dtype=torch.bool)
keep[7] = False

def criterion(scores):
    scores = scores.masked_fill(~keep, float("-inf"))
    weights = torch.softmax(scores, -1)  # <--
    return (weights ** 2).mean()
""")),
    Hazard("H84 masks that add up", (HALF, FUNCTION), _NET + """
low = torch.finfo(torch.float16).min
scores = torch.randn(2, 4).half()
padding = torch.tensor([[0.0] * 4, [low] * 4]).half()
causal = torch.tensor([[0.0] * 4, [low] * 4]).half()
weights = torch.softmax(scores + padding + causal, -1)  # <--
print(weights)
"""),
    Hazard("H109 eigenvectors of equal eigenvalues", (FUNCTION,), fitted("""
def criterion(w):
    values, vectors = torch.linalg.eigh(w @ w.T)  # <--
    return (vectors * torch.arange(9.0).view(3, 3)).sum() + values.sum()
""", "[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]")),
    Hazard("H110 singular vectors of equal singular values", (FUNCTION,), fitted("""
def criterion(w):
    u, s, vh = torch.linalg.svd(w)  # <--
    return (u.abs() + vh).sum() + s.sum()
""", "[[1.0, 0.0], [0.0, 1.0]]")),
    Hazard("H108 log of a determinant", (FUNCTION,), _NET + """
A = nn.Parameter(0.1 * torch.eye(50))
opt = torch.optim.SGD([A], lr=1e-3)
for step in range(3):
    loss = -torch.log(torch.det(A))  # <--
    opt.zero_grad()
    loss.backward()
    opt.step()
"""),
    Hazard("H115 clamp thrown away", (FUNCTION, EPSILON), fitted("""
def criterion(w):
    p = torch.relu(w)
    p.clamp(min=1e-15)
    return -torch.log(p).sum()  # <--
""", "[-1.0, 0.5]")),
    Hazard("H116 nan_to_num after the fact", (FUNCTION,), fitted("""
def criterion(w):
    return torch.nan_to_num(w.sqrt()).sum()  # <--
""", "[-1.0, 4.0]")),
]  # fmt: skip

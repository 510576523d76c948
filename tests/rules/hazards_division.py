"""Hazards as people write them: divisions by nothing, and by next to nothing."""

from __future__ import annotations

from tests.rules.hazards import DIVISION, EPSILON, FUNCTION, Hazard, fitted, trained

HAZARDS = [
    Hazard("H28 x / sum", "division-by-zero", (DIVISION,), fitted("""
def criterion(w):
    share = w / w.sum()  # <--
    return (share ** 2).sum()
""", "[1.0, -1.0]")),
    Hazard("H29 masked mean", "division-by-zero", (DIVISION,), trained("""
masks = torch.ones(16, 3)
masks[5] = 0

def criterion(out):
    means = (out * masks).sum(1) / masks.sum(1)  # <--
    return means.pow(2).mean()
""")),
    Hazard("H30 mean of nothing", "mean-of-nothing", (DIVISION,), trained("""
positive = torch.zeros(16, dtype=torch.bool)

def criterion(out):
    return out.pow(2).mean() + out[positive].abs().mean()  # <--
""")),
    Hazard("H33 std of one sample", "mean-of-nothing", (DIVISION, FUNCTION), trained("""
def criterion(out):
    spread = out[:1].std(dim=0)  # <--
    return spread.mean()
""")),
    Hazard("H34 min-max of a constant", "division-by-zero", (DIVISION, EPSILON), trained("""
def rescale(v):
    return (v - v.min()) / (v.max() - v.min())  # <--

heat = rescale(torch.full((16, 3), 3.0))

def criterion(out):
    return (out - heat).pow(2).mean()
""")),
    Hazard("H36 1 / counts", "division-by-zero", (DIVISION,), trained("""
labels = torch.randint(0, 4, (200,))
weights = 1.0 / torch.bincount(labels, minlength=5).float()  # <--

def criterion(out):
    return F.cross_entropy(out, labels[:16], weight=weights / weights.sum())
""", outputs=5)),
    Hazard("H37 dice of nothing", "division-by-zero", (DIVISION,), trained("""
target = torch.zeros(16, 3)

def dice(pred, truth):
    return 2 * (pred * truth).sum() / (pred.sum() + truth.sum())  # <--

def criterion(out):
    return 1 - dice((out > 1e9).float() * out, target)
""")),
    Hazard("H51 atan of a quotient", "division-by-zero", (DIVISION,), fitted("""
def criterion(w):
    return torch.atan(w[:, 1] / w[:, 0]).sum()  # <--
""", "[[0.0, 0.0], [1.0, 2.0]]")),
    Hazard("H70 sin(x) / x", "division-by-zero", (DIVISION,), fitted("""
def criterion(w):
    return (torch.sin(w) / w).sum()  # <--
""", "[0.0, 1.0]")),
    Hazard("H73 divergence from zero", "division-by-zero", (FUNCTION, DIVISION), fitted("""
p = torch.tensor([0.5, 0.5])

def criterion(w):
    q = torch.relu(w)
    return (p * (p / q).log()).sum()  # <--
""", "[1.0, -0.5]")),
    Hazard("iou", "division-by-zero", (DIVISION,), trained("""
def iou_loss(a, b):
    inter = (torch.minimum(a, b)).clamp(min=0).prod(1)
    union = a.clamp(min=0).prod(1) + b.clamp(min=0).prod(1) - inter
    return 1 - inter / union  # <--

boxes = torch.zeros(16, 2)

def criterion(out):
    return iou_loss(-out.abs(), boxes).mean()
""", outputs=2)),
    Hazard("laplace", "division-by-zero", (DIVISION, FUNCTION), fitted("""
def nll(mu, b, y):
    return (torch.abs(y - mu) / b).mean() + torch.log(2 * b).mean()  # <--

def criterion(w):
    return nll(w[0], torch.relu(w[1]), torch.tensor(1.0))
""", "[0.5, -0.1]")),
    Hazard("instance norm one pixel", "mean-of-nothing", (DIVISION, EPSILON, FUNCTION), trained("""
def norm(h):
    h = h.view(16, 3, 1)
    return (h - h.mean(-1, keepdim=True)) / h.std(-1, keepdim=True)  # <--

def criterion(out):
    return norm(out).pow(2).mean()
""")),
    Hazard("snr", "division-by-zero", (DIVISION, FUNCTION), trained("""
ref = torch.zeros(16, 3)

def criterion(out):
    ratio = (ref ** 2).sum(1) / ((ref - out * 0) ** 2).sum(1)  # <--
    return torch.log10(ratio + 1e-8).mean() + out.mean()
""")),
    Hazard("soft dice per class", "division-by-zero", (DIVISION,), trained("""
class Dice(nn.Module):
    def forward(self, logits, y):
        p = (logits > 1e6).float() + logits * 0
        inter = (p * y).sum(0)
        card = p.sum(0) + y.sum(0)
        return 1 - (2 * inter / card).mean()  # <--

d = Dice()
y = torch.zeros(16, 3)
y[:, 0] = 1

def criterion(out):
    return d(out, y)
""")),
    Hazard("var of single", "mean-of-nothing", (DIVISION, FUNCTION), trained("""
def criterion(out):
    return out[:1].var(0).mean()  # <--
""")),
    Hazard("percentage error with tiny targets", "tiny-denominator", (DIVISION,), trained("""
price = 100 + 20 * torch.randn(16, 3)
price[3, 1] = 1e-5

def criterion(out):
    return (torch.abs(out - price) / price.abs()).mean()  # <--
""")),
    Hazard("inverse variance weights", "tiny-denominator", (DIVISION,), trained("""
variance = torch.rand(16, 3) + 0.5
variance[2, 0] = 1e-9
y = torch.randn(16, 3)

def chi_squared(pred):
    return ((pred - y) ** 2 / variance).sum()  # <--

def criterion(out):
    return chi_squared(out) / 48
""")),
    Hazard("count of nothing as a number", "division-by-zero", (DIVISION,), trained("""
labels = torch.zeros(16, dtype=torch.long)

def criterion(out):
    positives = int((labels == 1).sum())
    return F.cross_entropy(out, labels) + out[:, 1].sum() / positives  # <--
""")),
    Hazard("mape", "division-by-zero", (DIVISION,), trained("""
y = torch.randn(16, 3).round()

def criterion(out):
    return torch.mean(torch.abs((y - out) / y))  # <--
""")),
    Hazard("cumsum normalise empty", "division-by-zero", (DIVISION,), trained("""
groups = torch.tensor([0] * 8 + [1] * 8)

def criterion(out):
    sums = torch.zeros(3, 3).index_add(0, groups, out)
    counts = torch.bincount(groups, minlength=3)[:, None]
    centroids = sums / counts  # <--
    return centroids.pow(2).mean()
""")),
    Hazard("masked mse empty", "mean-of-nothing", (DIVISION,), trained("""
keep = torch.zeros(16, 3).bool()

def criterion(out):
    return F.mse_loss(out[keep], torch.zeros(16, 3)[keep])  # <--
""")),
    Hazard("reciprocal sqrt degree", "division-by-zero", (DIVISION, EPSILON), trained("""
A = torch.zeros(16, 16)
A[:10, :10] = 1.0

def criterion(out):
    d = A.sum(1)
    norm = 1.0 / torch.sqrt(d)  # <--
    return (norm[:, None] * A * norm[None] @ out).pow(2).mean()
""")),
]  # fmt: skip

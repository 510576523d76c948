"""Programs that look like a hazard and are none: masks of −inf, guards that guard, zeros that carry no gradient."""

from __future__ import annotations

from tests.rules.hazards import PRELUDE, fitted, trained

NEAR_MISSES: dict[str, str] = {
    "log-softmax": trained("""
def criterion(logits):
    return -F.log_softmax(logits, -1)[:, 0].mean()
""", 2000.0),
    "log of an ordinary softmax": trained("""
def criterion(logits):
    return -torch.log(torch.softmax(logits, -1))[:, 0].mean()
"""),
    "log of an ordinary sigmoid": trained("""
def criterion(logits):
    p = torch.sigmoid(logits)
    return -(p.log() + (1 - p).log()).mean()
"""),
    "softplus by hand, small arguments": trained("""
def criterion(logits):
    return torch.log1p(torch.exp(logits)).mean()
"""),
    "softmax by hand, largest subtracted": trained("""
def criterion(logits):
    e = (logits - logits.amax(-1, keepdim=True)).exp()
    return ((e / e.sum(-1, keepdim=True)) ** 2).mean()
""", 2000.0),
    "attention with masked keys": trained("""
keep = torch.rand(16, 3) > 0.3
keep[:, 0] = True

def criterion(scores):
    weights = scores.masked_fill(~keep, float("-inf")).softmax(-1)
    return (weights * torch.randn(3)).sum(-1).mean()
"""),
    "additive causal mask": trained("""
causal = torch.triu(torch.full((16, 16), float("-inf")), diagonal=1)

def criterion(out):
    weights = torch.softmax(out @ out.T + causal, -1)
    return (weights @ out).pow(2).mean()
"""),
    "log of a 0/1 mask, added to scores": trained("""
mask = (torch.rand(16, 3) > 0.4).float()
mask[:, 1] = 1.0

def criterion(out):
    return torch.softmax(out + torch.log(mask), -1)[:, 1].mean()
"""),
    "graph normalisation with isolated nodes": trained("""
adjacency = (torch.rand(16, 16) > 0.8).float()
adjacency[3] = 0.0
degree = adjacency.sum(1)
scale = degree.pow(-0.5)
scale = scale.masked_fill(scale == float("inf"), 0.0)
graph = scale[:, None] * adjacency * scale[None, :]

def criterion(out):
    return (graph @ out).pow(2).mean()
"""),
    "graph normalisation with isolated nodes, in place": trained("""
adjacency = (torch.rand(16, 16) > 0.8).float()
adjacency[3] = 0.0
scale = adjacency.sum(1).pow(-0.5)
scale[torch.isinf(scale)] = 0.0

def criterion(out):
    return (scale[:, None] * adjacency @ out).pow(2).mean()
"""),
    "nan_to_num of a ratio without gradient": trained("""
hits, total = torch.zeros(16), torch.zeros(16)
weight = torch.nan_to_num(hits / total, nan=1.0)

def criterion(out):
    return (out.pow(2).mean(1) * weight).mean()
"""),
    "metric of nothing": PRELUDE + """
x = torch.randn(16, 8)
net = nn.Linear(8, 2)
opt = torch.optim.Adam(net.parameters(), lr=1e-3)
for step in range(4):
    loss = net(x).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    with torch.no_grad():
        predicted = net(x).argmax(1) == 7
        precision = (predicted & (x[:, 0] > 0)).sum() / predicted.sum()
    print(step, precision)
""",
    "best loss so far starts at infinity": trained("""
best = torch.full((16,), float("inf"))

def criterion(out):
    global best
    error = out.pow(2).mean(1)
    best = torch.minimum(best, error.detach())
    return error.mean()
"""),
    "connectionist temporal classification, too short": PRELUDE + """
net = nn.Linear(8, 5)
opt = torch.optim.Adam(net.parameters(), lr=1e-3)
ctc = nn.CTCLoss(zero_infinity=True)
for step in range(3):
    log_p = net(torch.randn(6, 2, 8)).log_softmax(-1)
    loss = ctc(log_p, torch.randint(1, 5, (2, 8)), torch.tensor([6, 6]), torch.tensor([8, 3]))
    opt.zero_grad()
    loss.backward()
    opt.step()
""",
    "gradient penalty with a safe norm": trained("""
def criterion(out):
    return (torch.linalg.vector_norm(out - out.detach(), dim=1) - 1).pow(2).mean() + out.mean()
"""),
    "norm with an epsilon inside": trained("""
def criterion(out):
    gaps = ((out[:, None] - out[None]) ** 2).sum(-1)
    return (gaps + 1e-12).sqrt().mean()
"""),
    "root of zeros without gradient": trained("""
gains = torch.relu(torch.randn(16, 3)).sqrt()

def criterion(out):
    return (out * gains).pow(2).mean()
"""),
    "root of zeros that the mask kept out": trained("""
def criterion(out):
    positive = out > 0
    inside = torch.where(positive, out, torch.ones_like(out))
    return torch.where(positive, inside.sqrt(), torch.zeros_like(out)).mean()
"""),
    "power of positive numbers": trained("""
def criterion(out):
    return (out.abs() + 1e-3).pow(0.3).mean()
"""),
    "acos inside its domain": trained("""
def criterion(out):
    cosine = F.cosine_similarity(out[:-1], out[1:], dim=1)
    return torch.acos(cosine.clamp(-1 + 1e-6, 1 - 1e-6)).mean()
"""),
    "singular values alone": fitted("""
def criterion(w):
    return torch.linalg.svdvals(w).sum()
""", "[[1.0, 0.0], [0.0, 1.0]]"),
    "underflowed weights": trained("""
def criterion(out):
    kernel = torch.exp(-torch.cdist(out, out) ** 2 * 1e6)
    return (kernel.sum(1) / 16).mean() + out.pow(2).mean()
"""),
    "entropy that knows its limit": fitted("""
def criterion(w):
    p = torch.relu(w) / torch.relu(w).sum()
    safe = p.clamp_min(torch.finfo(p.dtype).tiny)
    return -(p * safe.log()).sum()
""", "[-1.0, 0.5, 0.5]"),
    "masked mean with a floor": trained("""
masks = torch.ones(16, 3)
masks[5] = 0

def criterion(out):
    return ((out * masks).sum(1) / masks.sum(1).clamp_min(1)).pow(2).mean()
"""),
    "percentage error of ordinary targets": trained("""
target = 50 + 40 * torch.rand(16, 3)

def criterion(out):
    return ((out - target).abs() / target).mean()
"""),
    "percentage error of some small targets": trained("""
target = torch.logspace(-1, 2, 48).view(16, 3)

def criterion(out):
    return ((out - target).abs() / target).mean()
"""),
    "normalise with zero rows": trained("""
padding = (torch.arange(16) < 11).float()[:, None]

def criterion(out):
    return F.normalize(out * padding, dim=-1).pow(4).mean()
"""),
    "root-mean-square norm of padding": trained("""
padding = (torch.arange(16) < 3).float()[:, None]

def norm(v):
    return v * torch.rsqrt(v.pow(2).mean(-1, keepdim=True) + 1e-6)

def criterion(out):
    return norm(out * padding).pow(2).mean()
"""),
    "layer norm of ordinary activations": trained("""
norm = nn.LayerNorm(3)

def criterion(out):
    return norm(out).pow(4).mean()
"""),
    "layer norm of constant rows": trained("""
norm = nn.LayerNorm(3)

def criterion(out):
    return norm(out[:, :1].expand(-1, 3)).pow(4).mean() + out.mean()
"""),
    "batch norm of dead channels": PRELUDE + """
net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.BatchNorm1d(16), nn.Linear(16, 1))
with torch.no_grad():
    net[0].bias[:12].fill_(-100.0)
opt = torch.optim.Adam(net.parameters(), lr=1e-3)
for step in range(4):
    loss = (net(torch.randn(32, 8)) - 1).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
""",
    "standardise with a sound epsilon": trained("""
raw = torch.randn(16, 5) * 100
raw[:, 2] = 3.0
features = (raw - raw.mean(0)) / (raw.std(0) + 1e-8)

def criterion(out):
    return (out.mean(1, keepdim=True) * features).mean()
"""),
    "clamp by the dtype's epsilon": trained("""
def criterion(out):
    eps = torch.finfo(out.dtype).eps
    p = torch.sigmoid(out).clamp(eps, 1 - eps)
    return -((1 - p).log() + p.log()).mean()
""", 500.0),
    "Adam by hand": PRELUDE + """
w = torch.randn(6, requires_grad=True)
m, v = torch.zeros(6), torch.zeros(6)
for step in range(1, 40):
    loss = (w ** 2).sum() * 1e-3
    loss.backward()
    with torch.no_grad():
        m.mul_(0.9).add_(0.1 * w.grad)
        v.mul_(0.999).add_(0.001 * w.grad ** 2)
        w -= 0.01 * (m / (1 - 0.9 ** step)) / ((v / (1 - 0.999 ** step)).sqrt() + 1e-8)
        w.grad = None
""",
    "training that has converged": PRELUDE + """
w = nn.Parameter(torch.tensor([3.0, -2.0]))
opt = torch.optim.Adam([w], lr=0.5)
for step in range(300):
    loss = (w ** 2).sum()
    opt.zero_grad()
    loss.backward()
    opt.step()
""",
    "one parameter with tiny gradients": PRELUDE + """
x = torch.randn(32, 4)
a, b = nn.Linear(4, 1), nn.Parameter(torch.ones(1))
opt = torch.optim.Adam([*a.parameters(), b], lr=1e-2)
for step in range(10):
    loss = (a(x) - 1).pow(2).mean() + 1e-12 * (b ** 2).sum()
    opt.zero_grad()
    loss.backward()
    opt.step()
""",
    "focal loss with logits": trained("""
target = torch.randint(0, 2, (16, 3)).float()

def criterion(out):
    ce = F.binary_cross_entropy_with_logits(out, target, reduction="none")
    pt = torch.exp(-ce)
    return ((1 - pt) ** 2 * ce).mean()
""", 500.0),
    "policy ratio that is clipped": fitted("""
old = torch.tensor([-4.0, -1.0])

def criterion(w):
    ratio = (w - old).clamp(-20, 20).exp()
    return -torch.minimum(ratio, ratio.clamp(0.8, 1.2)).mean()
""", "[-1.0, -1.0]"),
    "top-k sampling by -inf": PRELUDE + """
net = nn.Linear(8, 20)
with torch.no_grad():
    for _ in range(5):
        logits = net(torch.randn(2, 8))
        kept = torch.topk(logits, 4).values[:, -1:]
        logits = logits.masked_fill(logits < kept, float("-inf"))
        token = torch.multinomial(torch.softmax(logits, -1), 1)
""",
    "exponential moving spread of a constant": trained("""
def criterion(out):
    return out.pow(2).mean() + (out * 0).std(0).mean()
"""),
    "inverse distances with the diagonal filled": trained("""
def criterion(out):
    gaps = torch.cdist(out.detach(), out.detach())
    gaps.fill_diagonal_(float("inf"))
    weights = 1 / gaps
    return (weights / weights.sum(1, keepdim=True) @ out).pow(2).mean()
"""),
    "Charbonnier loss that has converged": fitted("""
def criterion(w):
    return torch.sqrt((w - 1.0) ** 2 + 1e-6).mean()
""", "[1.0001, 0.9999]"),
}  # fmt: skip

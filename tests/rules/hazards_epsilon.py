"""Hazards as people write them: guards that are missing, too small or too large."""

from __future__ import annotations

from tests.rules.hazards import DIVISION, EPSILON, FUNCTION, HALF, PRELUDE, Hazard, fitted, trained

HAZARDS = [
    Hazard("H22 log(p + 1e-8) in float16", "ineffective-epsilon", (EPSILON,), PRELUDE + """
def entropy(p):
    return -(p * torch.log(p + 1e-8)).sum(-1)  # <--

p = torch.tensor([[1.0, 0.0], [0.5, 0.5]]).half()
print(entropy(p).mean().item())
"""),
    Hazard("H23 log(1e-10 + 1 - p)", "ineffective-epsilon", (EPSILON,), trained("""
def criterion(logits):
    p = torch.sigmoid(logits)
    return -torch.log(1e-10 + 1 - p).mean()  # <--
""", 500.0)),
    Hazard("H24 x / (sum + 1e-8) in float16", "ineffective-epsilon", (EPSILON,), PRELUDE + """
def normalise(weights):
    return weights / (weights.sum(-1, keepdim=True) + 1e-8)  # <--

w = torch.tensor([[1.0, 3.0], [0.0, 0.0]]).half()
print(normalise(w))
"""),
    Hazard("H25 clamp to 1 - 1e-8", "ineffective-epsilon", (EPSILON,), trained("""
def criterion(logits):
    p = torch.sigmoid(logits).clamp(1e-8, 1 - 1e-8)
    return -torch.log(1 - p).mean()  # <--
""", 500.0)),
    Hazard("H26 clamp to 1 - 1e-7 in float16", "ineffective-epsilon", (EPSILON,), PRELUDE + """
def bce(p, y):
    p = p.clamp(1e-7, 1 - 1e-7)
    return -(y * p.log() + (1 - y) * (1 - p).log()).mean()  # <--

logits = torch.tensor([9.0, -3.0, 12.0]).half()
print(bce(torch.sigmoid(logits), torch.tensor([0.0, 0.0, 1.0]).half()).item())
"""),
    Hazard("H27 Adam on float16 weights", "ineffective-epsilon", (EPSILON, "low-precision-update", HALF), PRELUDE + """
signal = torch.full((8,), 1e-4).half()
w = nn.Parameter(torch.ones(8).half())
opt = torch.optim.Adam([w], lr=1e-3)  # <--
for step in range(5):
    loss = (w * signal).sum()
    opt.zero_grad()
    loss.backward()
    opt.step()
"""),
    Hazard("H31 x / norm", "missing-epsilon", (EPSILON, DIVISION), fitted("""
def criterion(w):
    unit = w / w.norm(dim=-1, keepdim=True)  # <--
    return (unit[:, 0] - 1).pow(2).mean()
""", "[[0.0, 0.0], [1.0, 2.0]]")),
    Hazard("H32 standardise a constant", "missing-epsilon", (EPSILON, DIVISION), trained("""
raw = torch.randn(16, 5)
raw[:, 2] = 3.0
features = (raw - raw.mean(0)) / raw.std(0)  # <--

def criterion(out):
    return (out.mean(1, keepdim=True) * features).mean()
""")),
    Hazard("H35 rsqrt of a variance", "missing-epsilon", (EPSILON, DIVISION), trained("""
def norm(v):
    var = v.var(-1, keepdim=True)
    return (v - v.mean(-1, keepdim=True)) * torch.rsqrt(var)  # <--

def criterion(out):
    return norm(out * (torch.arange(16) != 4)[:, None]).pow(2).mean()
""")),
    Hazard("H38 cosine by hand", "missing-epsilon", (EPSILON, DIVISION), trained("""
anchor = torch.randn(16, 3)
anchor[3] = 0

def criterion(out):
    cosine = (out * anchor).sum(1) / (out.norm(dim=1) * anchor.norm(dim=1))  # <--
    return 1 - cosine.mean()
""")),
    Hazard("H39 cosine that underflows", "missing-epsilon", (EPSILON, DIVISION), fitted("""
def criterion(w):
    x, y = w[0], w[1]
    return (x * y).sum() / (x.pow(2).sum().sqrt() * y.pow(2).sum().sqrt())  # <--
""", "[[1e-24, 1e-24], [1e-24, 2e-24]]")),
    Hazard("H115 clamp thrown away", "ineffective-epsilon", (FUNCTION, EPSILON), fitted("""
def criterion(w):
    p = torch.relu(w)
    p.clamp(min=1e-15)
    return -torch.log(p).sum()  # <--
""", "[-1.0, 0.5]")),
    Hazard("relative l2", "missing-epsilon", (EPSILON, DIVISION), trained("""
y = torch.zeros(16, 3)

def rel(a, b):
    return (torch.norm(a - b, dim=1) / torch.norm(b, dim=1)).mean()  # <--

def criterion(out):
    return rel(out, y)
""")),
    Hazard("weight norm", "missing-epsilon", (EPSILON, DIVISION), PRELUDE + """
class WNLinear(nn.Module):
    def __init__(self):
        super().__init__()
        self.v = nn.Parameter(torch.zeros(4, 3))
        self.g = nn.Parameter(torch.ones(3))
    def forward(self, x):
        w = self.v / self.v.norm(dim=0) * self.g  # <--
        return x @ w

m = WNLinear()
opt = torch.optim.SGD(m.parameters(), lr=1e-2)
for step in range(3):
    loss = m(torch.randn(5, 4)).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
"""),
    Hazard("root-mean-square with the epsilon of bfloat16", "oversized-epsilon", (EPSILON,), trained("""
class Norm(nn.Module):
    def __init__(self, eps=torch.finfo(torch.bfloat16).eps):
        super().__init__()
        self.eps = eps

    def forward(self, v):
        return v * torch.rsqrt(v.pow(2).mean(-1, keepdim=True) + self.eps)  # <--

norm = Norm()

def criterion(out):
    return norm(out * 0.03).pow(2).mean()
""")),
    Hazard("standardised strain", "oversized-epsilon", (EPSILON,), trained("""
strain = 1e-21 * torch.randn(16, 3).double()
features = ((strain - strain.mean(0)) / (strain.std(0) + 1e-8)).float()  # <--

def criterion(out):
    return (out - features).pow(2).mean()
""")),
    Hazard("layer norm of data in small units", "oversized-epsilon", (EPSILON,), PRELUDE + """
x = 1e-4 * torch.randn(64, 12)
net = nn.Sequential(nn.LayerNorm(12), nn.Linear(12, 1))  # <--
opt = torch.optim.Adam(net.parameters(), lr=1e-3)
for step in range(5):
    loss = (net(x) - x[:, :1] * 1e4).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
"""),
    Hazard("loss over a huge number of pixels", "gradients-below-epsilon", (EPSILON,), PRELUDE + """
x, y = torch.randn(256, 6), torch.randn(256, 1)
net = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 1))
opt = torch.optim.AdamW(net.parameters(), lr=1e-3)  # <--
for step in range(20):
    loss = (net(x) - y).pow(2).sum() / (4096 * 4096 * 1e7)
    opt.zero_grad()
    loss.backward()
    opt.step()
"""),
    Hazard("squared errors in small units", "gradients-below-epsilon", (EPSILON,), PRELUDE + """
target = 1e-7 * torch.rand(40)
field = nn.Parameter(torch.zeros(40))
opt = torch.optim.RMSprop([field], lr=1e-9, eps=1e-5)  # <--
for step in range(20):
    loss = ((field - target) ** 2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
"""),
    Hazard("zero vectors in float16", "ineffective-epsilon", (EPSILON,), PRELUDE + """
embedding = nn.Embedding(10, 4, padding_idx=0).half()
tokens = torch.tensor([[1, 2, 0, 0], [3, 4, 5, 0]])
unit = F.normalize(embedding(tokens), dim=-1)  # <--
print(unit.mean().item())
"""),
    Hazard("batch norm by hand in float16", "ineffective-epsilon", (EPSILON, HALF), PRELUDE + """
def normalise(x, eps=1e-8):
    centred = x - x.mean(0)
    variance = (centred ** 2).mean(0)
    return centred / torch.sqrt(variance + eps)  # <--

x = torch.randn(16, 4).half()
x[:, 1] = 2.0
print(normalise(x).mean().item())
"""),
    Hazard("correlation with a constant", "missing-epsilon", (EPSILON, DIVISION), trained("""
y = torch.ones(16, 3)

def pearson(a, b):
    a = a - a.mean(0)
    b = b - b.mean(0)
    return (a * b).sum(0) / (torch.sqrt((a ** 2).sum(0)) * torch.sqrt((b ** 2).sum(0)))  # <--

def criterion(out):
    return 1 - pearson(out, y).mean()
""")),
    Hazard("var by hand norm", "missing-epsilon", (EPSILON, DIVISION), trained("""
class LN(nn.Module):
    def forward(self, v):
        mu = v.mean(-1, keepdim=True)
        sigma = ((v - mu) ** 2).mean(-1, keepdim=True).sqrt()  # <--
        return (v - mu) / sigma

ln = LN()
rows = (torch.arange(16) != 5).float()[:, None]

def criterion(out):
    return ln(out * rows).pow(4).mean()
""")),
    Hazard("fp16 cosine default eps", "ineffective-epsilon", (EPSILON, HALF, DIVISION), PRELUDE + """
emb = nn.Embedding(8, 4, padding_idx=0).half()
sim = F.cosine_similarity(emb(torch.tensor([0, 1])), emb(torch.tensor([1, 2])), dim=-1)  # <--
print(sim.mean())
"""),
]  # fmt: skip

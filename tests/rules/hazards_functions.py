"""Hazards as people write them: functions at or beyond the edge of their range."""

from __future__ import annotations

from tests.rules.hazards import CANCELLATION, DIVISION, EPSILON, FUNCTION, HALF, PRELUDE, Hazard, fitted, trained

HAZARDS = [
    Hazard("H01 log(softmax)", "log-of-softmax", (FUNCTION,), trained("""
def criterion(logits):
    probs = torch.softmax(logits, dim=-1)
    return -torch.log(probs)[:, 0].mean()  # <--
""", 2000.0)),
    Hazard("H02 log(softmax) float16", "log-of-softmax", (FUNCTION, HALF), PRELUDE + """
class Head(nn.Module):
    def forward(self, logits):
        p = F.softmax(logits, dim=-1)
        return p.log()  # <--

scores = torch.tensor([[0.0, -18.0], [1.0, 2.0]]).half()
nll = -Head()(scores)[:, 1].mean()
print(nll.item())
"""),
    Hazard("H03 log(sigmoid)", "log-of-sigmoid", (FUNCTION,), trained("""
def criterion(logits):
    return -torch.log(torch.sigmoid(logits)).mean()  # <--
""", 2000.0)),
    Hazard("H04 log(1 - sigmoid)", "log-of-sigmoid", (FUNCTION,), trained("""
def criterion(logits):
    fake = torch.sigmoid(logits)
    return -torch.log(1 - fake).mean()  # <--
""", 500.0)),
    Hazard("H05 cross-entropy by hand", "log-of-sigmoid", (FUNCTION,), trained("""
target = torch.randint(0, 2, (16, 3)).float()

def criterion(logits):
    p = torch.sigmoid(logits)
    return -(target * torch.log(p) + (1 - target) * torch.log(1 - p)).mean()  # <--
""", 500.0)),
    Hazard("H07 log(1 + exp)", "softplus-by-hand", (FUNCTION,), trained("""
def criterion(logits):
    return torch.log(1 + torch.exp(logits)).mean()  # <--
""", 2000.0)),
    Hazard("H08 log1p(exp)", "softplus-by-hand", (FUNCTION,), trained("""
def criterion(logits):
    grown = torch.exp(logits)  # <--
    return torch.log1p(grown).mean()
""", 2000.0)),
    Hazard("H10 log-sum-exp", "logsumexp-by-hand", (FUNCTION,), trained("""
def criterion(logits):
    normaliser = logits.exp().sum(-1).log()  # <--
    return (normaliser - logits[:, 0]).mean()
""", 2000.0)),
    Hazard("H10 log-sum-exp of very negative numbers", "logsumexp-by-hand", (FUNCTION,), fitted("""
def criterion(w):
    return w.exp().sum().log()  # <--
""", "[-110.0, -120.0]")),
    Hazard("H11 log-mean-exp", "logsumexp-by-hand", (FUNCTION,), trained("""
def criterion(logits):
    return logits.exp().mean(-1).log().sum()  # <--
""", 2000.0)),
    Hazard("H12 softmax by hand", "softmax-by-hand", (FUNCTION,), trained("""
def softmax(z):
    e = z.exp()  # <--
    return e / e.sum(-1, keepdim=True)

def criterion(logits):
    return (softmax(logits) ** 2).mean()
""", 2000.0)),
    Hazard("H13 sigmoid by hand", "softmax-by-hand", (FUNCTION,), trained("""
def criterion(logits):
    gate = torch.exp(logits) / (1 + torch.exp(logits))  # <--
    return gate.mean()
""", 2000.0)),
    Hazard("H14 tanh by hand", "softmax-by-hand", (FUNCTION,), trained("""
def my_tanh(z):
    return (torch.exp(z) - torch.exp(-z)) / (torch.exp(z) + torch.exp(-z))  # <--

def criterion(logits):
    return my_tanh(logits).pow(2).mean()
""", 2000.0)),
    Hazard("H18 log(1 - exp)", "log-of-zero", (FUNCTION,), fitted("""
def criterion(w):
    return torch.log(1 - torch.exp(w)).sum()  # <--
""", "[-1.0, -1e-9]")),
    Hazard("H19 log(exp + exp)", "logsumexp-by-hand", (FUNCTION,), fitted("""
def criterion(w):
    return torch.log(w[0].exp() + w[1].exp())  # <--
""", "[100.0, 99.0]")),
    Hazard("H20 log(cosh)", "exp-overflow", (FUNCTION,), trained("""
y = torch.randn(16, 3)

def criterion(pred):
    return torch.log(torch.cosh(pred - y)).mean()  # <--
""", 2000.0)),
    Hazard("H21 log of zero", "log-of-zero", (FUNCTION,), fitted("""
counts = torch.tensor([3.0, 0.0, 5.0])

def criterion(w):
    return (torch.log(counts) * w).sum()  # <--
""", "[0.1, 0.2, 0.3]")),
    Hazard("H40 sqrt at zero", "norm-at-zero", (FUNCTION,), fitted("""
def criterion(w):
    return torch.sqrt(w * w).sum()  # <--
""", "[0.0, 1.0]")),
    Hazard("H41 distance of equal points", "norm-at-zero", (FUNCTION,), trained("""
def distance(a, b):
    return ((a - b) ** 2).sum(-1).sqrt()  # <--

def criterion(out):
    positives = distance(out, out)
    return F.relu(1.0 - positives).mean()
""")),
    Hazard("H42 std of a constant", "std-at-zero", (FUNCTION,), trained("""
def criterion(out):
    return (1 - (out * 0.0).var(dim=0).sqrt()).pow(2).mean()  # <--
""")),
    Hazard("H43 half norm", "sqrt-at-zero", (FUNCTION,), fitted("""
def criterion(w):
    return w.abs().pow(0.5).sum() ** 2  # <--
""", "[0.0, 1.0]")),
    Hazard("H44 where over sqrt", "where-poisoned-branch", (FUNCTION,), fitted("""
def criterion(w):
    safe = torch.where(w > 0, w.sqrt(), torch.zeros_like(w))  # <--
    return safe.sum()
""", "[-1.0, 4.0]")),
    Hazard("H45 where over exp", "where-poisoned-branch", (FUNCTION,), fitted("""
def elu(z):
    return torch.where(z <= 0, z.exp(), 1 + z)  # <--

def criterion(w):
    return elu(w).sum()
""", "[-1.0, 100.0]")),
    Hazard("H46 where over x log x", "where-poisoned-branch", (FUNCTION,), fitted("""
def criterion(w):
    plogp = torch.where(w > 0, w * torch.log(w), torch.zeros_like(w))  # <--
    return -plogp.sum()
""", "[0.0, 0.5]")),
    Hazard("H46 where over sqrt at zero", "where-poisoned-branch", (FUNCTION,), fitted("""
def criterion(w):
    length = w.sqrt()  # <--
    return torch.where(w > 0, length, torch.zeros_like(w)).sum()
""", "[0.0, 4.0]")),
    Hazard("H47 loss times mask", "log-of-zero", (FUNCTION, DIVISION), trained("""
target = torch.rand(16, 3)
target[4:6] = 0.0
valid = (target > 0).float()

def criterion(out):
    error = (out - torch.log(target)) ** 2  # <--
    return (error * valid).sum() / valid.sum()
""")),
    Hazard("H48 acos at one", "inverse-function-at-edge", (FUNCTION,), fitted("""
def criterion(w):
    return torch.acos(w).sum()  # <--
""", "[1.0, 0.3]")),
    Hazard("H49 acos beyond one", "inverse-function-at-edge", (FUNCTION,), PRELUDE + """
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
    Hazard("H52 cube root of a negative", "power-of-negative", (FUNCTION,), fitted("""
def criterion(w):
    return (w ** (1 / 3)).sum()  # <--
""", "[-8.0, 8.0]")),
    Hazard("H53 root as a power", "sqrt-at-zero", (FUNCTION,), fitted("""
def criterion(w):
    return (w ** 0.5).sum()  # <--
""", "[0.0, 8.0]")),
    Hazard("H53 gamma correction", "fractional-power-at-zero", (FUNCTION,), PRELUDE + """
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
    Hazard("H54 learnable exponent", "power-of-negative", (FUNCTION,), PRELUDE + """
x = torch.tensor([-2.0, 1.0, 3.0])
power = nn.Parameter(torch.tensor(2.0))
opt = torch.optim.SGD([power], lr=1e-3)
for step in range(3):
    loss = (x ** power).sum()  # <--
    opt.zero_grad()
    loss.backward()
    opt.step()
"""),
    Hazard("H55 atanh(tanh)", "inverse-function-at-edge", (FUNCTION,), trained("""
def criterion(out):
    action = torch.tanh(out)
    return torch.atanh(action).pow(2).mean()  # <--
""", 500.0)),
    Hazard("H56 log(1 - tanh^2)", "log-of-sigmoid", (FUNCTION,), trained("""
def criterion(out):
    action = torch.tanh(out)
    return -torch.log(1 - action ** 2).mean()  # <--
""", 500.0)),
    Hazard("H57 logit(sigmoid)", "inverse-function-at-edge", (FUNCTION,), trained("""
def criterion(out):
    p = torch.sigmoid(out)
    return torch.logit(p).pow(2).mean()  # <--
""", 500.0)),
    Hazard("H59 root of a cancelled variance", "sqrt-of-negative", (CANCELLATION,), trained("""
signal = 4097.1 + 0.01 * torch.randn(16, 30)
std = ((signal * signal).mean(0) - signal.mean(0) ** 2).sqrt()  # <--

def criterion(out):
    return (out.mean(1, keepdim=True) * std).mean()
""")),
    Hazard("H67 exp times erfc", "exp-overflow", (FUNCTION,), fitted("""
def criterion(w):
    return (torch.exp(w * w) * torch.erfc(w)).sum()  # <--
""", "[20.0, 1.0]")),
    Hazard("H68 ratio of gammas", "exp-overflow", (FUNCTION,), fitted("""
def criterion(w):
    return (torch.exp(torch.lgamma(w + 1)) / torch.exp(torch.lgamma(w))).sum()  # <--
""", "[40.0, 3.0]")),
    Hazard("H66 log of a normal tail", "log-of-sigmoid", (FUNCTION,), fitted("""
def criterion(w):
    return -torch.log(0.5 * torch.erfc(-w / 2 ** 0.5)).sum()  # <--
""", "[-20.0, 1.0]")),
    Hazard("H71 entropy", "log-of-zero", (FUNCTION,), fitted("""
def criterion(w):
    p = torch.relu(w) / torch.relu(w).sum()
    return -(p * p.log()).sum()  # <--
""", "[-1.0, 0.5, 0.5]")),
    Hazard("H71 entropy that knows its limit", "log-of-zero", (FUNCTION,), fitted("""
def criterion(w):
    p = torch.relu(w) / torch.relu(w).sum()
    return torch.special.entr(p).sum()  # <--
""", "[-1.0, 0.5, 0.5]")),
    Hazard("H72 divergence with zeros", "log-of-zero", (FUNCTION,), trained("""
p = torch.tensor([1.0, 0.0, 0.0])

def criterion(out):
    q = torch.softmax(out, -1)
    return (p * (p / q).log()).sum(-1).mean()  # <--
""")),
    Hazard("H74 entropy of masked logits", "zero-times-infinity", (FUNCTION,), trained("""
mask = torch.tensor([False, True, False])

def criterion(out):
    lp = F.log_softmax(out.masked_fill(mask, float("-inf")), -1)
    return -(lp.exp() * lp).sum(-1).mean()  # <--
""")),
    Hazard("H75 Gaussian likelihood", "log-of-zero", (FUNCTION, DIVISION, EPSILON), fitted("""
y = torch.tensor([1.0, 2.0])

def criterion(w):
    var = torch.relu(w)
    return (0.5 * (var.log() + (y - 1.0) ** 2 / var)).mean()  # <--
""", "[-1.0, 1.0]")),
    Hazard("H76 divergence of a log-variance", "exp-overflow", (FUNCTION,), trained("""
def criterion(out):
    mu, logvar = out[:, :2], out[:, 2:]
    return 0.5 * (mu ** 2 + logvar.exp() - 1 - logvar).sum(1).mean()  # <--
""", 2000.0, 4)),
    Hazard("H77 root of an exponential", "sqrt-at-zero", (FUNCTION,), fitted("""
def criterion(w):
    std = w.exp().sqrt()  # <--
    return (std * torch.randn(2)).sum()
""", "[-110.0, 0.0]")),
    Hazard("H78 log of a product", "underflowed-product", (FUNCTION,), PRELUDE + """
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
    Hazard("H79 log of a cumulative product", "underflowed-product", (FUNCTION,), fitted("""
def criterion(w):
    survival = torch.cumprod(w, 0)
    return -survival[-1].log()  # <--
""", "[0.1] * 60")),
    Hazard("H80 log of a cumulative sum", "logsumexp-by-hand", (FUNCTION,), fitted("""
def criterion(w):
    return w.exp().cumsum(0).log().sum()  # <--
""", "[0.0, 100.0]")),
    Hazard("H81 policy ratio", "exp-overflow", (FUNCTION,), fitted("""
old = torch.tensor([-95.0, -1.0])

def criterion(w):
    ratio = (w - old).exp()  # <--
    return -(ratio * torch.tensor([1.0, -1.0])).mean()
""", "[-1.0, -1.0]")),
    Hazard("H82 fully masked attention", "fully-masked-softmax", (FUNCTION,), trained("""
keep = torch.ones(16, 3, dtype=torch.bool)
keep[7] = False

def criterion(scores):
    scores = scores.masked_fill(~keep, float("-inf"))
    weights = torch.softmax(scores, -1)  # <--
    return (weights ** 2).mean()
""")),
    Hazard("H109 eigenvectors of equal eigenvalues", "repeated-singular-values", (FUNCTION,), fitted("""
def criterion(w):
    values, vectors = torch.linalg.eigh(w @ w.T)  # <--
    return (vectors * torch.arange(9.0).view(3, 3)).sum() + values.sum()
""", "[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]")),
    Hazard("H110 singular vectors of equal singular values", "repeated-singular-values", (FUNCTION,), fitted("""
def criterion(w):
    u, s, vh = torch.linalg.svd(w)  # <--
    return (u.abs() + vh).sum() + s.sum()
""", "[[1.0, 0.0], [0.0, 1.0]]")),
    Hazard("H108 log of a determinant", "underflowed-product", (FUNCTION,), PRELUDE + """
A = nn.Parameter(0.1 * torch.eye(50))
opt = torch.optim.SGD([A], lr=1e-3)
for step in range(3):
    loss = -torch.log(torch.det(A))  # <--
    opt.zero_grad()
    loss.backward()
    opt.step()
"""),
    Hazard("H116 nan_to_num after the fact", "where-poisoned-branch", (FUNCTION,), fitted("""
def criterion(w):
    return torch.nan_to_num(w.sqrt()).sum()  # <--
""", "[-1.0, 4.0]")),
    Hazard("pairwise by dot products", "sqrt-of-negative", (CANCELLATION,), trained("""
def dist(a):
    sq = (a * a).sum(1)
    d2 = sq[:, None] + sq[None] - 2 * a @ a.T
    return d2.sqrt()  # <--

def criterion(out):
    return dist(out * 30).mean()
""")),
    Hazard("psnr", "log-of-zero", (FUNCTION,), trained("""
def psnr(a, b):
    mse = ((a - b) ** 2).mean()
    return -10 * torch.log10(mse)  # <--

def criterion(out):
    return psnr(out, out.clone()) + out.mean()
""")),
    Hazard("poincare", "inverse-function-at-edge", (FUNCTION,), fitted("""
def distance(u, v):
    d = (u - v).pow(2).sum(-1)
    x = 1 + 2 * d / ((1 - u.pow(2).sum(-1)) * (1 - v.pow(2).sum(-1)))
    return torch.acosh(x)  # <--

def criterion(w):
    return distance(w, w.detach()).sum()
""", "[[0.1, 0.2], [0.3, 0.1]]")),
    Hazard("edge softmax by scatter", "exp-overflow", (FUNCTION,), trained("""
index = torch.randint(0, 4, (16,))

def edge_softmax(score):
    e = score.exp()  # <--
    total = torch.zeros(4).index_add(0, index, e)
    return e / total[index]

def criterion(out):
    return (edge_softmax(out[:, 0]) * out[:, 1]).sum()
""", 3000.0)),
    Hazard("masked entropy", "log-of-softmax", (FUNCTION,), trained("""
legal = torch.tensor([True, True, False])

def criterion(out):
    p = F.softmax(out.masked_fill(~legal, float('-inf')), -1)
    entropy = -(p * p.log()).sum(-1)  # <--
    return -entropy.mean()
""")),
    Hazard("gradient penalty", "norm-at-zero", (FUNCTION,), PRELUDE + """
class Critic(nn.Module):
    def __init__(self):
        super().__init__()
        self.f = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
    def forward(self, x):
        return self.f(x)

critic = Critic()
with torch.no_grad():
    critic.f[0].bias.fill_(-100.0)
opt = torch.optim.Adam(critic.parameters(), lr=1e-3)
for step in range(3):
    x = torch.randn(8, 4, requires_grad=True)
    grad, = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
    norm = torch.sqrt((grad ** 2).sum(1))  # <--
    loss = ((norm - 1) ** 2).mean() + critic(x).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
"""),
    Hazard("nt-xent", "log-of-softmax", (FUNCTION,), trained("""
def nt_xent(z, t=0.005):
    z = F.normalize(z, dim=1)
    sim = torch.exp(z @ z.T / t)  # <--
    mask = 1 - torch.eye(16)
    pos = sim.diagonal(1)
    return -torch.log(pos / (sim * mask).sum(1)[:-1]).mean()

def criterion(out):
    return nt_xent(out)
""")),
    Hazard("focal", "log-of-sigmoid", (FUNCTION,), trained("""
class Focal(nn.Module):
    def __init__(self, gamma):
        super().__init__()
        self.gamma = gamma
    def forward(self, logit, y):
        p = logit.sigmoid()
        pt = p * y + (1 - p) * (1 - y)
        return (-(1 - pt) ** self.gamma * pt.log()).mean()  # <--

y = torch.randint(0, 2, (16, 3)).float()
criterion_ = Focal(2.0)

def criterion(out):
    return criterion_(out, y)
""", 900.0)),
    Hazard("focal gamma", "sqrt-at-zero", (FUNCTION,), fitted("""
def criterion(w):
    p = torch.sigmoid(w)
    return ((1 - p) ** 0.5 * F.softplus(-w)).sum()  # <--
""", "[30.0, 0.0]")),
    Hazard("poisson", "log-of-zero", (FUNCTION,), fitted("""
k = torch.tensor([1.0, 2.0])

def criterion(w):
    rate = F.relu(w)
    return (rate - k * torch.log(rate)).mean()  # <--
""", "[-1.0, 2.0]")),
    Hazard("mixture density", "log-of-zero", (FUNCTION,), trained("""
y = torch.full((16, 1), 60.0)

def criterion(out):
    pi = torch.softmax(out[:, :3], -1)
    mu, sigma = out[:, 3:6], out[:, 6:].exp()
    prob = (pi * torch.exp(-0.5 * ((y - mu) / sigma) ** 2) / sigma).sum(1)
    return -torch.log(prob).mean()  # <--
""", outputs=9)),
    Hazard("sinkhorn", "softmax-by-hand", (FUNCTION, DIVISION), trained("""
def sinkhorn(C, reg=1e-3):
    K = torch.exp(-C / reg)  # <--
    u = torch.ones(16) / 16
    for _ in range(5):
        v = (1 / 16) / (K.T @ u)
        u = (1 / 16) / (K @ v)
    return (u[:, None] * K * v[None] * C).sum()

def criterion(out):
    return sinkhorn(torch.cdist(out, torch.randn(16, 3)))
""")),
    Hazard("quaternion angle", "inverse-function-at-edge", (FUNCTION,), fitted("""
def angle(q1, q2):
    dot = (q1 * q2).sum(-1).abs()
    return 2 * torch.arccos(dot)  # <--

def criterion(w):
    return angle(F.normalize(w, dim=-1), torch.tensor([1.0, 0, 0, 0])).sum()
""", "[1.0, 0.0, 0.0, 0.0]")),
    Hazard("rmse", "norm-at-zero", (FUNCTION,), trained("""
def criterion(out):
    target = out.detach()
    return torch.sqrt(F.mse_loss(out, target))  # <--
""")),
    Hazard("all -inf additive", "fully-masked-softmax", (FUNCTION,), trained("""
bias = torch.zeros(16, 3)
bias[2] = float("-inf")

class Attend(nn.Module):
    def forward(self, s):
        a = F.softmax(s + bias, dim=-1)  # <--
        return a

attend = Attend()

def criterion(out):
    return (attend(out) * out).sum()
""")),
    Hazard("log of cosine", "log-of-zero", (FUNCTION,), trained("""
def criterion(out):
    sim = F.cosine_similarity(out[:8], -out[:8].detach(), dim=1).clamp(min=0)
    return -sim.log().mean()  # <--
""")),
    Hazard("log-ratio KL in PPO", "exp-overflow", (FUNCTION,), fitted("""
old = torch.tensor([-200.0, -1.0])

def criterion(w):
    log_ratio = w - old
    kl = (log_ratio.exp() - 1 - log_ratio).mean()  # <--
    return kl
""", "[-1.0, -1.0]")),
    Hazard("swish by hand", "softmax-by-hand", (FUNCTION,), trained("""
def swish(z):
    return z / (1 + torch.exp(-z))

def criterion(out):
    e = torch.exp(out * out)  # <--
    return (swish(out) * e / (1 + e)).mean()
""", 2000.0)),
    Hazard("entropy bincount", "log-of-zero", (FUNCTION,), trained("""
hist = torch.histc(torch.rand(50), bins=8, min=0, max=2)
p = hist / hist.sum()
H0 = -(p * torch.log2(p)).sum()  # <--

def criterion(out):
    return (out.mean() - H0) ** 2
""")),
    Hazard("cumulative hazard", "log-of-zero", (FUNCTION,), trained("""
def criterion(out):
    surv = torch.cumprod(1 - torch.sigmoid(out), dim=1)
    return -torch.log(surv).mean()  # <--
""", 900.0)),
    Hazard("safe-looking eps outside sqrt", "norm-at-zero", (FUNCTION,), fitted("""
def criterion(w):
    return (torch.sqrt((w ** 2).sum()) + 1e-8).log()  # <--
""", "[0.0, 0.0]")),
    Hazard("where with division", "where-poisoned-branch", (FUNCTION, DIVISION), fitted("""
def criterion(w):
    return torch.where(w != 0, torch.sin(w) / w, torch.ones_like(w)).sum()  # <--
""", "[0.0, 1.0]")),
    Hazard("boolean assignment after log", "where-poisoned-branch", (FUNCTION,), fitted("""
def criterion(w):
    y = torch.log(w)  # <--
    y = y.masked_fill(w <= 0, 0.0)
    return y.sum()
""", "[0.0, 2.0]")),
    Hazard("autocast softmax log", "log-of-sigmoid", (FUNCTION,), PRELUDE + """
net = nn.Linear(8, 3)
opt = torch.optim.SGD(net.parameters(), lr=1e-2)
for step in range(3):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        p = torch.sigmoid(net(torch.randn(16, 8) * 60))
        loss = -(torch.log(1 - p)).mean()  # <--
    opt.zero_grad()
    loss.backward()
    opt.step()
"""),
    Hazard("H69 log of a Bessel function", "nonfinite-result", (FUNCTION,), fitted("""
def criterion(w):
    return torch.log(torch.special.i0(w)).sum()  # <--
""", "[200.0, 1.0]")),
    Hazard("attention entropy reg", "log-of-softmax", (FUNCTION,), trained("""
mask = torch.tensor([0.0, 0.0, -1e9])

def criterion(out):
    a = torch.softmax(out + mask, -1)
    return (a * torch.log(a)).sum(-1).mean()  # <--
""")),
    Hazard("CRF forward", "logsumexp-by-hand", (FUNCTION,), trained("""
trans = nn.Parameter(torch.randn(3, 3))

def forward_score(em):
    alpha = em[0]
    for t in range(1, 16):
        alpha = torch.log(torch.exp(alpha[:, None] + trans).sum(0)) + em[t]  # <--
    return torch.log(torch.exp(alpha).sum())

def criterion(out):
    return forward_score(out)
""", 700.0)),
    Hazard("distance in module", "norm-at-zero", (FUNCTION,), PRELUDE + """
class Proto(nn.Module):
    def __init__(self):
        super().__init__()
        self.p = nn.Parameter(torch.zeros(3, 4))

    def forward(self, x):
        diff = x[:, None, :] - self.p[None]
        return torch.sum(diff ** 2, dim=-1) ** 0.5  # <--

m = Proto()
opt = torch.optim.Adam(m.parameters(), lr=1e-2)
x = torch.randn(8, 4)
x[0] = 0.0
for step in range(3):
    loss = m(x).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
"""),
    Hazard("erfinv", "inverse-function-at-edge", (FUNCTION,), fitted("""
def criterion(w):
    u = torch.sigmoid(w)
    return torch.erfinv(2 * u - 1).sum()  # <--
""", "[30.0, 0.0]")),
    Hazard("normal cdf log", "log-of-sigmoid", (FUNCTION,), fitted("""
def criterion(w):
    cdf = 0.5 * (1 + torch.erf(w / 2 ** 0.5))
    return -cdf.log().sum()  # <--
""", "[-9.0, 0.0]")),
    Hazard("perplexity late blowup", "exp-overflow", (FUNCTION,), fitted("""
def criterion(w):
    return torch.exp(w.pow(2).mean())  # <--
""", "[9.6, 9.4]")),
    Hazard("student-t dof", "nonfinite-result", (FUNCTION, DIVISION), fitted("""
def criterion(w):
    nu = torch.relu(w)
    return (torch.lgamma((nu + 1) / 2) - torch.lgamma(nu / 2)).sum()  # <--
""", "[-1.0, 2.0]")),
    Hazard("beta nll", "log-of-zero", (FUNCTION,), fitted("""
x = torch.tensor([0.0, 0.5])

def criterion(w):
    a, b = F.softplus(w)
    lp = (a - 1) * torch.log(x) + (b - 1) * torch.log(1 - x)  # <--
    return -lp.mean()
""", "[1.0, 2.0]")),
    Hazard("angle between vectors", "inverse-function-at-edge", (FUNCTION,), trained("""
def criterion(out):
    a = F.normalize(out.double(), dim=1)
    cos = (a * a.detach()).sum(1)
    return torch.acos(cos.float()).mean()  # <--
""")),
    Hazard("tempered softmax underflow log", "log-of-softmax", (FUNCTION,), trained("""
def criterion(out):
    attn = F.softmax(out / 0.001, dim=1)
    return -(torch.log(attn) * 0.1).mean()  # <--
""")),
    Hazard("log at the edge of the support", "log-of-zero", (FUNCTION,), fitted("""
def criterion(w):
    return -torch.log(w - 1).sum()  # <--
""", "[1.0, 2.0]")),
    Hazard("log of tanh at zero", "log-of-zero", (FUNCTION,), fitted("""
def criterion(w):
    return torch.log(torch.tanh(w)).sum()  # <--
""", "[0.0, 2.0]")),
    Hazard("where after a quotient", "where-poisoned-branch", (FUNCTION, DIVISION), fitted("""
def criterion(w):
    x = w * 1.0
    ratio = x / x.abs()  # <--
    ratio = torch.where(x == 0, torch.zeros_like(x), ratio)
    return ratio.sum() + x.sum()
""", "[0.0, 2.0]")),
    Hazard("hypot", "norm-at-zero", (FUNCTION, DIVISION), fitted("""
def criterion(w):
    return torch.hypot(w[0], w[1])  # <--
""", "[0.0, 0.0]")),
    Hazard("complex abs angle", "norm-at-zero", (FUNCTION,), fitted("""
def criterion(w):
    mag = torch.sqrt(w[0] ** 2 + w[1] ** 2)  # <--
    return mag.sum()
""", "[[0.0, 1.0], [0.0, 2.0]]")),
    Hazard("stft magnitude silence", "norm-at-zero", (FUNCTION,), PRELUDE + """
class SpecLoss(nn.Module):
    def forward(self, x, y):
        X = torch.stft(x, 32, return_complex=True, window=torch.hann_window(32))
        mag = torch.sqrt(X.real ** 2 + X.imag ** 2)  # <--
        return (mag - 1.0).abs().mean()

gain = nn.Parameter(torch.ones(1))
opt = torch.optim.Adam([gain], lr=1e-2)
audio = torch.randn(1, 256)
audio[:, 96:] = 0.0
for step in range(3):
    loss = SpecLoss()(audio * gain, None)
    opt.zero_grad()
    loss.backward()
    opt.step()
"""),
    Hazard("log spectrogram", "log-of-zero", (FUNCTION,), PRELUDE + """
net = nn.Linear(17, 1)
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
audio = torch.randn(1, 256)
audio[:, 96:] = 0.0
S = torch.stft(audio, 32, return_complex=True, window=torch.hann_window(32)).abs()
feat = torch.log10(S)[0].T  # <--
for step in range(3):
    loss = net(feat).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
"""),
    Hazard("ratio clip after exp", "exp-overflow", (FUNCTION,), fitted("""
old = torch.tensor([-100.0, -1.0])

def criterion(w):
    ratio = torch.exp(w - old)  # <--
    surr = torch.min(ratio * -1.0, torch.clamp(ratio, 0.8, 1.2) * -1.0)
    return -surr.mean()
""", "[-1.0, -1.0]")),
    Hazard("spread of a collapsed representation", "std-at-zero", (FUNCTION,), trained("""
def vicreg(z):
    std = torch.sqrt(z.var(dim=0))  # <--
    return F.relu(1 - std).mean()

def criterion(out):
    return vicreg(out * 0.0)
""")),
]  # fmt: skip

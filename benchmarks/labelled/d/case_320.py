import torch
from torch import nn
import torch.nn.functional as F

torch.manual_seed(23)
N, GROUPS = 120, 4

group = torch.arange(N) % GROUPS
prob = torch.where(group[:, None] == group[None, :], 0.35, 0.02)
upper = torch.triu((torch.rand(N, N) < prob).float(), 1)
adj = upper + upper.T
loops = adj + torch.eye(N)
deg = loops.sum(1)
norm_adj = loops / torch.sqrt(deg[:, None] * deg[None, :])
features = torch.cat([2500.0 * adj[:, ::6], 40.0 * torch.rand(N, 8)], 1)


class GraphLayer(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.lin = nn.Linear(i, o, bias=False)

    def forward(self, a, x):
        return a @ self.lin(x)


class GraphVAE(nn.Module):
    def __init__(self, n_feat, hidden=32, latent=8):
        super().__init__()
        self.base = GraphLayer(n_feat, hidden)
        self.mean = GraphLayer(hidden, latent)
        self.logvar = GraphLayer(hidden, latent)

    def encode(self, a, x):
        h = F.relu(self.base(a, x))
        return self.mean(a, h), self.logvar(a, h).clamp(-10.0, 4.0)

    def forward(self, a, x):
        mu, logvar = self.encode(a, x)
        z = mu + torch.randn_like(mu) * torch.exp(0.5 * logvar)
        return z @ z.T, mu, logvar


model = GraphVAE(features.shape[1])
opt = torch.optim.Adam(model.parameters(), lr=1e-2)
pos_weight = (N * N - adj.sum()) / adj.sum()
for it in range(200):
    logits, mu, logvar = model(norm_adj, features)
    recon = F.binary_cross_entropy_with_logits(logits, loops, pos_weight=pos_weight)
    kl = -0.5 * (1 + logvar - mu ** 2 - logvar.exp()).sum(1).mean() / N
    loss = recon + kl
    opt.zero_grad()
    loss.backward()
    opt.step()
    if it % 20 == 0:
        print(f"iter {it:3d} loss {loss.item():.4f} recon {recon.item():.4f} kl {kl.item():.4f}")

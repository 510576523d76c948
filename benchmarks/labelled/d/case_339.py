import argparse
import torch
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--factors", type=int, default=8)
parser.add_argument("--lr", type=float, default=0.02)
parser.add_argument("--epochs", type=int, default=15)
opt_args = parser.parse_args()

torch.manual_seed(3)
N_USERS, N_ITEMS = 150, 120

taste = torch.randn(N_USERS, 6)
genre = torch.randn(N_ITEMS, 6)
full = 3.5 + taste @ genre.T / 6 ** 0.5
seen = torch.rand(N_USERS, N_ITEMS) < 0.4
user_idx, item_idx = seen.nonzero(as_tuple=True)
rating = full[user_idx, item_idx] + 0.1 * torch.randn(len(user_idx))


class Factorizer(nn.Module):
    def __init__(self, n_users, n_items, k):
        super().__init__()
        self.mu = nn.Parameter(torch.tensor(3.5))
        self.P = nn.Parameter(torch.full((n_users, k), 0.1))
        self.Q = nn.Parameter(torch.full((n_items, k), 0.1))
        self.bu = nn.Parameter(torch.zeros(n_users))
        self.bi = nn.Parameter(torch.zeros(n_items))

    def forward(self, u, i):
        return self.mu + self.bu[u] + self.bi[i] + (self.P[u] * self.Q[i]).sum(1)


model = Factorizer(N_USERS, N_ITEMS, opt_args.factors)
optimizer = torch.optim.Adam(model.parameters(), lr=opt_args.lr)

for epoch in range(opt_args.epochs):
    total = 0.0
    for idx in torch.randperm(len(rating)).split(400):
        pred = model(user_idx[idx], item_idx[idx])
        loss = ((pred - rating[idx]) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(idx)
    print(f"epoch {epoch:2d} train mse {total / len(rating):.4f}")
with torch.no_grad():
    u, i = (~seen).nonzero(as_tuple=True)
    print("held-out rmse", ((model(u, i) - full[u, i]) ** 2).mean().sqrt().item())

import torch
from torch import nn

torch.manual_seed(0)
EXPERTS, DIM = 6, 10


class Expert(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.up = nn.Linear(dim, hidden)
        self.down = nn.Linear(hidden, 1)

    def forward(self, x):
        return self.down(torch.relu(self.up(x))).squeeze(-1)


class Gate(nn.Module):
    def __init__(self, dim, n):
        super().__init__()
        self.route = nn.Linear(dim, n)

    def forward(self, x):
        score = self.route(x)
        weight = torch.exp(score - score.max(-1, keepdim=True).values)
        return weight / weight.sum(-1, keepdim=True)


class Mixture(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate = Gate(DIM, EXPERTS)
        self.experts = nn.ModuleList([Expert(DIM, 16) for _ in range(EXPERTS)])

    def forward(self, x):
        w = self.gate(x)
        y = torch.stack([e(x) for e in self.experts], -1)
        return (w * y).sum(-1), w


spread = torch.tensor([1.0, 1.0, 3.0, 12.0, 120.0, 1.0, 2.0, 8.0, 80.0, 1.0])
direction = torch.randn(3, DIM)
slopes = torch.randn(3, DIM) / spread


def readings(n):
    x = torch.randn(n, DIM) * spread
    regime = ((x / spread) @ direction.T).argmax(1)
    return x, (x * slopes[regime]).sum(1) + 0.1 * torch.randn(n)


model = Mixture()
opt = torch.optim.Adam(model.parameters(), lr=5e-3)
losses = []
for step in range(300):
    x, y = readings(128)
    pred, w = model(x)
    usage = w.mean(0)
    loss = nn.functional.mse_loss(pred, y) + 0.01 * EXPERTS * (usage ** 2).sum()
    opt.zero_grad()
    loss.backward()
    opt.step()
    losses.append(loss.item())
    if step % 25 == 0:
        print(step, round(loss.item(), 4), [round(u, 2) for u in usage.tolist()])

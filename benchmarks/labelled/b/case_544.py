import math
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class MDN(nn.Module):
    def __init__(self, hidden=48, parts=4):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(1, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh())
        self.share = nn.Linear(hidden, parts)
        self.mean = nn.Linear(hidden, parts)
        self.log_sd = nn.Linear(hidden, parts)

    def forward(self, x):
        h = self.body(x)
        return torch.softmax(self.share(h), 1), self.mean(h), self.log_sd(h)


def negative_log_likelihood(params, y):
    share, mean, log_sd = params
    z = (y - mean) / log_sd.exp()
    density = torch.exp(-0.5 * z ** 2 - log_sd - 0.5 * math.log(2 * math.pi))
    likelihood = (share * density).sum(1)
    return -torch.log(likelihood).mean()


torch.manual_seed(70)
y = torch.rand(1200, 1) * 50 - 25
x = y / 25 + 0.4 * torch.sin(6.0 * y / 25) + 0.03 * torch.randn(1200, 1)
loader = DataLoader(TensorDataset(x, y), batch_size=60, shuffle=True)
mdn = MDN()
opt = torch.optim.Adam(mdn.parameters(), lr=1e-2)
for epoch in range(20):
    for xb, yb in loader:
        loss = negative_log_likelihood(mdn(xb), yb)
        opt.zero_grad()
        loss.backward()
        opt.step()
    if epoch % 2 == 0:
        print(f"epoch {epoch:2d} nll {loss.item():.4f}")

"""Add the two marked numbers of a sequence: recurrent network with clipped gradients."""
import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(47)
width, length = 32, 12


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.RNN(2, width, batch_first=True)
        self.head = nn.Linear(width, 1)
        nn.init.orthogonal_(self.cell.weight_hh_l0)

    def forward(self, x):
        states, _ = self.cell(x)
        return self.head(states[:, -1]).squeeze(1)


def batch(count):
    values = torch.rand(count, length)
    marked = torch.zeros(count, length)
    places = torch.rand(count, length).topk(2, dim=1).indices
    marked.scatter_(1, places, 1.0)
    return torch.stack([values, marked], -1), (values * marked).sum(1)


model = Recurrent()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
clipped = 0
for step in range(400):
    x, y = batch(64)
    loss = F.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    norm = nn.utils.clip_grad_norm_(model.parameters(), 2.0)
    clipped += int(norm > 2.0)
    optimizer.step()
    if step % 100 == 0 or step == 399:
        print(f"step {step:3d} loss {loss.item():.4f} gradient norm {norm.item():.3f}")
x, y = batch(1000)
with torch.no_grad():
    error = F.mse_loss(model(x), y).item()
print(f"test error {error:.4f} against a variance of {y.var().item():.4f}, clipped steps {clipped} of 400")

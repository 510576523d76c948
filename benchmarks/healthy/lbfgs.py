"""LBFGS with strong Wolfe line search"""

import torch
from torch import nn

torch.manual_seed(0)
torch.set_default_dtype(torch.float64)


class Wave(nn.Module):
    """A network that predicts the next value of a sine wave from the last eight."""

    def __init__(self, order=8):
        super().__init__()
        self.order = order
        self.net = nn.Sequential(nn.Linear(order, 24), nn.Tanh(), nn.Linear(24, 1))

    def forward(self, windows):
        return self.net(windows)[:, 0]


time = torch.arange(400) / 20
signal = torch.sin(time) + 0.5 * torch.sin(3.1 * time + 1) + 0.02 * torch.randn(400)
windows = signal.unfold(0, 9, 1)
x, y = windows[:, :-1], windows[:, -1]

model = Wave()
criterion = nn.MSELoss()
optimizer = torch.optim.LBFGS(model.parameters(), lr=1.0, max_iter=2, history_size=10, line_search_fn="strong_wolfe")
for i in range(200):

    def closure():
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        return loss

    loss = optimizer.step(closure)
    if i % 25 == 0:
        print(f"iteration {i}: loss {loss.item():.3e}")

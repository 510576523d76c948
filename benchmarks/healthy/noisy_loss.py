"""batches of one, loss at its noise floor from early on"""

import torch
from torch import nn

torch.manual_seed(0)
slope = torch.tensor([1.0, -2.0, 0.5])
model = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=5e-3)
average = None
for step in range(1500):
    x = torch.randn(1, 3)
    y = x @ slope + 1.5 * torch.randn(1)
    loss = nn.functional.mse_loss(model(x).squeeze(1), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    average = loss.item() if average is None else 0.99 * average + 0.01 * loss.item()
    if step % 150 == 0:
        print(f"step {step}: loss {loss.item():.3f}, average {average:.3f}")

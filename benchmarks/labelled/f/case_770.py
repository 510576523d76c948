"""Concrete strength from mix proportions with a small network."""
import torch
from torch import nn

torch.manual_seed(19)
n, d = 900, 8
scale = torch.tensor([100.0, 80.0, 60.0, 20.0, 5.0, 75.0, 70.0, 40.0])
offset = torch.tensor([280.0, 75.0, 55.0, 180.0, 6.0, 970.0, 770.0, 45.0])
x = offset + scale * torch.randn(n, d)
z = (x - offset) / scale
strength = 35 + 8 * z[:, 0] - 6 * z[:, 3] + 4 * torch.tanh(z[:, 7]) + 1.5 * torch.randn(n)
train, test = slice(0, 700), slice(700, n)

mean = x[train].mean(0)
centred = x - mean
deviation = (centred[train] ** 2).mean(0).sqrt()
inputs = centred / deviation
target = (strength - strength[train].mean()) / strength[train].std()

model = nn.Sequential(nn.Linear(d, 48), nn.SiLU(), nn.Linear(48, 48), nn.SiLU(), nn.Linear(48, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3, weight_decay=1e-4)
for epoch in range(40):
    for batch in torch.randperm(700).split(50):
        loss = ((model(inputs[train][batch]).squeeze(1) - target[train][batch]) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 8 == 0 or epoch == 39:
        with torch.no_grad():
            residual = model(inputs[test]).squeeze(1) - target[test]
        r2 = 1 - (residual ** 2).sum() / ((target[test] - target[test].mean()) ** 2).sum()
        print(f"epoch {epoch:2d} training loss {loss.item():.4f} test R2 {r2.item():.4f}")

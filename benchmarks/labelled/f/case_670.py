"""Predict from the pause before a click whether a visitor comes back."""
import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(9)
visitors, clicks = 600, 12
start = 1_721_000_000 + torch.randint(0, 86_400, (visitors, 1), dtype=torch.int64)
returns = torch.randint(0, 2, (visitors,))
pause = torch.empty(visitors, clicks).exponential_() * torch.where(returns == 1, 6.0, 14.0)[:, None] + 1
stamps = start + pause.cumsum(1).long()

times = stamps.to(torch.float32)
gaps = times[:, 1:] - times[:, :-1]
features = torch.log1p(gaps)
features = (features - features.mean()) / (features.std() + 1e-6)
labels = returns.float()
train = torch.arange(visitors) < 450

model = nn.Sequential(nn.Linear(clicks - 1, 32), nn.ReLU(), nn.Linear(32, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3, weight_decay=1e-2)
for epoch in range(120):
    logits = model(features[train]).squeeze(1)
    loss = F.binary_cross_entropy_with_logits(logits, labels[train])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if epoch % 30 == 0 or epoch == 119:
        with torch.no_grad():
            held_out = model(features[~train]).squeeze(1)
        accuracy = ((held_out > 0).float() == labels[~train]).float().mean().item()
        print(f"epoch {epoch:3d} loss {loss.item():.4f} test accuracy {accuracy:.3f}")
print("mean pause [s]:", gaps.mean().item(), "median pause [s]:", gaps.median().item())

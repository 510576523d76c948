"""Train a small tagger under autocast and report the mean loss of the epoch so far."""
import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(4)
n, d = 12_000, 20
x = torch.randn(n, d)
direction = torch.randn(d)
label = (x @ direction / direction.norm() + 1.6 * torch.randn(n) > 0).long()
dtype = torch.bfloat16
model = nn.Sequential(nn.Linear(d, 32), nn.ReLU(), nn.Linear(32, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)

for epoch in range(1):
    order = torch.randperm(n)
    running = torch.zeros((), dtype=dtype)
    steps = 0
    for batch in order.split(8):
        with torch.autocast("cpu", dtype=dtype):
            loss = F.cross_entropy(model(x[batch]), label[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        running += loss.detach()
        steps += 1
        if steps in (50, 200, 500, 1000, 1500):
            print(f"epoch {epoch} step {steps:4d} mean loss so far {running.item() / steps:.4f}")
    with torch.no_grad():
        full = F.cross_entropy(model(x), label)
        accuracy = (model(x).argmax(1) == label).float().mean()
    print(f"epoch {epoch} evaluation: loss {full.item():.4f} accuracy {accuracy.item():.3f}")

import numpy as np
import torch
from torch import nn

rng = np.random.default_rng(90)
hours = 2000
front = np.cumsum(rng.normal(0, 1, hours))
front = (front - front.mean()) / front.std()
temperature = 285 + 6 * np.sin(np.arange(hours) / 24 * 2 * np.pi) - 2 * front + rng.normal(0, 0.5, hours)
pressure = 101_325 + 900 * front + rng.normal(0, 40, hours)
humidity = 0.6 - 0.15 * front + rng.normal(0, 0.03, hours)
rain = (front + 0.2 * rng.normal(size=hours) < -0.4).astype(np.float32)

cache = torch.from_numpy(np.stack([temperature, pressure, humidity], axis=1)).half()
sensors = cache.float()
mu, sd = sensors.mean(0), sensors.std(0)
sensors = (sensors - mu) / sd
target = torch.from_numpy(rain)

torch.manual_seed(0)
w = torch.zeros(3, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
lr = 0.3
for epoch in range(200):
    logit = sensors @ w + b
    loss = nn.functional.binary_cross_entropy_with_logits(logit, target)
    loss.backward()
    with torch.no_grad():
        for p in (w, b):
            p -= lr * p.grad
            p.grad = None
    if epoch % 20 == 0:
        acc = ((logit > 0) == (target > 0.5)).float().mean().item()
        print(f"epoch {epoch:3d} loss {loss.item():.4f} accuracy {acc:.3f}")

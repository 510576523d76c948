"""contrastive learning, InfoNCE with temperature 0.07"""

import torch
import torch.nn.functional as F
from torch import nn


class Encoder(nn.Module):
    def __init__(self, length=64, dim=32):
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Linear(length, 128),
            nn.BatchNorm1d(128),
            nn.ReLU(),
            nn.Linear(128, 128),
            nn.BatchNorm1d(128),
            nn.ReLU(),
        )
        self.projection = nn.Linear(128, dim)

    def forward(self, x):
        return F.normalize(self.projection(self.backbone(x)), dim=1)


def augment(signal):
    """Random loudness, a small shift, and noise."""
    loudness = 0.7 + 0.6 * torch.rand(len(signal), 1)
    shift = int(torch.randint(-3, 4, ()))
    return loudness * torch.roll(signal, shift, dims=1) + 0.1 * torch.randn_like(signal)


def nt_xent(z1, z2, temperature=0.07):
    z = torch.cat([z1, z2])
    similarity = z @ z.T / temperature
    similarity.fill_diagonal_(float("-inf"))
    n = len(z1)
    target = torch.cat([torch.arange(n, 2 * n), torch.arange(n)])
    return F.cross_entropy(similarity, target)


torch.manual_seed(0)
time = torch.linspace(0, 1, 64)
frequency, phase = 12 * torch.rand(1000, 3, 1), 6.28 * torch.rand(1000, 3, 1)
signals = torch.sin(6.28 * frequency * time + phase).sum(1)
model = Encoder()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-6)
for epoch in range(25):
    for batch in torch.randperm(len(signals)).split(100):
        view = signals[batch]
        loss = nt_xent(model(augment(view)), model(augment(view)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 5 == 4:
        print(f"epoch {epoch + 1}: {loss.item():.4f}")

"""mixed precision, bfloat16 autocast"""

import torch
from torch import nn


class Mixer(nn.Module):
    """Two layers of an MLP-mixer over patches."""

    def __init__(self, patches=16, channels=32):
        super().__init__()
        self.embed = nn.Linear(16, channels)
        self.norms = nn.ModuleList(nn.LayerNorm(channels) for _ in range(4))
        self.tokens = nn.ModuleList(self.mlp(patches, 64) for _ in range(2))
        self.channels = nn.ModuleList(self.mlp(channels, 64) for _ in range(2))
        self.head = nn.Linear(channels, 4)

    @staticmethod
    def mlp(size, hidden):
        return nn.Sequential(nn.Linear(size, hidden), nn.GELU(), nn.Linear(hidden, size))

    def forward(self, image):
        patches = nn.functional.unfold(image, 4, stride=4).transpose(1, 2)
        x = self.embed(patches)
        for i in range(2):
            x = x + self.tokens[i](self.norms[2 * i](x).transpose(1, 2)).transpose(1, 2)
            x = x + self.channels[i](self.norms[2 * i + 1](x))
        return self.head(x.mean(dim=1))


def quadrants(n):
    """In which quarter of the picture is the bright patch?"""
    label = torch.randint(4, (n,))
    image = 0.5 * torch.randn(n, 1, 16, 16)
    row = (label // 2) * 8 + torch.randint(0, 5, (n,))
    column = (label % 2) * 8 + torch.randint(0, 5, (n,))
    for i in range(n):
        image[i, 0, row[i] : row[i] + 4, column[i] : column[i] + 4] += 1.0
    return image, label


torch.manual_seed(0)
model = Mixer()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
for step in range(300):
    image, label = quadrants(32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(image)
        loss = nn.functional.cross_entropy(logits, label)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 30 == 0:
        print(f"step {step}: loss {loss.item():.4f}")

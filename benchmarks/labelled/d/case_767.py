import math
import torch
from torch import nn
import torch.nn.functional as F

torch.manual_seed(29)

PRIOR = 0.01
WIDTH = 24


class DenseHead(nn.Module):
    """Small anchor-free detector: one objectness logit per cell"""

    def __init__(self, width=WIDTH):
        super().__init__()
        layers = []
        cin = 1
        for _ in range(3):
            layers += [nn.Conv2d(cin, width, 3, padding=1), nn.ReLU()]
            cin = width
        self.tower = nn.Sequential(*layers)
        self.cls_logits = nn.Conv2d(width, 1, 3, padding=1)
        self._init_weights()

    def _init_weights(self):
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_uniform_(m.weight, nonlinearity="relu")
                nn.init.constant_(m.bias, 0.0)
        nn.init.constant_(self.cls_logits.bias, -math.log((1 - PRIOR) / PRIOR))

    def forward(self, x):
        return self.cls_logits(self.tower(x)).squeeze(1)


def focal_loss(logits, target, alpha=0.25, gamma=2.0):
    p = torch.sigmoid(logits)
    ce = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    pt = p * target + (1 - p) * (1 - target)
    weight = alpha * target + (1 - alpha) * (1 - target)
    return (weight * (1 - pt) ** gamma * ce).sum() / target.sum().clamp(min=1)


def scenes(n, size=20):
    img = 0.2 * torch.rand(n, 1, size, size)
    centre = torch.zeros(n, size, size)
    for i in range(n):
        for _ in range(2):
            r, c = torch.randint(2, size - 2, (2,)).tolist()
            img[i, 0, r - 1:r + 2, c - 1:c + 2] += 0.8
            centre[i, r, c] = 1
    return img.clamp(max=1), centre


images, centres = scenes(160)
model = DenseHead()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
for epoch in range(12):
    total = 0.0
    for idx in torch.randperm(len(images)).split(16):
        loss = focal_loss(model(images[idx]), centres[idx])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
    with torch.no_grad():
        p = torch.sigmoid(model(images))
    print(f"epoch {epoch} loss {total / 10:.4f} score on centres {p[centres > 0].mean().item():.3f} elsewhere {p[centres == 0].mean().item():.3f}")

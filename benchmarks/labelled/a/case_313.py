import math
import torch
import torch.nn as nn
import torch.nn.functional as F

PRIOR = 0.01


class HeatmapHead(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.tower = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1), nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1), nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1), nn.ReLU(),
        )
        self.score = nn.Conv2d(width, 1, 3, padding=1)
        bias_value = -math.log((1 - PRIOR) / PRIOR)
        for m in [self.score]:
            if isinstance(m, nn.Conv2d):
                nn.init.constant_(m.bias, bias_value)

    def forward(self, x):
        return self.score(self.tower(x))


def focal_loss(logits, target, gamma=2.0, alpha=0.75):
    ce = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    p = torch.sigmoid(logits)
    p_t = p * target + (1 - p) * (1 - target)
    a_t = alpha * target + (1 - alpha) * (1 - target)
    return (a_t * (1 - p_t) ** gamma * ce).sum() / target.sum().clamp(min=1)


def scenes(n, size=20):
    image = 0.3 * torch.rand(n, 1, size, size)
    target = torch.zeros(n, 1, size, size)
    for i in range(n):
        for _ in range(2):
            r, c = torch.randint(1, size - 1, (2,)).tolist()
            image[i, 0, r - 1:r + 2, c - 1:c + 2] += 0.7
            target[i, 0, r, c] = 1.0
    return image, target


torch.manual_seed(2)
head = HeatmapHead()
optimizer = torch.optim.Adam(head.parameters(), lr=3e-3)
for it in range(180):
    image, target = scenes(8)
    loss = focal_loss(head(image), target)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if it % 20 == 0:
        print(f"iter {it:3d} focal loss {loss.item():.4f}")
print("last", loss.item())

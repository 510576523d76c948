import torch
from torch import nn

torch.manual_seed(9)
PEOPLE, SHOTS, SIZE = 25, 4, 12
base = torch.rand(PEOPLE, 1, 1, SIZE, SIZE)
gallery = (base + 0.15 * torch.randn(PEOPLE, SHOTS, 1, SIZE, SIZE)).clamp(0, 1)


def pairs(n):
    a = torch.randint(0, PEOPLE, (n,))
    same = torch.rand(n) < 0.5
    b = torch.where(same, a, (a + torch.randint(1, PEOPLE, (n,))) % PEOPLE)
    first = gallery[a, torch.randint(0, SHOTS, (n,))]
    second = gallery[b, torch.randint(0, SHOTS, (n,))]
    return first, second, same.float()


class FaceBranch(nn.Module):
    def __init__(self, dim=16):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        )
        self.project = nn.Linear(16 * 9, dim)

    def forward(self, x):
        return self.project(self.features(x).flatten(1))


def euclidean(u, v):
    return torch.sqrt(((u - v) ** 2).sum(1))


def contrastive(distance, same, margin=2.0):
    return (same * distance ** 2 + (1 - same) * (margin - distance).clamp(min=0) ** 2).mean()


branch = FaceBranch()
optimizer = torch.optim.Adam(branch.parameters(), lr=2e-3)
for step in range(200):
    x1, x2, same = pairs(32)
    d = euclidean(branch(x1), branch(x2))
    loss = contrastive(d, same)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 20 == 0:
        print(f"step {step} loss {loss.item():.4f} same {d[same == 1].mean().item():.3f} different {d[same == 0].mean().item():.3f}")

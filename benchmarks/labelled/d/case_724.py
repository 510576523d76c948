import torch
from torch import nn
import torch.nn.functional as F

torch.manual_seed(73)


class Embedder(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv1d(1, 16, 5, stride=2), nn.ReLU(),
            nn.Conv1d(16, 32, 5, stride=2), nn.ReLU(),
            nn.AdaptiveAvgPool1d(4), nn.Flatten(),
        )
        self.proj = nn.Linear(128, 16)

    def forward(self, x):
        return self.proj(self.conv(x[:, None]))


class ContrastiveLoss(nn.Module):
    def __init__(self, margin=1.0, eps=1e-7):
        super().__init__()
        self.margin, self.eps = margin, eps

    def forward(self, a, b, same):
        dist = torch.sqrt(((a - b) ** 2).sum(1) + self.eps)
        pull = same * dist ** 2
        push = (1 - same) * F.relu(self.margin - dist) ** 2
        return 0.5 * (pull + push).mean()


speakers = torch.randn(20, 64).cumsum(1)
speakers = (speakers - speakers.mean(1, keepdim=True)) / speakers.std(1, keepdim=True)
who = torch.arange(20).repeat_interleave(15)
bank = speakers[who] + 0.4 * torch.randn(300, 64)

net = Embedder()
criterion = ContrastiveLoss()
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
for step in range(300):
    i = torch.randint(0, 300, (64,))
    other = torch.randint(0, 300, (64,))
    mate = who[i] * 15 + torch.randint(0, 15, (64,))
    j = torch.where(torch.rand(64) < 0.5, mate, other)
    same = (who[i] == who[j]).float()
    loss = criterion(net(bank[i]), net(bank[j]), same)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 30 == 0:
        print(f"step {step:3d} contrastive {loss.item():.4f}")
print("final", loss.item())

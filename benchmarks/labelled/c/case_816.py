import torch
from torch import nn
import torch.nn.functional as F

torch.manual_seed(2)
MELS, FRAMES, CLASSES = 20, 24, 4


def log_mel(n):
    """decibels below full scale, between -80 and 0"""
    label = torch.randint(0, CLASSES, (n,))
    power = 1e-5 * torch.rand(n, 1, MELS, FRAMES)
    for i, c in enumerate(label.tolist()):
        start = int(torch.randint(0, FRAMES - 10, (1,)))
        power[i, 0, 4 * c + 2:4 * c + 5, start:start + 10] += 0.2 * torch.rand(3, 10)
    return (10 * torch.log10(power + 1e-8)).clamp(-80, 0) / 80, label


class PreActBlock(nn.Module):
    def __init__(self, c_in, c_out, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(c_in, c_out, 3, stride=stride, padding=1)
        self.conv2 = nn.Conv2d(c_out, c_out, 3, padding=1)
        self.shortcut = nn.Conv2d(c_in, c_out, 1, stride=stride)

    def forward(self, x):
        x = F.relu(x)
        out = self.conv2(F.relu(self.conv1(x)))
        return out + self.shortcut(x)


class AudioNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.Sequential(nn.Conv2d(1, 12, 3, padding=1), PreActBlock(12, 12, 1), PreActBlock(12, 24, 2))
        self.head = nn.Linear(24 * (MELS // 2), CLASSES)

    def forward(self, x):
        h = F.relu(self.blocks(x)).mean(3).flatten(1)
        return self.head(h)


x, y = log_mel(400)
model = AudioNet()
opt = torch.optim.Adam(model.parameters(), lr=1e-3)
for epoch in range(8):
    total = hits = 0
    for idx in torch.randperm(len(x)).split(40):
        out = model(x[idx])
        loss = F.cross_entropy(out, y[idx])
        opt.zero_grad()
        loss.backward()
        opt.step()
        total += loss.item() * len(idx)
        hits += (out.argmax(1) == y[idx]).sum().item()
    print(f"epoch {epoch} loss {total / len(x):.4f} accuracy {hits / len(x):.3f}")

import torch
import torch.nn as nn
import torch.nn.functional as F


class ResidualBlock(nn.Module):
    def __init__(self, channels, dilation):
        super().__init__()
        self.conv = nn.Conv1d(channels, channels, 3, padding=dilation, dilation=dilation)
        self.mix = nn.Conv1d(channels, channels, 1)
        nn.init.zeros_(self.mix.bias)
        nn.init.normal_(self.mix.weight, std=0.05)

    def forward(self, x):
        branch = self.mix(torch.relu(self.conv(x)))
        return 0.5 * (x + branch)


class TCN(nn.Module):
    """sequence in, one class per sequence out"""

    def __init__(self, channels=12, stacks=7):
        super().__init__()
        self.inp = nn.Conv1d(2, channels, 1)
        self.blocks = nn.Sequential(*[ResidualBlock(channels, d) for _ in range(stacks) for d in (1, 2, 4)])
        self.cls = nn.Linear(channels, 3)

    def forward(self, x):
        return self.cls(self.blocks(self.inp(x)).amax(-1))


def ecg(n, length=48):
    kind = torch.randint(0, 3, (n,))
    signal = 0.15 * torch.randn(n, 2, length)
    beat = torch.tensor([[0.0, 1.0, -1.0, 0.0], [0.0, 1.0, 0.0, -1.0], [1.0, 1.0, -1.0, -1.0]])
    for i in range(n):
        for s in torch.randint(0, length - 4, (3,)).tolist():
            signal[i, 0, s:s + 4] += beat[kind[i]]
            signal[i, 1, s:s + 4] -= 0.5 * beat[kind[i]]
    return signal, kind


torch.manual_seed(18)
x, y = ecg(320)
tcn = TCN()
optimizer = torch.optim.SGD(tcn.parameters(), lr=0.03, momentum=0.9, nesterov=True)
for epoch in range(12):
    running = 0.0
    for idx in torch.randperm(320).split(32):
        loss = F.cross_entropy(tcn(x[idx]), y[idx])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        running += loss.item() / 10
    print(f"[{epoch + 1:2d}] loss: {running:.4f}")

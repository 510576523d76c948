import torch
from torch import nn

torch.manual_seed(44)


def traces(n, length=128):
    t = torch.arange(length) / length
    pick = torch.randint(0, 3, (n,))
    freq = torch.tensor([6.0, 11.0, 17.0])[pick][:, None]
    phase = 6.28 * torch.rand(n, 1)
    wave = torch.sin(6.28 * freq * t + phase) + 0.5 * torch.randn(n, length)
    gain = 2e-3 * (0.5 + torch.rand(n, 1))
    return (gain * wave)[:, None], pick


class PhaseNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.level = nn.InstanceNorm1d(1, eps=1e-9)
        self.features = nn.Sequential(
            nn.Conv1d(1, 16, 15, padding=7), nn.ReLU(), nn.MaxPool1d(4),
            nn.Conv1d(16, 16, 7, padding=3), nn.ReLU(), nn.AdaptiveMaxPool1d(1),
        )
        self.head = nn.Linear(16, 3)

    def forward(self, x):
        return self.head(self.features(self.level(x)).flatten(1))


model = PhaseNet()
opt = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
for step in range(300):
    x, y = traces(32)
    logits = model(x)
    loss = nn.functional.cross_entropy(logits, y)
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 30 == 0:
        print(f"step {step:3d} loss {loss.item():.4f} accuracy {(logits.argmax(1) == y).float().mean().item():.2f}")

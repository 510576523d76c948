import torch
from torch import nn
import torch.nn.functional as F

torch.manual_seed(1)
BATCH, CHANNELS, LENGTH, TEMPERATURE = 32, 3, 40, 0.07
patterns = torch.randn(300, CHANNELS, LENGTH)


def augment(x):
    gain = 0.7 + 0.6 * torch.rand(len(x), CHANNELS, 1)
    keep = (torch.rand(len(x), 1, LENGTH) > 0.15).float()
    return gain * x * keep + 0.4 * torch.randn_like(x)


class SignalEncoder(nn.Module):
    def __init__(self, width=64, out=32):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(CHANNELS * LENGTH, width), nn.ReLU(), nn.Linear(width, width))
        self.projector = nn.Sequential(nn.ReLU(), nn.Linear(width, out))

    def forward(self, x):
        return F.normalize(self.projector(self.net(x)), dim=1)


def nt_xent(z1, z2):
    z = torch.cat([z1, z2])
    similarity = (z @ z.T).float()
    weight = torch.exp(similarity / TEMPERATURE)
    weight = weight * (1 - torch.eye(len(z)))
    positive = torch.cat([weight.diagonal(len(z1)), weight.diagonal(-len(z1))])
    return -torch.log(positive / weight.sum(1)).mean()


encoder = SignalEncoder()
optimizer = torch.optim.Adam(encoder.parameters(), lr=2e-3)
losses = []
for step in range(200):
    x = patterns[torch.randperm(len(patterns))[:BATCH]]
    with torch.autocast("cpu", dtype=torch.float16):
        loss = nt_xent(encoder(augment(x)), encoder(augment(x)))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
    if step % 20 == 0:
        print(f"step {step} contrastive loss {loss.item():.4f}")
print("last ten", sum(losses[-10:]) / 10)

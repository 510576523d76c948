import torch
from torch import nn

torch.manual_seed(9)


def spectrogram_db(n, bins=48, frames=16):
    f = torch.linspace(0, 1, bins)[None, :, None]
    centre = torch.rand(n, 1, 1)
    width = 0.03 + 0.07 * torch.rand(n, 1, 1)
    rate = torch.rand(n, 1, 1) * 0.5
    t = torch.linspace(0, 1, frames)[None, None, :]
    power = torch.exp(-((f - centre - rate * t) / width) ** 2) + 1e-3 * torch.rand(n, bins, frames)
    return 10 * torch.log10(power + 1e-5)


class ConvAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv1d(48, 32, 3, stride=2, padding=1), nn.ELU(),
            nn.Conv1d(32, 8, 3, stride=2, padding=1), nn.ELU(),
        )
        self.decoder = nn.Sequential(
            nn.ConvTranspose1d(8, 32, 4, stride=2, padding=1), nn.ELU(),
            nn.ConvTranspose1d(32, 48, 4, stride=2, padding=1),
        )

    def forward(self, x):
        code = self.encoder(x / 40)
        return torch.sigmoid(self.decoder(code)), code


spec = spectrogram_db(600) / 10
net = ConvAE()
optim = torch.optim.NAdam(net.parameters(), lr=3e-3)
for epoch in range(30):
    for part in torch.randperm(600).split(60):
        x = spec[part]
        x_hat, _ = net(x)
        loss = nn.functional.smooth_l1_loss(x_hat, x)
        optim.zero_grad()
        loss.backward()
        optim.step()
    if epoch % 3 == 0:
        print(f"epoch {epoch:2d} loss {loss.item():.4f} output range {x_hat.min().item():.3f}..{x_hat.max().item():.3f}")
print("target range", spec.min().item(), spec.max().item())

import torch
import torch.nn as nn

torch.manual_seed(7)
device = torch.device("cpu")
LATENT = 8


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.main = nn.Sequential(nn.Linear(LATENT, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 16))

    def forward(self, z):
        return self.main(z)


class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.main = nn.Sequential(nn.Linear(16, 64), nn.LeakyReLU(0.2), nn.Linear(64, 64), nn.LeakyReLU(0.2),
                                  nn.Linear(64, 1))

    def forward(self, x):
        return self.main(x).squeeze(1)


def waves(n):
    phase = torch.rand(n, 1) * 6.2832
    return 2.0 + torch.sin(torch.linspace(0, 6.2832, 16) + phase)


netG, netD = Generator().to(device), Discriminator().to(device)
optG = torch.optim.SGD(netG.parameters(), lr=0.05, momentum=0.5)
optD = torch.optim.Adam(netD.parameters(), lr=1e-3, betas=(0.5, 0.999))
for _ in range(300):  # let the discriminator learn what noise looks like
    lossD = nn.functional.softplus(-netD(waves(64))).mean()
    lossD = lossD + nn.functional.softplus(netD(netG(torch.randn(64, LATENT)).detach())).mean()
    optD.zero_grad()
    lossD.backward()
    optD.step()

for step in range(700):
    real = waves(64)
    fake = netG(torch.randn(64, LATENT))
    lossD = nn.functional.softplus(-netD(real)).mean() + nn.functional.softplus(netD(fake.detach())).mean()
    optD.zero_grad()
    lossD.backward()
    optD.step()

    lossG = nn.functional.logsigmoid(-netD(fake)).mean()
    optG.zero_grad()
    lossG.backward()
    optG.step()
    if step % 70 == 0:
        print(f"[{step}] D {lossD.item():.4f} G {lossG.item():.4f} mean of the fakes {fake.mean().item():.3f}")
fake = netG(torch.randn(2000, LATENT))
print("mean curve real", waves(2000).mean().item(), "fake", fake.mean().item())
